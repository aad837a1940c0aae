import type { LogBytes } from './log-bytes.ts'
import { xorWords } from './range-xor.ts'

/** What the XOR of a header block starts from; the same number is the magic of a database header. */
const SEED = 0x89abcdef | 0

/**
 * The XOR checksum of a block whose first word holds it: of a log, checkpoint or database header, of the trailer page of a backup,
 * and of pages from before Exchange 2003 SP1.
 *
 * @param lo where the block begins, a multiple of four
 * @param bytes its length, a multiple of four: 4,096 for logs and checkpoints, the page size in a database
 * @returns a signed 32-bit number
 */
export function blockChecksum(log: LogBytes, lo: number, bytes: number): number {
  return SEED ^ xorWords(log, (lo >>> 2) + 1, (lo + bytes) >>> 2)
}

/** Whether the checksum that a block states is the one it has. Parameters as {@link blockChecksum}. */
export function isBlockSealed(log: LogBytes, lo: number, bytes: number): boolean {
  return log.words[lo >>> 2] === blockChecksum(log, lo, bytes)
}

/** Writes the checksum of a finished block into its first word. Parameters as {@link blockChecksum}. */
export function sealBlock(log: LogBytes, lo: number, bytes: number): void {
  log.view.setInt32(lo, blockChecksum(log, lo, bytes), true)
}
