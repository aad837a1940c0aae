import { formatGeneration, type Generation, NO_GENERATION, nextGeneration, previousGeneration } from '../generation.ts'
import { ESE_ERROR_OF, type Rejection } from '../log-identity.ts'
import type { EndOfLog } from './end-of-log.ts'
import { judgeMount, type MountVerdict, type RequiredRange } from './lost-log-resilience.ts'

/** A closed log that lies there, and why it cannot be replayed: its own verdict, or that it does not continue the one before. */
interface ClosedLogEvidence {
  readonly generation: Generation
  readonly createTime: string
  readonly rejection: Rejection | null
}

/** The open log, and what became of its end. A rejection is that of its header or of its chain to the log before. */
interface OpenLogEvidence {
  readonly generation: Generation
  readonly createTime: string
  readonly rejection: Rejection | null
  readonly end: Pick<EndOfLog, 'state' | 'detail'>
}

/** Everything that a recovery of one database has to go by. */
export interface RecoveryEvidence {
  readonly range: RequiredRange
  /** In ascending order, from the lowest that lies there; generations may be missing between them. */
  readonly closed: readonly ClosedLogEvidence[]
  /** Null where no `E00.log` lies. */
  readonly open: OpenLogEvidence | null
  /** Whether an `E00tmp.log` lies there: then a crash between two renames explains that there is no `E00.log`. */
  readonly hasPreparedLog: boolean
  readonly ignoreLostLogs: boolean
}

/** What becomes of the open log: it goes on as it is, from its shadow, cut behind its last whole record, or is made anew. */
type OpenLogAction = 'continue' | 'take-shadow' | 'cut' | 'create'

/** What a recovery does. */
export type RecoveryPlan =
  | {
      readonly plan: 'recover'
      /** Replay goes from the checkpoint through this generation, the open one included. */
      readonly through: Generation
      readonly open: OpenLogAction
      /** From here on logs are removed, closed ones and the open one, and the open log is created as this generation. */
      readonly discardFrom: Generation | null
      readonly mount: Extract<MountVerdict, { verdict: 'complete' | 'lossy' }>
      /** ESE's warning: 585 committed logs were lost, 587 logs were removed too; null for neither. */
      readonly warning: 585 | 587 | null
    }
  | {
      readonly plan: 'refuse'
      /** ESE's number. */
      readonly error: number
      /** The log at fault. */
      readonly generation: Generation
      readonly detail: string
    }

/** Where the run of logs that can be replayed ends, and why it goes no further. */
interface Run {
  readonly last: Generation
  /** Null when it ends with the newest log that lies there. */
  readonly fault: { readonly error: number; readonly detail: string } | null
  readonly openAction: OpenLogAction
}

/** ESE's number for a log that is missing although others lie behind it, or for a stream without an open log. */
const MISSING_LOG = -528
/** ESE's number for a log that the database needs and that is not there. */
const REQUIRED_LOGS_MISSING = -543
/** ESE's number for a damaged log. */
const LOG_CORRUPT = -501

const END_ACTIONS: Readonly<Record<EndOfLog['state'], OpenLogAction>> = {
  sound: 'continue',
  shadow: 'take-shadow',
  torn: 'cut',
  corrupt: 'create',
}

/**
 * Decides what a recovery makes of the logs that it finds. Only the open log may be mended. A log that cannot be replayed
 * ends the run before it; whether the database can do without it and all behind it is a matter of arithmetic, and of who
 * accepts the loss. Source: the engine's soft recovery.
 *
 * 1. A log that the database file already relies on is never given up: the error of that log stands.
 * 2. A log that is only committed, or that lies beyond what the header knows of, is given up when the loss is accepted; then
 *    it and everything behind it is removed.
 * 3. That there is no open log is explained by a prepared one, or by a database that knows of no log behind the last one that is there:
 *    so does one that was restored with the logs of its backup. A database that knows of none says nothing, and then that, too, is a
 *    loss that somebody has to accept. One that runs writes the newest log into its header at each roll.
 */
export function planRecovery(evidence: RecoveryEvidence): RecoveryPlan {
  const { minRequired } = evidence.range
  const first = evidence.closed[0]?.generation ?? evidence.open?.generation
  if (minRequired !== 0 && (first === undefined || first > minRequired))
    return refuse(REQUIRED_LOGS_MISSING, minRequired, 'the first log that the database needs is missing')
  const run = runOf(evidence, first ?? nextGeneration(NO_GENERATION))
  return run.fault === null ? afterWholeRun(evidence, run) : afterFault(evidence, { ...run, fault: run.fault })
}

/** Follows the logs upwards until one is missing or cannot be replayed. */
function runOf(evidence: RecoveryEvidence, first: Generation): Run {
  let expected = first
  for (const log of evidence.closed) {
    const fault = faultOfLog(log, expected) ?? faultOfTime(log, evidence.range)
    if (fault !== null) return { last: previousGeneration(expected), fault, openAction: 'create' }
    expected = nextGeneration(expected)
  }
  const last = previousGeneration(expected)
  const { open } = evidence
  if (open === null) return { last, fault: null, openAction: 'create' }
  const fault = faultOfLog(open, expected) ?? faultOfTime(open, evidence.range) ?? faultOfEnd(open)
  if (fault !== null) return { last, fault, openAction: 'create' }
  return { last: expected, fault: null, openAction: END_ACTIONS[open.end.state] }
}

function faultOfLog(log: ClosedLogEvidence | OpenLogEvidence, expected: Generation): Run['fault'] {
  if (log.generation !== expected)
    return { error: MISSING_LOG, detail: `log ${formatGeneration(expected)} is missing, but later ones are there` }
  if (log.rejection === null) return null
  return { error: ESE_ERROR_OF[log.rejection.reason], detail: log.rejection.detail }
}

/** The newest log that the header knows of must be that very log, not one of the same number from another history. */
function faultOfTime(log: ClosedLogEvidence | OpenLogEvidence, range: RequiredRange): Run['fault'] {
  const { maxCommitted, maxRequired, committedCreateTime } = range
  if (log.generation !== maxCommitted || maxCommitted !== maxRequired) return null
  if (log.createTime === committedCreateTime) return null
  return {
    error: ESE_ERROR_OF.gap,
    detail: `log ${formatGeneration(log.generation)} was created at ${log.createTime}, the database knows it as of ${committedCreateTime}`,
  }
}

function faultOfEnd(open: OpenLogEvidence): Run['fault'] {
  return open.end.state === 'corrupt' ? { error: LOG_CORRUPT, detail: open.end.detail } : null
}

/** All logs that lie there can be replayed. */
function afterWholeRun(evidence: RecoveryEvidence, run: Run): RecoveryPlan {
  const { ignoreLostLogs, range } = evidence
  const next = nextGeneration(run.last)
  const isWhole = range.maxCommitted !== 0 && range.maxCommitted <= run.last
  if (evidence.open === null && !evidence.hasPreparedLog && !isWhole && !ignoreLostLogs)
    return refuse(MISSING_LOG, next, 'there is neither an open log nor a prepared one')
  const mount = judgeMount({ range, last: run.last, lastIsFollowedByDamage: false, ignoreLostLogs })
  if (mount.verdict !== 'complete' && mount.verdict !== 'lossy')
    return refuse(
      mount.error,
      next,
      `the database needs or has committed logs up to ${formatGeneration(range.maxCommitted)}`,
    )
  const warning = mount.verdict === 'lossy' ? 585 : null
  return { plan: 'recover', through: run.last, open: run.openAction, discardFrom: null, mount, warning }
}

/** A log ends the run although others may lie behind it. */
function afterFault(
  evidence: RecoveryEvidence,
  run: Run & { readonly fault: NonNullable<Run['fault']> },
): RecoveryPlan {
  const { ignoreLostLogs, range } = evidence
  const { error, detail } = run.fault
  const at = nextGeneration(run.last)
  const mount = judgeMount({ range, last: run.last, lastIsFollowedByDamage: error === LOG_CORRUPT, ignoreLostLogs })
  if (mount.verdict === 'required-missing' || (mount.verdict === 'complete' && !ignoreLostLogs))
    return refuse(error, at, detail)
  if (mount.verdict === 'committed-missing' || mount.verdict === 'committed-corrupt')
    return refuse(mount.error, at, detail)
  return { plan: 'recover', through: run.last, open: 'create', discardFrom: at, mount, warning: 587 }
}

function refuse(error: number, generation: Generation, detail: string): RecoveryPlan {
  return { plan: 'refuse', error, generation, detail }
}
