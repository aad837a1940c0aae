import type { CopiedLog, DatabaseProgress, ReplicaFact } from '../fact.ts'
import { formatGeneration, type Generation, higherOf, NO_GENERATION, previousGeneration } from '../generation.ts'
import type { LogIdentity } from '../log-identity.ts'
import type { ReplicaOrder } from '../order.ts'
import { permanent } from './copy-failure.ts'
import {
  beginSearch,
  type Comparison,
  compareLogs,
  type DivergenceSearch,
  isFound,
  narrowed,
  nextToCompare,
} from './divergence-search.ts'
import { abandonWork, type Failure, type ReplicaState } from './replica-state.ts'

type Stepped = readonly [ReplicaState, readonly ReplicaOrder[]]
type LogIdentified = Extract<ReplicaFact, { kind: 'log-identified' }>

/**
 * The newest log of the copy is another one than that of its source. From here on its logs belong to no stream, durably, so that every
 * later start looks again; and the first log that differs is searched for.
 *
 * Where the database has nothing of that log and those above it, they are set aside and the source's are copied in their place: an
 * incremental reseed. Otherwise only a seed helps. No page is ever patched.
 *
 * Source: divergence and incremental reseed of Exchange 2007; event 2058 where it is not possible.
 */
export function beginReseed(state: ReplicaState, theirs: LogIdentity, nowMs: number): Stepped {
  const { inspected, lowest, announcement, failure } = state
  const orders = forgetStream(state)
  const strayed: ReplicaState = { ...state, stream: null, failure: failure?.kind === 'ahead' ? null : failure }
  const result: Comparison = state.identity === null ? 'differs' : compareLogs(state.identity, theirs)
  const search = narrowed(beginSearch(inspected, higherOf(lowest, announcement.lowest)), result)
  const [next, more] = result === 'foreign' ? isForeign(strayed, nowMs) : goOn(strayed, search, nowMs)
  return [next, [...orders, ...more]]
}

/** What the copy's own log is, with which the source's is to be compared, has been read. */
export function logIdentified(state: ReplicaState, { generation, identity, nowMs }: LogIdentified): Stepped {
  const { search, session } = state
  if (search === null || search.asked !== generation || search.own !== null) return [state, []]
  if (identity === null) return goOn(state, narrowed(search, 'unknown'), nowMs)
  return [{ ...state, search: { ...search, own: identity } }, [{ kind: 'compare-log', session, generation }]]
}

/** The source's log that was asked for in a search has come. One that decayed there says nothing. */
export function searchCompared(state: ReplicaState, log: CopiedLog, nowMs: number): Stepped {
  const { search } = state
  if (search === null) return [state, []]
  const isKnown = log.rejection === null && search.own !== null
  return goOn(state, narrowed(search, isKnown ? compareLogs(search.own, log.identity) : 'unknown'), nowMs)
}

/** The source does not have the log that was asked for in a search. */
export function searchMissed(state: ReplicaState, nowMs: number): Stepped {
  return state.search === null ? [state, []] : goOn(state, narrowed(state.search, 'unknown'), nowMs)
}

/** The copy stays Failed until an operator has seen to it, and goes on looking when he has. */
export function diverged(state: ReplicaState, failure: Failure): Stepped {
  const event = { kind: 'raise-event', id: 2058, values: [failure.message] } as const
  return [{ ...state, stream: null, failure, look: 'wanted', search: null }, [...forgetStream(state), event]]
}

/**
 * The highest log of which changes may lie in the database file, now or after a crash. A database that was shut down in order requires no
 * log, and has a part of the one in which that was.
 */
export function filedThrough({ requiredLow, requiredHigh }: DatabaseProgress): Generation {
  return requiredHigh === NO_GENERATION ? requiredLow : higherOf(requiredHigh, previousGeneration(requiredLow))
}

function goOn(state: ReplicaState, search: DivergenceSearch, nowMs: number): Stepped {
  // Something else has failed for good meanwhile: whoever resumes the copy has it look again.
  if (state.failure?.kind === 'permanent') return [{ ...state, look: 'wanted', search: null }, []]
  if (isFound(search)) return repair(state, search.differs, nowMs)
  const asked = nextToCompare(search)
  if (asked === null) return notFound(state, search, nowMs)
  const order = { kind: 'identify-log', session: state.session, generation: asked } as const
  return [{ ...state, look: 'asked', search: { ...search, asked, own: null } }, [order]]
}

/**
 * Everything is given up and the store is looked at anew without the logs from `first` on; then the newest log that is left is compared, as
 * always. What memory has of these logs must not come into the file: it is thrown away, and where there is any, the header is asked once
 * more whether some of it was written meanwhile.
 */
function repair(state: ReplicaState, first: Generation, nowMs: number): Stepped {
  const progress = state.database?.progress ?? null
  if (progress !== null && filedThrough(progress) >= first) return beyondRepair(state, first, nowMs)
  const orders: ReplicaOrder[] = [{ kind: 'stop-copying' }]
  if (progress !== null) orders.push({ kind: 'abandon-database' })
  if (progress !== null && progress.replayedThrough >= first) {
    const next: ReplicaState = { ...abandonWork(state), phase: 'checking', look: 'wanted' }
    return [next, [...orders, { kind: 'check-store', session: next.session }]]
  }
  const next: ReplicaState = { ...abandonWork(withoutLogs(state, first)), phase: 'checking', look: 'wanted' }
  const range = { first, last: state.inspected }
  const values = [formatGeneration(first), formatGeneration(range.last)]
  orders.push({ kind: 'raise-event', id: 9030, values })
  return [next, [...orders, { kind: 'set-aside-diverged', session: next.session, range }]]
}

/** From now on the logs from `first` on count for nothing, however many of them are set aside before something comes between. */
function withoutLogs(state: ReplicaState, first: Generation): ReplicaState {
  const isEmpty = first <= state.lowest
  const inspected = isEmpty ? NO_GENERATION : previousGeneration(first)
  return { ...state, lowest: isEmpty ? NO_GENERATION : state.lowest, inspected, identity: null, inspectedTimeMs: 0 }
}

function beyondRepair(state: ReplicaState, first: Generation, nowMs: number): Stepped {
  const { database } = state
  const filed = database === null ? NO_GENERATION : filedThrough(database.progress)
  const log = formatGeneration(first)
  const message = `log ${log} of the copy is another one than log ${log} of its source, and its database already has changes of logs through ${formatGeneration(filed)}: the copy has diverged and has to be seeded`
  return diverged(state, permanent(message, nowMs))
}

function notFound(state: ReplicaState, { differs, newest }: DivergenceSearch, nowMs: number): Stepped {
  const [low, high] = [formatGeneration(differs), formatGeneration(newest)]
  const message = `logs ${low} to ${high} of the copy are other ones than those of its source, and no lower one can be compared: the copy has diverged and has to be seeded`
  return diverged(state, permanent(message, nowMs))
}

function isForeign(state: ReplicaState, nowMs: number): Stepped {
  const log = formatGeneration(state.inspected)
  const message = `log ${log} of the copy is of another stream of logs than log ${log} of its source: the copy has diverged and has to be seeded`
  return diverged(state, permanent(message, nowMs))
}

function forgetStream({ stream }: ReplicaState): readonly ReplicaOrder[] {
  return stream === null ? [] : [{ kind: 'record-stream', stream: null }]
}
