import type { CopiedLog, Fault } from '../fact.ts'
import { formatGeneration, nextGeneration, previousGeneration } from '../generation.ts'
import type { LogIdentity } from '../log-identity.ts'
import type { EventOrder, ReplicaOrder } from '../order.ts'
import { permanent } from './copy-failure.ts'
import { type Failure, isLooking, mayCopy, nextNeeded, type ReplicaState } from './replica-state.ts'

type Stepped = readonly [ReplicaState, readonly ReplicaOrder[]]

/**
 * Looks at the source before anything is copied: its stream may have been restored to an earlier state. An operator asks for that by
 * Suspend and Resume, a start does it by itself, and in between the copy goes on with the numbers that it has.
 *
 * 1. A copy without logs takes what its source has. If it has a database with logs in it, only their replay can prove that.
 * 2. A newest log above everything that the source has generated is one of the future: Failed, until the source comes there.
 * 3. The source's log of the newest generation here is asked for and compared ({@link logCompared}).
 * 4. Where the source has that log no more, the next one proves by its header that it continues ({@link provenByLog}).
 *
 * A source that holds no log at all may not have read its directory yet: it is waited for.
 *
 * Source: divergence is looked for at instance start, after a restore, and on Resume; a restore into the active is followed by
 * Suspend and Resume, or the copy keeps outdated generations and copies nothing.
 */
export function lookAtSource(state: ReplicaState, nowMs: number): Stepped {
  if (!isLooking(state) || state.look === 'asked' || !state.heard || !state.connected || !mayCopy(state))
    return [state, []]
  const { announcement, inspected, stream, look, session } = state
  const isUnchanged = announcement.stream === stream && (look === 'if-restored' || inspected === 0)
  if (isUnchanged || nextNeeded(state) === 1) return belonging(state)
  if (inspected === 0 && state.database === null) return belonging(state)
  if (announcement.lowest === 0) return [state, []]
  if (nextNeeded(state) > nextGeneration(announcement.generated)) return ahead(state, nowMs)
  const isThere = inspected >= announcement.lowest && inspected <= announcement.closedThrough
  if (!isThere) return [byNextLog(state), []]
  return [{ ...state, look: 'asked' }, [{ kind: 'compare-log', session, generation: inspected }]]
}

/** Whether a log that arrived, or did not, is the one that was asked for only to be compared. */
export function isCompared(state: ReplicaState, { generation }: Pick<CopiedLog, 'generation'>): boolean {
  return state.look === 'asked' && generation === state.inspected
}

/** The source's log of the newest generation here has come. One that decayed on the source says nothing of the copy. */
export function logCompared(state: ReplicaState, log: CopiedLog, nowMs: number): Stepped {
  const discard = { kind: 'discard-log', log } as const
  if (log.rejection !== null) return [byNextLog(state), [discard]]
  if (state.identity !== null && isSameLog(state.identity, log.identity)) {
    const [known, orders] = belonging(state)
    return [known, [discard, ...orders]]
  }
  const generation = formatGeneration(log.generation)
  const message = `log ${generation} of the copy is another one than log ${generation} of its source: the copy has diverged and has to be seeded`
  const [failed, orders] = diverged(state, permanent(message, nowMs))
  return [{ ...failed, look: 'none' }, [discard, ...orders]]
}

/** The log to compare with did not come: it cannot be had, or the connection is gone and the next one begins with an announcement. */
export function comparisonFailed(state: ReplicaState, fault: Fault): ReplicaState {
  const isRefused = ['LOG_MISSING', 'LOG_CHANGED', 'READ_FAILED', 'FILE_HELD'].includes(fault.code)
  return isRefused ? byNextLog(state) : { ...state, look: 'wanted', heard: false }
}

/**
 * A log was inspected, or replayed, that continues what was here, and was asked for after its stream had been announced. The first of
 * an empty store continues nothing before it is replayed.
 */
export function provenByLog(before: ReplicaState, state: ReplicaState): Stepped {
  const continues = state.inspected > before.inspected ? before.identity !== null : hasReplayed(before, state)
  return state.look === 'by-next-log' && continues ? belonging(state) : [state, []]
}

function hasReplayed(before: ReplicaState, { database }: ReplicaState): boolean {
  const [old, fresh] = [before.database?.progress.replayedThrough ?? 0, database?.progress.replayedThrough ?? 0]
  return fresh > old
}

/** Whether the source was restored since the copy looked at it last: what it announces are numbers of another stream. */
export function isOutdated({ look, stream, announcement, failure }: ReplicaState): boolean {
  return look === 'none' && stream !== announcement.stream && failure?.kind !== 'permanent'
}

/** What an operator should know of an outdated copy, whose status does not show it; `''` for any other. */
export function outdatedRemark(state: ReplicaState): string {
  if (!isOutdated(state)) return ''
  const newest = formatGeneration(state.announcement.generated)
  return `the source was restored and has generated log ${newest}; the copy waits for log ${formatGeneration(nextNeeded(state))} until it is suspended and resumed`
}

/** Told once for each restore: the copy goes on with numbers that mean nothing any more. */
export function outdatedEvent(state: ReplicaState): EventOrder {
  const { announcement } = state
  const values = [formatGeneration(announcement.generated), formatGeneration(nextNeeded(state))]
  return { kind: 'raise-event', id: 9020, values }
}

/** From here on the logs of the copy are logs of the stream that the source announces. */
function belonging(state: ReplicaState): Stepped {
  const { stream } = state.announcement
  const known: ReplicaState = { ...state, failure: withoutAhead(state), stream, look: 'none' }
  return [known, stream === state.stream ? [] : [{ kind: 'record-stream', stream }]]
}

function byNextLog(state: ReplicaState): ReplicaState {
  return { ...state, failure: withoutAhead(state), look: 'by-next-log' }
}

/** The source has come to the newest log of the copy, or has truncated it. */
function withoutAhead({ failure }: ReplicaState): Failure | null {
  return failure?.kind === 'ahead' ? null : failure
}

function ahead(state: ReplicaState, nowMs: number): Stepped {
  const { announcement, failure } = state
  if (failure !== null && failure.kind !== 'transient') return [state, []]
  const first = formatGeneration(nextGeneration(announcement.generated))
  const newest = formatGeneration(previousGeneration(nextNeeded(state)))
  const message = `the copy has logs ${first} to ${newest}, which its source has not generated: the copy has diverged and has to be seeded`
  return diverged(state, { kind: 'ahead', message, sinceMs: nowMs })
}

function diverged(state: ReplicaState, failure: Failure): Stepped {
  return [{ ...state, stream: null, failure }, [{ kind: 'raise-event', id: 2058, values: [failure.message] }]]
}

function isSameLog(a: LogIdentity, b: LogIdentity): boolean {
  return (
    a.generation === b.generation &&
    a.signature === b.signature &&
    a.createTime === b.createTime &&
    a.previousCreateTime === b.previousCreateTime
  )
}
