import type { ReplicaFact } from '../engine/fact.ts'
import type { ReplicaOrder } from '../engine/order.ts'
import type { ReplicaState } from '../engine/replication/replica-state.ts'
import type { Step } from '../engine/step.ts'

type ReplicaStep = Step<ReplicaState, ReplicaFact, ReplicaOrder>

/** Situations of a copy whose source has become the active by a change of roles, each as a predicate over one step. */
export const MOVED_COPY_SITUATIONS: Readonly<Record<string, (step: ReplicaStep) => boolean>> = {
  'a copy with more logs than the new active waits until that has written something': ({ after }) =>
    isMoved(after) && after.look !== 'asked' && isSilent(after) && after.inspected > after.announcement.generated,
  'a copy with more logs than the new active is compared with the newest of that': ({ before, after }) =>
    isMoved(after) && before.search === null && (after.search?.differs ?? 0) > (after.search?.newest ?? 0),
  'a copy goes over to the new active, since nothing differs': (step) => belongs(step) && step.before.stream !== null,
  'a former active is brought back by an incremental reseed': (step) =>
    isMoved(step.after) && step.orders.some((order) => order.kind === 'raise-event' && order.id === 9030),
  'a copy has to be seeded after a failover': (step) => isMoved(step.after) && isDiverged(step),
  'a former active has to be seeded for the sake of its open log': (step) =>
    isMoved(step.after) && isDiverged(step) && step.before.search === null,
  'a copy looks again without a word of an operator': ({ before, after, fact }) =>
    fact.kind === 'logs-announced' && before.look === 'none' && after.look !== 'none' && isMoved(after),
  'a copy is suspended before it has looked at the new active': ({ before, fact }) =>
    fact.kind === 'operator-suspended' && before.look !== 'none' && isMoved(before),
}

/** What changes of roles note by themselves, since no step of the engine shows it. */
export const NOTED_MOVE_SITUATIONS = [
  'a scheduled move',
  'a move is given up',
  'no copy can take over',
  'closed logs are lost',
  'no closed log is lost',
  'a former active has changes of its open log',
  'a copy that has diverged takes over',
  'a suspended copy takes over',
  'a former active takes over again before it has looked',
  'an active fails before the one before it is back',
  'an active fails during a seed',
  'an active fails during a backup',
] as const

function isMoved({ announcement, stream }: ReplicaState): boolean {
  return announcement.takenOver !== undefined && stream !== announcement.stream
}

function isSilent({ announcement }: ReplicaState): boolean {
  return announcement.generated <= (announcement.takenOver?.after ?? 0)
}

function belongs({ before, after, fact }: ReplicaStep): boolean {
  const isNew = before.stream !== after.stream && after.stream === after.announcement.stream
  return isNew && after.announcement.takenOver !== undefined && fact.kind !== 'seed-completed'
}

function isDiverged({ before, after }: ReplicaStep): boolean {
  return before.failure?.kind !== 'permanent' && after.failure?.kind === 'permanent' && after.stream === null
}
