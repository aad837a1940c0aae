// Online maintenance over a store whose disk is a model: the clock and the reads are the test's.

import type { MaintenanceRules } from '../../engine/database/online-maintenance.ts'
import { PAGE_BYTES } from '../../engine/database/page.ts'
import type { EventId } from '../../engine/event-catalogue.ts'
import { MaintenanceRunner } from '../../workers/maintenance-runner.ts'
import type { ModelStoreDisk } from '../engine/database/store/model-store-disk.ts'
import type { StoreRig } from '../engine/database/store/store-rig.ts'

/** A store with its maintenance. */
export class MaintenanceWorld {
  readonly rig: StoreRig
  readonly runner: MaintenanceRunner
  readonly events: (readonly [id: EventId, ...values: readonly (string | number)[]])[] = []
  nowMs = 1_700_000_000_000
  isInWindow = false
  /** What a read waits for before it is made. */
  beforeRead: () => Promise<void> = () => Promise.resolve()
  readonly #wakes: { readonly atMs: number; readonly act: () => void }[] = []

  constructor(rig: StoreRig, rules: Partial<MaintenanceRules> = {}) {
    this.rig = rig
    this.runner = new MaintenanceRunner({
      rules: { checksum: true, zero: false, throttleMs: 0, ...rules },
      store: rig.store,
      isInWindow: () => this.isInWindow,
      when: async (holds) => {
        rig.settle(holds)
        if (!holds()) throw new Error('the store comes to rest')
      },
      zeroPage: async (page) => {
        rig.settle(() => rig.store.mayBegin)
        for (let needed = rig.content.zero(page); needed !== null; needed = rig.content.zero(page)) rig.read(needed)
      },
      readPages: async (first, bytes) => {
        await this.beforeRead()
        return readInto(bytes, rig.disk, first)
      },
      nowMs: () => this.nowMs,
      wakeAfter: (delayMs, act) => {
        const wake = { atMs: this.nowMs + delayMs, act }
        this.#wakes.push(wake)
        return () => {
          const at = this.#wakes.indexOf(wake)
          if (at >= 0) this.#wakes.splice(at, 1)
        }
      },
      onEvent: (id, values) => this.events.push([id, ...values]),
    })
  }

  /** The window opens, and all that can be done in it is done. */
  async wholeWindow(): Promise<void> {
    this.isInWindow = true
    this.runner.tick()
    while (this.runner.status.state === 'working') await this.turn()
    this.isInWindow = false
    this.runner.tick()
    this.rig.settle()
  }

  /** Lets what is under way go on, and a rest be over. */
  async turn(): Promise<void> {
    await this.idle()
    const wake = this.#wakes.shift()
    if (wake === undefined) return
    this.nowMs = Math.max(this.nowMs, wake.atMs)
    wake.act()
  }

  /** Lets what is under way go on. */
  idle(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve))
  }

  /** The numbers of the events, in order. */
  eventIds(): EventId[] {
    return this.events.map(([id]) => id)
  }
}

function readInto(bytes: Uint8Array, disk: ModelStoreDisk, first: number): number {
  const pages = Math.max(0, Math.min(bytes.byteLength / PAGE_BYTES, disk.pageCount() - first + 1))
  for (let index = 0; index < pages; index++) bytes.set(disk.page(first + index), index * PAGE_BYTES)
  return pages
}
