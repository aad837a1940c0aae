import { createHash } from 'node:crypto'
import { numberedName } from '../log-files.ts'
import type { TrueLog } from './store-verifier.ts'

/** Longest log of a victim. */
export const VICTIM_LOG_BYTES_MAX: number = 2 * 65_536

/** Lengths in turn: some go past the page cache as whole blocks, some through it and need a sync of their own. */
const LENGTHS = [65_536, 65_536 + 1_000, 4_096, 777, VICTIM_LOG_BYTES_MAX] as const

/** The length of a victim's log. */
export function victimLogBytes(generation: number): number {
  return LENGTHS[generation % LENGTHS.length] ?? VICTIM_LOG_BYTES_MAX
}

/** The content of a victim's log: different in every sector, so that a lost or misplaced one shows. */
export function fillVictimLog(bytes: Uint8Array, generation: number): void {
  let state = Math.imul(generation, 0x9e3779b1) | 1
  for (let at = 0; at < bytes.length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    bytes[at] = state >>> 24
  }
}

/** What the victim closes as generation 1 to `count`. */
export function victimTruth(count: number): TrueLog[] {
  return Array.from({ length: count }, (_, index) => {
    const generation = index + 1
    const bytes = new Uint8Array(victimLogBytes(generation))
    fillVictimLog(bytes, generation)
    return { generation, name: numberedName(generation), sha256: createHash('sha256').update(bytes).digest('hex') }
  })
}
