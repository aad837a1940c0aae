import { ReplicationError } from '../engine/error.ts'
import type { Fault } from '../engine/fact.ts'
import { mustBeSeeded } from '../engine/replication/copy-database.ts'
import { doneThrough } from '../engine/replication/replayer.ts'
import type { ReplicaState } from '../engine/replication/replica-state.ts'
import type { Judge } from './state-watch.ts'

/** What the judge needs beside the state: things that the engine does not keep. */
export interface CatchUpContext {
  /** Whether the source has announced what it holds since it was reached last. */
  readonly announced: () => boolean
  /** The last fault of source or store, while the copy is Failed because of it. */
  readonly lastFault: () => Fault | null
  readonly nowMs: () => number
}

/**
 * How long a source may be out of reach before waiting for it is given up, in milliseconds: a restart of the source takes less,
 * and a script wants an answer.
 */
export const UNREACHABLE_PATIENCE_MS = 10_000

/**
 * Judges whether a copy has caught up: everything that its source had closed when it was first reached is inspected, and
 * replayed where the copy has a database. Logs closed later do not count, so that catching up with a busy source ends.
 *
 * Throws what will not heal by itself: `STATE_REFUSED` (suspended), `LOG_REJECTED`, `DATABASE_REJECTED`, `LOG_MISSING`, the
 * refusal of the source, and `NODE_UNREACHABLE` when it was out of reach for {@link UNREACHABLE_PATIENCE_MS}.
 */
export function caughtUpJudge(context: CatchUpContext): Judge<ReplicaState, ReplicaState> {
  let target = -1
  let unreachedSinceMs = context.nowMs()
  return (state) => {
    refuseHopeless(state, context.lastFault())
    if (state.connected) unreachedSinceMs = context.nowMs()
    else if (context.nowMs() - unreachedSinceMs >= UNREACHABLE_PATIENCE_MS)
      throw new ReplicationError(unreachable(state, context.lastFault()))
    if (target < 0 && state.connected && context.announced()) target = state.announcement.generated
    return target >= 0 && doneThrough(state) >= target ? state : null
  }
}

function refuseHopeless(state: ReplicaState, fault: Fault | null): void {
  const { name, suspension, failure } = state
  if (suspension !== null)
    throw new ReplicationError({
      code: 'STATE_REFUSED',
      message: `the copy of ${name} is suspended`,
      hint: `Run "ccr resume ${name}" first.`,
    })
  if (failure?.kind === 'permanent' || failure?.kind === 'missing') {
    const rejected = mustBeSeeded(state.database) ? 'DATABASE_REJECTED' : 'LOG_REJECTED'
    throw new ReplicationError({
      code: failure.kind === 'missing' ? 'LOG_MISSING' : rejected,
      message: `the copy of ${name} cannot catch up: ${failure.message}`,
      hint: `Mend the cause, then suspend and resume the copy; "ccr events" tells what happened.`,
    })
  }
  if (failure === null || fault === null || failure.message !== fault.message) return
  const error = new ReplicationError({ ...fault, hint: 'It is tried again while the copy runs without --once.' })
  if (!error.retriable) throw error
}

function unreachable({ name }: ReplicaState, fault: Fault | null): ConstructorParameters<typeof ReplicationError>[0] {
  return {
    code: 'NODE_UNREACHABLE',
    message: `the source of ${name} cannot be reached: ${fault?.message ?? 'it does not answer'}`,
    hint: 'Start the source with "ccr share", or look at its address.',
  }
}
