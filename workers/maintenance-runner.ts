import { unreachable } from '../engine/assert.ts'
import type { DatabaseHeader, EventCount } from '../engine/database/database-header.ts'
import { logTimeAt } from '../engine/database/log-time.ts'
import {
  type MaintenanceFact,
  type MaintenanceOrder,
  type MaintenanceRules,
  type MaintenanceState,
  READ_PAGES,
  startMaintenance,
  stepMaintenance,
} from '../engine/database/online-maintenance.ts'
import { PAGE_BYTES } from '../engine/database/page.ts'
import { readScanMark, withScanMark } from '../engine/database/scan-mark.ts'
import type { StoreEngine } from '../engine/database/store-engine.ts'
import { ReplicationError } from '../engine/error.ts'
import type { EventId } from '../engine/event-catalogue.ts'

/** What a {@link MaintenanceRunner} works with. */
export interface MaintenanceRunnerParts {
  readonly rules: MaintenanceRules
  readonly store: MaintainedStore
  /** Whether the window of the configuration is open at a moment. */
  readonly isInWindow: (nowMs: number) => boolean
  /** Resolves when a state of the store holds; rejects when the store ends before. */
  readonly when: (holds: () => boolean) => Promise<void>
  /** Zeroes a page in its turn among the sessions. Resolves when nothing is left to do for it; rejects when the store ends before. */
  readonly zeroPage: (page: number) => Promise<void>
  /** Reads neighbouring pages of the file into `bytes`, and answers how many of them it has. */
  readonly readPages: (first: number, bytes: Uint8Array) => Promise<number>
  readonly nowMs: () => number
  /** Calls `act` once, after at least this many milliseconds. Returns what cancels it. */
  readonly wakeAfter: (delayMs: number, act: () => void) => () => void
  readonly onEvent: (id: EventId, values: readonly (string | number)[]) => void
}

/** What maintenance asks of the engine of a store. */
type MaintainedStore = Pick<
  StoreEngine,
  | 'header'
  | 'amendHeader'
  | 'holdDatabase'
  | 'isDatabaseStill'
  | 'releaseDatabase'
  | 'rewritePage'
  | 'takeCorrectedPages'
>

/** Where the maintenance of a store stands, for people. */
export interface MaintenanceStatus {
  /** `off`: not wanted. `waiting`: for its window. `working`: in it. */
  readonly state: 'off' | 'waiting' | 'working'
  /** The page that comes next; null where no pass is under way. */
  readonly nextPage: number | null
  /** Of the pass under way, or else of the last one; null before the first since the start of the store. */
  readonly pages: MaintenanceState['previous']
  /** Milliseconds since 1970; null before the first pass has come to the end. */
  readonly lastCompletedMs: number | null
}

type HeaderCounts = Pick<DatabaseHeader, 'correctedPages' | 'badPages'>

/**
 * Does what online maintenance wants done in a store that runs, and tells it when its window opens and closes. Orders are done one after
 * the other; what is to be done with damaged pages is done before the file that they were read from may change.
 */
export class MaintenanceRunner {
  readonly #parts: MaintenanceRunnerParts
  /** What is read goes here, and nothing of it is kept. */
  readonly #bytes: Uint8Array = new Uint8Array(READ_PAGES * PAGE_BYTES)
  #state: MaintenanceState
  #counts: HeaderCounts
  #waiting: MaintenanceOrder[] = []
  #working: Promise<void> | null = null
  #extraUntilMs = 0
  #isOpen = false
  #windowsClosed = 0
  #isClosed = false
  #cancelWake: () => void = () => undefined

  constructor(parts: MaintenanceRunnerParts) {
    const { header } = parts.store
    this.#parts = parts
    this.#counts = header
    this.#state = startMaintenance(parts.rules, readScanMark(header.later))
  }

  /** Where it stands. */
  get status(): MaintenanceStatus {
    const { rules, pass, workingSinceMs, previous, previousEndMs } = this.#state
    return {
      state: rules.checksum ? (workingSinceMs === null ? 'waiting' : 'working') : 'off',
      nextPage: pass?.nextPage ?? null,
      pages: pass?.counts ?? previous,
      lastCompletedMs: previousEndMs,
    }
  }

  /** About a second has passed: the window may open or close. */
  tick(): void {
    if (this.#isClosed) return
    this.#tellCorrected()
    const nowMs = this.#parts.nowMs()
    const isOpen = nowMs < this.#extraUntilMs || this.#parts.isInWindow(nowMs)
    if (isOpen === this.#isOpen) return
    this.#isOpen = isOpen
    this.#take({ kind: isOpen ? 'window-opened' : 'window-closed', nowMs })
  }

  /**
   * Opens a window now, for so long, whatever the configuration says of hours. A pass that has come to the end in this window begins
   * anew. Errors: `STATE_REFUSED` where maintenance is off.
   */
  openFor(durationMs: number): void {
    if (!this.#state.rules.checksum) throw maintenanceOff()
    const nowMs = this.#parts.nowMs()
    this.#extraUntilMs = nowMs + durationMs
    this.#isOpen = true
    this.#take({ kind: 'window-opened', nowMs })
  }

  /** Ends the work; the header keeps where it stands. Resolves when nothing is under way. May be called twice. */
  async close(): Promise<void> {
    if (!this.#isClosed) {
      this.#take({ kind: 'window-closed', nowMs: this.#parts.nowMs() })
      this.#isClosed = true
      this.#cancelWake()
    }
    await this.#working
  }

  #take(fact: MaintenanceFact): void {
    if (this.#isClosed) return
    if (fact.kind === 'window-closed') this.#windowsClosed += 1
    const [state, orders] = stepMaintenance(this.#state, fact)
    this.#state = state
    this.#waiting.push(...orders)
    this.#doQuick()
    if (this.#waiting.length > 0) this.#working ??= this.#work()
  }

  /** What needs no waiting, up to the first order that does. */
  #doQuick(): void {
    for (let [order] = this.#waiting; order !== undefined; [order] = this.#waiting) {
      if (order.kind === 'read-pages' || order.kind === 'zero-page') return
      this.#waiting.shift()
      this.#do(order)
    }
  }

  #do(order: Exclude<MaintenanceOrder, { kind: 'read-pages' | 'zero-page' }>): void {
    const { store, onEvent } = this.#parts
    switch (order.kind) {
      case 'raise-event':
        onEvent(order.id, order.values)
        return
      case 'rewrite-page':
        store.rewritePage(order.page, order.sound)
        return
      case 'keep-mark':
        this.#count(order)
        store.amendHeader({ ...this.#counts, later: withScanMark(store.header.later, order.mark) })
        return
      case 'wake-at':
        this.#wakeAt(order.atMs)
        return
      default:
        unreachable(order)
    }
  }

  async #work(): Promise<void> {
    try {
      for (let order = this.#waiting.shift(); order !== undefined; order = this.#waiting.shift()) {
        if (this.#isClosed) continue
        if (order.kind === 'read-pages') await this.#read(order)
        else if (order.kind === 'zero-page') await this.#parts.zeroPage(order.page)
        this.#doQuick()
      }
    } catch {
      // The store has ended, and its owner knows why.
      this.#isClosed = true
      this.#cancelWake()
    } finally {
      this.#working = null
    }
  }

  /** Pages as they lie there while nobody writes any; what is damaged is put right before anybody may again. */
  async #read({ first, count }: Extract<MaintenanceOrder, { kind: 'read-pages' }>): Promise<void> {
    const { store, when, readPages, nowMs } = this.#parts
    const windows = this.#windowsClosed
    store.holdDatabase()
    try {
      await when(() => store.isDatabaseStill)
      const wanted = this.#bytes.subarray(0, count * PAGE_BYTES)
      const pages = await readPages(first, wanted).catch((error: unknown) => messageOf(error))
      // A window that was closed meanwhile, and perhaps opened again, has another read in mind.
      if (windows !== this.#windowsClosed) return
      if (typeof pages === 'string') this.#take({ kind: 'read-failed', nowMs: nowMs(), first, detail: pages })
      else this.#take({ kind: 'pages-read', nowMs: nowMs(), first, bytes: wanted.subarray(0, pages * PAGE_BYTES) })
    } finally {
      store.releaseDatabase()
    }
  }

  #wakeAt(atMs: number): void {
    const { nowMs, wakeAfter } = this.#parts
    this.#cancelWake()
    this.#cancelWake = wakeAfter(Math.max(0, atMs - nowMs()), () => this.#take({ kind: 'time-passed', nowMs: nowMs() }))
  }

  /** Bits that were turned back when an operation of the store read a page. */
  #tellCorrected(): void {
    const corrected = this.#parts.store.takeCorrectedPages()
    if (corrected.length === 0) return
    for (const { page, bits } of corrected) this.#parts.onEvent(399, [page, (page + 1) * PAGE_BYTES, bits.join(', ')])
    this.#count({ corrected: corrected.length, bad: 0, nowMs: this.#parts.nowMs() })
    this.#parts.store.amendHeader(this.#counts)
  }

  #count({
    corrected,
    bad,
    nowMs,
  }: {
    readonly corrected: number
    readonly bad: number
    readonly nowMs: number
  }): void {
    const { correctedPages, badPages } = this.#counts
    this.#counts = {
      correctedPages: more(correctedPages, corrected, nowMs),
      badPages: more(badPages, bad, nowMs),
    }
  }
}

function more(count: EventCount, by: number, nowMs: number): EventCount {
  return by === 0 ? count : { ...count, count: count.count + by, time: logTimeAt(nowMs) }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function maintenanceOff(): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: 'online maintenance of this store is off',
    hint: 'Start the service with maintenance.checksum: on in its configuration.',
  })
}
