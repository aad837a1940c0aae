import { unreachable } from '../assert.ts'
import { SHADOW_FREEZE_STARTED } from '../event-catalogue.ts'
import type { BackupFact } from '../fact.ts'
import { formatGeneration, NO_GENERATION } from '../generation.ts'
import type { AnswerOrder, Refusal, SourceOrder } from '../order.ts'
import { answer } from './answer.ts'
import {
  type BackupSession,
  beginSession,
  copyOfSession,
  finishedBackup,
  isLogOnly,
  isTruncating,
  prepareSession,
  sessionInWords,
  whyNotBackup,
  withFinished,
} from './backup-session.ts'
import { grant } from './grant.ts'
import { pinnedBySeed } from './seeded-copy.ts'
import type { SourceState } from './source-state.ts'

type Stepped = readonly [SourceState, readonly SourceOrder[]]
type Of<Kind extends BackupFact['kind']> = Extract<BackupFact, { kind: Kind }>

/**
 * How long a backup or a seed of a passive copy may be silent, in milliseconds: its service says every ten seconds that it is still at it. A
 * service that was started again has forgotten the backup, and its copy could not be backed up for ever.
 */
const SURROGATE_SILENCE_MS_MAX = 60_000

/** Takes in a fact about a backup. Those of a session that is not the present one are ignored, and a request is refused. */
export function backupStep(state: SourceState, fact: BackupFact): Stepped {
  switch (fact.kind) {
    case 'backup-asked':
      return asked(state, fact)
    case 'backups-known':
      return [{ ...state, backups: fact.history }, []]
    default:
      return sessionStep(state, fact)
  }
}

/** A backup or a seed of a passive copy that is not heard of any more ends. */
export function watchBackup(state: SourceState, nowMs: number): Stepped {
  const { session } = state
  if (session === null || copyOfSession(session) === null) return [state, []]
  if (nowMs < session.heardMs + SURROGATE_SILENCE_MS_MAX) return [state, []]
  return broken(state, session, 'its copy was not heard of for a minute')
}

/** A copy that is no longer one takes its backup with it. */
export function breakBackupOf(state: SourceState, copyId: string): Stepped {
  const { session } = state
  if (session === null || copyOfSession(session) !== copyId) return [state, []]
  return broken(state, session, 'its copy was disabled')
}

function asked(state: SourceState, fact: Of<'backup-asked'>): Stepped {
  const [free, left] = withoutForgotten(state, fact)
  const refusal = whyNotBackup(free, fact.request)
  if (refusal !== null) {
    const refused = answer(fact.requestId, { refusal: { code: 'STATE_REFUSED', ...refusal } })
    return [free, [...left, ...refusalEvents(refusal.eseError), refused]]
  }
  const session = beginSession(free, fact.request, fact.nowMs)
  const { seed } = fact.request
  const copies = free.copies.map((copy) =>
    copy.copyId === seed?.copyId ? pinnedBySeed(copy, session.pinnedFrom, fact.nowMs) : copy,
  )
  const begun: SourceState = {
    ...free,
    session,
    lastBackupId: session.id,
    copies: seed === undefined ? free.copies : copies,
  }
  const wake: readonly SourceOrder[] =
    copyOfSession(session) === null ? [] : [{ kind: 'wake-at', atMs: fact.nowMs + SURROGATE_SILENCE_MS_MAX }]
  return [begun, [...left, ...startEvents(session), ...wake, answer(fact.requestId)]]
}

/**
 * A copy that begins a backup anew has forgotten the one before, and so with a seed: its service was started again. One of the other kind may well
 * be under way, and refuses it.
 */
function withoutForgotten(state: SourceState, { request }: Of<'backup-asked'>): Stepped {
  const { session } = state
  const copyId = request.surrogate?.copyId ?? request.seed?.copyId
  if (session === null || copyId === undefined || copyOfSession(session) !== copyId) return [state, []]
  if ((session.request.seed === undefined) !== (request.seed === undefined)) return [state, []]
  return broken(state, session, 'its copy has begun another one')
}

function sessionStep(state: SourceState, fact: Exclude<BackupFact, Of<'backup-asked'> | Of<'backups-known'>>): Stepped {
  const { session } = state
  if (session === null || session.id !== fact.session) return noSuchSession(state, fact)
  switch (fact.kind) {
    case 'backup-logs-wanted':
      return logsWanted(state, session, fact)
    case 'backup-prepared':
      return prepared(state, session, fact)
    case 'backup-thawed':
      return thawed(state, session, fact)
    case 'backup-continued':
      return [
        { ...state, session: { ...session, heardMs: fact.nowMs } },
        [{ kind: 'wake-at', atMs: fact.nowMs + SURROGATE_SILENCE_MS_MAX }],
      ]
    case 'backup-ended':
      return ended(state, session, fact)
    case 'backup-recorded':
      return recorded(state, session, fact.nowMs)
    case 'backup-broken':
      return broken(state, session, fact.fault.message)
    default:
      return unreachable(fact)
  }
}

function noSuchSession(state: SourceState, fact: { readonly kind: string; readonly requestId?: number }): Stepped {
  if (fact.requestId === undefined) return [state, []]
  return [state, [answer(fact.requestId, { refusal: gone(`${state.name} has no such backup under way`) })]]
}

function logsWanted(state: SourceState, session: BackupSession, fact: Of<'backup-logs-wanted'>): Stepped {
  if (session.phase !== 'begun') {
    const refusal = wrongOrder(`${sessionInWords(session)} is ${session.phase} already`)
    return [state, [answer(fact.requestId, { refusal })]]
  }
  const preparing: BackupSession = { ...session, phase: 'preparing', requestId: fact.requestId }
  return [{ ...state, session: preparing }, [{ kind: 'prepare-backup', session: preparing }]]
}

function prepared(state: SourceState, session: BackupSession, fact: Of<'backup-prepared'>): Stepped {
  if (session.phase !== 'preparing') return [state, []]
  const next = prepareSession(session, fact.closed, fact.checkpoint)
  const { first, last } = next.range ?? { first: fact.closed, last: fact.closed }
  const ofLogs = session.request.seed === undefined ? 223 : 243
  const event: SourceOrder =
    session.request.method === 'vss'
      ? { kind: 'raise-event', id: SHADOW_FREEZE_STARTED, values: [session.id] }
      : { kind: 'raise-event', id: ofLogs, values: [formatGeneration(first), formatGeneration(last)] }
  return [{ ...state, session: { ...next, requestId: 0 } }, [event, answer(session.requestId)]]
}

function thawed(state: SourceState, session: BackupSession, fact: Of<'backup-thawed'>): Stepped {
  if (!fact.timedOut) return [state, [{ kind: 'raise-event', id: 2003, values: [session.id] }]]
  const spoilt = `its freeze lasted longer than it may, and ended by itself after ${fact.frozenMs} ms (error -2402)`
  return [
    { ...state, session: { ...session, spoilt } },
    [{ kind: 'raise-event', id: 2004, values: [session.id, fact.frozenMs] }],
  ]
}

function ended(state: SourceState, session: BackupSession, fact: Of<'backup-ended'>): Stepped {
  if (fact.outcome === 'aborted') {
    const [given, orders] = broken(state, session, fact.reason)
    return [given, [...orders, answer(fact.requestId)]]
  }
  const refusal = whyNotComplete(session, fact.logsRead)
  if (refusal !== null) {
    const notRead: readonly SourceOrder[] =
      refusal.eseError === -616 ? [{ kind: 'raise-event', id: 520, values: [] }] : []
    const [given, orders] = session.phase === 'recording' ? [state, []] : broken(state, session, refusal.message)
    return [given, [...notRead, ...orders, answer(fact.requestId, { refusal })]]
  }
  if (session.request.seed !== undefined) return seeded(state, session, fact.requestId)
  const recording: BackupSession = { ...session, phase: 'recording', requestId: fact.requestId }
  const backup = finishedBackup(session, fact.nowMs)
  return [{ ...state, session: recording }, [{ kind: 'record-backup', session: session.id, backup }]]
}

/** The copy has its database. Nobody keeps a seed, so none is recorded, and nothing is granted. Source: the engine calls it an internal copy. */
function seeded(state: SourceState, session: BackupSession, requestId: number): Stepped {
  const event = { kind: 'raise-event', id: 244, values: [session.id] } as const
  return [{ ...state, session: null }, [{ kind: 'release-backup', session: session.id }, event, answer(requestId)]]
}

/** Success that comes too early, too late, twice, or of a backup that is not whole. */
function whyNotComplete(session: BackupSession, logsRead: boolean): Refusal | null {
  const named = sessionInWords(session)
  if (session.spoilt !== '') return { ...gone(`${named} cannot complete: ${session.spoilt}`), eseError: -2402 }
  if (session.phase === 'recording') return wrongOrder(`${named} was said to be complete already`)
  if (session.phase !== 'prepared') return wrongOrder(`${named} is not prepared: no log was closed for it`)
  if (logsRead) return null
  return { ...gone(`not all logs of ${named} were read (error -616)`), eseError: -616 }
}

function recorded(state: SourceState, session: BackupSession, nowMs: number): Stepped {
  if (session.phase !== 'recording') return [state, []]
  const { scope } = session.request
  const backups = withFinished(state.backups, finishedBackup(session, nowMs))
  const known: SourceState = { ...state, backups, session: null }
  const [granted, orders] = grantOf(known, session, nowMs)
  const done: SourceOrder = {
    kind: 'raise-event',
    id: isOwnSnapshot(session) ? 2006 : 213,
    values: [session.id, scope],
  }
  return [granted, [...orders, done, answer(session.requestId)]]
}

/**
 * What the last full backup grants is what may go, also when that is less than before: the logs above it are in no backup that
 * builds on this one. An incremental one adds to what was granted.
 */
function grantOf(state: SourceState, session: BackupSession, nowMs: number): Stepped {
  const { scope } = session.request
  if (!isTruncating(scope)) return [state, []]
  const granted = state.mark?.through ?? NO_GENERATION
  const isSame = scope === 'full' ? session.grants === granted : session.grants <= granted
  const isNone = isSame || state.options.active === 'circular'
  return isNone ? [state, [{ kind: 'raise-event', id: 225, values: [] }]] : grant(state, session.grants, nowMs)
}

/** Nothing comes of a backup: nothing is granted and nothing recorded, and whoever waits is told. */
function broken(state: SourceState, session: BackupSession, reason: string): Stepped {
  const waiting: readonly AnswerOrder[] =
    session.requestId === 0
      ? []
      : [answer(session.requestId, { refusal: gone(`${sessionInWords(session)} was given up: ${reason}`) })]
  const id = session.request.seed !== undefined ? 9022 : isOwnSnapshot(session) ? 2007 : 214
  const event: SourceOrder = { kind: 'raise-event', id, values: [session.id, reason] }
  return [{ ...state, session: null }, [{ kind: 'release-backup', session: session.id }, event, ...waiting]]
}

function startEvents(session: BackupSession): readonly SourceOrder[] {
  const { scope, seed } = session.request
  if (seed !== undefined) return [{ kind: 'raise-event', id: 240, values: [session.id, seed.copyId] }]
  if (isOwnSnapshot(session))
    return [{ kind: 'raise-event', id: isLogOnly(scope) ? 2008 : 2005, values: [session.id, scope] }]
  return [{ kind: 'raise-event', id: isLogOnly(scope) ? 211 : 210, values: [scope] }]
}

/** A snapshot of the active: that of a passive is told as a backup here, and as a snapshot by the passive. */
function isOwnSnapshot({ request }: BackupSession): boolean {
  return request.method === 'vss' && request.surrogate === null
}

function refusalEvents(eseError: number): readonly SourceOrder[] {
  if (eseError === -560) return [{ kind: 'raise-event', id: 206, values: [] }]
  return eseError === -569 ? [{ kind: 'raise-event', id: 459, values: [] }] : []
}

function gone(message: string): Refusal {
  return { code: 'STATE_REFUSED', message, hint: 'Nothing was truncated, and no backup is recorded: take it again.' }
}

function wrongOrder(message: string): Refusal {
  const hint = 'A backup is begun, prepared or frozen, and ended once.'
  return { code: 'STATE_REFUSED', message: `${message} (error -521)`, hint, eseError: -521 }
}
