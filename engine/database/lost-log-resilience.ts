import { type Generation, higherOf, NO_GENERATION } from '../generation.ts'
import type { Release } from '../release.ts'
import { digitsOfTime, UNSET_LOG_TIME } from './log-time.ts'

/** What decides how deep lost log resilience is. */
export interface ResilienceProfile {
  /** Whether the storage group is replicated in a cluster; everything else, LCR and SCR too, loses no log at a failover. */
  readonly clustered: boolean
  readonly release: Release
  /** Logs that a failover may lose and still mount by itself: 6, 3 or 0 by the mount dial. Counts in `rtm` only. */
  readonly lostLogsTolerated: number
}

/**
 * Which generations a database says in its header that it needs. Source: the engine; eseutil shows them as `Log Required`
 * and `Log Committed`.
 *
 * `minRequired` ≤ `maxRequired` ≤ `maxCommitted`, or all three 0 in a database that was shut down in order.
 */
export interface RequiredRange {
  /** Changes of earlier generations are all in the database file. */
  readonly minRequired: Generation
  /** No change of a later generation is in the database file: the waypoint when the header was written. */
  readonly maxRequired: Generation
  /** The newest generation that held a committed transaction when the header was written. */
  readonly maxCommitted: Generation
  /** LOGTIME of the log `maxCommitted` as 16 hexadecimal digits, which tells it from one of another history. */
  readonly committedCreateTime: string
}

/** Of a database that needs no log. */
export const NOTHING_REQUIRED: RequiredRange = {
  minRequired: NO_GENERATION,
  maxRequired: NO_GENERATION,
  maxCommitted: NO_GENERATION,
  committedCreateTime: digitsOfTime(UNSET_LOG_TIME),
}

/** A log that was just rolled. */
export interface LogRoll {
  /** The generation that is open now. */
  readonly generation: Generation
  /** Its LOGTIME as 16 hexadecimal digits. */
  readonly createTime: string
  readonly waypoint: Generation
  /** The lowest generation with a change that is not in the database file: where the checkpoint stands. */
  readonly minRequired: Generation
}

/** What a roll does to the header of a database. */
export interface HeaderAtRoll {
  readonly range: RequiredRange
  /** What must be durable before the header is written with the new range; null when it need not be written at all. */
  readonly rewrite: {
    /** This log and all before it; null when no more of them became required. */
    readonly logThrough: Generation | null
    /** The database file: the changes of the generations that are no longer required. */
    readonly databaseFile: boolean
  } | null
}

/** What is there when a database is to be mounted. */
export interface MountEvidence {
  readonly range: Pick<RequiredRange, 'maxRequired' | 'maxCommitted'>
  /** The last generation that can be replayed, with none missing before it. */
  readonly last: Generation
  /** Whether the log after it is there, but damaged or of another history, rather than missing. */
  readonly lastIsFollowedByDamage: boolean
  /** Whether an operator, or the cluster, accepts the loss of committed logs (`eseutil /r /a`). */
  readonly ignoreLostLogs: boolean
}

/** Committed logs that a mount does without. */
interface LostLogs {
  readonly count: number
  readonly first: Generation
  readonly last: Generation
}

/**
 * Whether a database can be mounted.
 *
 * | verdict | what it means | ESE's number |
 * |---|---|---|
 * | `complete` | every committed log is there | |
 * | `lossy` | committed logs are lost and that is accepted; the database is consistent | warning 585 |
 * | `required-missing` | changes of a missing log are in the database file: restore or seed | -543 |
 * | `committed-missing` | only committed logs are missing | -582 |
 * | `committed-corrupt` | the same, but the next log is there and damaged | -586 |
 */
export type MountVerdict =
  | { readonly verdict: 'complete' }
  | { readonly verdict: 'lossy'; readonly lost: LostLogs }
  | { readonly verdict: 'required-missing'; readonly error: -543 }
  | { readonly verdict: 'committed-missing'; readonly error: -582; readonly lost: LostLogs }
  | { readonly verdict: 'committed-corrupt'; readonly error: -586; readonly lost: LostLogs }

/** Generations that the first service pack holds back in a cluster, whatever the dial. */
const DEPTH_SP1 = 10
/** Where no failover loses logs, only the open one is held back. */
const DEPTH_ALONE = 1
/** A log that is open for this long is rolled, if depth 1 holds anything back: 15 minutes. */
const ROLL_SPAN_MS = 900_000
/** However deep: more often than this would fill a day with almost empty logs. */
const ROLL_PERIOD_MS_MIN = 30_000

/**
 * How many generations must exist beyond a change before it may go to the database file. A log that a failover loses then
 * never was in the database of the node that lost it. Source: Microsoft bb288910, the formula checked against its table.
 *
 * @returns 1 or more
 */
export function resilienceDepth(profile: ResilienceProfile): number {
  if (!profile.clustered) return DEPTH_ALONE
  return profile.release === 'sp1' ? DEPTH_SP1 : DEPTH_ALONE + profile.lostLogsTolerated
}

/**
 * The waypoint: no change of a later generation may be written to the database file. It never goes back.
 *
 * @param log its open generation, the last one that is durable with all its records, and the depth; a depth of 0 is for a
 *   database that is detached, for which nothing is held back
 */
export function nextWaypoint(
  waypoint: Generation,
  log: { readonly open: Generation; readonly durable: Generation; readonly depth: number },
): Generation {
  const held = Math.min(log.open - log.depth, log.durable)
  return higherOf(waypoint, Math.max(0, held) as Generation) // a whole number between 0 and a generation
}

/**
 * What a database's header says after a log was rolled. The newest committed generation is kept up in memory at every roll,
 * but is no reason to write the header: on the disk it may lag by the depth, which only means that the mount after a crash
 * knows of fewer losses than there were.
 */
export function headerAtRoll(before: RequiredRange, roll: LogRoll): HeaderAtRoll {
  const minRequired = higherOf(before.minRequired, roll.minRequired)
  const maxRequired = higherOf(before.maxRequired, roll.waypoint)
  const newer = roll.generation > before.maxCommitted
  const range: RequiredRange = {
    minRequired,
    maxRequired,
    maxCommitted: newer ? roll.generation : before.maxCommitted,
    committedCreateTime: newer ? roll.createTime : before.committedCreateTime,
  }
  const logThrough = maxRequired > before.maxRequired ? maxRequired : null
  const databaseFile = minRequired > before.minRequired
  return { range, rewrite: logThrough !== null || databaseFile ? { logThrough, databaseFile } : null }
}

/**
 * How long an open log may hold changes back before it is rolled although it is not full: 15 minutes by the depth, but not
 * under 30 s. Source: Microsoft bb288910; the lower bound is the engine's.
 */
export function rollPeriodMs(depth: number): number {
  return Math.max(ROLL_PERIOD_MS_MIN, ROLL_SPAN_MS / depth)
}

/** Whether the open log has to be rolled now. A storage group without activity holds nothing back, and is never rolled. */
export function isRollDue(log: {
  readonly nowMs: number
  readonly lastRollMs: number
  readonly depth: number
  /** Whether a change waits for the waypoint to pass it. */
  readonly holdsChangesBack: boolean
}): boolean {
  return log.holdsChangesBack && log.nowMs - log.lastRollMs >= rollPeriodMs(log.depth)
}

/** Decides a mount by the last log that can be replayed. Source: the engine's own arithmetic. */
export function judgeMount(evidence: MountEvidence): MountVerdict {
  const { range, last } = evidence
  if (range.maxRequired > last) return { verdict: 'required-missing', error: -543 }
  if (range.maxCommitted <= last) return { verdict: 'complete' }
  const count = range.maxCommitted - last
  const lost: LostLogs = { count, first: (last + 1) as Generation, last: range.maxCommitted } // one above a generation
  if (evidence.ignoreLostLogs) return { verdict: 'lossy', lost }
  return evidence.lastIsFollowedByDamage
    ? { verdict: 'committed-corrupt', error: -586, lost }
    : { verdict: 'committed-missing', error: -582, lost }
}

/** The range of a database whose lost logs were accepted: it ends with the last log that was replayed. */
export function rangeAfterLoss(
  range: RequiredRange,
  last: { readonly generation: Generation; readonly createTime: string },
): RequiredRange {
  return { ...range, maxCommitted: last.generation, committedCreateTime: last.createTime }
}

/** What event 524 says of lost logs. Generations are shown in decimal, as everywhere but in file names. */
export function lostLogsText(database: string, lost: LostLogs): string {
  return (
    `Database ${database} has lost ${lost.count} committed log files (${lost.first}-${lost.last}). ` +
    'Lost log resilience has allowed it to be recovered to a consistent state, but with data loss.'
  )
}
