import type {
  MaintenanceFact,
  MaintenanceOrder,
  MaintenanceRules,
  MaintenanceState,
} from '../../../engine/database/online-maintenance.ts'
import { startMaintenance, stepMaintenance } from '../../../engine/database/online-maintenance.ts'
import { initialisePage, openPage, PAGE_BYTES, PAGE_FLAGS } from '../../../engine/database/page.ts'
import { sealPage } from '../../../engine/database/page-seal.ts'
import { NO_SCAN, type ScanMark } from '../../../engine/database/scan-mark.ts'

/** How a page lies in a file. */
export type PageState = 'clean' | 'remains' | 'empty' | 'turned' | 'bad'

/** The bit that is turned where one is. */
export const TURNED_BIT = 8 * 5000 + 2

/** A page in this state. */
export function pageIn(state: PageState, number: number): Uint8Array {
  const page = openPage(new Uint8Array(PAGE_BYTES))
  if (state === 'empty') return page.bytes
  initialisePage(page, { objectId: 2, flags: PAGE_FLAGS.leaf, dbtime: number, previous: 0, next: 0 })
  if (state === 'remains') page.bytes[3000] = 7
  sealPage(page, 0, { bytes: PAGE_BYTES, number })
  const turned = state === 'bad' ? [TURNED_BIT, TURNED_BIT + 1, 9000] : state === 'turned' ? [TURNED_BIT] : []
  for (const bit of turned) page.view.setUint8(bit >>> 3, page.view.getUint8(bit >>> 3) ^ (1 << (bit & 7)))
  return page.bytes
}

const PAGES_MADE = new Map<string, Uint8Array>()

/** The same page is sealed once only. */
function pageOnDisk(state: PageState, number: number): Uint8Array {
  const name = `${state} ${number}`
  const page = PAGES_MADE.get(name) ?? pageIn(state, number)
  PAGES_MADE.set(name, page)
  return page
}

/** A read from a file of such pages: as many as there are. */
function readPages(states: readonly PageState[], first: number, count: number): Uint8Array {
  const read = states.slice(first - 1, first - 1 + count)
  const bytes = new Uint8Array(read.length * PAGE_BYTES)
  for (const [index, state] of read.entries()) bytes.set(pageOnDisk(state, first + index), index * PAGE_BYTES)
  return bytes
}

/** Maintenance in a world of its own: every order is told, and those that read are answered when the test wants it. */
export class MaintenanceRig {
  state: MaintenanceState
  nowMs = 1_700_000_000_000
  readonly orders: MaintenanceOrder[] = []
  readonly #rules: MaintenanceRules
  readonly #states: readonly PageState[]
  /** What the header of the database says. */
  mark: ScanMark = NO_SCAN

  constructor(states: readonly PageState[], rules: Partial<MaintenanceRules> = {}) {
    this.#states = states
    this.#rules = { checksum: true, zero: false, throttleMs: 0, ...rules }
    this.state = startMaintenance(this.#rules, this.mark)
  }

  /** Takes a fact; the orders that came of it. */
  take(fact: MaintenanceFact): readonly MaintenanceOrder[] {
    const [state, orders] = stepMaintenance(this.state, fact)
    this.state = state
    this.orders.push(...orders)
    for (const order of orders) if (order.kind === 'keep-mark') this.mark = order.mark
    return orders
  }

  /** A fact that says nothing but its time. */
  tell(kind: 'window-opened' | 'window-closed' | 'time-passed'): readonly MaintenanceOrder[] {
    return this.take({ kind, nowMs: this.nowMs })
  }

  /** Answers the read under way; null when nothing is being read. */
  answer(): readonly MaintenanceOrder[] | null {
    const { reading } = this.state
    if (reading === null) return null
    return this.take({
      kind: 'pages-read',
      nowMs: this.nowMs,
      first: reading,
      bytes: readPages(this.#states, reading, 64),
    })
  }

  /** Lets time pass, and tells of it. */
  pass(ms: number): readonly MaintenanceOrder[] {
    this.nowMs += ms
    return this.tell('time-passed')
  }

  /** Works until nothing moves any more but with the clock. */
  work(): void {
    while (this.answer() !== null || this.state.restUntilMs !== null)
      if (this.state.reading === null && this.state.restUntilMs !== null) this.pass(this.state.restUntilMs - this.nowMs)
  }

  /** The process is killed and starts again: it knows what the header says. */
  crash(): void {
    this.state = startMaintenance(this.#rules, this.mark)
  }

  /** The numbers and values of the events, in order. */
  events(): (readonly [id: number, ...values: readonly (string | number)[]])[] {
    return this.orders.flatMap((order) => (order.kind === 'raise-event' ? [[order.id, ...order.values] as const] : []))
  }

  /** The first pages of the reads, in order. */
  reads(): number[] {
    return this.orders.flatMap((order) => (order.kind === 'read-pages' ? [order.first] : []))
  }
}
