import type { CopyReport } from '../fact.ts'
import { type Generation, type GenerationRange, lowerOf, NO_GENERATION, previousGeneration } from '../generation.ts'
import { sessionInWords } from './backup-session.ts'
import type { PassiveGate, SourceCopy, SourceState } from './source-state.ts'

/**
 * The rules that can hold a closed log on the source, each with how far it lets truncation go.
 *
 * | rule | holds a log … |
 * |---|---|
 * | `not-backed-up` | above the last generation that a backup covered |
 * | `backup` | that the backup under way needs |
 * | `checkpoint` | that the database of the active needs to recover |
 * | `circular` | while circular logging is on: the store uses it again by itself, and no other rule counts |
 * | `no-copy` | while fewer copies are enrolled than expected |
 * | `not-inspected` | that an enrolled copy has not inspected |
 * | `not-replayed` | that an enrolled copy with a database has not replayed (passive gate `replayed`; never a standby target) |
 * | `required` | that such a copy has replayed, but needs to recover its database |
 * | `outdated` | while the latest report of an enrolled copy is about another stream: the logs were restored since |
 * | `suspended` | that an enrolled copy had not processed when it was suspended |
 * | `failed` | that an enrolled copy had not processed when it failed |
 * | `unreachable` | that an enrolled copy had not processed when it was last heard of |
 * | `not-heard` | while an enrolled copy has not reported since the source started |
 *
 * Source: the truncation rule of continuous replication: backed up, below the checkpoint, and processed by every copy, which for a passive means
 * replayed and no longer required, for a standby target inspected; a copy that is suspended, failed or unreachable holds the source at its last durable value.
 */
export type HoldingRule =
  | 'not-backed-up'
  | 'backup'
  | 'checkpoint'
  | 'circular'
  | 'no-copy'
  | 'not-inspected'
  | 'not-replayed'
  | 'required'
  | 'outdated'
  | 'suspended'
  | 'failed'
  | 'unreachable'
  | 'not-heard'

/** One rule at work: logs up to `through` may go as far as this rule is concerned. */
export interface Hold {
  readonly rule: HoldingRule
  readonly through: Generation
  /** Identifier and label of the copy concerned, or null for a rule that is not about a copy. */
  readonly copy: { readonly copyId: string; readonly label: string } | null
  /** What holds, in words, where neither a copy nor the rule itself says it. */
  readonly what?: string
  /** Since when the condition holds, in milliseconds since 1970; 0 where it has no beginning. */
  readonly sinceMs: number
}

/** Every rule that applies now, in the order in which they are told: backup first, then the active, then copies by identifier. */
export function holds(state: SourceState): readonly Hold[] {
  if (state.options.active === 'circular') return [{ rule: 'circular', through: NO_GENERATION, copy: null, sinceMs: 0 }]
  const all: Hold[] = [{ rule: 'not-backed-up', through: state.mark?.through ?? NO_GENERATION, copy: null, sinceMs: 0 }]
  const { session } = state
  if (session !== null)
    all.push({
      rule: 'backup',
      through: below(session.pinnedFrom),
      copy: null,
      what: sessionInWords(session),
      sinceMs: session.sinceMs,
    })
  if (state.activeRequired !== null)
    all.push({ rule: 'checkpoint', through: below(state.activeRequired), copy: null, sinceMs: 0 })
  if (state.copies.length < state.options.copiesExpected)
    all.push({ rule: 'no-copy', through: NO_GENERATION, copy: null, sinceMs: 0 })
  for (const copy of state.copies) all.push(...holdsOf(copy, state))
  return all
}

/** The highest generation that may be deleted now: the lowest edge of all rules. 0 when nothing may go. */
export function truncatableThrough(state: SourceState): Generation {
  return holds(state).reduce((lowest, hold) => lowerOf(lowest, hold.through), state.generated)
}

/**
 * What to delete now: closed logs from the lowest up to what every rule allows; null when there is nothing. Leftovers of a
 * deletion that a crash cut short are no exception: a copy that has lost logs since may still need them.
 */
export function planTruncation(state: SourceState, nowMs: number): GenerationRange | null {
  if (state.truncating !== null || state.closed === null || nowMs < state.truncateAgainMs) return null
  const first = state.closed.lowest
  const last = lowerOf(truncatableThrough(state), state.closed.generated)
  return first > 0 && last >= first ? { first, last } : null
}

/** What a copy holds: by one rule, or by two where it replays and nothing is wrong. */
function holdsOf(copy: SourceCopy, { options, stream }: SourceState): readonly Hold[] {
  const { copyId, label, report } = copy
  // What a standby target has inspected is safe there, however far it lags.
  const gate = report?.kind === 'scr' ? 'inspected' : options.passiveGate
  const named = { copyId, label }
  if (report === null) return [{ rule: 'not-heard', through: NO_GENERATION, copy: named, sinceMs: 0 }]
  if (report.stream !== stream)
    return [{ rule: 'outdated', through: NO_GENERATION, copy: named, sinceMs: report.sinceMs }]
  const condition = conditionRule(copy)
  const through = processedThrough(report, gate)
  const sinceMs = condition === 'unreachable' ? copy.lastReportMs : report.sinceMs
  if (condition !== null) return [{ rule: condition, through, copy: named, sinceMs }]
  if (report.requiredLow === null || gate === 'inspected')
    return [{ rule: 'not-inspected', through, copy: named, sinceMs }]
  return [
    { rule: 'not-replayed', through: report.replayed, copy: named, sinceMs },
    { rule: 'required', through, copy: named, sinceMs },
  ]
}

/**
 * What a copy has done with, as the gate has it: inspected; or, for a copy with a database, replayed and no longer required.
 * 0 for a database that was not opened yet.
 */
function processedThrough(report: CopyReport, gate: PassiveGate): Generation {
  if (report.requiredLow === null || gate === 'inspected') return report.inspected
  return lowerOf(report.replayed, previousGeneration(report.requiredLow))
}

/** Everything below a log; nothing while it is not known. */
function below(required: Generation): Generation {
  return required === NO_GENERATION ? NO_GENERATION : previousGeneration(required)
}

function conditionRule({ report, connected }: SourceCopy): 'suspended' | 'unreachable' | 'failed' | null {
  if (report?.condition === 'suspended') return 'suspended'
  if (!connected) return 'unreachable'
  return report?.condition === 'failed' ? 'failed' : null
}
