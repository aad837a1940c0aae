import { isUnwritten } from './fill-pattern.ts'
import { verifyBody } from './log-body.ts'
import { LogBuffer } from './log-buffer.ts'
import { type LogBytes, openLogBytes } from './log-bytes.ts'
import { CHECKSUM_RECORD_BYTES, firstSectorEnd, hasShadow, readChecksumRecord } from './log-checksum.ts'
import { LOG_HEADER_BYTES, type LogHeader } from './log-header.ts'
import { openRecords } from './log-record.ts'
import { turnShadow } from './log-seal.ts'

/**
 * Where the records of an open log end, and what a crash did to it:
 *
 * - `sound`: the last flush is whole; a log that was closed already is opened again behind it;
 * - `shadow`: the last sector is damaged and was taken from its shadow;
 * - `torn`: the last flush did not finish; what came to the disk of it ends with its last whole record;
 * - `corrupt`: damage that no crash explains. Nothing may be cut or patched.
 */
export interface EndOfLog {
  readonly state: 'sound' | 'shadow' | 'torn' | 'corrupt'
  /** The end of the last whole record that is proved. */
  readonly endByte: number
  /** The newest checksum record that proves it: with `endByte` it is where a `LogBuffer` goes on. */
  readonly checksumAt: number
  /** The whole file as recovery leaves it, sound and with all records up to `endByte`; null when nothing is to be patched. */
  readonly patched: Uint8Array | null
  /** For an operator: what is wrong, `''` when nothing is. */
  readonly detail: string
}

/**
 * Finds the end of the open log after a crash, and mends it. Only the open log may be mended: in a closed one the same damage
 * refuses the log (see `verifyLog`).
 *
 * A write of a flush that the crash cut short leaves more than the flush before: whole records of it are kept, since the
 * checksums prove them. They are no promise that was given to anybody, but no harm either.
 *
 * @param log the whole file
 * @param header its header, which was read and is sound
 */
export function findEndOfLog(log: LogBytes, header: LogHeader): EndOfLog {
  const body = verifyBody(log, header)
  const { state, detail } = body
  if (state === 'shadow') return fromShadow(log, header, { checksumAt: body.checksumAt, detail })
  const checksumAt = body.checksumAt ?? LOG_HEADER_BYTES
  if (state === 'corrupt' && (body.checksumAt === null || !isExcused(log, header, body.checksumAt)))
    return { state, endByte: body.endByte, checksumAt, patched: null, detail }
  if (body.checksumAt === null) return neverFlushed(header, detail)
  const proved = state === 'sound' ? state : 'torn'
  return afterRecords(log, header, { state: proved, endByte: body.endByte, checksumAt, patched: null, detail })
}

/**
 * Whether a crash explains damage for which a closed log has no excuse. Nothing may lie behind it:
 *
 * - the shadow of a last sector that is itself sound was not written whole;
 * - of a range of several sectors all came to the disk but the second, where the old shadow of the first still lies.
 */
function isExcused(log: LogBytes, header: LogHeader, checksumAt: number): boolean {
  const record = readChecksumRecord(log, checksumAt)
  if (record === null) return false
  const shadowAt = firstSectorEnd(checksumAt, header)
  const rangeEnd = checksumAt + CHECKSUM_RECORD_BYTES + record.forwards
  if (rangeEnd > shadowAt) return hasShadow(log, checksumAt, header) && isUnwritten(log, rangeEnd)
  return record.next === 0 && isUnwritten(log, shadowAt + header.sectorBytes)
}

/** The sector is put back from its shadow; then its records count like any others. */
function fromShadow(log: LogBytes, header: LogHeader, found: { checksumAt: number | null; detail: string }): EndOfLog {
  const { sectorBytes } = header
  const checksumAt = found.checksumAt ?? LOG_HEADER_BYTES // a shadow always has one: it lies in the sector before
  const shadowAt = firstSectorEnd(checksumAt, header)
  const mended = openLogBytes(log.bytes.slice())
  mended.bytes.copyWithin(shadowAt - sectorBytes, shadowAt, shadowAt + sectorBytes)
  turnShadow(mended, checksumAt)
  const end = findEndOfLog(mended, header)
  return end.state === 'sound'
    ? { ...end, state: 'shadow', patched: mended.bytes, detail: found.detail }
    : { ...end, state: 'corrupt', patched: null, detail: `${found.detail}; with it ${end.detail}` }
}

/** Cuts behind the last whole record: a flush ends with one, the part of a flush that came to the disk need not. */
function afterRecords(log: LogBytes, header: LogHeader, end: EndOfLog): EndOfLog {
  const cursor = openRecords(log, header, end.endByte)
  while (cursor.next());
  if (cursor.stop === 'unknown') return corruptAt(end, cursor.at, `no record has the type ${cursor.type} at`)
  // Every flush ends with a whole record, so only the newest range can hold a part of one.
  if (cursor.stop === 'cut' && cursor.at < end.checksumAt + CHECKSUM_RECORD_BYTES)
    return corruptAt(end, cursor.at, 'a checksum record lies inside the record at')
  if (end.state === 'sound' && cursor.stop === 'end') return isClosed(header, end) ? openedAgain(log, header, end) : end
  const endByte = cursor.stop === 'cut' ? cursor.at : end.endByte
  const detail = end.detail === '' ? `the record at byte ${cursor.at} passes the end of the log` : end.detail
  return mendedAt(log, header, { ...end, state: 'torn', endByte, detail })
}

/** Whether the newest range goes on behind its first sector: the log was closed, but a crash came before it got its name. */
function isClosed(header: LogHeader, { checksumAt, endByte }: EndOfLog): boolean {
  return endByte > firstSectorEnd(checksumAt, header)
}

/**
 * Opens a range behind a closed log, so that records may follow. Were its last range made longer instead, its first sector would
 * speak of sectors that are not there yet, and until they are its other sectors, which the database may rely on, were not proved.
 */
function openedAgain(log: LogBytes, header: LogHeader, end: EndOfLog): EndOfLog {
  const opened = mendedAt(log, header, end)
  const isFull = opened.checksumAt === end.checksumAt // it stays as it is: the next record rolls it
  return isFull ? end : opened
}

function corruptAt(end: EndOfLog, at: number, what: string): EndOfLog {
  return { ...end, state: 'corrupt', endByte: at, detail: `${what} byte ${at}` }
}

/** A log that was prepared and never flushed: it has no record yet. */
function neverFlushed(header: LogHeader, detail: string): EndOfLog {
  const empty = new LogBuffer(header)
  empty.seal()
  const endByte = LOG_HEADER_BYTES + CHECKSUM_RECORD_BYTES
  return { state: 'torn', endByte, checksumAt: LOG_HEADER_BYTES, patched: empty.fileImage(), detail }
}

/** Seals the records up to the end once more, which drops what is behind it. */
function mendedAt(log: LogBytes, header: LogHeader, end: EndOfLog): EndOfLog {
  const buffer = LogBuffer.resume(header, log.bytes, end)
  buffer.seal()
  return { ...end, endByte: buffer.end, checksumAt: buffer.checksumAt, patched: buffer.fileImage() }
}
