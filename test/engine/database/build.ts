import { existsSync, readFileSync } from 'node:fs'
import { fillWithPattern } from '../../../engine/database/fill-pattern.ts'
import type { LogAttachment } from '../../../engine/database/log-attachment.ts'
import { type LogBytes, openLogBytes } from '../../../engine/database/log-bytes.ts'
import {
  type BodyGeometry,
  type ChecksumRecord,
  firstSectorEnd,
  fullChecksum,
  readChecksumRecord,
  SHORT_CHECKSUM_ON,
  shortChecksum,
  writeChecksumRecord,
} from '../../../engine/database/log-checksum.ts'
import { headerChecksum } from '../../../engine/database/log-header.ts'
import { sealChain, writeShadow } from '../../../engine/database/log-seal.ts'
import type { LogSignature } from '../../../engine/database/log-signature.ts'
import { beginStream, type LogStream, nextInStream } from '../../../engine/database/log-stream.ts'
import { logTimeAt } from '../../../engine/database/log-time.ts'
import { composeLog, type LogPlan } from '../../../engine/database/log-writer.ts'

/** 15 December 2006, a Friday: a moment of the time when Exchange 2007 was new. */
export const MOMENT_MS = 1_166_140_800_000

export const SIGNATURE: LogSignature = { random: 0xcafe1234, createTime: logTimeAt(MOMENT_MS), computer: '' }

/** The place of generation `generation` in a stream whose logs are a second apart; from `partedAt` on in another history of it, an hour later. */
export function place(generation: number, partedAt = Number.POSITIVE_INFINITY): LogStream {
  let stream = beginStream(SIGNATURE)
  for (let next = 2; next <= generation; next++)
    stream = nextInStream(stream, logTimeAt(MOMENT_MS + next * 1000 + (next < partedAt ? 0 : 3_600_000)))
  return stream
}

/** A small closed log; 64 KiB keeps the tests quick. */
export function aLog(generation: number, plan: Partial<LogPlan> = {}): Uint8Array {
  return composeLog({ ...place(generation), seed: generation, sizeBytes: 65_536, ...plan })
}

/** Makes the header's checksum fit again after a change of its bytes. */
export function sealHeader(log: Uint8Array): Uint8Array {
  const open = openLogBytes(log)
  open.view.setInt32(0, headerChecksum(open), true)
  return log
}

/** A copy with one bit turned. */
export function withFlippedBit(log: Uint8Array, bit: number): Uint8Array {
  const copy = log.slice()
  const at = bit >>> 3
  copy[at] = (copy[at] ?? 0) ^ (1 << (bit & 7))
  return copy
}

/** A body as it lies on disk while its log is open: 16 sectors of 512, nothing written after the shadow. */
export interface OpenBody {
  readonly log: LogBytes
  readonly geometry: BodyGeometry
}

/**
 * Builds a body from the places of its checksum records and its end. Its content is irregular: the XOR of a regular sector is
 * zero, as is that of the fill pattern, and then an XOR cannot tell one from the other.
 * `shadow` writes the shadow that a flush ending inside a sector leaves behind it.
 */
export function anOpenBody(chain: { places: readonly number[]; endByte: number; shadow?: boolean }): OpenBody {
  const geometry: BodyGeometry = { sectorBytes: 512, headerSectors: 8, fileSectors: 24, generation: 5 }
  const log = openLogBytes(new Uint8Array(geometry.sectorBytes * geometry.fileSectors))
  fillWithPattern(log.bytes, 4096, log.bytes.byteLength)
  const sectorEnd = Math.ceil(chain.endByte / 512) * 512
  log.bytes.fill(0, 4096, sectorEnd)
  for (let at = 4096; at < chain.endByte; at++) log.bytes[at] = Math.imul(at * at, 0x9e3779b1) >>> 24
  sealChain(log, geometry, chain)
  const last = chain.places[chain.places.length - 1] ?? 4096
  if (chain.shadow === true) writeShadow(log, geometry, last)
  return { log, geometry }
}

/** The first flush ends in sector 9, a second one runs from there over 10 and 11, a third ends inside sector 12. */
export const THREE_FLUSHES = { places: [4096, 4708, 6244], endByte: 6400 } as const
/** Bytes of a sector of {@link anOpenBody}. */
export const SECTOR = 512

/** Turns a bit of the byte at `at`. */
export function flip(body: OpenBody, at: number): void {
  body.log.bytes[at] = (body.log.bytes[at] ?? 0) ^ 0x10
}

/** Makes sectors what they were before anything was written to them. */
export function unwrite(body: OpenBody, sector: number, end = sector + 1): void {
  fillWithPattern(body.log.bytes, sector * SECTOR, end * SECTOR)
}

/** Seals the record at `at` with some of its numbers changed, so that its checksums fit and only the rules can refuse it. */
export function sealAs(body: OpenBody, at: number, numbers: Partial<ChecksumRecord>): void {
  const { log, geometry } = body
  const old = readChecksumRecord(log, at)
  if (old === null) throw new Error('there is a record')
  const record = { ...old, shortChecksum: 0, ...numbers }
  const short = record.shortMark === SHORT_CHECKSUM_ON
  const end = firstSectorEnd(at, geometry)
  writeChecksumRecord(log, at, {
    ...record,
    checksum: fullChecksum(log, at, { record, geometry }),
    shortChecksum: short ? shortChecksum(log, at, { record, end, geometry }) : record.shortChecksum,
  })
}

const SPECIMENS = new URL('../../../../shared/specimens/', import.meta.url)

/** Whether the real logs lie beside the checkout; they may not be copied into it. */
export const HAS_SPECIMENS: boolean = existsSync(SPECIMENS)

/** Stands in the name of a test that was skipped for want of them. */
export const SPECIMENS_NOTE: string = HAS_SPECIMENS ? '' : ' (skipped: ../shared/specimens is absent)'

/** A real log, by its path below the folder of specimens. */
export function specimen(path: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(path, SPECIMENS)))
}

/** Two complete streams of two generations each, by another program on two kinds of disk. */
export const SPECIMEN_STREAMS = [
  {
    name: '512-byte sectors',
    sectorBytes: 512,
    first: 'winmail-v7-512B/edb00001.log',
    open: 'winmail-v7-512B/edb.log',
  },
  {
    name: '4096-byte sectors',
    sectorBytes: 4096,
    first: 'winmail-v7-8k-A/edb00001.log',
    open: 'winmail-v7-8k-A/edb.log',
  },
] as const

/** A database as the attach list of a log or a checkpoint names it. */
export function anAttachment(of: Pick<LogAttachment, 'path' | 'signature'> & Partial<LogAttachment>): LogAttachment {
  const begin = { generation: 1, sector: 8, byte: 0 }
  const nothingDone = {
    databaseId: 1,
    sparse: false,
    dbtime: 0x40n,
    objectIdLast: 0,
    databasePagesMax: 0,
    unicode: true,
  }
  return { ...nothingDone, attach: begin, consistent: begin, ...of }
}
