import type { Generation } from '../generation.ts'
import type { SourceOrder } from '../order.ts'
import type { SourceState } from './source-state.ts'
import { planTruncation } from './truncation-rule.ts'

/**
 * Everything through a log may be deleted as far as backups are concerned: the mark, made durable, and event 225 when no log can
 * go now. What a copy still holds back goes later, without another backup.
 */
export function grant(
  state: SourceState,
  through: Generation,
  nowMs: number,
): readonly [SourceState, readonly SourceOrder[]] {
  const mark = { through, atMs: nowMs }
  const marked: SourceState = { ...state, mark, truncateAgainMs: 0 }
  const isFruitless = planTruncation(marked, nowMs) === null && state.truncating === null
  const event: readonly SourceOrder[] = isFruitless ? [{ kind: 'raise-event', id: 225, values: [] }] : []
  return [marked, [{ kind: 'record-mark', mark }, ...event]]
}
