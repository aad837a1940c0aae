import { asGeneration, ESE_GENERATION_MAX, type Generation } from '../generation.ts'
import type { LogIdentity, Rejection } from '../log-identity.ts'
import { blockChecksum } from './block-checksum.ts'
import { LOG_ATTACH_LIST, type LogAttachment, readAttachments, writeAttachments } from './log-attachment.ts'
import { hexOf, type LogBytes, openLogBytes } from './log-bytes.ts'
import { type LogEnvironment, readEnvironment, writeEnvironment } from './log-environment.ts'
import { type LogPosition, readLogPosition, writeLogPosition } from './log-position.ts'
import { type LogSignature, readSignature, SIGNATURE_BYTES, writeSignature } from './log-signature.ts'
import { LOG_TIME_BYTES, type LogTime, readLogTime, writeLogTime } from './log-time.ts'
import { PAGE_SIZES } from './page-seal.ts'

/** Which layout a log has. `update` and `updateMinor` only add records and fields. */
interface LogVersion {
  readonly major: number
  readonly minor: number
  readonly update: number
  readonly updateMinor: number
}

/** The first 4,096 bytes of an ESE log: written once, when the file is created, and never changed. */
export interface LogHeader {
  readonly generation: Generation
  /** The volume's sector size in format 7,3704 (512 or 4,096); 4,096 in format 8,4000. */
  readonly sectorBytes: number
  readonly headerSectors: number
  /** Sectors of the whole file, header counted. */
  readonly fileSectors: number
  /** Page size of the stream's databases. */
  readonly pageBytes: number
  readonly createTime: LogTime
  /** `createTime` of the log before; unset in generation 1. */
  readonly previousCreateTime: LogTime
  readonly version: LogVersion
  readonly signature: LogSignature
  readonly environment: LogEnvironment
  readonly flags: LogFlags
  /** The checkpoint when the log was created. For people: recovery does not read it. */
  readonly checkpoint: LogPosition
  /** 0 unknown, 1 as the disk's own sector, 2 to 5 the disk had 512 to 4,096. */
  readonly diskSectorMismatch: number
  /** XOR of the segment checksums of the log before (8,4000 from update 13 on), else 0. */
  readonly previousSegmentsChecksum: bigint
  readonly engineFormatVersion: number
  /** 3 is a log; 0 is tolerated for very old ones. */
  readonly fileType: number
  readonly attachments: readonly LogAttachment[]
}

/** How the log came about. */
interface LogFlags {
  /** Made from a reserve log, so the disk was full. */
  readonly reserveLog: boolean
  readonly circularNow: boolean
  readonly circularEarlier: boolean
}

/** What came of reading a header: all of it, or why not. Bad bytes are no exception: they are what a reader is for. */
export type HeaderVerdict =
  | { readonly verdict: 'read'; readonly header: LogHeader; readonly identity: LogIdentity }
  | { readonly verdict: 'rejected'; readonly rejection: Rejection }

/** Bytes of a log header, whatever the sector size. */
export const LOG_HEADER_BYTES = 4096
/** The file type of a log. The field lies at the same offset in logs, checkpoints and databases. */
export const LOG_FILE_TYPE = 3

/** The format of Exchange 2007: 7,3704, whose updates up to 17 this engine reads. */
export const FORMAT_7: { readonly major: 7; readonly minor: 3704; readonly updateMax: 17 } = {
  major: 7,
  minor: 3704,
  updateMax: 17,
}
/** The format of Exchange 2013 and later: 8,4000. Its segments can be verified whatever the update. */
export const FORMAT_8: { readonly major: 8; readonly minor: 4000 } = { major: 8, minor: 4000 }

/** The page size that a field of 0 stands for: files older than the field. */
const PAGE_BYTES_BEFORE_FIELD = 4096
/** Sector sizes that a volume may have; the header block holds at least one sector. */
const SECTOR_BYTES_KNOWN: readonly number[] = [512, 1024, 2048, 4096]

/** Byte offsets of the fields, in file order. */
const AT = {
  checksum: 0,
  generation: 4,
  sectorBytes: 8,
  headerSectors: 10,
  fileSectors: 12,
  pageBytes: 14,
  createTime: 16,
  previousCreateTime: 24,
  major: 32,
  minor: 36,
  update: 40,
  signature: 44,
  environment: 72,
  flags: 639,
  checkpoint: 640,
  updateMinor: 648,
  diskSectorMismatch: 652,
  previousSegmentsChecksum: 653,
  engineFormatVersion: 661,
  fileType: 667,
} as const

/**
 * Reads a header. The checks come in the engine's own order: checksum, file type, version, geometry, page size; then the
 * generation and the attach list. The length of the file is checked by who has the file.
 *
 * @param bytes at least 4,096; only the first 4,096 are read
 */
export function readLogHeader(bytes: Uint8Array): HeaderVerdict {
  if (bytes.byteLength < LOG_HEADER_BYTES)
    return rejected('bad-size', `${bytes.byteLength} bytes are less than a log header of ${LOG_HEADER_BYTES}`)
  return readOpenHeader(openLogBytes(bytes.byteLength === LOG_HEADER_BYTES ? bytes : headerOf(bytes)))
}

/** {@link readLogHeader} for bytes that are open already and at least 4,096. */
export function readOpenHeader(log: LogBytes): HeaderVerdict {
  const rejection = faultOfHeader(log)
  if (rejection !== null) return { verdict: 'rejected', rejection }
  const attachments = readAttachments(log, LOG_ATTACH_LIST)
  if (attachments === null) return rejected('corrupt-checksum', 'attach list of the header runs over its 2048 bytes')
  return { verdict: 'read', header: fieldsOf(log, attachments), identity: identityOf(log) }
}

/**
 * Writes a header over the first 4,096 bytes of `target` and seals it.
 *
 * @param target at least 4,096 bytes, at a byte offset that is a multiple of four
 */
export function writeLogHeader(target: Uint8Array, header: LogHeader): void {
  const log = openLogBytes(target)
  const { view } = log
  target.fill(0, 0, LOG_HEADER_BYTES)
  view.setInt32(AT.generation, header.generation, true)
  view.setUint16(AT.sectorBytes, header.sectorBytes, true)
  view.setUint16(AT.headerSectors, header.headerSectors, true)
  view.setUint16(AT.fileSectors, header.fileSectors, true)
  view.setUint16(AT.pageBytes, header.pageBytes, true)
  writeLogTime(view, AT.createTime, header.createTime)
  writeLogTime(view, AT.previousCreateTime, header.previousCreateTime)
  writeVersion(view, header.version)
  writeSignature(view, AT.signature, header.signature)
  writeEnvironment(view, AT.environment, header.environment)
  view.setUint8(AT.flags, flagByte(header.flags))
  writeLogPosition(view, AT.checkpoint, header.checkpoint)
  view.setUint8(AT.diskSectorMismatch, header.diskSectorMismatch)
  view.setBigUint64(AT.previousSegmentsChecksum, header.previousSegmentsChecksum, true)
  view.setUint32(AT.engineFormatVersion, header.engineFormatVersion, true)
  view.setUint32(AT.fileType, header.fileType, true)
  writeAttachments(view, LOG_ATTACH_LIST, header.attachments)
  view.setInt32(AT.checksum, headerChecksum(log), true)
}

/** The XOR checksum of a header: of all its words but the first, which holds it. */
export function headerChecksum(log: LogBytes): number {
  return blockChecksum(log, 0, LOG_HEADER_BYTES)
}

function headerOf(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, LOG_HEADER_BYTES)
}

function faultOfHeader(log: LogBytes): Rejection | null {
  const { view } = log
  const stored = view.getInt32(AT.checksum, true)
  const computed = headerChecksum(log)
  if (stored !== computed)
    return { reason: 'corrupt-checksum', detail: `header checksum ${hex(stored)}, computed ${hex(computed)}` }
  const fileType = view.getUint32(AT.fileType, true)
  if (fileType !== LOG_FILE_TYPE && fileType !== 0)
    return { reason: 'bad-file-type', detail: `file type ${fileType} is not ${LOG_FILE_TYPE}, a log` }
  return faultOfVersion(readVersion(view)) ?? faultOfGeometry(view) ?? faultOfGeneration(view)
}

function faultOfVersion(version: LogVersion): Rejection | null {
  const { major, minor, update } = version
  if (major === FORMAT_8.major && minor === FORMAT_8.minor) return null
  if (major === FORMAT_7.major && minor === FORMAT_7.minor && update <= FORMAT_7.updateMax) return null
  return { reason: 'bad-version', detail: `format ${major},${minor},${update} is not one this engine reads` }
}

function faultOfGeometry(view: DataView): Rejection | null {
  const sectorBytes = view.getUint16(AT.sectorBytes, true)
  const headerSectors = view.getUint16(AT.headerSectors, true)
  if (!SECTOR_BYTES_KNOWN.includes(sectorBytes) || sectorBytes * headerSectors !== LOG_HEADER_BYTES)
    return {
      reason: 'bad-size',
      detail: `header of ${headerSectors} sectors of ${sectorBytes} bytes is not 4096 bytes`,
    }
  if (view.getUint32(AT.major, true) === FORMAT_8.major && sectorBytes !== LOG_HEADER_BYTES)
    return { reason: 'bad-size', detail: `segments of ${sectorBytes} bytes where format 8,4000 has 4096` }
  const pageBytes = view.getUint16(AT.pageBytes, true)
  if (pageBytes !== 0 && !PAGE_SIZES.includes(pageBytes))
    return { reason: 'bad-version', detail: `page size ${pageBytes} is not one that any version has` }
  return null
}

function faultOfGeneration(view: DataView): Rejection | null {
  const generation = view.getInt32(AT.generation, true)
  if (generation >= 1 && generation <= ESE_GENERATION_MAX) return null
  return { reason: 'generation-mismatch', detail: `generation ${generation} of the header is no generation` }
}

function fieldsOf(log: LogBytes, attachments: readonly LogAttachment[]): LogHeader {
  const { bytes, view } = log
  return {
    generation: asGeneration(view.getInt32(AT.generation, true)),
    sectorBytes: view.getUint16(AT.sectorBytes, true),
    headerSectors: view.getUint16(AT.headerSectors, true),
    fileSectors: view.getUint16(AT.fileSectors, true),
    pageBytes: view.getUint16(AT.pageBytes, true) || PAGE_BYTES_BEFORE_FIELD,
    createTime: readLogTime(view, AT.createTime),
    previousCreateTime: readLogTime(view, AT.previousCreateTime),
    version: readVersion(view),
    signature: readSignature(bytes, view, AT.signature),
    environment: readEnvironment(bytes, view, AT.environment),
    flags: flagsOf(view.getUint8(AT.flags)),
    checkpoint: readLogPosition(view, AT.checkpoint),
    diskSectorMismatch: view.getUint8(AT.diskSectorMismatch),
    previousSegmentsChecksum: view.getBigUint64(AT.previousSegmentsChecksum, true),
    engineFormatVersion: view.getUint32(AT.engineFormatVersion, true),
    fileType: view.getUint32(AT.fileType, true),
    attachments,
  }
}

function identityOf(log: LogBytes): LogIdentity {
  const { bytes, view } = log
  return {
    generation: asGeneration(view.getInt32(AT.generation, true)),
    signature: hexOf(bytes, AT.signature, AT.signature + SIGNATURE_BYTES),
    createTime: hexOf(bytes, AT.createTime, AT.createTime + LOG_TIME_BYTES),
    previousCreateTime: hexOf(bytes, AT.previousCreateTime, AT.previousCreateTime + LOG_TIME_BYTES),
  }
}

function readVersion(view: DataView): LogVersion {
  return {
    major: view.getUint32(AT.major, true),
    minor: view.getUint32(AT.minor, true),
    update: view.getUint32(AT.update, true),
    updateMinor: view.getUint32(AT.updateMinor, true),
  }
}

function writeVersion(view: DataView, version: LogVersion): void {
  view.setUint32(AT.major, version.major, true)
  view.setUint32(AT.minor, version.minor, true)
  view.setUint32(AT.update, version.update, true)
  view.setUint32(AT.updateMinor, version.updateMinor, true)
}

function flagsOf(byte: number): LogFlags {
  return { reserveLog: (byte & 1) !== 0, circularNow: (byte & 2) !== 0, circularEarlier: (byte & 4) !== 0 }
}

function flagByte(flags: LogFlags): number {
  return (flags.reserveLog ? 1 : 0) | (flags.circularNow ? 2 : 0) | (flags.circularEarlier ? 4 : 0)
}

function rejected(reason: Rejection['reason'], detail: string): HeaderVerdict {
  return { verdict: 'rejected', rejection: { reason, detail } }
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}
