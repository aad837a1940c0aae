import { assert } from '../assert.ts'
import type { SourceFact } from '../fact.ts'
import { formatGeneration, higherOf, NO_GENERATION, previousGeneration } from '../generation.ts'
import type { SourceOrder } from '../order.ts'
import { NEVER_BACKED_UP } from './backup-session.ts'
import { gapOf } from './gap.ts'
import type { SourceState } from './source-state.ts'

/**
 * What was known of the logs is no longer so, and generations mean other logs. The copies learn it by the number of the stream,
 * and what they have reported counts again when they report that number.
 */
export function restored(
  state: SourceState,
  fact: Extract<SourceFact, { kind: 'stream-restored' }>,
): readonly [SourceState, readonly SourceOrder[]] {
  assert(state.started && state.truncating === null, 'logs are restored while nothing deletes them')
  const { closed, truncatedBelow, mark } = fact
  const stream = state.stream + 1
  const forgotten = { backups: NEVER_BACKED_UP, session: null, truncateFailure: '' }
  const fresh: SourceState = { ...state, ...forgotten, closed, truncatedBelow, mark, stream, takenOver: null }
  const generated = higherOf(closed.generated, previousGeneration(truncatedBelow))
  const next: SourceState = {
    ...fresh,
    generated,
    logTimeMs: closed.logTimeMs,
    gap: gapOf({ ...fresh, generated, gap: null }, closed, fact.nowMs),
    activeRequired: state.activeRequired === null ? null : NO_GENERATION,
  }
  return [
    next,
    [
      { kind: 'record-restore', stream, truncatedBelow, mark },
      { kind: 'raise-event', id: 9021, values: [formatGeneration(generated)] },
    ],
  ]
}
