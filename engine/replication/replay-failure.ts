import { assert } from '../assert.ts'
import type { EventId } from '../event-catalogue.ts'
import type { ReplayFault, ReplicaFact } from '../fact.ts'
import { formatGeneration } from '../generation.ts'
import { ESE_ERROR_OF, type RejectionReason } from '../log-identity.ts'
import type { EventOrder, ReplicaOrder } from '../order.ts'
import { ATTEMPTS_MAX, retryDelayMs } from './copier.ts'
import type { CopyDatabase } from './copy-database.ts'
import { failureOr, permanent, transient } from './copy-failure.ts'
import { abandonWork, type Failure, type ReplicaState, stopOrders } from './replica-state.ts'
import { stopUntilRetry } from './restart.ts'

type Stepped = readonly [ReplicaState, readonly ReplicaOrder[]]
type ReplayFailed = Extract<ReplicaFact, { kind: 'replay-failed' }>

/**
 * What helps against an error of a replay.
 *
 * | remedy | errors | what is done |
 * |---|---|---|
 * | `recopy` | -501, -513, -515, -530, -541, -1812, -1852 | the log is set aside and copied again, three times in all; then a seed |
 * | `diverged` | -539, -551, -566, -567, -625 | the database has another history than the logs: Failed until it is seeded |
 * | `reseed` | -1018 | a page of the database is bad: Failed until it is seeded |
 * | `look-again` | -543 | a log is missing: the store is looked at anew, and what is missing is copied again |
 * | `retry` | every other | a fault of a disk or a worker: the instance is started anew after a wait |
 *
 * A log that was inspected and is of another generation, length or stream now was renamed or exchanged since; where a fresh copy of
 * it is no better, it is the database that does not belong to it.
 *
 * Source: the replay rules of continuous replication, with the error numbers of the ESE engine.
 */
type Remedy = 'recopy' | 'diverged' | 'reseed' | 'look-again' | 'retry'

const REMEDY_OF: Readonly<Record<number, Remedy>> = {
  [-501]: 'recopy',
  [-513]: 'recopy',
  [-515]: 'recopy',
  [-530]: 'recopy',
  [-539]: 'diverged',
  [-541]: 'recopy',
  [-543]: 'look-again',
  [-551]: 'diverged',
  [-566]: 'diverged',
  [-567]: 'diverged',
  [-625]: 'diverged',
  [-1018]: 'reseed',
  [-1812]: 'recopy',
  [-1852]: 'recopy',
}

/** The event by which the engine tells an error; 454 for the others. Source: the messages of the ESE engine. */
const EVENT_OF: Readonly<Record<number, EventId>> = {
  [-501]: 465,
  [-513]: 465,
  [-539]: 494,
  [-541]: 465,
  [-543]: 452,
  [-551]: 517,
  [-566]: 516,
  [-567]: 516,
  [-1018]: 474,
  [-1812]: 465,
  [-1852]: 465,
}

/** The replay, or the opening of the database, ended before its time. */
export function replayFailed(state: ReplicaState, { fault, nowMs }: ReplayFailed): Stepped {
  const { database } = state
  assert(database !== null && database.phase !== 'closed', 'only an open database fails')
  // Given up already: a replayer that is lost after that changes nothing.
  if (database.phase === 'failed') return [state, []]
  const event = eventOf(fault)
  const remedy = REMEDY_OF[fault.eseError] ?? 'retry'
  switch (remedy) {
    case 'recopy':
      return copyAgain(state, { database, fault, nowMs, event })
    case 'diverged':
      return giveUp(state, { database, event, nowMs, why: `the copy has diverged from its source: ${told(fault)}` })
    case 'reseed':
      return giveUp(state, { database, event, nowMs, why: `the database of the copy is damaged: ${told(fault)}` })
    case 'look-again':
    case 'retry':
      return tryAgain(state, { database, fault, nowMs, event })
  }
}

interface Failing {
  readonly database: CopyDatabase
  readonly fault: ReplayFault
  readonly nowMs: number
  readonly event: EventOrder
}

/** The log decayed or was changed after its inspection; its source has it still as long as it was not replayed here. */
function copyAgain(state: ReplicaState, failing: Failing): Stepped {
  const { database, fault, event, nowMs } = failing
  const { generation } = fault
  if (generation === 0) return giveUp(state, { ...failing, why: `a log cannot be replayed: ${told(fault)}` })
  const times = database.damaged?.generation === generation ? database.damaged.times + 1 : 1
  const log = formatGeneration(generation)
  if (times >= ATTEMPTS_MAX)
    return giveUp(state, { database, event, nowMs, why: `log ${log} failed replay ${times} times: ${numbered(fault)}` })
  const stopped = abandonWork(state)
  const next: ReplicaState = {
    ...stopped,
    phase: 'checking',
    database: { ...database, phase: 'closed', batch: null, damaged: { generation, times } },
  }
  const detail = numbered(fault)
  return [
    next,
    [
      ...stopOrders(state),
      { kind: 'set-aside-log', generation, attempt: times, reason: reasonOf(fault), detail },
      event,
      { kind: 'raise-event', id: 9008, values: [log, times, ATTEMPTS_MAX] },
      { kind: 'check-store', session: next.session },
    ],
  ]
}

/** Nothing but a new baseline helps: the copy stays Failed until an operator has seen to it. RTM tries the same log again, for ever. */
function giveUp(state: ReplicaState, failing: Omit<Failing, 'fault'> & { readonly why: string }): Stepped {
  const { database, event, nowMs, why } = failing
  const message = `${why}; the copy has to be seeded`
  const events = [event, { kind: 'raise-event', id: 2058, values: [message] } as const]
  const failure = permanent(message, nowMs)
  if (state.release === 'sp1')
    return [{ ...state, database: { ...database, phase: 'failed', batch: null }, failure }, events]
  const kept = state.failure?.kind === 'permanent' ? state.failure : failure
  return stopReplay(state, { database, nowMs, message, failure: kept, events, isFinal: true })
}

/** All work stops, and after a wait the store is looked at anew and the database opened again. Doubles the wait each time. */
function tryAgain(state: ReplicaState, { database, fault, nowMs, event }: Failing): Stepped {
  const message = `replay failed: ${told(fault)}`
  const failure = failureOr(state.failure, transient(message, database.trouble?.sinceMs ?? nowMs))
  const events = [event, { kind: 'raise-event', id: 2060, values: [message] } as const]
  return stopReplay(state, { database, nowMs, message, failure, events, isFinal: false })
}

interface Stopping {
  readonly database: CopyDatabase
  readonly nowMs: number
  readonly message: string
  readonly failure: Failure
  readonly events: readonly EventOrder[]
  readonly isFinal: boolean
}

function stopReplay(state: ReplicaState, stopping: Stopping): Stepped {
  const { database, nowMs, message, failure, events, isFinal } = stopping
  const faults = (database.trouble?.faults ?? 0) + 1
  const trouble = { message, sinceMs: database.trouble?.sinceMs ?? nowMs, faults, isFinal }
  const [stopped, orders] = stopUntilRetry(state, { failure, retryAtMs: nowMs + retryDelayMs(faults), orders: events })
  return [{ ...stopped, database: { ...database, phase: 'closed', batch: null, trouble } }, orders]
}

/** The inspector's word for what is wrong with the log now. */
function reasonOf({ eseError }: ReplayFault): RejectionReason {
  const reasons = Object.keys(ESE_ERROR_OF) as RejectionReason[] // the record has no other keys
  return reasons.find((reason) => ESE_ERROR_OF[reason] === eseError) ?? 'corrupt-checksum'
}

function eventOf(fault: ReplayFault): EventOrder {
  const values = [formatGeneration(fault.generation), fault.eseError, fault.message]
  return { kind: 'raise-event', id: EVENT_OF[fault.eseError] ?? 454, values }
}

function told(fault: ReplayFault): string {
  return fault.generation === 0 ? numbered(fault) : `${numbered(fault)} at log ${formatGeneration(fault.generation)}`
}

function numbered({ eseError, message }: ReplayFault): string {
  return eseError === 0 ? message : `${message} (${eseError})`
}
