import type { ReplicaFact, SourceFact } from '../engine/fact.ts'
import type { ReplicaOrder, SourceOrder } from '../engine/order.ts'
import type { ReplicaState } from '../engine/replication/replica-state.ts'
import type { SourceState } from '../engine/source/source-state.ts'
import type { Step } from '../engine/step.ts'

type ReplicaStep = Step<ReplicaState, ReplicaFact, ReplicaOrder>
type SourceStep = Step<SourceState, SourceFact, SourceOrder>

/** Situations of a copy with a seed, each as a predicate over one step. */
export const SEEDED_COPY_SITUATIONS: Readonly<Record<string, (step: ReplicaStep) => boolean>> = {
  'a copy is seeded': ({ fact }) => fact.kind === 'seed-completed',
  'a seeded copy stays suspended, as was asked for': ({ fact }) => fact.kind === 'seed-completed' && !fact.resumes,
  'a diverged copy is seeded': ({ fact, before }) => fact.kind === 'seed-pinned' && before.stream === null,
  'a copy with an irrecoverable log is seeded': ({ fact, before }) =>
    fact.kind === 'seed-pinned' && before.stream !== null && before.failure?.kind === 'permanent',
  'a copy whose next log is gone on the source is seeded': ({ fact, before }) =>
    fact.kind === 'seed-pinned' && before.failure?.kind === 'missing',
  'a healthy copy is seeded': ({ fact, before }) => fact.kind === 'seed-pinned' && before.failure === null,
  'a seed comes to nothing': ({ fact }) => fact.kind === 'seed-ended',
  'a copy is resumed while it is seeded, which is refused': ({ fact, before }) =>
    fact.kind === 'operator-resumed' && before.seeding !== null,
  'a copy says that it needs less than before, since the old database does': ({ fact, before, after }) =>
    fact.kind === 'seed-pinned' && after.inspected === before.inspected,
}

/** Situations of a source with a seed, each as a predicate over one step. */
export const SEEDING_SOURCE_SITUATIONS: Readonly<Record<string, (step: SourceStep) => boolean>> = {
  'a seed is refused during a backup': (step) => isRefused(step) && isAsked(step) && !isUnderWay(step),
  'a backup is refused during a seed': (step) => isRefused(step) && !isAsked(step) && isUnderWay(step),
  'a seed is refused during that of another copy': (step) => isRefused(step) && isAsked(step) && isUnderWay(step),
  'a seed takes the place of one that its copy has forgotten': (step) =>
    !isRefused(step) && isAsked(step) && isUnderWay(step),
  'a seed is not heard of for too long': (step) =>
    step.fact.kind === 'time-passed' && isUnderWay(step) && step.after.session === null,
  'an older report of a copy counts only as far as its seed lets it': ({ fact, after }) =>
    fact.kind === 'copy-reported' && after.copies.some(({ pinned }) => pinned !== undefined && !pinned.isAnew),
}

/** What a toy seed notes by itself, since no step of the engine shows it. */
export const NOTED_SEED_SITUATIONS = [
  'a seed waits for its source',
  'a seed that was cut off goes on',
  'a seed ends with the process of its copy',
  'the source was restored in the middle of a seed',
] as const

function isAsked({ fact }: SourceStep): boolean {
  return fact.kind === 'backup-asked' && fact.request.seed !== undefined
}

function isUnderWay({ before }: SourceStep): boolean {
  return before.session?.request.seed !== undefined
}

/** Because of the session under way. */
function isRefused({ fact, before, after }: SourceStep): boolean {
  return fact.kind === 'backup-asked' && before.session !== null && before.session.id === after.session?.id
}
