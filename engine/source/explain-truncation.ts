import {
  formatGeneration,
  type Generation,
  type GenerationRange,
  NO_GENERATION,
  nextGeneration,
} from '../generation.ts'
import type { SourceState } from './source-state.ts'
import { type Hold, type HoldingRule, holds, truncatableThrough } from './truncation-rule.ts'

/** Why each closed log is still on the source: logs held by the same rules stand together. */
export interface TruncationExplanation {
  readonly storageGroup: string
  /** Closed logs on disk, or null when there are none. */
  readonly closed: GenerationRange | null
  readonly backedUpThrough: Generation
  /** Everything through here may go now, or has gone. */
  readonly truncatableThrough: Generation
  readonly truncatedBelow: Generation
  /** Ascending and without gaps between `closed.first` and `closed.last`. */
  readonly held: readonly HeldLogs[]
  /** What went wrong at the last deletion; `''` when nothing did. */
  readonly lastFailure: string
}

/** A run of logs and the rules that hold each of them; an empty list of reasons means: being deleted. */
export interface HeldLogs {
  readonly range: GenerationRange
  readonly reasons: readonly HeldBecause[]
}

/** One rule that holds a log, told to a person. */
export interface HeldBecause {
  readonly rule: HoldingRule
  /** Identifier of the copy concerned, or `''`. */
  readonly copyId: string
  /** Since when, in milliseconds since 1970; 0 where it has no beginning. */
  readonly sinceMs: number
  /** Why, as one clause: `copy node2:/store has inspected logs through 00000007`. */
  readonly why: string
  /** What would release the log, as one clause. */
  readonly release: string
}

/**
 * Explains truncation: for each closed log still on the source every rule that holds it and what would release it. Logs are
 * split where the set of rules changes, so 100,000 logs make a handful of rows.
 */
export function explainTruncation(state: SourceState): TruncationExplanation {
  const closed = closedRange(state)
  return {
    storageGroup: state.name,
    closed,
    backedUpThrough: state.mark?.through ?? NO_GENERATION,
    truncatableThrough: truncatableThrough(state),
    truncatedBelow: state.truncatedBelow,
    held: closed === null ? [] : heldLogs(closed, holds(state)),
    lastFailure: state.truncateFailure,
  }
}

/** The explanation of one run of logs as a sentence that can be pasted into a ticket. */
export function explainInWords(storageGroup: string, { range, reasons }: HeldLogs): string {
  const logs =
    range.first === range.last
      ? `Log ${formatGeneration(range.first)}`
      : `Logs ${formatGeneration(range.first)} to ${formatGeneration(range.last)}`
  if (reasons.length === 0) return `${logs} of ${storageGroup} may go and are being deleted.`
  const because = reasons.map(({ why }) => why).join('; and ')
  return `${logs} of ${storageGroup} ${range.first === range.last ? 'was' : 'were'} not truncated because ${because}.`
}

function closedRange(state: SourceState): GenerationRange | null {
  if (state.closed === null || state.closed.lowest === 0) return null
  return { first: state.closed.lowest, last: state.closed.generated }
}

function heldLogs(closed: GenerationRange, all: readonly Hold[]): readonly HeldLogs[] {
  const edges = [...new Set(all.map((hold) => hold.through))].filter(
    (edge) => edge >= closed.first && edge < closed.last,
  )
  edges.sort((a, b) => a - b)
  const runs: HeldLogs[] = []
  let first = closed.first
  for (const last of [...edges, closed.last]) {
    const reasons = all.filter((hold) => hold.through < first).map(tell)
    runs.push({ range: { first, last }, reasons })
    first = nextGeneration(last)
  }
  return runs
}

function tell(hold: Hold): HeldBecause {
  const { why, release } = CLAUSES[hold.rule](hold.what ?? hold.copy?.label ?? '', formatGeneration(hold.through))
  return { rule: hold.rule, copyId: hold.copy?.copyId ?? '', sinceMs: hold.sinceMs, why, release }
}

const CLAUSES: Readonly<Record<HoldingRule, (copy: string, through: string) => { why: string; release: string }>> = {
  'not-backed-up': (_, through) => ({
    why: through === '00000000' ? 'no backup lets it go' : `the last backup lets go of logs through ${through}`,
    release:
      'a full or incremental backup: ccr backup full SG --to DIR (or, of another product, ccr backup mark SG --through G)',
  }),
  backup: (session, through) => ({
    why: `${session} is under way and needs the logs above ${through}`,
    release:
      'the backup completing or being given up: ccr backup list, ccr backup give-up ID (or, of another tool, which may have died: ccr writer list, ccr writer abort SG)',
  }),
  checkpoint: (_, through) => ({
    why:
      through === '00000000'
        ? 'the database of the active may need it to recover'
        : `the database of the active needs the logs above ${through} to recover`,
    release: 'the mailbox store writing its changes to the database file, which it does by itself as mail comes',
  }),
  circular: () => ({
    why: 'circular logging is on, so that the mailbox store uses its logs again by itself',
    release: 'the mailbox store, when its database needs it no more, whatever copies and backups lack',
  }),
  'no-copy': () => ({
    why: 'no copy has been enrolled, so it exists nowhere else',
    release: 'a copy that connects: ccr copy URL STORE (or share with --copies-expected 0)',
  }),
  'not-inspected': (copy, through) => ({
    why: `copy ${copy} has inspected logs through ${through}`,
    release: 'the copy inspecting it, which it does by itself',
  }),
  'not-replayed': (copy, through) => ({
    why: `copy ${copy} has replayed logs through ${through}`,
    release: 'the copy replaying it, which it does by itself',
  }),
  required: (copy, through) => ({
    why: `copy ${copy} needs the logs above ${through} to recover its database`,
    release: 'the copy writing what it replayed to its database file, which it does by itself',
  }),
  outdated: (copy) => ({
    why: `copy ${copy} has logs of another stream, or has not looked at its source since the logs there were restored`,
    release: 'suspending and resuming the copy: ccr suspend SG, ccr resume SG (and seeding it if it has diverged)',
  }),
  suspended: (copy, through) => ({
    why: `copy ${copy} was suspended when it had processed logs through ${through}`,
    release: 'resuming the copy: ccr resume SG (or disabling it: ccr disable SG --copy ID)',
  }),
  failed: (copy, through) => ({
    why: `copy ${copy} failed when it had processed logs through ${through}`,
    release: 'repairing the copy; ccr status SG at the copy says what is wrong',
  }),
  unreachable: (copy, through) => ({
    why: `copy ${copy} cannot be reached and had processed logs through ${through}`,
    release: 'the copy connecting again (or disabling it: ccr disable SG --copy ID)',
  }),
  'not-heard': (copy) => ({
    why: `copy ${copy} has not reported since the source started`,
    release: 'the copy connecting (or disabling it: ccr disable SG --copy ID)',
  }),
}
