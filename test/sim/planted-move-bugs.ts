import type { Announcement, DatabaseProgress, ReplicaFact } from '../../engine/fact.ts'
import { asGeneration } from '../../engine/generation.ts'
import type { ReplicaState } from '../../engine/replication/replica-state.ts'
import { ENGINE_RULES, type Rules } from '../../sim/rules.ts'

const { stepReplica, stepSource } = ENGINE_RULES

type Stepped = ReturnType<Rules['stepReplica']>

/** Bugs of a change of roles that somebody could have made. Every one has to be caught where nodes change their roles. */
export const PLANTED_MOVE_BUGS: Readonly<Record<string, Rules>> = {
  'a copy is called diverged before the new active has written anything': replica((state, fact) =>
    stepReplica(
      state,
      announcing(fact, ({ takenOver: _, ...rest }) => rest),
    ),
  ),
  'a new active goes on under the number of the stream before': {
    ...ENGINE_RULES,
    stepSource: (state, fact) => stepSource(state, fact.kind === 'share-started' ? { ...fact, stream: 0 } : fact),
  },
  'a former active believes that its logs are those of the new one': replica((state, fact) =>
    stepReplica(fact.kind === 'logs-announced' ? { ...state, stream: fact.announcement.stream } : state, fact),
  ),
  'a copy that was at work goes on after a change of roles without a look': replica((state, fact) =>
    fact.kind === 'logs-announced' && state.look === 'none'
      ? stepReplica({ ...state, stream: fact.announcement.stream, announcement: fact.announcement }, fact)
      : stepReplica(state, fact),
  ),
  'nobody asks for the log that was open when the active failed': replica((state, fact) =>
    stepReplica(
      state,
      opening(fact, ({ requiredLow }) => Math.max(requiredLow - 1, state.inspected)),
    ),
  ),
  'the file of a former active is taken to have nothing of its newest logs': replica((state, fact) =>
    stepReplica(
      state,
      opening(fact, ({ requiredLow }) => requiredLow - 1),
    ),
  ),
  'every copy that differs from a new active is to be seeded': replica((state, fact) =>
    stepReplica(fact.kind === 'log-copied' && state.look === 'asked' ? withFullFile(state) : state, fact),
  ),
  'a source believes what a copy has said of the stream before': {
    ...ENGINE_RULES,
    stepSource: (state, fact) =>
      stepSource(
        state,
        fact.kind === 'copy-reported' ? { ...fact, report: { ...fact.report, stream: state.stream } } : fact,
      ),
  },
}

function replica(step: (state: ReplicaState, fact: ReplicaFact) => Stepped): Rules {
  return { ...ENGINE_RULES, stepReplica: step }
}

function announcing(fact: ReplicaFact, change: (announcement: Announcement) => Announcement): ReplicaFact {
  return fact.kind === 'logs-announced' ? { ...fact, announcement: change(fact.announcement) } : fact
}

/** A header that is read as if no change above this log were in the file. */
function opening(fact: ReplicaFact, through: (progress: DatabaseProgress) => number): ReplicaFact {
  if (fact.kind !== 'database-opened') return fact
  const { requiredHigh } = fact.progress
  const lowered = asGeneration(Math.min(requiredHigh, through(fact.progress)))
  return { ...fact, progress: { ...fact.progress, requiredHigh: lowered } }
}

function withFullFile(state: ReplicaState): ReplicaState {
  const { database, inspected } = state
  return database === null
    ? state
    : { ...state, database: { ...database, progress: { ...database.progress, requiredHigh: inspected } } }
}
