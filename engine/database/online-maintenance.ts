import { assert, unreachable } from '../assert.ts'
import type { EventId } from '../event-catalogue.ts'
import type { EventOrder, WakeOrder } from '../order.ts'
import { formatLogTime, logTimeAt, UNSET_LOG_TIME, unixMsOf } from './log-time.ts'
import { PAGE_BYTES } from './page.ts'
import { lookAtPages, type PageLook } from './page-look.ts'
import type { ScanMark } from './scan-mark.ts'

/** What online maintenance does. Source: three registry values of Exchange 2007 with its first service pack. */
export interface MaintenanceRules {
  /** “Online Maintenance Checksum”: pages are read and verified in the maintenance window. */
  readonly checksum: boolean
  /** “Zero Database Pages During Checksum”: what they hold without using it is zeroed in the same pass. Never without the other. */
  readonly zero: boolean
  /** “Throttle Checksum”: rest between two reads, in milliseconds; 0 is none. */
  readonly throttleMs: number
}

/** What a pass has come to. After a restart the counts begin anew, but for the pages seen. */
interface PassCounts {
  readonly seen: number
  readonly bad: number
  readonly corrected: number
  /** Never written. */
  readonly empty: number
  /** Pages that were given to be zeroed. */
  readonly zeroed: number
}

/** A pass over all pages that has begun and has not come to the end. */
interface Pass {
  readonly startMs: number
  readonly nextPage: number
  readonly counts: PassCounts
  /** Events of single pages that it has raised. */
  readonly eventsRaised: number
  /** Milliseconds in windows before this one. */
  readonly ranMs: number
  /** Windows that it was worked on in. */
  readonly windows: number
  /** What the header knows of it. */
  readonly keptPage: number
}

/** Where the maintenance of one database stands. */
export interface MaintenanceState {
  readonly rules: MaintenanceRules
  /** Since when the window is open; null while it is closed, or when the pass of this window has ended. */
  readonly workingSinceMs: number | null
  readonly isWindowOpen: boolean
  readonly pass: Pass | null
  /** The first page of the read under way; null for none. */
  readonly reading: number | null
  /** When the rest after a read is over; null when nobody rests. */
  readonly restUntilMs: number | null
  readonly previousEndMs: number | null
  /** What the last pass that came to the end came to; null before it, and after a restart. */
  readonly previous: PassCounts | null
  /** Pages found damaged that the header has not counted yet. */
  readonly uncounted: { readonly corrected: number; readonly bad: number }
}

/** What maintenance hears of. */
export type MaintenanceFact =
  | { readonly kind: 'window-opened' | 'window-closed' | 'time-passed'; readonly nowMs: number }
  | {
      /** What `read-pages` brought: whole pages from `first` on, fewer than were ordered where the file ends. */
      readonly kind: 'pages-read'
      readonly nowMs: number
      readonly first: number
      /** On a multiple of 16 in its memory; read only. */
      readonly bytes: Uint8Array
    }
  | {
      /** The disk did not give the pages. */
      readonly kind: 'read-failed'
      readonly nowMs: number
      readonly first: number
      readonly detail: string
    }

/** What maintenance wants done, in list order. */
export type MaintenanceOrder =
  | EventOrder
  | WakeOrder
  /** Read pages from the file, while no page of it is being written; ends in `pages-read` or `read-failed`. */
  | { readonly kind: 'read-pages'; readonly first: number; readonly count: number }
  /** Zero what a page holds without using it, by a record. */
  | { readonly kind: 'zero-page'; readonly page: number }
  /**
   * Write a page again that the file has wrong: as memory has it, else as given; where neither knows it, it stays as it is. Before any
   * other page may be written, as what is given was read while none was.
   */
  | { readonly kind: 'rewrite-page'; readonly page: number; readonly sound: Uint8Array | null }
  /** Write into the header of the database where the pass stands, and count the damaged pages. */
  | {
      readonly kind: 'keep-mark'
      readonly mark: ScanMark
      readonly corrected: number
      readonly bad: number
      readonly nowMs: number
    }

type Stepped = readonly [MaintenanceState, readonly MaintenanceOrder[]]

/** Pages of one read: 512 KiB, for so long no page is written. */
export const READ_PAGES = 64
/** Pages after which the header learns where the pass stands: a crash repeats 64 MiB at most. */
const KEEP_PAGES = 8192
/** Pages of one pass that are told of one by one; of more, the end of the pass tells how many. */
const PAGE_EVENTS_MAX = 100
const DAY_MS = 86_400_000
const SECOND_MS = 1000
const NO_COUNTS: PassCounts = { seen: 0, bad: 0, corrected: 0, empty: 0, zeroed: 0 }
const NOTHING_UNCOUNTED = { corrected: 0, bad: 0 }

/** The moments of a pass, for one that only verifies and for one that zeroes too. Source: events 717 to 726 of the engine. */
type Moment = 'begun' | 'resumed' | 'completed' | 'failed' | 'interrupted'
const EVENTS: Readonly<Record<Moment, readonly [verify: EventId, zero: EventId]>> = {
  begun: [717, 718],
  resumed: [719, 720],
  completed: [721, 722],
  failed: [723, 724],
  interrupted: [725, 726],
}

/** The maintenance of a database whose header says this of the passes before. */
export function startMaintenance(rules: MaintenanceRules, mark: ScanMark): MaintenanceState {
  assert(rules.checksum || !rules.zero, 'pages are zeroed in a pass that verifies them')
  const startMs = unixMsOf(mark.start)
  const isUnderWay = startMs !== null && mark.highestPage > 0
  const seen = mark.highestPage
  const counted = { counts: { ...NO_COUNTS, seen }, eventsRaised: 0, ranMs: 0, windows: 0, keptPage: seen }
  return {
    rules,
    workingSinceMs: null,
    isWindowOpen: false,
    pass: isUnderWay ? { startMs, nextPage: seen + 1, ...counted } : null,
    reading: null,
    restUntilMs: null,
    previousEndMs: unixMsOf(mark.previousEnd),
    previous: null,
    uncounted: NOTHING_UNCOUNTED,
  }
}

/**
 * One step of online maintenance: a pass over the pages of an active database, in windows of time, that verifies what lies in the
 * file, and zeroes what its pages hold without using it. It stops where the window closes, and goes on there in the next one; when it
 * has come to the end, the next pass begins with the next window.
 *
 * A page with a turned bit is corrected, in the file too; a bad one is told of, and the store goes on: what needs the page fails, its
 * copy has it still. Source: the online scan of Exchange 2007 SP1.
 */
export function stepMaintenance(state: MaintenanceState, fact: MaintenanceFact): Stepped {
  switch (fact.kind) {
    case 'window-opened':
      return opened(state, fact.nowMs)
    case 'window-closed':
      return closed(state, fact.nowMs)
    case 'time-passed':
      return rested(state, fact.nowMs)
    case 'pages-read':
      return state.reading === fact.first ? arrived(state, fact) : [state, []]
    case 'read-failed':
      return state.reading === fact.first ? failed(state, fact) : [state, []]
    default:
      return unreachable(fact)
  }
}

function opened(state: MaintenanceState, nowMs: number): Stepped {
  if (state.workingSinceMs !== null || !state.rules.checksum) return [state, []]
  const { pass } = state
  const working = { ...state, isWindowOpen: true, workingSinceMs: nowMs }
  if (pass === null) {
    const first = { startMs: nowMs, nextPage: 1, counts: NO_COUNTS, eventsRaised: 0, ranMs: 0, windows: 1, keptPage: 0 }
    return withEvent(readNext({ ...working, pass: first }), eventOf(state, 'begun', []))
  }
  const days = Math.floor(elapsed(pass.startMs, nowMs) / DAY_MS)
  const resumed = eventOf(state, 'resumed', [pass.nextPage, formatLogTime(logTimeAt(pass.startMs)), days])
  return withEvent(readNext({ ...working, pass: { ...pass, windows: pass.windows + 1 } }), resumed)
}

function closed(state: MaintenanceState, nowMs: number): Stepped {
  const stopped = { ...state, isWindowOpen: false }
  if (state.workingSinceMs === null || state.pass === null) return [stopped, []]
  const { nextPage } = state.pass
  return withEvent(keepMark(pause(stopped, nowMs), nowMs), eventOf(state, 'interrupted', [nextPage]))
}

function failed(state: MaintenanceState, fact: Extract<MaintenanceFact, { kind: 'read-failed' }>): Stepped {
  const { pass } = state
  assert(pass !== null, 'a pass reads')
  const seconds = Math.floor(ranMs(state, pass, fact.nowMs) / SECOND_MS)
  const event = eventOf(state, 'failed', [fact.first, seconds, fact.detail])
  return withEvent(keepMark(pause(state, fact.nowMs), fact.nowMs), event)
}

function rested(state: MaintenanceState, nowMs: number): Stepped {
  if (state.restUntilMs === null) return [state, []]
  if (nowMs < state.restUntilMs) return [state, [{ kind: 'wake-at', atMs: state.restUntilMs }]]
  return readNext({ ...state, restUntilMs: null })
}

function arrived(state: MaintenanceState, fact: Extract<MaintenanceFact, { kind: 'pages-read' }>): Stepped {
  const { pass, rules } = state
  assert(pass !== null && fact.bytes.byteLength % PAGE_BYTES === 0, 'a pass reads whole pages')
  const looks = lookAtPages(fact.first, fact.bytes)
  const counts = counted(pass.counts, looks, rules)
  const damage = { corrected: counts.corrected - pass.counts.corrected, bad: counts.bad - pass.counts.bad }
  const told = Math.min(damage.corrected + damage.bad, PAGE_EVENTS_MAX - pass.eventsRaised)
  const orders = ordersOf(looks, rules, told)
  const nextPage = fact.first + looks.length
  const next: MaintenanceState = {
    ...state,
    reading: null,
    pass: { ...pass, nextPage, counts, eventsRaised: pass.eventsRaised + told },
    uncounted: {
      corrected: state.uncounted.corrected + damage.corrected,
      bad: state.uncounted.bad + damage.bad,
    },
  }
  const [after, further] = looks.length < READ_PAGES ? completed(next, fact.nowMs) : proceed(next, fact.nowMs)
  return [after, [...orders, ...further]]
}

/** The pages go on: now, or after a rest. */
function proceed(state: MaintenanceState, nowMs: number): Stepped {
  const { pass, rules } = state
  const isDue = pass !== null && pass.nextPage - 1 - pass.keptPage >= KEEP_PAGES
  const [kept, orders] = isDue ? keepMark(state, nowMs) : [state, []]
  if (rules.throttleMs === 0) {
    const [reading, read] = readNext(kept)
    return [reading, [...orders, ...read]]
  }
  const atMs = nowMs + rules.throttleMs
  return [{ ...kept, restUntilMs: atMs }, [...orders, { kind: 'wake-at', atMs }]]
}

function completed(state: MaintenanceState, nowMs: number): Stepped {
  const { pass } = state
  assert(pass !== null, 'a pass has come to the end')
  const { seen, bad, corrected, empty, zeroed } = pass.counts
  const seconds = Math.floor(ranMs(state, pass, nowMs) / SECOND_MS)
  const values = [seconds, pass.windows, seen, bad, corrected, empty]
  const event = eventOf(state, 'completed', state.rules.zero ? [...values, zeroed] : values)
  const done = { ...state, pass: null, workingSinceMs: null, previousEndMs: nowMs, previous: pass.counts }
  return withEvent(keepMark(done, nowMs), event)
}

function readNext(state: MaintenanceState): Stepped {
  const { pass } = state
  assert(pass !== null && state.workingSinceMs !== null, 'pages are read in a window')
  return [{ ...state, reading: pass.nextPage }, [{ kind: 'read-pages', first: pass.nextPage, count: READ_PAGES }]]
}

/** No further page in this window. What is being read is read again in the next one. */
function pause(state: MaintenanceState, nowMs: number): MaintenanceState {
  const { pass } = state
  const paused = pass === null ? null : { ...pass, ranMs: ranMs(state, pass, nowMs) }
  return { ...state, pass: paused, workingSinceMs: null, reading: null, restUntilMs: null }
}

function keepMark(state: MaintenanceState, nowMs: number): Stepped {
  const { pass, previousEndMs, uncounted } = state
  const keptPage = pass === null ? 0 : pass.nextPage - 1
  const mark: ScanMark = {
    previousEnd: previousEndMs === null ? UNSET_LOG_TIME : logTimeAt(previousEndMs),
    start: pass === null ? UNSET_LOG_TIME : logTimeAt(pass.startMs),
    highestPage: keptPage,
  }
  return [
    { ...state, pass: pass === null ? null : { ...pass, keptPage }, uncounted: NOTHING_UNCOUNTED },
    [{ kind: 'keep-mark', mark, ...uncounted, nowMs }],
  ]
}

function counted(counts: PassCounts, looks: readonly PageLook[], rules: MaintenanceRules): PassCounts {
  const of = (kind: PageLook['kind']): number => looks.filter((look) => look.kind === kind).length
  return {
    seen: counts.seen + looks.length,
    bad: counts.bad + of('bad'),
    corrected: counts.corrected + of('correctable'),
    empty: counts.empty + of('empty'),
    zeroed: counts.zeroed + (rules.zero ? of('remains') : 0),
  }
}

/** What is to be done with the pages: first with the damaged ones, of which `told` are told of one by one. */
function ordersOf(looks: readonly PageLook[], rules: MaintenanceRules, told: number): MaintenanceOrder[] {
  const orders: MaintenanceOrder[] = []
  let untold = told
  for (const look of looks) {
    if (look.kind !== 'correctable' && look.kind !== 'bad') continue
    if (untold-- > 0) orders.push(damageEvent(look))
    orders.push({ kind: 'rewrite-page', page: look.page, sound: look.kind === 'bad' ? null : look.sound })
  }
  if (!rules.zero) return orders
  for (const { kind, page } of looks) if (kind === 'remains') orders.push({ kind: 'zero-page', page })
  return orders
}

function damageEvent(look: Extract<PageLook, { kind: 'correctable' | 'bad' }>): MaintenanceOrder {
  const offset = (look.page + 1) * PAGE_BYTES
  if (look.kind === 'bad') return { kind: 'raise-event', id: 727, values: [look.page, offset, look.detail] }
  return { kind: 'raise-event', id: 399, values: [look.page, offset, look.bits.join(', ')] }
}

function ranMs({ workingSinceMs }: MaintenanceState, pass: Pass, nowMs: number): number {
  return pass.ranMs + (workingSinceMs === null ? 0 : elapsed(workingSinceMs, nowMs))
}

/** A clock that was set back counts as one that stood. */
function elapsed(fromMs: number, toMs: number): number {
  return Math.max(0, toMs - fromMs)
}

function eventOf({ rules }: MaintenanceState, moment: Moment, values: readonly (string | number)[]): EventOrder {
  const [verify, zero] = EVENTS[moment]
  return { kind: 'raise-event', id: rules.zero ? zero : verify, values }
}

function withEvent([state, orders]: Stepped, event: EventOrder): Stepped {
  return [state, [event, ...orders]]
}
