import { assert } from '../assert.ts'
import { fillWithPattern } from './fill-pattern.ts'
import type { LogAttachment } from './log-attachment.ts'
import type { LogEnvironment } from './log-environment.ts'
import { FORMAT_7, LOG_FILE_TYPE, LOG_HEADER_BYTES, type LogHeader, writeLogHeader } from './log-header.ts'
import type { LogPosition } from './log-position.ts'
import type { LogStream } from './log-stream.ts'

/** What a log of a stream is made with; where nothing is said, as Exchange 2007 makes it. */
export interface LogLayout {
  /** 512 (the default, as on the disks of 2007) to 4,096. */
  readonly sectorBytes?: number
  /** A whole number of sectors, at most 65,535; 1 MiB by default, as every log of Exchange 2007. */
  readonly sizeBytes?: number
  /** Update of format 7,3704: 10 (the default) is Exchange 2007, 12 its first service pack. It bounds the record types. */
  readonly update?: number
  readonly environment?: LogEnvironment
  /** The databases that are attached when the log is created; none in generation 1. */
  readonly attachments?: readonly LogAttachment[]
  /** The checkpoint when the log is created; the start of the log itself by default. */
  readonly checkpoint?: LogPosition
}

/** The length of every log of Exchange 2007: 1,024 KiB. */
export const LOG_BYTES_2007 = 1_048_576

/** Exchange 2007 as released. */
const UPDATE_2007 = 10
/** The sectors of the disks of 2007. */
export const SECTOR_BYTES_2007 = 512
const PAGE_BYTES_2007 = 8192
/** Sectors of one file: the field has 16 bits. */
const FILE_SECTORS_MAX = 0xffff
/** Sectors of body that a log has at least, beside the reserved last one. */
const BODY_SECTORS_MIN = 2

const ENVIRONMENT_2007: LogEnvironment = {
  systemPath: '',
  logPath: '',
  circularLogging: false,
  sessions: 8192,
  openTables: 28_000,
  versionPages: 18_080,
  cursors: 27_500,
  logBuffers: 2048,
  logFileSectors: 0,
  cacheSizeMax: 262_144,
}

/** The header of a new log of format 7,3704. It is written once and never changed. */
export function headerOfNewLog(stream: LogStream, layout: LogLayout = {}): LogHeader {
  const sectorBytes = layout.sectorBytes ?? SECTOR_BYTES_2007
  const fileSectors = (layout.sizeBytes ?? LOG_BYTES_2007) / sectorBytes
  const headerSectors = LOG_HEADER_BYTES / sectorBytes
  assert(Number.isInteger(fileSectors) && fileSectors <= FILE_SECTORS_MAX, 'a log is at most 65,535 whole sectors')
  assert(fileSectors >= headerSectors + BODY_SECTORS_MIN + 1, 'a log has two sectors of body and the reserved one')
  return {
    sectorBytes,
    fileSectors,
    generation: stream.generation,
    headerSectors,
    pageBytes: PAGE_BYTES_2007,
    createTime: stream.createTime,
    previousCreateTime: stream.previousCreateTime,
    version: { major: FORMAT_7.major, minor: FORMAT_7.minor, update: layout.update ?? UPDATE_2007, updateMinor: 0 },
    signature: stream.signature,
    environment: { ...(layout.environment ?? ENVIRONMENT_2007), logFileSectors: fileSectors },
    flags: { reserveLog: false, circularNow: false, circularEarlier: false },
    checkpoint: layout.checkpoint ?? { generation: stream.generation, sector: headerSectors, byte: 0 },
    diskSectorMismatch: 0,
    previousSegmentsChecksum: 0n,
    engineFormatVersion: 0,
    fileType: LOG_FILE_TYPE,
    attachments: layout.attachments ?? [],
  }
}

/**
 * The whole file of a log before its first flush: the header, and the fill pattern behind it. A disk that holds this can tell
 * a write that did not finish from damage, so no log is opened without it.
 */
export function prepareLog(header: LogHeader): Uint8Array {
  const bytes = new Uint8Array(header.sectorBytes * header.fileSectors)
  fillWithPattern(bytes, LOG_HEADER_BYTES, bytes.byteLength)
  writeLogHeader(bytes, header)
  return bytes
}
