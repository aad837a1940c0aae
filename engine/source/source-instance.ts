import { assert, unreachable } from '../assert.ts'
import type { Announcement, ClosedLogs, EnrolledCopy, SourceFact } from '../fact.ts'
import {
  formatGeneration,
  type Generation,
  higherOf,
  NO_GENERATION,
  nextGeneration,
  previousGeneration,
} from '../generation.ts'
import type { SourceOrder } from '../order.ts'
import { answer } from './answer.ts'
import { NEVER_BACKED_UP } from './backup-session.ts'
import { backupStep, breakBackupOf, watchBackup } from './backup-step.ts'
import { gapOf } from './gap.ts'
import { grant } from './grant.ts'
import { restored } from './restored-logs.ts'
import { connectedAnew, reportedBy } from './seeded-copy.ts'
import { type SourceCopy, type SourceState, sourceDraftOf } from './source-state.ts'
import { planTruncation } from './truncation-rule.ts'

type Stepped = readonly [SourceState, readonly SourceOrder[]]

/**
 * How long a log may be missing below higher ones before copies are told, in milliseconds: writers that finish out of order
 * fill the hole within moments, and a directory is read again meanwhile.
 */
const GAP_GRACE_MS = 2_000
/** Wait after a deletion that failed, in milliseconds: the period in which Exchange's deletor comes round again. */
const TRUNCATE_RETRY_MS = 30_000
/**
 * Pause after a deletion, in milliseconds: what copies inspect meanwhile goes together, with one record, one event and one look
 * at the directory. Without it a copy that catches up under a mark would have its source delete log by log.
 */
const TRUNCATE_PAUSE_MS = 1_000
/** Copies that one source keeps. Source: 4 are recommended at most; 64 bounds memory and status output. */
const COPIES_MAX = 64

/**
 * The source side of one storage group, as a pure function: what is closed, who copies it, what was backed up, what may be
 * truncated. Deletion is ordered only after its edge was recorded, so that copies can follow it after any crash.
 */
export function stepSource(state: SourceState, fact: SourceFact): Stepped {
  const [known, orders] = takeIn(state, fact)
  const [settled, consequences] = settle(known, fact.nowMs)
  return consequences.length === 0 ? [settled, orders] : [settled, [...orders, ...consequences]]
}

function takeIn(state: SourceState, fact: SourceFact): Stepped {
  switch (fact.kind) {
    case 'share-started':
      return started(state, fact)
    case 'directory-scanned':
      return scanned(state, fact.closed, fact.nowMs)
    case 'directory-lost':
      return [
        { ...state, closed: null, gap: null },
        state.closed === null ? [] : [{ kind: 'raise-event', id: 2073, values: [fact.fault.message] }],
      ]
    case 'stream-restored':
      return restored(state, fact)
    case 'copy-enrolled':
      return enrolled(state, fact.copy)
    case 'copy-reported':
      return [reported(state, fact), []]
    case 'copy-lost':
      return [changeCopy(state, fact.copyId, { connected: false }), []]
    case 'copy-disabled':
      return disabled(state, fact)
    case 'backup-completed':
      return backedUp(state, fact)
    case 'backup-asked':
    case 'backup-logs-wanted':
    case 'backup-prepared':
    case 'backup-thawed':
    case 'backup-continued':
    case 'backup-ended':
    case 'backup-recorded':
    case 'backup-broken':
    case 'backups-known':
      return backupStep(state, fact)
    case 'store-checkpointed':
      return [checkpointed(state, fact.required), []]
    case 'logs-deleted':
      return deleted(state, fact)
    case 'deletion-failed':
      return deletionFailed(state, fact)
    case 'time-passed':
      return watchBackup(state, fact.nowMs)
    default:
      return unreachable(fact)
  }
}

function started(state: SourceState, fact: Extract<SourceFact, { kind: 'share-started' }>): Stepped {
  assert(!state.started, 'a source starts once')
  const copies = fact.enrolled.map((copy) => ({ ...copy, connected: false, report: null, lastReportMs: 0 }))
  copies.sort((a, b) => (a.copyId < b.copyId ? -1 : 1))
  const generated = previousGeneration(fact.truncatedBelow)
  return [
    {
      ...state,
      started: true,
      copies,
      disabled: fact.disabled,
      mark: fact.mark,
      backups: fact.history ?? NEVER_BACKED_UP,
      truncatedBelow: fact.truncatedBelow,
      stream: fact.stream,
      takenOver: fact.takenOver ?? null,
      generated,
    },
    [],
  ]
}

function scanned(state: SourceState, closed: ClosedLogs, nowMs: number): Stepped {
  const isNewer = closed.generated >= state.generated
  return [
    {
      ...state,
      closed,
      generated: higherOf(state.generated, closed.generated),
      logTimeMs: isNewer ? closed.logTimeMs : state.logTimeMs,
      gap: gapOf(state, closed, nowMs),
    },
    [],
  ]
}

function enrolled(state: SourceState, copy: EnrolledCopy): Stepped {
  const known = state.copies.find(({ copyId }) => copyId === copy.copyId)
  const accept = { kind: 'accept-copy', copyId: copy.copyId } as const
  if (known !== undefined && known.label === copy.label)
    return [{ ...state, copies: state.copies.map((one) => (one === known ? connectedAnew(one) : one)) }, [accept]]
  const message = known === undefined ? whyNotEnrolled(state, copy) : ''
  if (message !== '') return [state, [{ kind: 'refuse-copy', copyId: copy.copyId, message }]]
  const fresh: SourceCopy = connectedAnew({ report: null, lastReportMs: 0, ...known, ...copy, connected: true })
  const others = state.copies.filter(({ copyId }) => copyId !== copy.copyId)
  const copies = [...others, fresh].sort((a, b) => (a.copyId < b.copyId ? -1 : 1))
  const event: readonly SourceOrder[] =
    known === undefined ? [{ kind: 'raise-event', id: 9003, values: [copy.label] }] : []
  return [{ ...state, copies }, [{ kind: 'record-enrolment', copy }, ...event, accept]]
}

function whyNotEnrolled(state: SourceState, copy: EnrolledCopy): string {
  if (state.disabled.includes(copy.copyId)) return `copy ${copy.copyId} was disabled at the source of ${state.name}`
  return state.copies.length < COPIES_MAX ? '' : `${state.name} has ${COPIES_MAX} copies already, which is the limit`
}

function disabled(state: SourceState, fact: Extract<SourceFact, { kind: 'copy-disabled' }>): Stepped {
  const known = state.copies.find(({ copyId }) => copyId === fact.copyId)
  if (known === undefined) {
    const message = `no copy ${fact.copyId} is enrolled for ${state.name}`
    const hint = 'Run "ccr explain truncation" to see the enrolled copies.'
    return [state, [answer(fact.requestId, { refusal: { code: 'STATE_REFUSED', message, hint } })]]
  }
  const copies = state.copies.filter(({ copyId }) => copyId !== fact.copyId)
  const [rest, broken] = breakBackupOf(state, fact.copyId)
  return [
    { ...rest, copies, disabled: [...state.disabled, fact.copyId] },
    [
      ...broken,
      { kind: 'record-disablement', copyId: fact.copyId },
      { kind: 'raise-event', id: 9004, values: [known.label] },
      {
        kind: 'refuse-copy',
        copyId: fact.copyId,
        message: `copy ${fact.copyId} was disabled at the source of ${state.name}`,
      },
      answer(fact.requestId),
    ],
  ]
}

function checkpointed(state: SourceState, required: Generation): SourceState {
  assert(state.activeRequired !== null, 'only a mailbox store says what its database needs')
  return { ...state, activeRequired: required }
}

function backedUp(state: SourceState, fact: Extract<SourceFact, { kind: 'backup-completed' }>): Stepped {
  if (state.options.active === 'circular') {
    const message = `${state.name} has circular logging, with which no backup of logs is complete (error -526)`
    const hint = 'Turn store.circularLogging off, start the store again, and take a full backup.'
    return [state, [answer(fact.requestId, { refusal: { code: 'STATE_REFUSED', message, hint } })]]
  }
  if (fact.through > state.generated || fact.through === NO_GENERATION) {
    const newest = state.generated === 0 ? 'no log is closed yet' : `the newest closed log is ${state.generated}`
    const message = `${state.name} cannot be backed up through log ${fact.through}: ${newest}`
    const hint = 'Name a generation that is closed; the open log is never part of a backup of logs.'
    return [state, [answer(fact.requestId, { refusal: { code: 'STATE_REFUSED', message, hint } })]]
  }
  if (state.mark !== null && fact.through <= state.mark.through) {
    const remark = `already backed up through log ${state.mark.through}; a mark does not go back`
    return [state, [answer(fact.requestId, { remark })]]
  }
  const event = { kind: 'raise-event', id: 9005, values: [formatGeneration(fact.through)] } as const
  const [marked, orders] = grant(state, fact.through, fact.nowMs)
  return [marked, [...orders.slice(0, 1), event, ...orders.slice(1), answer(fact.requestId)]]
}

function deleted(state: SourceState, fact: Extract<SourceFact, { kind: 'logs-deleted' }>): Stepped {
  const { range, alreadyMissing } = fact
  const values = [alreadyMissing, formatGeneration(range.first), formatGeneration(range.last)]
  const missing: readonly SourceOrder[] = alreadyMissing === 0 ? [] : [{ kind: 'raise-event', id: 227, values }]
  const closed = state.closed === null ? null : withoutDeleted(state.closed, range.last)
  const truncateAgainMs = fact.nowMs + TRUNCATE_PAUSE_MS
  return [
    { ...state, truncating: null, truncateAgainMs, truncateFailure: '', closed },
    [...missing, { kind: 'scan-directory' }, { kind: 'wake-at', atMs: truncateAgainMs }],
  ]
}

/**
 * What is left before the next scan says so: the lower edge moves up, nothing else is known to have changed. Where the deletion
 * reached the end of the contiguous run, only the scan can say what comes next.
 */
function withoutDeleted(closed: ClosedLogs, last: Generation): ClosedLogs {
  if (last < closed.lowest) return closed
  if (last >= closed.closedThrough)
    return { lowest: NO_GENERATION, closedThrough: NO_GENERATION, generated: NO_GENERATION, logTimeMs: 0 }
  return { ...closed, lowest: nextGeneration(last) }
}

function deletionFailed(state: SourceState, fact: Extract<SourceFact, { kind: 'deletion-failed' }>): Stepped {
  const truncateAgainMs = fact.nowMs + TRUNCATE_RETRY_MS
  return [
    { ...state, truncating: null, truncateAgainMs, truncateFailure: fact.fault.message },
    [
      { kind: 'raise-event', id: 9007, values: [fact.fault.message] },
      { kind: 'scan-directory' },
      { kind: 'wake-at', atMs: truncateAgainMs },
    ],
  ]
}

/** Draws the consequences of what is now known: a gap is watched, what may go goes, the copies are told. */
function settle(state: SourceState, nowMs: number): Stepped {
  if (!state.started) return [state, []]
  const orders: SourceOrder[] = []
  let next = state
  if (next.gap !== null && nowMs < next.gap.sinceMs + GAP_GRACE_MS)
    orders.push({ kind: 'wake-at', atMs: next.gap.sinceMs + GAP_GRACE_MS })
  const range = planTruncation(next, nowMs)
  if (range !== null) {
    const below = higherOf(nextGeneration(range.last), next.truncatedBelow)
    if (below > next.truncatedBelow) orders.push({ kind: 'record-truncation', below })
    const values = [formatGeneration(range.first), formatGeneration(range.last)]
    orders.push({ kind: 'raise-event', id: 224, values }, { kind: 'truncate-logs', range })
    next = { ...next, truncating: range, truncatedBelow: below }
  }
  const announcement = announcementOf(next, nowMs)
  if (next.announced !== null && sameAnnouncement(next.announced, announcement)) return [next, orders]
  orders.push({ kind: 'announce', announcement })
  const announced = sourceDraftOf(next)
  announced.announced = announcement
  return [announced, orders]
}

function announcementOf(state: SourceState, nowMs: number): Announcement {
  const isSure = state.gap !== null && nowMs >= state.gap.sinceMs + GAP_GRACE_MS
  const { takenOver } = state
  const announcement: Announcement = {
    lowest: state.closed?.lowest ?? NO_GENERATION,
    closedThrough: state.closed?.closedThrough ?? NO_GENERATION,
    generated: state.generated,
    missing: isSure ? state.gap.generation : NO_GENERATION,
    truncatedBelow: state.truncatedBelow,
    logTimeMs: state.logTimeMs,
    stream: state.stream,
  }
  return takenOver === null ? announcement : { ...announcement, takenOver }
}

function sameAnnouncement(a: Announcement, b: Announcement): boolean {
  return (
    a.closedThrough === b.closedThrough &&
    a.generated === b.generated &&
    a.lowest === b.lowest &&
    a.missing === b.missing &&
    a.truncatedBelow === b.truncatedBelow &&
    a.stream === b.stream
  )
}

/** The most frequent fact of all: one for each inspected batch of each copy. */
function reported(state: SourceState, fact: Extract<SourceFact, { kind: 'copy-reported' }>): SourceState {
  const next = sourceDraftOf(state)
  const { copyId, report, nowMs } = fact
  next.copies = state.copies.map((copy) => (copy.copyId === copyId ? reportedBy(copy, report, nowMs) : copy))
  return next
}

function changeCopy(state: SourceState, copyId: string, change: Partial<SourceCopy>): SourceState {
  return { ...state, copies: state.copies.map((copy) => (copy.copyId === copyId ? { ...copy, ...change } : copy)) }
}
