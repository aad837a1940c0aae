import { assert, unreachable } from '../assert.ts'
import type { Announcement, CopiedLog, ReplicaFact, StoreContents, Suspension } from '../fact.ts'
import { formatGeneration, higherOf, NO_GENERATION, nextGeneration } from '../generation.ts'
import type { ReplicaOrder } from '../order.ts'
import { planCopying } from './copier.ts'
import { UNSEEN_DATABASE } from './copy-database.ts'
import { copyFailed, failureOr, refuseLog, restartAfterFault, STORE_FAULTS, transient } from './copy-failure.ts'
import {
  comparisonFailed,
  disprovenByLog,
  isCompared,
  isOutdated,
  logCompared,
  logMatched,
  lookAfterCheck,
  lookAtSource,
  outdatedEvent,
  provenByLog,
} from './divergence.ts'
import { freeze, thaw } from './freeze.ts'
import { logIdentified } from './incremental-reseed.ts'
import { inspectArrived } from './inspector.ts'
import { watchForMissing } from './missing-log.ts'
import { replayTold } from './replay-told.ts'
import { driveReplay, replayStopped } from './replayer.ts'
import {
  abandonWork,
  chainEnd,
  draftOf,
  giveUpOrders,
  isAtRest,
  isUnproven,
  mayWork,
  nextNeeded,
  type ReplicaState,
  stopOrders,
} from './replica-state.ts'
import { report } from './report.ts'
import { endTrial, startAgain } from './restart.ts'
import { beginSeed, seedStep } from './seeding.ts'
import { awaitLag } from './standby.ts'
import { lagAfterInspection, lagAfterScan } from './standby-lag.ts'
import { resume, suspend } from './suspension.ts'
import { planCopyTruncation } from './truncation.ts'

type Stepped = readonly [ReplicaState, readonly ReplicaOrder[]]

/**
 * The holding side of one copy, as a pure function: copier, inspector, replayer, suspension and truncation of Exchange's
 * replica instance. Takes in one fact, then draws every consequence: what can join the chain joins it, what can be inspected is
 * ordered, what can be asked for is asked for.
 */
export function stepReplica(state: ReplicaState, fact: ReplicaFact): Stepped {
  const [known, orders] = takeIn(state, fact)
  const [settled, consequences] = settle(known, fact.nowMs)
  return consequences.length === 0 ? [settled, orders] : [settled, [...orders, ...consequences]]
}

function takeIn(state: ReplicaState, fact: ReplicaFact): Stepped {
  switch (fact.kind) {
    case 'copy-started':
      return started(state, fact)
    case 'store-checked':
      return fact.session === state.session ? checked(state, fact) : [state, []]
    case 'database-wanted':
      return [{ ...state, database: state.database ?? UNSEEN_DATABASE }, []]
    case 'store-failed':
    case 'inspection-failed':
      return fact.session === state.session ? restartAfterFault(state, fact.fault, fact.nowMs) : [state, []]
    case 'source-connected':
      return connected(state)
    case 'source-lost':
    case 'source-refused':
      return sourceLost(state, fact)
    case 'logs-announced':
      return announced(state, fact.announcement)
    case 'log-copied':
      return fact.session === state.session ? arrived(state, fact.log, fact.nowMs) : [state, []]
    case 'copy-failed':
      return fact.session === state.session ? notCopied(state, fact) : [state, []]
    case 'log-identified':
    case 'log-matched':
      return fact.session === state.session ? looked(state, fact) : [state, []]
    case 'database-opened':
    case 'logs-replayed':
    case 'checkpoint-moved':
    case 'replay-failed':
      return fact.session === state.session ? replayTold(state, fact) : [state, []]
    case 'logs-inspected':
      return fact.session === state.session ? inspected(state, fact) : [state, []]
    case 'replay-stopped':
      return [replayStopped(state, fact.progress), []]
    case 'logs-deleted':
      return [{ ...state, deleting: false, lowest: higherOf(state.lowest, nextGeneration(fact.range.last)) }, []]
    case 'deletion-failed':
      return deletionFailed(state, fact)
    case 'time-passed':
      return timePassed(state, fact.nowMs)
    default:
      return asked(state, fact)
  }
}

function looked(state: ReplicaState, fact: Extract<ReplicaFact, { kind: `log-${'identified' | 'matched'}` }>): Stepped {
  return fact.kind === 'log-identified' ? logIdentified(state, fact) : logMatched(state, fact)
}

/** What operators want, and what comes of a seed. */
function asked(
  state: ReplicaState,
  fact: Extract<ReplicaFact, { kind: `operator-${string}` | `seed-${string}` }>,
): Stepped {
  switch (fact.kind) {
    case 'operator-suspended':
      return suspend(state, fact)
    case 'operator-resumed':
      return resume(state, fact)
    case 'operator-froze':
      return freeze(state, fact)
    case 'operator-thawed':
      return thaw(state, fact)
    case 'operator-began-seed':
      return beginSeed(state, fact)
    case 'seed-pinned':
    case 'seed-completed':
    case 'seed-ended':
      return state.seeding === null ? [state, []] : seedStep(state, fact)
    default:
      return unreachable(fact)
  }
}

function started(state: ReplicaState, fact: Extract<ReplicaFact, { kind: 'copy-started' }>): Stepped {
  assert(state.phase === 'unstarted', 'a copy starts once')
  assert((fact.contents === null) === (fact.suspension !== null), 'a suspended copy is not read, any other is')
  const found = fact.contents === null ? state : withContents(state, fact.contents, fact.nowMs)
  const known = fact.suspension === null ? found : asSuspended(found, fact.suspension)
  return [
    { ...known, phase: 'running', stream: fact.stream },
    [{ kind: 'raise-event', id: 2080, values: [formatGeneration(known.inspected)] }],
  ]
}

function asSuspended(state: ReplicaState, suspension: Suspension): ReplicaState {
  const { inspected, inspectedTimeMs, database } = suspension
  return {
    ...state,
    suspension,
    database: state.database === null || database === null ? state.database : { ...state.database, progress: database },
    inspected,
    inspectedTimeMs,
    copied: inspected,
    copiedTimeMs: inspectedTimeMs,
    requested: inspected,
  }
}

function checked(state: ReplicaState, fact: Extract<ReplicaFact, { kind: 'store-checked' }>): Stepped {
  const found = withContents(state, fact.contents, fact.nowMs)
  const look = lookAfterCheck(state, found)
  return [{ ...found, phase: 'running', look, failure: afterCheck(found), retryAtMs: 0 }, []]
}

/**
 * A store that can be read ends a transient failure when nothing waits to be copied; otherwise the first log that goes through
 * ends it, so that a disk that stays full is Failed all the time and not in turns with Healthy. A source that was lost
 * meanwhile is a failure of its own.
 */
function afterCheck(state: ReplicaState): ReplicaState['failure'] {
  const { failure, connected } = state
  if (failure?.kind !== 'transient') return failure
  if (!connected) return transient('the source cannot be reached', failure.sinceMs)
  return copyQueueLength(state) === 0 ? troubleOf(state) : failure
}

/** The disk is the truth: counters are taken from the scan, also when they go down. */
function withContents(state: ReplicaState, contents: StoreContents, nowMs: number): ReplicaState {
  const { run, identity, logTimeMs } = contents
  const inspected = run?.last ?? NO_GENERATION
  return {
    ...state,
    lowest: run?.first ?? NO_GENERATION,
    inspected,
    above: contents.above ?? NO_GENERATION,
    identity,
    copied: inspected,
    requested: inspected,
    copiedTimeMs: logTimeMs,
    inspectedTimeMs: logTimeMs,
    lag: state.lag === null ? null : lagAfterScan(state.lag, contents, nowMs),
    deleting: false,
  }
}

function connected(state: ReplicaState): Stepped {
  const known: ReplicaState = { ...state, connected: true, heard: false, reported: null }
  return [{ ...known, failure: healed(known) }, []]
}

/**
 * An empty copy starts where its source starts, unless its database says where. When that edge moves before a first log has joined the chain (a log closed
 * late below the others, a deletion), what was asked for no longer fits and is asked for anew.
 */
function announced(state: ReplicaState, announcement: Announcement): Stepped {
  const next = draftOf(state)
  next.announcement = announcement
  next.heard = true
  if (announcement.stream !== state.announcement.stream) return streamChanged(state, next)
  const isUndecided = state.database === null && state.inspecting.length + state.accepted.length === 0
  const isMoved = isUndecided && state.requested > 0 && nextNeeded(next) !== nextNeeded(state)
  return isMoved ? [abandonWork(next), stopOrders(state)] : [next, []]
}

/**
 * What was asked for to prove the old stream proves nothing of the new one. Logs that are being named meanwhile, and a look at the store that
 * is under way, belong to the session that is given up: the store is looked at anew. A copy that has looked before does not notice a
 * restore; a change of roles it does, and what it has replayed into memory may be none of the new active's.
 */
function streamChanged(before: ReplicaState, next: ReplicaState): Stepped {
  const isMoved = before.look === 'none' && next.announcement.takenOver !== undefined
  if (before.look !== 'asked' && !isUnproven(before) && !isMoved)
    return [next, isOutdated(next) ? [outdatedEvent(next)] : []]
  const fresh: ReplicaState = { ...abandonWork(next), look: 'wanted' }
  if (isAtRest(before)) return [fresh, []]
  const stop = isMoved ? giveUpOrders(before) : stopOrders(before)
  if (before.phase !== 'checking' && before.inspecting.length === 0) return [fresh, stop]
  return [{ ...fresh, phase: 'checking' }, [...stop, { kind: 'check-store', session: fresh.session }]]
}

/** Any copy but a suspended one is Failed until its source answers again. */
function sourceLost(
  state: ReplicaState,
  fact: Extract<ReplicaFact, { kind: 'source-lost' | 'source-refused' }>,
): Stepped {
  if (state.suspension !== null) return [{ ...state, connected: false }, []]
  const failure = failureOr(state.failure, transient(fact.fault.message, fact.nowMs))
  // A source that is lost is lost again at each try, in other words; a refusal has a reason that an operator must read.
  const isRefusal = fact.kind === 'source-refused' && failure !== state.failure
  const isNews = isRefusal || state.failure === null
  const event = { kind: 'raise-event', id: 2060, values: [fact.fault.message] } as const
  return [{ ...state, connected: false, failure }, isNews ? [event] : []]
}

/** A transient failure is over when the source answers and the store is in use; others need more. */
function healed(state: ReplicaState): ReplicaState['failure'] {
  const isOver = state.failure?.kind === 'transient' && state.phase === 'running' && state.connected
  return isOver ? troubleOf(state) : state.failure
}

/** What is wrong with the replay outlasts every good news of the copier, until a log is replayed again; RTM has forgotten it. */
function troubleOf({ database, release }: ReplicaState): ReplicaState['failure'] {
  const trouble = database?.trouble ?? null
  return trouble === null || release === 'rtm' ? null : transient(trouble.message, trouble.sinceMs)
}

/** A log lies in `inspector/`. One that comes twice, or that nobody waits for any more, is refused as a duplicate is. */
function arrived(state: ReplicaState, log: CopiedLog, nowMs: number): Stepped {
  if (isCompared(state, log)) return logCompared(state, log, nowMs)
  assert(log.generation > chainEnd(state).generation, 'a log arrives once and above the end of the chain')
  assert(!state.arrived.some((other) => other.generation === log.generation), 'a log arrives once')
  if (log.rejection !== null) return refuseLog(state, { log, rejection: log.rejection }, nowMs)
  const logs = [...state.arrived, log]
  logs.sort((a, b) => a.generation - b.generation)
  return [withArrived(state, logs), []]
}

function notCopied(state: ReplicaState, fact: Extract<ReplicaFact, { kind: 'copy-failed' }>): Stepped {
  const isComparison = isCompared(state, fact) && !STORE_FAULTS.includes(fact.fault.code)
  return isComparison ? comparisonFailed(state, fact.fault, fact.nowMs) : copyFailed(state, fact)
}

/** `copied` counts only what arrived without a gap. */
function withArrived(state: ReplicaState, logs: readonly CopiedLog[]): ReplicaState {
  let copied = chainEnd(state).generation
  let copiedTimeMs = state.copiedTimeMs
  for (const log of logs) {
    if (log.generation !== copied + 1) break
    copied = log.generation
    copiedTimeMs = log.logTimeMs
  }
  const next = draftOf(state)
  next.arrived = logs
  next.copied = copied
  next.copiedTimeMs = copiedTimeMs
  return next
}

function inspected(state: ReplicaState, fact: Extract<ReplicaFact, { kind: 'logs-inspected' }>): Stepped {
  const { last } = fact.range
  const newest = state.inspecting.at(-1)
  assert(newest !== undefined && newest.generation === last, 'what was ordered is what was inspected')
  const first = state.inspecting[0]?.generation ?? last
  const next = draftOf(state)
  next.lowest = state.lowest === 0 ? first : state.lowest
  next.inspected = last
  next.identity = newest.identity
  next.inspectedTimeMs = newest.logTimeMs
  if (state.lag !== null) next.lag = lagAfterInspection(state.lag, state.inspecting, fact.nowMs)
  next.inspecting = []
  next.attempts = state.attempts.filter(({ generation }) => generation > last)
  next.failure = healed(state)
  next.sawLog = true
  next.faults = 0
  const [proven, orders] = provenByLog(state, next)
  return [
    proven,
    state.sawLog ? orders : [...orders, { kind: 'raise-event', id: 2114, values: [formatGeneration(first)] }],
  ]
}

function deletionFailed(state: ReplicaState, fact: Extract<ReplicaFact, { kind: 'deletion-failed' }>): Stepped {
  return restartAfterFault({ ...state, deleting: false }, fact.fault, fact.nowMs)
}

function timePassed(state: ReplicaState, nowMs: number): Stepped {
  if (state.phase !== 'waiting' || state.suspension !== null || nowMs < state.retryAtMs) return [state, []]
  return startAgain(state, nowMs)
}

/** Draws the consequences of what is now known. */
function settle(state: ReplicaState, nowMs: number): Stepped {
  const orders: ReplicaOrder[] = []
  const take = ([next, more]: Stepped): ReplicaState => {
    for (const order of more) orders.push(order)
    return next
  }
  let next = endTrial(state, nowMs)
  if (mayWork(next)) {
    next = take(joinChain(next, nowMs))
    if (next.inspecting.length === 0 && next.accepted.length > 0) next = take(startInspection(next))
    next = take(lookAtSource(next, nowMs))
    next = take(watchForMissing(next, nowMs))
    next = take(requestLogs(next, nowMs))
    next = take(truncate(next, nowMs))
  }
  if (next.database !== null) next = take(driveReplay(next, nowMs))
  if (next.lag !== null && !isAtRest(next)) next = take(awaitLag(next, nowMs))
  return [take(report(next, nowMs)), orders]
}

function joinChain(state: ReplicaState, nowMs: number): Stepped {
  const { accepted, refused } = inspectArrived(state)
  if (refused !== null) {
    const [next, orders] = refuseLog(withAccepted(state, accepted), refused, nowMs)
    return [disprovenByLog(next, refused.log), orders]
  }
  return [withAccepted(state, accepted), []]
}

function withAccepted(state: ReplicaState, accepted: readonly CopiedLog[]): ReplicaState {
  if (accepted.length === 0) return state
  const next = draftOf(state)
  next.accepted = [...state.accepted, ...accepted]
  next.arrived = state.arrived.slice(accepted.length)
  return next
}

/**
 * The first log of an empty store goes alone: named together with others it could be the one that a power cut takes, and the
 * next scan would begin above it.
 */
function startInspection(state: ReplicaState): Stepped {
  const logs = state.inspected === 0 ? state.accepted.slice(0, 1) : state.accepted
  const next = draftOf(state)
  next.inspecting = logs
  next.accepted = state.accepted.slice(logs.length)
  return [next, [{ kind: 'inspect-logs', session: state.session, logs }]]
}

function requestLogs(state: ReplicaState, nowMs: number): Stepped {
  const plan = planCopying(state, nowMs)
  const { session } = state
  return [plan.state, plan.ranges.map((range) => ({ kind: 'copy-logs', session, range }) as const)]
}

function truncate(state: ReplicaState, nowMs: number): Stepped {
  if (state.phase !== 'running') return [state, []]
  const range = planCopyTruncation(state, nowMs)
  return range === null ? [state, []] : [{ ...state, deleting: true }, [{ kind: 'truncate-logs', range }]]
}

/** Generations between what the source has closed and what is inspected: what a person calls the copy queue. */
export function copyQueueLength(state: ReplicaState): number {
  return Math.max(0, state.announcement.generated - nextNeeded(state) + 1)
}
