import type { ReplicaFact } from '../fact.ts'
import type { AnswerOrder, ReplicaOrder } from '../order.ts'
import { unjudgedDatabase } from './copy-database.ts'
import { abandonWork, type ReplicaState, stopOrders } from './replica-state.ts'

type Stepped = readonly [ReplicaState, readonly ReplicaOrder[]]
type Froze = Extract<ReplicaFact, { kind: 'operator-froze' }>
type Thawed = Extract<ReplicaFact, { kind: 'operator-thawed' }>

/**
 * Leaves store and database alone so that somebody can copy their files: when the operator is answered, no I/O on them is left. Other
 * than a suspension this is nobody's intent: nothing is recorded, status and report stay what they were, and a crash ends it. How long
 * it lasts is up to who asked.
 *
 * Source: the writer of the Replication service holds an instance while a snapshot is taken of the passive.
 */
export function freeze(state: ReplicaState, { requestId }: Froze): Stepped {
  const refusal = whyNotFrozen(state)
  if (refusal !== null) return [state, [{ kind: 'answer-operator', requestId, refusal, remark: '' }]]
  return [
    { ...abandonWork(state), frozen: true },
    [...stopOrders(state), { kind: 'answer-operator', requestId, refusal: null, remark: '' }],
  ]
}

/** Everything goes on, with a look at the store; a copy that was suspended meanwhile stays as it is. */
export function thaw(state: ReplicaState, { requestId }: Thawed): Stepped {
  const answer = { kind: 'answer-operator', requestId, refusal: null } as const
  if (!state.frozen) return [state, [{ ...answer, remark: 'the copy was not frozen' }]]
  if (state.suspension !== null) return [{ ...state, frozen: false }, [{ ...answer, remark: '' }]]
  const { session, ...rest } = abandonWork(state)
  const database = rest.database === null ? null : unjudgedDatabase(rest.database)
  return [
    { ...rest, session, database, frozen: false, phase: 'checking' },
    [
      { ...answer, remark: '' },
      { kind: 'check-store', session },
    ],
  ]
}

/** Whether the logs are here that bring the database back: a set without them would be of no use. */
function hasWhatItNeeds({ database, lowest, inspected }: ReplicaState): boolean {
  if (database === null) return true
  const { requiredLow, requiredHigh } = database.progress
  return requiredHigh < requiredLow || (lowest > 0 && lowest <= requiredLow && requiredHigh <= inspected)
}

/** Why a copy cannot be frozen as it is, with what to do; null when it can. */
function whyNotFrozen(state: ReplicaState): AnswerOrder['refusal'] {
  const { name, suspension, failure, frozen, phase, database, lag } = state
  const refused = (what: string, hint: string): AnswerOrder['refusal'] => {
    return { code: 'STATE_REFUSED', message: `the copy of ${name} ${what}`, hint }
  }
  if (lag !== null)
    return refused(
      'is a standby target, of which no backup is taken',
      'Back up its source: the copy follows by replay.',
    )
  if (frozen) return refused('is frozen already', 'Wait until the other snapshot is taken.')
  if (suspension !== null) return refused('is suspended', `Run "ccr resume ${name}" first.`)
  if (failure !== null)
    return refused(`is Failed: ${failure.message}`, `Repair it; ccr status ${name} says what is wrong.`)
  if (phase !== 'running' || (database !== null && database.phase !== 'open'))
    return refused('is just being looked at', 'Try again in a moment.')
  if (hasWhatItNeeds(state)) return null
  return refused('lacks logs that its database needs', 'Wait until they are copied; ccr status shows the copy queue.')
}
