import type { ReplicaFact } from '../../engine/fact.ts'
import { nextGeneration } from '../../engine/generation.ts'
import type { ReplicaState } from '../../engine/replication/replica-state.ts'
import type { BackupSession } from '../../engine/source/backup-session.ts'
import type { SourceState } from '../../engine/source/source-state.ts'
import { ENGINE_RULES, type Rules } from '../../sim/rules.ts'

const { stepReplica, stepSource } = ENGINE_RULES

/** Bugs of seeds that somebody could have made. Every one has to be caught where copies are seeded. */
export const PLANTED_SEED_BUGS: Readonly<Record<string, Rules>> = {
  'a copy is resumed in the middle of its seed': replica((state, fact) =>
    stepReplica(fact.kind === 'operator-resumed' ? { ...state, seeding: null } : state, fact),
  ),
  'nobody says or heeds what the new database of a suspended copy needs': {
    ...ENGINE_RULES,
    stepReplica: (state, fact) => {
      if (fact.kind === 'seed-pinned') return [state, []]
      const isToStay = fact.kind === 'seed-completed' && !fact.resumes
      return stepReplica(state, isToStay ? { kind: 'seed-ended', nowMs: fact.nowMs, fault: null } : fact)
    },
    stepSource: (state, fact) => {
      const [after, orders] = stepSource(state, fact)
      return [fact.kind === 'backup-asked' ? { ...after, copies: state.copies } : after, orders]
    },
  },
  'a seeded copy stays suspended, though it was to go on': replica((state, fact) => {
    if (fact.kind !== 'seed-completed' || !fact.resumes) return stepReplica(state, fact)
    const [after, orders] = stepReplica(state, { ...fact, resumes: false })
    return [{ ...after, suspension: null }, orders]
  }),
  'half a seed lies in the place of the database': { ...ENGINE_RULES, leftOut: new Set(['seed-aside']) },
  'a seed pins nothing': source((state, fact) =>
    withSession(stepSource(state, fact), state, (session, { generated }) => ({
      ...session,
      pinnedFrom: nextGeneration(generated),
    })),
  ),
  'a seed is recorded as a full backup': source((state, fact) =>
    withSession(stepSource(state, fact), state, ({ request: { seed, ...request }, ...session }) => ({
      ...session,
      request: seed === undefined ? request : { ...request, scope: 'full' },
    })),
  ),
  'a seed that is silent holds the logs for ever': source((state, fact) =>
    fact.kind === 'time-passed' && state.session?.request.seed !== undefined
      ? stepSource({ ...state, session: { ...state.session, heardMs: fact.nowMs } }, fact)
      : stepSource(state, fact),
  ),
}

function replica(step: (state: ReplicaState, fact: ReplicaFact) => ReturnType<Rules['stepReplica']>): Rules {
  return { ...ENGINE_RULES, stepReplica: step }
}

function source(step: Rules['stepSource']): Rules {
  return { ...ENGINE_RULES, stepSource: step }
}

/** Changes the session of a seed that has just begun. */
function withSession(
  [after, orders]: ReturnType<Rules['stepSource']>,
  before: SourceState,
  change: (session: BackupSession, state: SourceState) => BackupSession,
): ReturnType<Rules['stepSource']> {
  const { session } = after
  const isNew = session !== null && session.id !== before.session?.id && session.request.seed !== undefined
  return isNew ? [{ ...after, session: change(session, after) }, orders] : [after, orders]
}
