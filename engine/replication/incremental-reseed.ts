import type { CopiedLog, DatabaseProgress, ReplicaFact } from '../fact.ts'
import {
  formatGeneration,
  type Generation,
  higherOf,
  NO_GENERATION,
  nextGeneration,
  previousGeneration,
} from '../generation.ts'
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
type Difference = Exclude<Comparison, 'same'>
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
export function beginReseed(state: ReplicaState, result: Difference, nowMs: number): Stepped {
  const { inspected, lowest, announcement, failure } = state
  const orders = forgetStream(state)
  const strayed: ReplicaState = { ...state, stream: null, failure: failure?.kind === 'ahead' ? null : failure }
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
function filedThrough({ requiredLow, requiredHigh }: DatabaseProgress): Generation {
  if (requiredHigh === NO_GENERATION) return requiredLow === 1 ? NO_GENERATION : requiredLow
  return higherOf(requiredHigh, previousGeneration(requiredLow))
}

/**
 * Logs that lie above a gap do not count, but would as soon as the gap is filled: with logs of the source's stream below, and theirs
 * unknown. So a copy that goes over to another stream does so without them.
 */
export function setStraysAside(state: ReplicaState, nowMs: number): Stepped {
  const { database, inspected, above } = state
  const first = nextGeneration(inspected)
  if (database !== null && filedThrough(database.progress) >= first) {
    const message = `the copy lacks log ${formatGeneration(first)} of the stream before its source was restored, and its database may have changes of it: the copy has to be seeded`
    return diverged(state, permanent(message, nowMs))
  }
  const next: ReplicaState = { ...abandonWork(state), phase: 'checking', look: 'wanted', above: NO_GENERATION }
  const detail = 'it lies above a gap, and the source was restored since'
  const range = { first, last: above }
  return [next, [...givenUp(state), { kind: 'set-aside-diverged', session: next.session, range, detail }]]
}

function givenUp({ database }: ReplicaState): readonly ReplicaOrder[] {
  return database === null ? [{ kind: 'stop-copying' }] : [{ kind: 'stop-copying' }, { kind: 'abandon-database' }]
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
  if (progress !== null && progress.replayedThrough >= first) {
    const next: ReplicaState = { ...abandonWork(state), phase: 'checking', look: 'wanted' }
    return [next, [...givenUp(state), { kind: 'check-store', session: next.session }]]
  }
  const next: ReplicaState = { ...abandonWork(withoutLogs(state, first)), phase: 'checking', look: 'wanted' }
  const event = { kind: 'raise-event', id: 9030, values: [first, state.inspected].map(formatGeneration) } as const
  const range = { first, last: higherOf(state.inspected, state.above) }
  const detail = 'the source has another log of this generation'
  return [next, [...givenUp(state), event, { kind: 'set-aside-diverged', session: next.session, range, detail }]]
}

/** From now on the logs from `first` on count for nothing, however many of them are set aside before something comes between. */
function withoutLogs(state: ReplicaState, first: Generation): ReplicaState {
  const isEmpty = first <= state.lowest
  const inspected = isEmpty ? NO_GENERATION : previousGeneration(first)
  const lowest = isEmpty ? NO_GENERATION : state.lowest
  return { ...state, lowest, inspected, above: NO_GENERATION, identity: null, inspectedTimeMs: 0 }
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
