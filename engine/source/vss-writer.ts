import { unreachable } from '../assert.ts'
import type { BackupScope } from '../database/backup-slot.ts'
import type { Refusal } from '../order.ts'

/** What a backup tool tells the writer of a database, in this order; `abort` at any time in between. */
export type WriterCall = 'prepare' | 'freeze' | 'thaw' | 'post' | 'abort'

/** Where the backup of a tool stands: `idle` for none. */
export type WriterPhase = 'idle' | 'prepared' | 'frozen' | 'thawed'

/**
 * A failure that somebody has ordered for the next backup: the writer votes against the snapshot, its freeze lasts too long, the thaw does
 * not reach it in time, or the first word of success is lost.
 */
export type Provocation = 'vote-no' | 'freeze-timeout' | 'no-thaw' | 'lose-post'

/** What the writer was at when the backup failed. Source: the failed states of VSS writers. */
type FailurePoint = 'prepare' | 'vote' | 'freeze' | 'thaw' | 'post'

/** Why the last backup failed. */
export interface WriterFailure {
  readonly at: FailurePoint
  /** Whether the same backup may succeed when it is taken again. */
  readonly retryable: boolean
  /** One clause. */
  readonly reason: string
  /** Number of the engine; null where it has none. */
  readonly eseError: number | null
}

/** The writer of one database on one node: what other people's backup tools speak to. In memory only. */
export interface VssWriter {
  readonly phase: WriterPhase
  /** The call that is being carried out; others are refused until then. */
  readonly underWay: WriterCall | null
  /** What is backed up; null while idle. */
  readonly scope: BackupScope | null
  /** When the tool has called last, in milliseconds since 1970; 0 while idle. */
  readonly sinceMs: number
  /** Of the last backup; null where it succeeded, was given up by its tool, or there was none. */
  readonly failure: WriterFailure | null
  /** Of the backup under way, or of the next one. */
  readonly provocation: Provocation | null
}

/** What a writer hears of. */
export type WriterFact =
  /** A tool calls; only what {@link whyNotCall} lets pass. The scope comes with `prepare`. */
  | { readonly kind: 'call-came'; readonly call: WriterCall; readonly nowMs: number; readonly scope?: BackupScope }
  /** What was under way is done. */
  | { readonly kind: 'call-done' }
  /** What was under way has failed, and the backup is given up. */
  | { readonly kind: 'call-failed'; readonly failure: WriterFailure }
  | { readonly kind: 'provoked'; readonly provocation: Provocation | null }
  /** What was under way is done for its tool, and has not come to the writer: the provoked loss, which happens once. */
  | { readonly kind: 'call-lost' }

/** How a writer is listed. */
export interface WriterStanding {
  readonly state: 'stable' | 'waiting-for-completion' | 'retryable-error' | 'non-retryable-error'
  /** State and last error as vssadmin shows them. */
  readonly shownState: string
  readonly shownError: string
}

/** A writer that nobody has called. */
export const STABLE_WRITER: VssWriter = {
  phase: 'idle',
  underWay: null,
  scope: null,
  sinceMs: 0,
  failure: null,
  provocation: null,
}

/** What comes next in each phase. */
export const NEXT_CALL: Readonly<Record<WriterPhase, WriterCall>> = {
  idle: 'prepare',
  prepared: 'freeze',
  frozen: 'thaw',
  thawed: 'post',
}

const PHASE_AFTER: Readonly<Record<WriterCall, WriterPhase>> = {
  prepare: 'prepared',
  freeze: 'frozen',
  thaw: 'thawed',
  post: 'idle',
  abort: 'idle',
}

/** Numbers of VSS for a writer that failed. Source: VSS_WRITER_STATE, VSS_WS_FAILED_AT_PREPARE_BACKUP and those that follow. */
const FAILED_STATE: Readonly<Record<FailurePoint, number>> = { prepare: 7, vote: 8, freeze: 9, thaw: 10, post: 12 }

/** The engine's number for what comes in the wrong order. */
const WRONG_ORDER = -521

/**
 * Why a call may not come now, with what comes instead; null when it may. A call that is refused changes nothing.
 *
 * @param name of the writer, for people
 */
export function whyNotCall(writer: VssWriter, call: WriterCall, name: string): Refusal | null {
  const { phase, underWay, failure } = writer
  if (underWay !== null) return refusal(`${underWay} of ${name} is under way`, 'Wait until it has been answered.')
  if (call === 'abort' ? phase !== 'idle' : call === NEXT_CALL[phase]) return null
  if (phase !== 'idle') return refusal(`${name} is ${phase}, and ${call} does not come now`, nextOf(phase))
  if (failure === null) return refusal(`${name} has no backup under way, and ${call} does not come now`, nextOf(phase))
  return {
    ...refusal(`the backup of ${name} has failed: ${failure.reason}`, `Nothing was truncated. ${nextOf(phase)}`),
    ...(failure.eseError === null ? {} : { eseError: failure.eseError }),
  }
}

/** Why no failure may be provoked now; null when one may. */
export function whyNotProvoke({ phase, underWay }: VssWriter, name: string): Refusal | null {
  if (phase === 'idle' && underWay === null) return null
  return refusal(
    `${name} has a backup under way, and a failure is provoked in the next one`,
    'Let it end, or abort it.',
  )
}

/** The writer after a fact. Pure; a provocation is of one backup. */
export function stepWriter(writer: VssWriter, fact: WriterFact): VssWriter {
  switch (fact.kind) {
    case 'call-came':
      return came(writer, fact)
    case 'call-done':
      return done(writer)
    case 'call-failed':
      return { ...STABLE_WRITER, failure: fact.failure }
    case 'provoked':
      return { ...writer, provocation: fact.provocation }
    case 'call-lost':
      return { ...writer, underWay: null, provocation: null }
    default:
      return unreachable(fact)
  }
}

/** How a writer stands, also in the words of vssadmin. */
export function writerStanding({ phase, underWay, failure }: VssWriter): WriterStanding {
  if (phase !== 'idle' || underWay !== null)
    return { state: 'waiting-for-completion', shownState: '[5] Waiting for completion', shownError: 'No error' }
  if (failure === null) return { state: 'stable', shownState: '[1] Stable', shownError: 'No error' }
  return {
    state: failure.retryable ? 'retryable-error' : 'non-retryable-error',
    shownState: `[${FAILED_STATE[failure.at]}] Failed`,
    shownError: failure.retryable ? 'Retryable error' : 'Non-retryable error',
  }
}

function came(writer: VssWriter, { call, nowMs, scope }: Extract<WriterFact, { kind: 'call-came' }>): VssWriter {
  const called = { ...writer, underWay: call, sinceMs: nowMs }
  // What failed before is forgotten with the next backup, as vssadmin shows it.
  return call === 'prepare' ? { ...called, scope: scope ?? null, failure: null } : called
}

function done(writer: VssWriter): VssWriter {
  const { underWay } = writer
  if (underWay === null) return writer
  const phase = PHASE_AFTER[underWay]
  return phase === 'idle' ? STABLE_WRITER : { ...writer, phase, underWay: null }
}

function nextOf(phase: WriterPhase): string {
  return `Next comes ${NEXT_CALL[phase]}${phase === 'idle' ? '' : ', or abort'}.`
}

function refusal(message: string, hint: string): Refusal {
  return { code: 'STATE_REFUSED', message: `${message} (error ${WRONG_ORDER})`, hint, eseError: WRONG_ORDER }
}
