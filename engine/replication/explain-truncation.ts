import {
  formatGeneration,
  type Generation,
  type GenerationRange,
  lowerOf,
  NO_GENERATION,
  nextGeneration,
  previousGeneration,
} from '../generation.ts'
import { isAtRest, type ReplicaState } from './replica-state.ts'
import { lagReleasesAtMs, lagReleasesThrough, lagText, STANDBY_LOGS } from './standby-lag.ts'
import { timeText } from './time-text.ts'

/**
 * The rules that can hold a log on a copy, each with how far it lets the deletor go.
 *
 * | rule | holds a log … |
 * |---|---|
 * | `suspended` | while an operator has suspended the copy |
 * | `frozen` | while somebody copies the files of the copy |
 * | `failed` | while the copy is Failed for good |
 * | `not-ready` | while the store is looked at, or the database is not open |
 * | `not-truncated` | that the source has not truncated |
 * | `required` | that the database of the copy needs to recover |
 * | `scr-lag` | of a standby target for as long as its lags say, or until it is 50 logs behind |
 * | `newest` | that is the newest inspected one: the next is compared with its header |
 */
type CopyHoldingRule =
  | 'suspended'
  | 'frozen'
  | 'failed'
  | 'not-ready'
  | 'not-truncated'
  | 'required'
  | 'scr-lag'
  | 'newest'

/** Why each log is still on a copy: logs held by the same rules stand together. */
export interface CopyTruncationExplanation {
  readonly storageGroup: string
  /** Inspected logs, or null when there are none. */
  readonly logs: GenerationRange | null
  /** What the source has truncated, as it announces it. */
  readonly truncatedBelow: Generation
  /** Everything through here may go now, or is going. */
  readonly truncatableThrough: Generation
  /** Ascending and without gaps between `logs.first` and `logs.last`. An empty list of reasons means: being deleted. */
  readonly held: readonly HeldOnCopy[]
}

/** A run of logs and the rules that hold each of them. */
export interface HeldOnCopy {
  readonly range: GenerationRange
  readonly reasons: readonly {
    readonly rule: CopyHoldingRule
    /** Why, as one clause, and what would release the log, as another. */
    readonly why: string
    readonly release: string
  }[]
}

/** Explains truncation on the side of the copy, as `explainTruncation` does on that of the source. */
export function explainCopyTruncation(state: ReplicaState, nowMs: number): CopyTruncationExplanation {
  const { name, lowest, inspected, announcement } = state
  const holds = copyHolds(state, nowMs)
  const logs = lowest === NO_GENERATION ? null : { first: lowest, last: inspected }
  return {
    storageGroup: name,
    logs,
    truncatedBelow: announcement.truncatedBelow,
    truncatableThrough: holds.reduce((edge, { through }) => lowerOf(edge, through), inspected),
    held: logs === null ? [] : heldLogs(logs, holds, { state, nowMs }),
  }
}

/** The explanation of one run of logs as a sentence. */
export function explainCopyInWords(storageGroup: string, { range, reasons }: HeldOnCopy): string {
  const [first, last] = [formatGeneration(range.first), formatGeneration(range.last)]
  const logs = range.first === range.last ? `Log ${first}` : `Logs ${first} to ${last}`
  if (reasons.length === 0) return `${logs} of the copy of ${storageGroup} may go and are being deleted.`
  const because = reasons.map(({ why }) => why).join('; and ')
  return `${logs} of the copy of ${storageGroup} ${range.first === range.last ? 'is' : 'are'} kept because ${because}.`
}

interface Moment {
  readonly state: ReplicaState
  readonly nowMs: number
}

interface CopyHold {
  readonly rule: CopyHoldingRule
  readonly through: Generation
}

/** Every rule that applies now: what the copy does first, then what it has. */
function copyHolds(state: ReplicaState, nowMs: number): readonly CopyHold[] {
  const { suspension, frozen, failure, phase, database, announcement, inspected } = state
  const holds: CopyHold[] = []
  const stopped = (rule: CopyHoldingRule): unknown => holds.push({ rule, through: NO_GENERATION })
  if (suspension !== null) stopped('suspended')
  if (frozen) stopped('frozen')
  if (failure?.kind === 'permanent') stopped('failed')
  const isOpen = database === null || database.phase === 'open'
  if (!isAtRest(state) && (phase !== 'running' || !isOpen)) stopped('not-ready')
  holds.push({ rule: 'not-truncated', through: previousGeneration(announcement.truncatedBelow) })
  if (database !== null) holds.push({ rule: 'required', through: previousGeneration(database.progress.requiredLow) })
  if (state.lag !== null) holds.push({ rule: 'scr-lag', through: lagReleasesThrough(state, nowMs) })
  holds.push({ rule: 'newest', through: previousGeneration(inspected) })
  return holds
}

function heldLogs(logs: GenerationRange, holds: readonly CopyHold[], { state, nowMs }: Moment): readonly HeldOnCopy[] {
  const edges = [...new Set(holds.map(({ through }) => through))]
    .filter((edge) => edge >= logs.first && edge < logs.last)
    .sort((a, b) => a - b)
  const runs: HeldOnCopy[] = []
  let first = logs.first
  for (const last of [...edges, logs.last]) {
    const reasons = holds
      .filter(({ through }) => through < first)
      .map(({ rule }) => ({ rule, ...CLAUSES[rule](state, { range: { first, last }, nowMs }) }))
    runs.push({ range: { first, last }, reasons })
    first = nextGeneration(last)
  }
  return runs
}

type Clause = (
  state: ReplicaState,
  held: { readonly range: GenerationRange; readonly nowMs: number },
) => { readonly why: string; readonly release: string }

const CLAUSES: Readonly<Record<CopyHoldingRule, Clause>> = {
  suspended: ({ name }) => ({ why: 'the copy is suspended', release: `resuming it: ccr resume ${name}` }),
  frozen: () => ({ why: 'a snapshot of the copy is being taken', release: 'the snapshot being taken' }),
  failed: ({ name }) => ({ why: 'the copy is Failed', release: `repairing it; ccr status ${name} says what is wrong` }),
  'not-ready': () => ({ why: 'the copy is just being looked at', release: 'the copy, by itself' }),
  'not-truncated': ({ announcement: { truncatedBelow } }) => ({
    why:
      truncatedBelow === NO_GENERATION
        ? 'the source has truncated nothing yet'
        : `the source has truncated only what is below ${formatGeneration(truncatedBelow)}`,
    release: 'the source truncating it: ccr explain truncation SG there says what holds it',
  }),
  required: ({ database }) => ({
    why: `its database needs the logs from ${formatGeneration(database?.progress.requiredLow ?? NO_GENERATION)} on to recover`,
    release: 'the copy writing what it replayed to its database file, which it does by itself',
  }),
  'scr-lag': (state, held) => lagClause(state, held),
  newest: () => ({
    why: 'the header of the next log is compared with it, which is the newest',
    release: 'the next log being inspected',
  }),
}

function lagClause(state: ReplicaState, { range, nowMs }: Parameters<Clause>[1]): ReturnType<Clause> {
  const { lag } = state
  const timesMs = [range.first, range.last].map((generation) => lagReleasesAtMs(state, generation))
  const fixed = `a standby target stays ${STANDBY_LOGS} logs behind`
  if (lag === null || Math.max(...timesMs) <= nowMs)
    return { why: fixed, release: `${STANDBY_LOGS} newer logs being inspected` }
  const until = [...new Set(timesMs.map(timeText))].join(', the newest of them until ')
  const lasts = lag.truncationLagMs === 0 ? 'lasts' : 'last'
  return { why: `${lagText(lag)} ${lasts} until ${until}`, release: 'the end of the lag, once the log is replayed' }
}
