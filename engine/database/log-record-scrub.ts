import type { LogBytes } from './log-bytes.ts'
import { type NodeChange, readNodeChange, writeNodeChange } from './log-record-page.ts'
import { RECORD } from './log-record-table.ts'

/** Bytes of a Scrub record before its operations. */
export const SCRUB_FIXED_BYTES = 54

/** What a page holds without using it is overwritten. Its line counts for nothing. */
export interface Scrub extends NodeChange {
  /** Whether the page belongs to no tree. Our engine writes false: it makes a page empty when it frees it. */
  readonly isFreePage: boolean
  /** One for each node of the page, by line: 0 leaves it alone, 1 overwrites its data, 2 a piece of a long value. Ours are all 0. */
  readonly operations: Uint8Array
}

/** Byte offsets of the fields behind those of the node. Source: the engine's record; 54 bytes before the operations. */
const AT = { flags: 44, operationCount: 48, bytes: 52 } as const
const FLAG_FREE_PAGE = 1

/** Scrub. Returns where the next record goes. */
export function writeScrub(log: LogBytes, at: number, scrub: Scrub): number {
  const { view } = log
  const { operations } = scrub
  view.setUint8(at, RECORD.scrub)
  writeNodeChange(view, at, scrub)
  view.setUint32(at + AT.flags, scrub.isFreePage ? FLAG_FREE_PAGE : 0, true)
  view.setUint32(at + AT.operationCount, operations.byteLength, true)
  view.setUint16(at + AT.bytes, operations.byteLength, true)
  log.bytes.set(operations, at + SCRUB_FIXED_BYTES)
  return at + SCRUB_FIXED_BYTES + operations.byteLength
}

/** Reads the Scrub at `at`. Its operations are a view of the log's own memory. */
export function readScrub(log: LogBytes, at: number): Scrub {
  const { view } = log
  const start = at + SCRUB_FIXED_BYTES
  return {
    ...readNodeChange(view, at),
    isFreePage: (view.getUint32(at + AT.flags, true) & FLAG_FREE_PAGE) !== 0,
    operations: log.bytes.subarray(start, start + view.getUint16(at + AT.bytes, true)),
  }
}
