import type { ReplicaFact } from '../fact.ts'
import type { ReplicaOrder } from '../order.ts'
import { unjudgedDatabase } from './copy-database.ts'
import { abandonWork, type ReplicaState, stopOrders } from './replica-state.ts'

/** The longest comment of a suspension, in characters. Source: the limit of Suspend-StorageGroupCopy (uncertain). */
export const SUSPEND_COMMENT_CHARACTERS_MAX = 512

type Suspended = Extract<ReplicaFact, { kind: 'operator-suspended' }>
type Resumed = Extract<ReplicaFact, { kind: 'operator-resumed' }>

/**
 * Suspends copy and replay. The order of the orders is the promise of Suspend-StorageGroupCopy: when the operator is answered,
 * no I/O on the copy or its database is left and the suspension survives a power cut. Suspending a suspended copy is no error; a new comment
 * replaces the old one.
 */
export function suspend(state: ReplicaState, fact: Suspended): readonly [ReplicaState, readonly ReplicaOrder[]] {
  const before = state.suspension
  const comment = fact.comment ?? before?.comment ?? ''
  const { inspected, inspectedTimeMs } = state
  const database = state.database?.progress ?? null
  const suspension = { comment, sinceMs: before?.sinceMs ?? fact.nowMs, inspected, inspectedTimeMs, database }
  const answer = { kind: 'answer-operator', requestId: fact.requestId, refusal: null } as const
  if (before !== null && before.comment === comment)
    return [state, [{ ...answer, remark: 'the copy was suspended already' }]]
  const record = { kind: 'record-suspension', suspension } as const
  const event = { kind: 'raise-event', id: 9001, values: [comment === '' ? '(no comment)' : comment] } as const
  if (before !== null)
    return [{ ...state, suspension }, [record, event, { ...answer, remark: 'the comment was replaced' }]]
  return [{ ...abandonWork(state), suspension }, [...stopOrders(state), record, event, { ...answer, remark: '' }]]
}

/**
 * Resumes copy and replay: the suspension is gone for good before the operator is answered, then the store is looked at anew,
 * whatever was known of it. This is also the way to have a Failed copy checked again after its cause was repaired.
 */
export function resume(state: ReplicaState, fact: Resumed): readonly [ReplicaState, readonly ReplicaOrder[]] {
  const answer = { kind: 'answer-operator', requestId: fact.requestId, refusal: null } as const
  if (state.suspension === null) return [state, [{ ...answer, remark: 'the copy was not suspended' }]]
  if (state.frozen) {
    const message = `a snapshot of the copy of ${state.name} is being taken`
    const refusal = { code: 'STATE_REFUSED', message, hint: 'Resume it when that has ended.' } as const
    return [state, [{ ...answer, refusal, remark: '' }]]
  }
  if (state.seeding !== null) {
    const message = `the copy of ${state.name} is being seeded`
    const hint = 'It is resumed when that has ended, unless it was asked to stay suspended.'
    return [state, [{ ...answer, refusal: { code: 'STATE_REFUSED', message, hint }, remark: '' }]]
  }
  const fresh = abandonWork(state)
  const resumed: ReplicaState = {
    ...fresh,
    suspension: null,
    failure: null,
    look: 'wanted',
    phase: 'checking',
    database: fresh.database === null ? null : unjudgedDatabase(fresh.database),
    sawLog: false,
    faults: 0,
  }
  return [
    resumed,
    [
      { kind: 'record-suspension', suspension: null },
      { kind: 'raise-event', id: 9002, values: [] },
      { ...answer, remark: '' },
      { kind: 'check-store', session: resumed.session },
    ],
  ]
}
