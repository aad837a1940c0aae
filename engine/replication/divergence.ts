import type { CopiedLog, Fault, ReplicaFact } from '../fact.ts'
import { formatGeneration, nextGeneration } from '../generation.ts'
import type { EventOrder, ReplicaOrder } from '../order.ts'
import { ATTEMPTS_MAX } from './copier.ts'
import { compareLogs } from './divergence-search.ts'
import {
  ahead,
  beginReseed,
  beyondMoved,
  lostInDatabase,
  mayHaveLost,
  searchCompared,
  searchMissed,
  setStraysAside,
} from './incremental-reseed.ts'
import { type Failure, isLooking, mayCopy, nextNeeded, type ReplicaState } from './replica-state.ts'

type Stepped = readonly [ReplicaState, readonly ReplicaOrder[]]
type LogMatched = Extract<ReplicaFact, { kind: 'log-matched' }>

/**
 * Looks at the source before anything is copied: its stream may have been restored to an earlier state. An operator asks for that by
 * Suspend and Resume, a start does it by itself, and in between the copy goes on with the numbers that it has.
 *
 * 1. A copy without logs takes what its source has. If it has a database with logs in it, only their replay can prove that.
 * 2. A newest log above everything that the source has generated is one of the future: Failed, until the source comes there.
 *    Before that, logs beyond a gap are set aside: they may be of the stream before ({@link setStraysAside}). A source that has
 *    changed its role is another machine, which goes on from where it was: it is waited for until it has written something
 *    ({@link beyondMoved}).
 * 3. The source's log of the newest generation here is asked for and compared ({@link logCompared}). Where it is another one, the first
 *    that differs is searched for ({@link beginReseed}).
 * 4. Where the source has that log no more, the next one proves by its header that it continues ({@link provenByLog}), or does not, and
 *    then the source is asked once more.
 *
 * A source that holds no log at all may not have read its directory yet: it is waited for.
 *
 * Source: divergence is looked for at instance start, after a change of roles, after a restore, and on Resume, and cannot be seen until
 * the new active has produced traffic; a restore into the active is followed by Suspend and Resume, or the copy keeps outdated
 * generations and copies nothing.
 */
export function lookAtSource(state: ReplicaState, nowMs: number): Stepped {
  if (!isLooking(state) || state.look === 'asked' || !state.heard || !state.connected || !mayCopy(state))
    return [state, []]
  const { announcement, inspected, stream, look, session, identity, above } = state
  const isUnchanged = announcement.stream === stream && (look === 'if-restored' || inspected === 0)
  if (isUnchanged) return belonging(state)
  const isMoved = announcement.takenOver !== undefined && announcement.stream !== stream
  if (isMoved && mayHaveLost(state)) return lostInDatabase(state, nowMs)
  if (announcement.stream !== stream && above > inspected) return setStraysAside(state, nowMs)
  if (nextNeeded(state) === 1) return belonging(state)
  if (inspected === 0 && state.database === null) return belonging(state)
  if (announcement.lowest === 0) return [state, []]
  if (nextNeeded(state) > nextGeneration(announcement.generated))
    return isMoved ? beyondMoved(state) : ahead(state, nowMs)
  const isThere = inspected >= announcement.lowest && inspected <= announcement.closedThrough
  // Without its identity the log itself is not here: what the database needs was lost below the others.
  if (!isThere || identity === null) return [byNextLog(state), []]
  return [{ ...state, look: 'asked' }, [{ kind: 'compare-log', session, generation: inspected }]]
}

/** Whether a log that arrived, or did not, is the one that was asked for only to be compared. */
export function isCompared(state: ReplicaState, { generation }: Pick<CopiedLog, 'generation'>): boolean {
  return state.look === 'asked' && generation === (state.search?.asked ?? state.inspected)
}

/**
 * The source's log that was asked for has come. One that decayed on the source says nothing of the copy. The header of a log was written
 * when it was begun: where a backup had the open log too, two logs of different content say the same of themselves.
 */
export function logCompared(state: ReplicaState, log: CopiedLog, nowMs: number): Stepped {
  const { session, search, identity } = state
  const result = identity === null ? 'differs' : compareLogs(identity, log.identity)
  if (search === null && log.rejection === null && result === 'same')
    return [state, [{ kind: 'match-log', session, log }]]
  const [known, orders] =
    search !== null
      ? searchCompared(state, log, nowMs)
      : log.rejection !== null || result === 'same'
        ? [byNextLog(state), []]
        : beginReseed(state, result, nowMs)
  return [known, [{ kind: 'discard-log', log }, ...orders]]
}

/** The newest log here and that of the source say the same of themselves, and their bytes were compared. */
export function logMatched(state: ReplicaState, { log, isSame, nowMs }: LogMatched): Stepped {
  const isAwaited = state.look === 'asked' && state.search === null && state.failure?.kind !== 'permanent'
  const [known, orders]: Stepped = !isAwaited
    ? [state, []]
    : isSame
      ? belonging(state)
      : beginReseed(state, 'first-to-differ', nowMs)
  return [known, [{ kind: 'discard-log', log }, ...orders]]
}

/** The log to compare with did not come: it cannot be had, or the connection is gone and the next one begins with an announcement. */
export function comparisonFailed(state: ReplicaState, fault: Fault, nowMs: number): Stepped {
  const isRefused = ['LOG_MISSING', 'LOG_CHANGED', 'LOG_REJECTED', 'READ_FAILED', 'FILE_HELD'].includes(fault.code)
  if (!isRefused) return [{ ...state, look: 'wanted', search: null, heard: false }, []]
  return state.search === null ? [byNextLog(state), []] : searchMissed(state, fault, nowMs)
}

/**
 * A log was inspected that continues what was here, or where nothing was, replayed; and was asked for after its stream had been
 * announced. A replay of logs that were here before proves nothing.
 */
export function provenByLog(before: ReplicaState, state: ReplicaState): Stepped {
  const isContinued = state.look === 'by-next-log' && state.inspected > before.inspected
  const isReplayed = state.look === 'by-replay' && hasReplayed(before, state)
  return isContinued || isReplayed ? belonging(state) : [state, []]
}

/**
 * The log that was to prove that it continues does not. The source is asked again for the newest log that is here: it may have been
 * held, or its directory gone, when that was asked for before.
 */
export function disprovenByLog(state: ReplicaState, { generation }: Pick<CopiedLog, 'generation'>): ReplicaState {
  const attempt = state.attempts.find((known) => known.generation === generation)
  // One that is being inspected just now continues what is here, and will prove it.
  const isProving = state.accepted.length + state.inspecting.length > 0
  const isNews = state.look === 'by-next-log' && attempt !== undefined && attempt.rejected < ATTEMPTS_MAX && !isProving
  return isNews ? { ...state, look: 'wanted' } : state
}

/** The look that is due when the store was scanned: where all logs were to be set aside and some are left, these are to be compared. */
export function lookAfterCheck(before: ReplicaState, { inspected }: ReplicaState): ReplicaState['look'] {
  const isLeft = before.look === 'by-replay' && before.inspected === 0 && inspected > 0
  return isLeft ? 'wanted' : before.look
}

function hasReplayed(before: ReplicaState, { database }: ReplicaState): boolean {
  const [old, fresh] = [before.database?.progress.replayedThrough ?? 0, database?.progress.replayedThrough ?? 0]
  return fresh > old
}

/** Whether the source was restored since the copy looked at it last: what it announces are numbers of another stream. */
export function isOutdated({ look, stream, announcement, failure }: ReplicaState): boolean {
  return look === 'none' && stream !== announcement.stream && failure?.kind !== 'permanent'
}

/** What an operator should know of a copy that does not come forward, and whose status does not show it; `''` for any other. */
export function outdatedRemark(state: ReplicaState): string {
  if (!isOutdated(state)) return waitingRemark(state)
  const newest = formatGeneration(state.announcement.generated)
  return `the source was restored and has generated log ${newest}; the copy waits for log ${formatGeneration(nextNeeded(state))} until it is suspended and resumed`
}

/** Logs that nothing can be compared with yet. */
function waitingRemark({ announcement, look, stream, inspected, heard, failure }: ReplicaState): string {
  const { takenOver, generated } = announcement
  const isWaiting =
    heard && failure === null && (look === 'wanted' || look === 'if-restored') && stream !== announcement.stream
  if (takenOver === undefined || !isWaiting || inspected <= generated) return ''
  const [first, last] = [nextGeneration(generated), inspected].map(formatGeneration)
  return `the copy has logs ${first} to ${last}; its source took over from another node, has generated log ${formatGeneration(generated)}, and has yet to show whether they are the same`
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
  const known: ReplicaState = { ...state, failure: withoutAhead(state), stream, look: 'none', search: null }
  return [known, stream === state.stream ? [] : [{ kind: 'record-stream', stream }]]
}

function byNextLog(state: ReplicaState): ReplicaState {
  const look = state.identity === null ? 'by-replay' : 'by-next-log'
  return { ...state, failure: withoutAhead(state), look, search: null }
}

/** The source has come to the newest log of the copy, or has truncated it. */
function withoutAhead({ failure }: ReplicaState): Failure | null {
  return failure?.kind === 'ahead' ? null : failure
}
