import type { CopiedLog, DatabaseProgress, Fault, ReplicaFact } from '../fact.ts'
import {
  formatGeneration,
  type Generation,
  higherOf,
  NO_GENERATION,
  nextGeneration,
  previousGeneration,
} from '../generation.ts'
import type { ReplicaOrder } from '../order.ts'
import { permanent, restartAfterFault } from './copy-failure.ts'
import {
  beginSearch,
  type Comparison,
  compareLogs,
  type DivergenceSearch,
  isFound,
  narrowed,
  nextToCompare,
} from './divergence-search.ts'
import { abandonWork, type Failure, giveUpOrders, nextNeeded, type ReplicaState } from './replica-state.ts'

type Stepped = readonly [ReplicaState, readonly ReplicaOrder[]]
/**
 * How often a search is begun anew because a log of the source cannot be read, before only a seed is said to help: with the waits between
 * that is a minute, longer than another program holds a file.
 */
const SEARCHES_MAX = 6

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

/** The copy has logs that its source has not come to. That heals when the source does, and is no reason to seed the copy before. */
export function ahead(state: ReplicaState, nowMs: number): Stepped {
  const { announcement, failure } = state
  if (failure !== null && failure.kind !== 'transient') return [state, []]
  const first = formatGeneration(nextGeneration(announcement.generated))
  const newest = formatGeneration(previousGeneration(nextNeeded(state)))
  const message = `the copy has logs ${first} to ${newest}, which its source has not generated: the copy has diverged and has to be seeded, unless its database has nothing of them when its source comes to log ${newest}`
  return diverged(state, { kind: 'ahead', message, sinceMs: nowMs })
}

/**
 * The same of a source that became the active by a change of roles, and whose numbers above that mean other logs. While it has written none
 * that is here too, nothing can be compared. Then the search begins with its newest log, whatever the copy has above.
 */
export function beyondMoved(state: ReplicaState): Stepped {
  const { announcement, inspected, lowest, failure, session } = state
  const { generated, takenOver } = announcement
  const isAnyShared = inspected >= generated && lowest <= generated
  if (generated <= (takenOver?.after ?? NO_GENERATION) || !isAnyShared) return [state, []]
  if (failure?.kind === 'ahead') return [state, []]
  const search = {
    ...beginSearch(generated, higherOf(lowest, announcement.lowest)),
    differs: nextGeneration(generated),
  }
  return [
    { ...state, stream: null, look: 'asked', search },
    [...forgetStream(state), { kind: 'identify-log', session, generation: generated }],
  ]
}

/**
 * Whether the database may have changes of logs that are not here, and that the new active has not, or has other ones of: of the log that was
 * open when this node ceased to be the active, or of those that a seed needs and that were lost with the active that it was read from.
 * No log can tell, but where the source knows how far it shares the stream of the copy. A database without any log is taken for one that
 * somebody has brought, if it was shut down in order.
 */
export function mayHaveLost({ database, identity, inspected, announcement, stream }: ReplicaState): boolean {
  const { takenOver, generated } = announcement
  if (database === null || takenOver === undefined) return false
  const filed = filedThrough(database.progress)
  if (filed <= inspected || generated < inspected) return false
  const shared = takenOver.shares.find((known) => known.stream === stream)?.through
  if (shared !== undefined) return filed > shared
  return identity !== null || database.progress.requiredHigh !== NO_GENERATION
}

/** When the source has written a log in the place of those that the copy has only in its database, nothing but a seed helps. */
export function lostInDatabase(state: ReplicaState, nowMs: number): Stepped {
  const { announcement, inspected, database } = state
  const { generated, takenOver } = announcement
  if (generated <= higherOf(inspected, takenOver?.after ?? NO_GENERATION) || database === null) return [state, []]
  const log = formatGeneration(filedThrough(database.progress))
  const message = `the database of the copy may have changes of logs through ${log}, which are not here and cannot be compared with those of its source, another node than before: the copy has to be seeded`
  return diverged(state, permanent(message, nowMs))
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
  return goOn(state, narrowed(search, isKnown ? compareLogs(search.own, log.identity) : 'unreadable'), nowMs)
}

/** The source does not have the log that was asked for in a search, or cannot read it. */
export function searchMissed(state: ReplicaState, { code }: Fault, nowMs: number): Stepped {
  const result = code === 'LOG_MISSING' ? 'unknown' : 'unreadable'
  return state.search === null ? [state, []] : goOn(state, narrowed(state.search, result), nowMs)
}

/** The copy stays Failed until an operator has seen to it, and goes on looking when he has. */
function diverged(state: ReplicaState, failure: Failure): Stepped {
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
  return [next, [...giveUpOrders(state), { kind: 'set-aside-diverged', session: next.session, range, detail }]]
}

function goOn(state: ReplicaState, search: DivergenceSearch, nowMs: number): Stepped {
  // Something else has failed for good meanwhile: whoever resumes the copy has it look again.
  if (state.failure?.kind === 'permanent') return [{ ...state, look: 'wanted', search: null }, []]
  const isAnyOther = search.differs <= search.newest
  if (isFound(search)) return isAnyOther ? repair(state, search.differs, nowMs) : goneOn(state, nowMs)
  const asked = isAnyOther ? nextToCompare(search) : null
  if (asked === null && search.isBlurred && state.faults < SEARCHES_MAX) return searchLater(state, search, nowMs)
  if (asked === null) return isAnyOther ? notFound(state, search, nowMs) : goneOn(state, nowMs)
  const order = { kind: 'identify-log', session: state.session, generation: asked } as const
  return [{ ...state, look: 'asked', search: { ...search, asked, own: null } }, [order]]
}

/** What lies above the newest log of the source can be compared when that has come there. */
function goneOn(state: ReplicaState, nowMs: number): Stepped {
  return ahead({ ...state, look: 'wanted', search: null }, nowMs)
}

/** A log that another program holds, or that was spoilt on its way, can be compared after a while. */
function searchLater(state: ReplicaState, { lowest }: DivergenceSearch, nowMs: number): Stepped {
  const log = formatGeneration(previousGeneration(lowest))
  const message = `log ${log} of the source cannot be read, with which that of the copy has to be compared`
  return restartAfterFault(state, { code: 'READ_FAILED', message }, nowMs)
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
    return [next, [...giveUpOrders(state), { kind: 'check-store', session: next.session }]]
  }
  const next: ReplicaState = {
    ...abandonWork(withoutLogs(state, first)),
    phase: 'checking',
    look: lookWithout(state, first),
  }
  const event = { kind: 'raise-event', id: 9030, values: [first, state.inspected].map(formatGeneration) } as const
  const range = { first, last: higherOf(state.inspected, state.above) }
  const detail = 'the source has another log of this generation'
  return [next, [...giveUpOrders(state), event, { kind: 'set-aside-diverged', session: next.session, range, detail }]]
}

/** From now on the logs from `first` on count for nothing, however many of them are set aside before something comes between. */
function withoutLogs(state: ReplicaState, first: Generation): ReplicaState {
  const isEmpty = first <= state.lowest
  const inspected = isEmpty ? NO_GENERATION : previousGeneration(first)
  const lowest = isEmpty ? NO_GENERATION : state.lowest
  return { ...state, lowest, inspected, above: NO_GENERATION, identity: null, inspectedTimeMs: 0 }
}

/** Where no log is left, none can be compared: both sides had the same one before the first that differs, and all of it is in the database. */
function lookWithout({ lowest, database, announcement }: ReplicaState, first: Generation): ReplicaState['look'] {
  const isProven = first <= lowest && database !== null && announcement.takenOver !== undefined
  return isProven ? 'by-replay' : 'wanted'
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
