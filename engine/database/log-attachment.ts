import { assert } from '../assert.ts'
import type { LogBytes } from './log-bytes.ts'
import { readText, readWideText } from './log-bytes.ts'
import { type LogPosition, readLogPosition, writeLogPosition } from './log-position.ts'
import { type LogSignature, readSignature, writeSignature } from './log-signature.ts'

/**
 * ATTACHINFO: a database that was attached when the log was created, so that a replay may start at any log. Generation 1 has
 * none: its body holds the record that creates the database.
 */
export interface LogAttachment {
  /** 1 and above; 0 ends the list. */
  readonly databaseId: number
  readonly sparse: boolean
  readonly dbtime: bigint
  readonly objectIdLast: number
  readonly databasePagesMax: number
  readonly attach: LogPosition
  readonly consistent: LogPosition
  readonly signature: LogSignature
  readonly path: string
  /** Whether the path is stored as UTF-16; formats from 7,3704,9 on can. */
  readonly unicode: boolean
}

/** Where the attach list begins in the header of a log. A checkpoint has it elsewhere. */
export const LOG_ATTACH_LIST = 671
/** Bytes of the attach list. */
const ATTACH_LIST_BYTES = 2048

const FIXED_BYTES = 64
const NAMES_UNICODE = 0x20
const SPARSE = 0x40

/** Reads the list at `lo` of a header. Returns null when an entry runs over the room of the list. */
export function readAttachments(header: LogBytes, lo: number): LogAttachment[] | null {
  const attachments: LogAttachment[] = []
  const end = lo + ATTACH_LIST_BYTES
  let at = lo
  while (at < end && header.bytes[at] !== 0) {
    if (at + FIXED_BYTES > end) return null
    const pathBytes = header.view.getUint16(at + 2, true)
    if (at + FIXED_BYTES + pathBytes > end) return null
    attachments.push(readAttachment(header, at, pathBytes))
    at += FIXED_BYTES + pathBytes
  }
  return attachments
}

/**
 * Writes the list at `lo` of a header, where all is zero.
 * `attachments` must fit: 2,048 bytes, 64 + the path each. A caller that attaches more breaks a limit of the engine itself.
 */
export function writeAttachments(view: DataView, lo: number, attachments: readonly LogAttachment[]): void {
  let at = lo
  for (const attachment of attachments) {
    const characterBytes = attachment.unicode ? 2 : 1
    const pathBytes = (attachment.path.length + 1) * characterBytes
    assert(at + FIXED_BYTES + pathBytes <= lo + ATTACH_LIST_BYTES, 'the attach list fits into its 2,048 bytes')
    writeFixedPart(view, at, attachment)
    view.setUint16(at + 2, pathBytes, true)
    writePath(view, at + FIXED_BYTES, attachment)
    at += FIXED_BYTES + pathBytes
  }
}

function readAttachment(header: LogBytes, at: number, pathBytes: number): LogAttachment {
  const { bytes, view } = header
  const flags = view.getUint8(at + 1)
  const unicode = (flags & NAMES_UNICODE) !== 0
  const path = at + FIXED_BYTES
  return {
    databaseId: view.getUint8(at),
    sparse: (flags & SPARSE) !== 0,
    dbtime: view.getBigUint64(at + 4, true),
    objectIdLast: view.getUint32(at + 12, true),
    databasePagesMax: view.getUint32(at + 16, true),
    attach: readLogPosition(view, at + 20),
    consistent: readLogPosition(view, at + 28),
    signature: readSignature(bytes, view, at + 36),
    path: unicode ? readWideText(view, path, pathBytes) : readText(bytes, path, pathBytes),
    unicode,
  }
}

function writeFixedPart(view: DataView, at: number, attachment: LogAttachment): void {
  view.setUint8(at, attachment.databaseId)
  view.setUint8(at + 1, (attachment.unicode ? NAMES_UNICODE : 0) | (attachment.sparse ? SPARSE : 0))
  view.setBigUint64(at + 4, attachment.dbtime, true)
  view.setUint32(at + 12, attachment.objectIdLast, true)
  view.setUint32(at + 16, attachment.databasePagesMax, true)
  writeLogPosition(view, at + 20, attachment.attach)
  writeLogPosition(view, at + 28, attachment.consistent)
  writeSignature(view, at + 36, attachment.signature)
}

function writePath(view: DataView, at: number, attachment: LogAttachment): void {
  for (let index = 0; index < attachment.path.length; index++) {
    const code = attachment.path.charCodeAt(index)
    if (attachment.unicode) view.setUint16(at + index * 2, code, true)
    else view.setUint8(at + index, code)
  }
}
