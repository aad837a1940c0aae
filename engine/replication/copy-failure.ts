import type { ErrorCode } from '../error.ts'
import type { Fault, ReplicaFact } from '../fact.ts'
import { formatGeneration, type Generation, previousGeneration } from '../generation.ts'
import { ESE_ERROR_OF, type Rejection } from '../log-identity.ts'
import type { EventOrder, ReplicaOrder } from '../order.ts'
import { ATTEMPTS_MAX, retryDelayMs } from './copier.ts'
import type { RefusedLog } from './inspector.ts'
import { type Attempt, type Failure, isAtRest, type ReplicaState } from './replica-state.ts'
import { stopUntilRetry } from './restart.ts'

type Stepped = readonly [ReplicaState, readonly ReplicaOrder[]]
type CopyFailed = Extract<ReplicaFact, { kind: 'copy-failed' }>

/** Faults of the copy's own disk: the store has to be looked at again before anything else. */
export const STORE_FAULTS: readonly ErrorCode[] = [
  'DIRECTORY_MISSING',
  'DIRECTORY_NOT_WRITABLE',
  'DIRECTORY_CONFLICT',
  'DISK_FULL',
  'WRITE_FAILED',
  'SYNC_FAILED',
  'FILE_EXISTS',
  'FILE_NOT_REGULAR',
  'INTERNAL',
]

/**
 * A log did not arrive. A fault of the copy's own store restarts the instance after a wait; everything else postpones this
 * one log and does not count against its three attempts: the source cannot be reached, a file is held or not there.
 */
export function copyFailed(state: ReplicaState, fact: CopyFailed): Stepped {
  if (STORE_FAULTS.includes(fact.fault.code)) return restartAfterFault(state, fact.fault, fact.nowMs)
  const before = attemptOf(state, fact.generation)
  const postponed = before.postponed + 1
  const retryAtMs = fact.nowMs + retryDelayMs(postponed)
  const next = withAttempt(state, { ...before, postponed, retryAtMs })
  const wake = { kind: 'wake-at', atMs: retryAtMs } as const
  if (!isSourceFault(fact.fault.code)) return [next, [wake]]
  const event = {
    kind: 'raise-event',
    id: 2104,
    values: [`${fact.fault.message} (log ${formatGeneration(fact.generation)})`],
  } as const
  return [{ ...next, failure: failureOr(next.failure, transient(fact.fault.message, fact.nowMs)) }, [event, wake]]
}

/**
 * A log was refused: it goes into quarantine with a note of why, and is copied again, three times in all. After that it is
 * irrecoverable, and the copy stays Failed until an operator acts.
 */
export function refuseLog(state: ReplicaState, refused: RefusedLog, nowMs: number): Stepped {
  const { log, rejection } = refused
  const before = attemptOf(state, log.generation)
  const rejected = before.rejected + 1
  const arrived = state.arrived.filter((other) => other.generation !== log.generation)
  const next = withAttempt({ ...withoutCopied(state, log), arrived }, { ...before, rejected, retryAtMs: nowMs })
  const orders: ReplicaOrder[] = [
    { kind: 'quarantine-log', log, reason: rejection.reason, detail: rejection.detail },
    {
      kind: 'raise-event',
      id: 2075,
      values: [formatGeneration(log.generation), rejected, ATTEMPTS_MAX, describeRejection(rejection)],
    },
  ]
  if (rejected < ATTEMPTS_MAX) return [next, orders]
  const message = `log ${formatGeneration(log.generation)} failed inspection ${rejected} times: ${describeRejection(rejection)}`
  return [
    { ...next, failure: permanent(message, nowMs) },
    [...orders, { kind: 'raise-event', id: 2058, values: [message] }],
  ]
}

/** A refused log has not arrived after all: `copied` ends below it, at the end of the chain. */
function withoutCopied(state: ReplicaState, { generation }: RefusedLog['log']): ReplicaState {
  if (state.copied < generation) return state
  const newest = state.accepted.at(-1) ?? state.inspecting.at(-1)
  return {
    ...state,
    copied: previousGeneration(generation),
    copiedTimeMs: newest?.logTimeMs ?? state.inspectedTimeMs,
  }
}

/**
 * The store or its disk is at fault: stop all I/O, wait, then look at the store anew. Doubles the wait each time. A suspended copy
 * has stopped already and is looked at by Resume.
 */
export function restartAfterFault(state: ReplicaState, fault: Fault, nowMs: number): Stepped {
  if (isAtRest(state)) return [state, []]
  const faults = state.faults + 1
  const retryAtMs = nowMs + retryDelayMs(faults)
  const isOther = fault.code === 'FILE_EXISTS'
  const failure = failureOr(state.failure, (isOther ? permanent : transient)(fault.message, nowMs))
  // What lies there may join what is here at the next look: nobody knows then which stream that is.
  const stream = isOther ? null : state.stream
  const event: EventOrder =
    fault.code === 'DIRECTORY_MISSING'
      ? { kind: 'raise-event', id: 2073, values: [fault.message] }
      : { kind: 'raise-event', id: 2060, values: [fault.message] }
  const record: readonly ReplicaOrder[] = stream === state.stream ? [] : [{ kind: 'record-stream', stream }]
  const [stopped, orders] = stopUntilRetry(state, { failure, retryAtMs, orders: [...record, event] })
  const look = isOther ? 'wanted' : stopped.look
  return [{ ...stopped, faults, stream, look }, orders]
}

/** A failure that heals by itself. */
export function transient(message: string, sinceMs: number): Failure {
  return { kind: 'transient', message, sinceMs }
}

/** The graver of two failures; the older one when they are equally grave and say the same. */
export function failureOr(old: Failure | null, fresh: Failure): Failure {
  if (old === null) return fresh
  const rank = { transient: 0, missing: 1, ahead: 2, permanent: 3 }
  if (rank[old.kind] > rank[fresh.kind]) return old
  return rank[old.kind] === rank[fresh.kind] && old.message === fresh.message ? old : fresh
}

/** A failure that an operator has to see to. */
export function permanent(message: string, sinceMs: number): Failure {
  return { kind: 'permanent', message, sinceMs }
}

function describeRejection({ reason, detail }: Rejection): string {
  return `${reason} (${ESE_ERROR_OF[reason]}), ${detail}`
}

/** The source answered, and what it holds is the trouble; a lost connection has its own fact. */
function isSourceFault(code: ErrorCode): boolean {
  return code === 'LOG_MISSING' || code === 'LOG_CHANGED' || code === 'READ_FAILED' || code === 'FILE_HELD'
}

function attemptOf(state: ReplicaState, generation: Generation): Attempt {
  return (
    state.attempts.find((attempt) => attempt.generation === generation) ?? {
      generation,
      rejected: 0,
      postponed: 0,
      retryAtMs: 0,
    }
  )
}

function withAttempt(state: ReplicaState, attempt: Attempt): ReplicaState {
  const others = state.attempts.filter(({ generation }) => generation !== attempt.generation)
  return { ...state, attempts: [...others, attempt].sort((a, b) => a.generation - b.generation) }
}
