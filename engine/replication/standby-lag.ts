import type { CopiedLog, StoreContents } from '../fact.ts'
import { formatGeneration, type Generation, lowerOf, NO_GENERATION, nextGeneration } from '../generation.ts'
import type { ReplicaState } from './replica-state.ts'
import { durationText, timeText } from './time-text.ts'

/**
 * Logs that a standby target always stays behind what it has inspected, whatever its replay lag. A lossy failover of its source loses
 * as many logs at most as lost log resilience keeps out of the database there, so the target never has replayed what the
 * source then no longer has. Source: the fixed replay delay of standby continuous replication, which a lag of 0 does not remove.
 */
export const STANDBY_LOGS = 50

/**
 * Steps that a lag is divided into, at most. A lag of a day is kept in steps of a minute, and logs closed within one step wait for the
 * newest of them; so the times of millions of logs take no more memory than these. Logs that the replay lag has let go wait for both lags
 * together, in steps of those: a replay lag of a minute is not kept by the steps of a truncation lag of a week.
 */
const LAG_STEPS = 1_440

/** How long a standby target stays behind on purpose. Source: ReplayLagTime and TruncationLagTime of Enable-StorageGroupCopy. */
export interface StandbyOptions {
  /** Between the closing of a log and its replay, in milliseconds: 0 to 7 days. */
  readonly replayLagMs: number
  /** Between the replay of a log and its deletion on the target, in milliseconds: 0 to 7 days. */
  readonly truncationLagMs: number
}

/** The lag of a standby target, with the times that it is reckoned from. */
export interface StandbyLag extends StandbyOptions {
  /** When the inspected logs were closed; empty where no lag asks for it. Never later than when we learned of it. */
  readonly logTimes: readonly TimedLogs[]
  /** When logs were replayed; what was replayed before this start counts from the start. Empty without a truncation lag. */
  readonly replayTimes: readonly TimedLogs[]
  /** When the lag lets the next log go on, as far as that was asked for; 0 for never. */
  readonly wakeAtMs: number
}

/** Logs above those of the step before, through `through`: none of them is newer than `timeMs`, one is from `sinceMs`. */
interface TimedLogs {
  readonly through: Generation
  readonly sinceMs: number
  readonly timeMs: number
}

/** A lag that knows of no log yet; null for a copy that stays as close to its source as it can. */
export function startLag(options: StandbyOptions | null): StandbyLag | null {
  return options === null ? null : { ...options, logTimes: [], replayTimes: [], wakeAtMs: 0 }
}

/** A scan has found these logs. Where it does not tell the time of each, all are as new as the newest. */
export function lagAfterScan(lag: StandbyLag, { run, logTimeMs, logTimes }: StoreContents, nowMs: number): StandbyLag {
  const newest = run === null ? [] : [{ generation: run.last, logTimeMs }]
  const found = [...(logTimes ?? []), ...newest]
  return lagAfterInspection({ ...lag, logTimes: [] }, found, nowMs)
}

/** These logs, ascending, were inspected. A clock of the source that is ahead does not make the lag longer. */
export function lagAfterInspection(
  lag: StandbyLag,
  logs: readonly Pick<CopiedLog, 'generation' | 'logTimeMs'>[],
  nowMs: number,
): StandbyLag {
  const { replayLagMs } = lag
  const ageMs = replayLagMs + lag.truncationLagMs
  if (ageMs === 0) return lag
  const stepMsAt = (timeMs: number): number => (timeMs > nowMs - replayLagMs ? replayLagMs : ageMs) / LAG_STEPS
  let logTimes = lag.logTimes
  for (const { generation, logTimeMs } of logs)
    logTimes = withTime(logTimes, { through: generation, timeMs: clamped(logTimeMs, nowMs - ageMs, nowMs) }, stepMsAt)
  return { ...lag, logTimes: joined(withoutPast(logTimes, nowMs - ageMs), stepMsAt) }
}

/** Everything through this log is replayed, or is known to be. */
export function lagAfterReplay(lag: StandbyLag, through: Generation, nowMs: number): StandbyLag {
  const { truncationLagMs, replayTimes } = lag
  if (truncationLagMs === 0 || replayTimes.at(-1)?.through === through) return lag
  const times = withTime(replayTimes, { through, timeMs: nowMs }, () => truncationLagMs / LAG_STEPS)
  return { ...lag, replayTimes: withoutPast(times, nowMs - truncationLagMs) }
}

/** Everything through here may be replayed now: 50 logs below what is inspected, and old enough, whichever comes second. */
export function replayableThrough({ lag, inspected }: ReplicaState, nowMs: number): Generation {
  if (lag === null) return inspected
  const distant = distantThrough(inspected)
  return lag.replayLagMs === 0 ? distant : lowerOf(distant, throughAt(lag.logTimes, nowMs - lag.replayLagMs))
}

/**
 * Everything through here may be deleted now, as far as the lag is concerned: as old as both lags together, and replayed for as long
 * as the truncation lag says. A copy that keeps logs only counts as replayed what it might replay.
 */
export function lagReleasesThrough(state: ReplicaState, nowMs: number): Generation {
  const { lag, inspected, database } = state
  if (lag === null) return inspected
  const { replayLagMs, truncationLagMs } = lag
  const edges = [database === null ? distantThrough(inspected) : inspected]
  if (replayLagMs + truncationLagMs > 0) edges.push(throughAt(lag.logTimes, nowMs - replayLagMs - truncationLagMs))
  if (database !== null && truncationLagMs > 0) edges.push(throughAt(lag.replayTimes, nowMs - truncationLagMs))
  return edges.reduce(lowerOf)
}

/** From when on the lags would let this log be deleted: milliseconds since 1970, at the earliest. */
export function lagReleasesAtMs({ lag, database }: ReplicaState, generation: Generation): number {
  if (lag === null) return 0
  const { replayLagMs, truncationLagMs, logTimes, replayTimes } = lag
  const oldEnoughMs = timeOf(logTimes, generation) + replayLagMs + truncationLagMs
  if (database === null || truncationLagMs === 0) return oldEnoughMs
  return Math.max(oldEnoughMs, timeOf(replayTimes, generation) + truncationLagMs)
}

/**
 * When the clock alone lets the next log be replayed, or the lowest one go: milliseconds since 1970, or null when something else has
 * to happen first. `released` is the log through which everything but the lag lets the deletor go.
 */
export function lagEndsAtMs(state: ReplicaState, released: Generation, nowMs: number): number | null {
  const { lag, lowest, inspected, database } = state
  if (lag === null) return null
  const times: number[] = []
  const next = nextGeneration(database?.progress.replayedThrough ?? inspected)
  if (next <= distantThrough(inspected)) times.push(timeOf(lag.logTimes, next) + lag.replayLagMs)
  if (lowest !== NO_GENERATION && lowest <= released) times.push(lagReleasesAtMs(state, lowest))
  const ahead = times.filter((atMs) => atMs > nowMs)
  return ahead.length === 0 ? null : Math.min(...ahead)
}

/** Why nothing is replayed just now although logs are there; `''` where that is not on purpose. */
export function lagRemark({ lag, database, inspected, phase }: ReplicaState): string {
  if (lag === null || phase !== 'running' || database?.phase !== 'open' || database.batch !== null) return ''
  const next = nextGeneration(database.progress.replayedThrough)
  if (next > inspected) return ''
  const conditions: string[] = []
  if (lag.replayLagMs > 0) conditions.push(`at ${timeText(timeOf(lag.logTimes, next) + lag.replayLagMs)}`)
  const distant = (next + STANDBY_LOGS) as Generation // 50 above a generation
  if (distant > inspected) conditions.push(`when log ${formatGeneration(distant)} is inspected`)
  const second = conditions.length === 2 ? ', whichever comes second' : ''
  return `log ${formatGeneration(next)} may be replayed ${conditions.join(', or ')}${second}`
}

/** The lags of a copy as a clause says them. */
export function lagText({ replayLagMs, truncationLagMs }: StandbyOptions): string {
  const replay = `the replay lag of ${durationText(replayLagMs)}`
  return truncationLagMs === 0 ? replay : `${replay} and the truncation lag of ${durationText(truncationLagMs)}`
}

/** The newest log that is 50 logs below what is inspected; 0 where there is none. */
function distantThrough(inspected: Generation): Generation {
  return Math.max(NO_GENERATION, inspected - STANDBY_LOGS) as Generation // 0, or below a generation
}

function throughAt(steps: readonly TimedLogs[], atMs: number): Generation {
  return steps.findLast(({ timeMs }) => timeMs <= atMs)?.through ?? NO_GENERATION
}

/** The time of the step that a log is in; never, above all of them. */
function timeOf(steps: readonly TimedLogs[], generation: Generation): number {
  return steps.find(({ through }) => through >= generation)?.timeMs ?? 0
}

/** Steps go up in generations and in time: what is said of a log again counts from then on, and from the logs above it. */
function withTime(
  steps: readonly TimedLogs[],
  { through, timeMs }: Pick<TimedLogs, 'through' | 'timeMs'>,
  stepMsAt: (timeMs: number) => number,
): readonly TimedLogs[] {
  const isAbove = (steps.at(-1)?.through ?? NO_GENERATION) < through
  const below = isAbove ? steps : steps.filter((step) => step.through < through)
  const last = below.at(-1)
  // The step that this log was in may say more of the logs below it, which are in no other.
  const newest = Math.max(timeMs, last?.timeMs ?? 0, steps[below.length]?.timeMs ?? 0)
  if (last === undefined || newest - last.sinceMs > stepMsAt(newest))
    return [...below, { through, sinceMs: newest, timeMs: newest }]
  return [...below.slice(0, -1), { through, sinceMs: last.sinceMs, timeMs: newest }]
}

/** What is older than any lag is as good as that old, so that logs of years are one step. */
function clamped(timeMs: number, leastMs: number, mostMs: number): number {
  return Math.min(Math.max(timeMs, leastMs), mostMs)
}

/** Steps that have become so old that longer ones do are joined. */
function joined(steps: readonly TimedLogs[], stepMsAt: (timeMs: number) => number): readonly TimedLogs[] {
  const fewer: TimedLogs[] = []
  for (const step of steps) {
    const last = fewer.at(-1)
    if (last === undefined || step.timeMs - last.sinceMs > stepMsAt(step.timeMs)) fewer.push(step)
    else fewer[fewer.length - 1] = { ...step, sinceMs: last.sinceMs }
  }
  return fewer
}

/** Steps that no lag asks for any more become one. */
function withoutPast(steps: readonly TimedLogs[], beforeMs: number): readonly TimedLogs[] {
  const past = throughAt(steps, beforeMs)
  const from = steps.findIndex(({ through }) => through >= past)
  return from <= 0 ? steps : steps.slice(from)
}
