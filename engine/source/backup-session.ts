import { assert } from '../assert.ts'
import type { BackupScope } from '../database/backup-slot.ts'
import {
  ESE_GENERATION_MAX,
  type Generation,
  type GenerationRange,
  higherOf,
  lowerOf,
  NO_GENERATION,
  nextGeneration,
  previousGeneration,
} from '../generation.ts'
import type { SourceState } from './source-state.ts'

/** How a backup is taken: page by page while the store runs, or as a snapshot for which it is frozen. */
type BackupMethod = 'streaming' | 'vss'

/** What somebody wants to back up. */
export interface BackupRequest {
  readonly scope: BackupScope
  readonly method: BackupMethod
  /** How long the store may stand still for a snapshot, in milliseconds; absent for what is usual. */
  readonly freezeMs?: number
  /** What a passive copy brings to its backup; null for one of the active. */
  readonly surrogate: SurrogateRange | null
  /** A copy that is made anew of the active's database, page by page: a copy backup that nobody keeps. */
  readonly seed?: SeedRequest
}

/** A seed: which copy it is for, and what of it is there already. */
interface SeedRequest {
  readonly copyId: string
  /** The first log that the pages which a copy has from a seed that was cut off need; 0 where it has none. */
  readonly from: Generation
}

/** A backup of a passive copy: the snapshot that it has taken of itself. */
interface SurrogateRange {
  readonly copyId: string
  /** The logs that are part of the backup, both ends included. */
  readonly range: GenerationRange
  /** The first log that the database of the copy needs, as its header says it. */
  readonly required: Generation
}

/** What is remembered of a backup that has completed. */
export interface FinishedBackupFact {
  readonly scope: BackupScope
  readonly method: BackupMethod
  /** Whether it was one of a passive copy. */
  readonly surrogate: boolean
  readonly range: GenerationRange
  readonly atMs: number
}

/** The newest backup of each scope; null where there was none. What the slots of a database header say. */
export type BackupHistory = Readonly<Record<BackupScope, FinishedBackupFact | null>>

/** A storage group that was never backed up. */
export const NEVER_BACKED_UP: BackupHistory = { full: null, incremental: null, copy: null, differential: null }

/**
 * A backup under way. `begun`: its database is read; `preparing`: the log is being rolled; `prepared`: it is known which logs
 * belong to it; `recording`: it is complete, and that is being made durable.
 */
export interface BackupSession {
  /** From 1 on since the source was started. */
  readonly id: number
  readonly request: BackupRequest
  readonly phase: 'begun' | 'preparing' | 'prepared' | 'recording'
  readonly sinceMs: number
  /** For a backup or a seed of a passive copy: when it was last heard of. */
  readonly heardMs: number
  /** The first log that the backup needs: from here on nothing is deleted while it runs. */
  readonly pinnedFrom: Generation
  /** The logs that belong to it; null before it is prepared. Without any, the newest one that was closed before it. */
  readonly range: GenerationRange | null
  /** Everything through here may be deleted once it has completed, as far as backups are concerned; 0 for nothing. */
  readonly grants: Generation
  /** Why it cannot complete any more; `''` while it can. */
  readonly spoilt: string
  /** The request that is answered when it has ended; 0 while nobody waits. */
  readonly requestId: number
}

/** A backup that is refused, with the engine's number for it. */
export interface BackupRefusal {
  readonly eseError: number
  readonly message: string
  readonly hint: string
}

/** The generations that one stream may still take: with fewer of them a backup would force the last log. */
const LAST_LOGS_KEPT = 16

/** Whether completed backups of a scope let logs go. Source: full and incremental ones truncate, copy and differential never. */
export function isTruncating(scope: BackupScope): boolean {
  return scope === 'full' || scope === 'incremental'
}

/** Whether a backup of this scope takes logs only, and builds on a full one. */
export function isLogOnly(scope: BackupScope): boolean {
  return scope === 'incremental' || scope === 'differential'
}

/**
 * Why a backup may not begin now, or null when it may. In this order:
 *
 * | error | when |
 * |---|---|
 * | -617, -505 | a backup of the passive, or of the active, is under way: one session for a storage group across both nodes |
 * | -526 | circular logging, for all but a full or copy backup of the active |
 * | -1003 | a passive names logs that the active has not closed, or of another stream, or is not enrolled |
 * | -519 | the last generations of the stream are kept for its own end |
 * | -560 | an incremental or differential one without a full one of the same technology |
 * | -569 | logs are gone that none of the backups before has, or that the pages of a seed need which goes on |
 *
 * Source: the order rules of the engine's backups (errors -505, -617, -526, -519, -560, -569).
 */
export function whyNotBackup(state: SourceState, request: BackupRequest): BackupRefusal | null {
  return (
    sessionRefusal(state) ??
    circularRefusal(state, request) ??
    surrogateRefusal(state, request) ??
    seedRefusal(state, request) ??
    endRefusal(state) ??
    (isLogOnly(request.scope) ? chainRefusal(state, request) : null)
  )
}

/** Why a database may not be dismounted now, with the engine's number. */
export interface DismountRefusal {
  readonly error: number
  readonly why: string
}

/**
 * Why the database of the active may not be dismounted, or null when it may: -505 while it is backed up, -617 while a passive copy is.
 *
 * Source: an engine with a backup under way refuses to detach its database.
 */
export function whyNotDismount(session: BackupSession | null): DismountRefusal | null {
  return session === null ? null : { error: underWayError(session), why: `${sessionInWords(session)} is under way` }
}

/** The session that begins with a request which nothing refuses. A backup of a passive is prepared already. */
export function beginSession(state: SourceState, request: BackupRequest, nowMs: number): BackupSession {
  const { surrogate, scope } = request
  const begun: BackupSession = {
    id: state.lastBackupId + 1,
    request,
    phase: 'begun',
    sinceMs: nowMs,
    heardMs: nowMs,
    pinnedFrom: firstNeeded(state, request),
    range: null,
    grants: NO_GENERATION,
    spoilt: '',
    requestId: 0,
  }
  if (surrogate === null) return begun
  const grants = isTruncating(scope)
    ? previousGeneration(lowerOf(surrogate.required, surrogate.range.last))
    : NO_GENERATION
  return { ...begun, phase: 'prepared', range: surrogate.range, grants }
}

/**
 * The session once its log was rolled: `closed` is the last closed log, `checkpoint` the first that the database of the active needs
 * (0 where no database says so). What it grants is fixed here.
 *
 * Source: a streaming backup deletes below the checkpoint and the log behind its last one, a shadow copy below the checkpoint and its last closed log.
 */
export function prepareSession(session: BackupSession, closed: Generation, checkpoint: Generation): BackupSession {
  assert(session.phase === 'preparing', 'a backup is prepared once')
  const { scope, method } = session.request
  const edge = method === 'streaming' ? nextGeneration(closed) : closed
  const below = checkpoint === NO_GENERATION ? edge : lowerOf(edge, checkpoint)
  const grants = isTruncating(scope) ? previousGeneration(below) : NO_GENERATION
  return { ...session, phase: 'prepared', range: { first: lowerOf(session.pinnedFrom, closed), last: closed }, grants }
}

/** The logs that are read for a backup which is prepared; null where it needs none, since none was closed after those that it builds on. */
export function logsToRead({ range, pinnedFrom }: BackupSession): GenerationRange | null {
  return range === null || pinnedFrom > range.last ? null : { first: pinnedFrom, last: range.last }
}

/** The history with a backup that has completed. A full one clears what was built on the one before. */
export function withFinished(history: BackupHistory, backup: FinishedBackupFact): BackupHistory {
  const cleared = backup.scope === 'full' ? { ...history, incremental: null, differential: null } : history
  return { ...cleared, [backup.scope]: backup }
}

/** What completes with a session: what is recorded of it. */
export function finishedBackup(session: BackupSession, nowMs: number): FinishedBackupFact {
  const { range, request } = session
  assert(range !== null && request.seed === undefined, 'what is recorded was prepared, and is a backup')
  const { scope, method, surrogate } = request
  return { scope, method, surrogate: surrogate !== null, range, atMs: nowMs }
}

/** The copy whose node says how a session goes; null for a backup of the active, which is the source's own. */
export function copyOfSession({ request }: BackupSession): string | null {
  return request.surrogate?.copyId ?? request.seed?.copyId ?? null
}

/** A session in words: `backup 3 (full, streaming, of the active)`, `seed 4 (of a copy)`. */
export function sessionInWords({ id, request }: BackupSession): string {
  if (request.seed !== undefined) return `seed ${id} (of a copy)`
  const of = request.surrogate === null ? 'the active' : 'a passive copy'
  return `backup ${id} (${request.scope}, ${request.method === 'vss' ? 'VSS' : request.method}, of ${of})`
}

/** A full or copy backup needs what the database recovers from; the others what no backup has yet. */
function firstNeeded(state: SourceState, { scope, surrogate, seed }: BackupRequest): Generation {
  if (surrogate !== null) return surrogate.range.first
  if (isLogOnly(scope)) return nextGeneration(lastBackedUp(state.backups))
  const needed = neededByDatabase(state)
  return seed === undefined || seed.from === NO_GENERATION ? needed : lowerOf(seed.from, needed)
}

function neededByDatabase(state: SourceState): Generation {
  if (state.activeRequired !== null && state.activeRequired !== NO_GENERATION) return state.activeRequired
  return lowestThere(state)
}

/** The first log that is there and stays, or the next one where there is none. What is being deleted is there no more, although some of it still is. */
function lowestThere({ closed, generated, truncating }: SourceState): Generation {
  const lowest = closed?.lowest ?? NO_GENERATION
  if (lowest === NO_GENERATION) return nextGeneration(generated)
  return truncating === null ? lowest : higherOf(lowest, nextGeneration(truncating.last))
}

/** The last log of the newest full backup and what was built on it: differential and copy ones do not count. */
export function lastBackedUp({ full, incremental }: BackupHistory): Generation {
  const last = full?.range.last ?? NO_GENERATION
  return incremental !== null && incremental.range.last > last ? incremental.range.last : last
}

function sessionRefusal({ session, name }: SourceState): BackupRefusal | null {
  if (session === null) return null
  const eseError = underWayError(session)
  return {
    eseError,
    message: `${sessionInWords(session)} of ${name} is under way (error ${eseError})`,
    hint: 'Wait until it has ended, or give it up: one backup or seed of a storage group at a time, of whichever copy.',
  }
}

/** What is refused while a session is under way, is refused with this number. */
function underWayError({ request }: BackupSession): number {
  return request.surrogate === null ? -505 : -617
}

function circularRefusal({ options, name }: SourceState, { scope, surrogate }: BackupRequest): BackupRefusal | null {
  if (options.active !== 'circular' || (surrogate === null && !isLogOnly(scope))) return null
  return {
    eseError: -526,
    message: `${name} has circular logging, with which no ${surrogate === null ? `${scope} backup` : 'backup of the passive'} is taken (error -526)`,
    hint: 'Turn store.circularLogging off and start the store again, or take a full backup of the active.',
  }
}

function surrogateRefusal(state: SourceState, { surrogate }: BackupRequest): BackupRefusal | null {
  if (surrogate === null) return null
  const { copyId, range, required } = surrogate
  const wrong = (message: string, hint: string): BackupRefusal => ({ eseError: -1003, message, hint })
  const copy = state.copies.find((one) => one.copyId === copyId)
  if (copy === undefined)
    return wrong(`copy ${copyId} is not enrolled for ${state.name} (error -1003)`, 'Let the copy connect first.')
  if (copy.report?.kind === 'scr')
    return wrong(
      `copy ${copyId} of ${state.name} is a standby target, of which no backup is taken (error -1003)`,
      'Back up the active, or a copy that is no standby target.',
    )
  // Its generations are those of another stream: what they would let go is not what it has.
  if (copy.report !== null && copy.report.stream !== state.stream)
    return wrong(
      `copy ${copyId} has not looked at its source since the logs of ${state.name} were restored (error -1003)`,
      'Suspend and Resume the copy, and see what it says.',
    )
  if (range.last <= nextGeneration(state.generated) && required >= range.first && range.first > 0) return null
  return wrong(
    `copy ${copyId} wants logs ${range.first} to ${range.last} backed up, and ${state.name} has closed logs through ${state.generated} (error -1003)`,
    'The copy is ahead of its source: Suspend and Resume it, and see what it says.',
  )
}

function seedRefusal(state: SourceState, { seed }: BackupRequest): BackupRefusal | null {
  if (seed === undefined) return null
  const { copyId, from } = seed
  if (state.options.active === 'external')
    return {
      eseError: -1003,
      message: `${state.name} has no mailbox store, and so no database that a copy could be seeded with (error -1003)`,
      hint: 'A copy of logs alone begins with an empty directory.',
    }
  if (!state.copies.some((one) => one.copyId === copyId))
    return {
      eseError: -1003,
      message: `copy ${copyId} is not enrolled for ${state.name} (error -1003)`,
      hint: 'Let the copy connect to its source first.',
    }
  const lowest = lowestThere(state)
  if (from === NO_GENERATION || lowest <= from) return null
  return {
    eseError: -569,
    message: `${state.name} has logs from ${lowest} on, and what was seeded before needs those from ${from} on (error -569)`,
    hint: 'The seed begins anew.',
  }
}

function endRefusal({ generated, options, name }: SourceState): BackupRefusal | null {
  const isNear = generated + LAST_LOGS_KEPT >= ESE_GENERATION_MAX
  if (!isNear || (options.active ?? 'external') === 'external') return null
  return {
    eseError: -519,
    message: `${name} is at the end of its generations: log ${generated} of ${ESE_GENERATION_MAX} (error -519)`,
    hint: 'Dismount the database, remove all logs, mount it, take a full backup and seed the copies: numbering begins at 1 again.',
  }
}

function chainRefusal(state: SourceState, { scope, method, surrogate }: BackupRequest): BackupRefusal | null {
  const { full } = state.backups
  if (full === null || full.method !== method) {
    const before = full === null ? 'has no full backup yet' : `had its last full backup ${inWords(full.method)}`
    return {
      eseError: -560,
      message: `${state.name} ${before}, and ${scope === 'incremental' ? 'an' : 'a'} ${scope} one ${inWords(method)} builds on a full one of its own kind (error -560)`,
      hint: 'Take a full backup with the same method first.',
    }
  }
  const next = nextGeneration(lastBackedUp(state.backups))
  const lowest = surrogate === null ? lowestThere(state) : surrogate.range.first
  if (lowest <= next) return null
  return {
    eseError: -569,
    message: `${surrogate === null ? state.name : `copy ${surrogate.copyId}`} has logs from ${lowest} on, and the last backup ended with log ${next - 1} (error -569)`,
    hint: 'Logs were deleted that no backup has: take a full backup.',
  }
}

function inWords(method: BackupMethod): string {
  return method === 'vss' ? 'by VSS' : 'by streaming'
}
