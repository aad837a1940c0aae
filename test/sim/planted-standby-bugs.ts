import type { ReplicaFact } from '../../engine/fact.ts'
import { asGeneration } from '../../engine/generation.ts'
import { planReplay } from '../../engine/replication/replayer.ts'
import { isAtRest, mayWork, type ReplicaState } from '../../engine/replication/replica-state.ts'
import { STANDBY_LOGS, type StandbyLag } from '../../engine/replication/standby-lag.ts'
import { planCopyTruncation } from '../../engine/replication/truncation.ts'
import { ENGINE_RULES, type Rules } from '../../sim/rules.ts'

const { stepReplica, stepSource } = ENGINE_RULES

type Stepped = ReturnType<Rules['stepReplica']>

/** Bugs of a standby target that somebody could have made. Every one has to be caught. */
export const PLANTED_STANDBY_BUGS: Readonly<Record<string, Rules>> = {
  'the replay lag is not heeded': replica((state, fact) => {
    const { lag } = state
    if (lag === null) return stepReplica(state, fact)
    const [after, orders] = stepReplica({ ...state, lag: { ...lag, replayLagMs: 0 } }, fact)
    return [withLag(after, { replayLagMs: lag.replayLagMs }), orders]
  }),
  'the 50 logs are not heeded': replica((state, fact) => {
    const [after, orders] = stepReplica(state, fact)
    const { database, lag, session } = after
    if (database === null || lag === null || after.phase !== 'running' || isAtRest(after)) return [after, orders]
    const inspected = asGeneration(after.inspected + STANDBY_LOGS)
    const range = planReplay({ ...after, inspected }, fact.nowMs)
    if (range === null) return [after, orders]
    return [{ ...after, database: { ...database, batch: range } }, [...orders, { kind: 'replay-logs', session, range }]]
  }),
  'a target truncates before its lag': replica((state, fact) => {
    const [after, orders] = stepReplica(state, fact)
    const range = mayWork(after) ? planCopyTruncation({ ...after, lag: null }, fact.nowMs) : null
    return range === null
      ? [after, orders]
      : [{ ...after, deleting: true }, [...orders, { kind: 'truncate-logs', range }]]
  }),
  'the truncation lag does not begin with the replay': replica((state, fact) => {
    const [after, orders] = stepReplica(
      withLag(state, { replayTimes: [{ through: ALL, sinceMs: 0, timeMs: 0 }] }),
      fact,
    )
    return [after, orders]
  }),
  'nothing wakes a target when its lag is over': replica((state, fact) => {
    const [after, orders] = stepReplica(state, fact)
    return after.lag === null ? [after, orders] : [after, orders.filter(({ kind }) => kind !== 'wake-at')]
  }),
  'the source does not wait for a target at all': {
    ...ENGINE_RULES,
    stepSource: (state, fact) =>
      stepSource(
        state,
        fact.kind === 'copy-reported' && fact.report.kind === 'scr'
          ? { ...fact, report: { ...fact.report, inspected: ALL } }
          : fact,
      ),
  },
}

/** Above every generation of a world. */
const ALL = asGeneration(1_000_000)

function replica(step: (state: ReplicaState, fact: ReplicaFact) => Stepped): Rules {
  return { ...ENGINE_RULES, stepReplica: step }
}

function withLag(state: ReplicaState, change: Partial<StandbyLag>): ReplicaState {
  return state.lag === null ? state : { ...state, lag: { ...state.lag, ...change } }
}
