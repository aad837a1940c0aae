import { unreachable } from '../assert.ts'
import type { DatabaseProgress, ReplicaFact, Suspension } from '../fact.ts'
import { formatGeneration, type Generation, lowerOf, NO_GENERATION, previousGeneration } from '../generation.ts'
import type { Refusal, ReplicaOrder } from '../order.ts'
import { UNSEEN_DATABASE } from './copy-database.ts'
import { abandonWork, type ReplicaState } from './replica-state.ts'
import { resume } from './suspension.ts'

type Stepped = readonly [ReplicaState, readonly ReplicaOrder[]]
type Of<Kind extends ReplicaFact['kind']> = Extract<ReplicaFact, { kind: Kind }>

/**
 * Lets the files of a suspended copy be replaced. From the answer on nothing here touches them: a suspension that lasts until the seed
 * has ended sees to that, and Resume is refused meanwhile. What is under way is in memory; a service that ends has ended the
 * seed, and its copy stays suspended.
 *
 * Source: Update-StorageGroupCopy wants a suspended copy, and resumes it by itself when it has succeeded.
 */
export function beginSeed(state: ReplicaState, { requestId, nowMs }: Of<'operator-began-seed'>): Stepped {
  const refusal = whyNotSeeded(state)
  const answer = { kind: 'answer-operator', requestId, refusal, remark: '' } as const
  if (refusal !== null) return [state, [answer]]
  return [{ ...state, seeding: { sinceMs: nowMs } }, [{ kind: 'raise-event', id: 9023, values: [] }, answer]]
}

/** Why a copy may not be seeded now, or null when it may. */
export function whyNotSeeded({ name, database, suspension, seeding, frozen }: ReplicaState): Refusal | null {
  const refused = (message: string, hint: string): Refusal => ({ code: 'STATE_REFUSED', message, hint })
  if (database === null)
    return refused(
      `the copy of ${name} keeps logs only and has no database that could be seeded`,
      'Give it a new directory: it begins with the lowest log that its source has.',
    )
  if (seeding !== null)
    return refused(`the copy of ${name} is being seeded already`, 'Wait until that has ended, or give it up.')
  if (suspension === null)
    return refused(
      `the copy of ${name} is not suspended, and only a suspended one is seeded`,
      `Run "ccr suspend ${name}" first.`,
    )
  return frozen ? refused(`a snapshot of the copy of ${name} is being taken`, 'Wait until that has ended.') : null
}

/** Takes in how a seed goes. */
export function seedStep(
  state: ReplicaState,
  fact: Of<'seed-pinned'> | Of<'seed-completed'> | Of<'seed-ended'>,
): Stepped {
  switch (fact.kind) {
    case 'seed-pinned':
      return pinned(state, fact.from)
    case 'seed-completed':
      return completed(state, fact)
    case 'seed-ended': {
      const { fault } = fact
      return [
        { ...state, seeding: null },
        fault === null ? [] : [{ kind: 'raise-event', id: 9025, values: [fault.message] }],
      ]
    }
    default:
      return unreachable(fact)
  }
}

/**
 * Before the first file is touched the copy says that it has and needs no more than what holds of the old database and of the new one:
 * whichever of them lies there after a crash, its source has kept the logs that it needs.
 */
function pinned(state: ReplicaState, from: Generation): Stepped {
  const inspected = lowerOf(state.inspected, previousGeneration(from))
  const old = state.database?.progress ?? UNSEEN_DATABASE.progress
  const replayedThrough = lowerOf(old.replayedThrough, previousGeneration(from))
  const progress: DatabaseProgress = { ...old, replayedThrough, requiredLow: lowerOf(old.requiredLow, from) }
  // Told in any case, also when it is what was told before: the source waits for it.
  return standingAt(
    { ...state, reported: null },
    { inspected, inspectedTimeMs: state.inspectedTimeMs, database: progress },
  )
}

function completed(state: ReplicaState, { required, stream, resumes, nowMs }: Of<'seed-completed'>): Stepped {
  const inspected = previousGeneration(required.first)
  const database: DatabaseProgress = {
    replayedThrough: inspected,
    logTimeMs: 0,
    requiredLow: required.first,
    requiredHigh: required.last,
  }
  const [standing, recorded] = standingAt(state, { inspected, inspectedTimeMs: 0, database })
  const values = [formatGeneration(required.first), formatGeneration(required.last)]
  const seeded: ReplicaState = { ...standing, seeding: null, stream, failure: null, look: 'wanted', faults: 0 }
  const orders: readonly ReplicaOrder[] = [
    { kind: 'record-stream', stream },
    ...recorded,
    { kind: 'raise-event', id: 9024, values },
  ]
  if (!resumes) return [seeded, orders]
  const [resumed, more] = resume(seeded, { kind: 'operator-resumed', requestId: NOBODY, nowMs })
  return [resumed, [...orders, ...more.filter(({ kind }) => kind !== 'answer-operator')]]
}

/** No operator waits for the Resume that ends a seed. */
const NOBODY = 0

/** The suspended copy stands here, durably, whatever its disk is found to hold when it is resumed. */
function standingAt(
  state: ReplicaState,
  {
    inspected,
    inspectedTimeMs,
    database,
  }: Pick<Suspension, 'inspected' | 'inspectedTimeMs'> & { database: DatabaseProgress },
): Stepped {
  const { suspension } = state
  const stands: ReplicaState = {
    ...state,
    inspected,
    inspectedTimeMs,
    identity: null,
    lowest: NO_GENERATION,
    database: { ...UNSEEN_DATABASE, progress: database },
  }
  const settled = suspension === null ? null : { ...suspension, inspected, inspectedTimeMs, database }
  return [{ ...abandonWork(stands), suspension: settled }, [{ kind: 'record-suspension', suspension: settled }]]
}
