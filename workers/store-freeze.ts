import type { StoreEngine } from '../engine/database/store-engine.ts'
import { ReplicationError } from '../engine/error.ts'
import type { Generation } from '../engine/generation.ts'
import type { StoreLoop } from './store-loop.ts'

/** What a {@link StoreFreeze} works with. */
export interface StoreFreezeParts {
  readonly store: StoreEngine
  readonly loop: StoreLoop
  readonly nowMs: () => number
  /** Calls `act` once, after at least this many milliseconds. Returns what cancels it. */
  readonly wakeAfter: (delayMs: number, act: () => void) => () => void
  /** The bound of a freeze has passed, and the store goes on: what was copied meanwhile may be of no use. */
  readonly onFreezeTimedOut: (frozenMs: number) => void
}

/** What a frozen store is: everything that was committed lies in the logs through `closed`. */
export interface StoreFrozen {
  readonly closed: Generation
  /** As the header says it, which describes the file: the logs from `low` on recover it. */
  readonly required: { readonly low: Generation; readonly high: Generation; readonly committed: Generation }
  readonly checkpoint: Generation
}

/** How a freeze came to its end. */
export interface StoreThawed {
  readonly frozenMs: number
  /** Whether its bound ended it, before anybody did. */
  readonly timedOut: boolean
}

interface Freeze {
  readonly sinceMs: number
  readonly cancel: () => void
  /** Null while the store is frozen. */
  ended: StoreThawed | null
}

/**
 * The freeze of a store for a snapshot, for a bounded time. Operations under way stand where they are, which recovery undoes or not as
 * after a crash; requests wait.
 */
export class StoreFreeze {
  readonly #parts: StoreFreezeParts
  #freeze: Freeze | null = null
  #isBeginning = false

  constructor(parts: StoreFreezeParts) {
    this.#parts = parts
  }

  /** Whether nothing may be begun or changed. */
  get isFrozen(): boolean {
    return this.#freeze !== null && this.#freeze.ended === null
  }

  /**
   * Freezes the store, for at most so many milliseconds; resolves when nothing of its files changes any more. Errors: `STATE_REFUSED`
   * where it is frozen already, or did not come to rest in that time.
   */
  async begin(boundMs: number): Promise<StoreFrozen> {
    if (this.isFrozen || this.#isBeginning) throw refused('it is frozen already', 'Thaw it first.')
    this.#isBeginning = true
    const { store, loop } = this.#parts
    try {
      const { closed, freeze } = await loop.when(
        () => store.mayBegin,
        () => this.#freezeNow(boundMs),
      )
      await loop.when(
        () => store.isStill || freeze.ended !== null,
        () => undefined,
      )
      if (freeze.ended !== null)
        throw refused(`it did not come to rest in ${boundMs} ms`, 'Allow more time, or look at the disk.')
      const { minRequired: low, maxRequired: high, maxCommitted: committed } = store.header.required
      return { closed, required: { low, high, committed }, checkpoint: store.lowestRequired }
    } finally {
      this.#isBeginning = false
    }
  }

  /** Ends a freeze, or tells how the last one has ended. Errors: `STATE_REFUSED` where there was none. */
  thaw(): StoreThawed {
    const thawed = this.end()
    if (thawed === null) throw refused('it is not frozen', 'Freeze it first.')
    this.#freeze = null
    return thawed
  }

  /** Ends a freeze where there is one. */
  end(): StoreThawed | null {
    const freeze = this.#freeze
    if (freeze === null) return null
    if (freeze.ended === null) this.#end(freeze, false)
    return freeze.ended
  }

  #freezeNow(boundMs: number): { readonly closed: Generation; readonly freeze: Freeze } {
    const { store, nowMs, wakeAfter } = this.#parts
    const cancel = wakeAfter(boundMs, () => this.#timeOut(freeze))
    const freeze: Freeze = { sinceMs: nowMs(), cancel, ended: null }
    this.#freeze = freeze
    return { closed: store.freeze('a snapshot is taken'), freeze }
  }

  #timeOut(freeze: Freeze): void {
    if (freeze.ended !== null) return
    const { frozenMs } = this.#end(freeze, true)
    this.#parts.onFreezeTimedOut(frozenMs)
  }

  #end(freeze: Freeze, timedOut: boolean): StoreThawed {
    const { store, loop, nowMs } = this.#parts
    const thawed = { frozenMs: Math.max(0, nowMs() - freeze.sinceMs), timedOut }
    freeze.ended = thawed
    freeze.cancel()
    store.thaw()
    loop.goOn()
    return thawed
  }
}

function refused(why: string, hint: string): ReplicationError {
  return new ReplicationError({ code: 'STATE_REFUSED', message: `the store cannot be frozen or thawed: ${why}`, hint })
}
