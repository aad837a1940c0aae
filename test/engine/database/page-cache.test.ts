// Goal: the cache never loses a change, never writes one too early, and knows where a redo has to begin.
// Method: random operations, batches and rolls beside a model that keeps every change in a list.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { LogPosition } from '../../../engine/database/log-position.ts'
import { comparePositions } from '../../../engine/database/log-position.ts'
import { openPage, PAGE_BYTES, type Page } from '../../../engine/database/page.ts'
import { PageCache } from '../../../engine/database/page-cache.ts'
import { verifyPage } from '../../../engine/database/page-seal.ts'
import type { PageImage } from '../../../engine/database/store-order.ts'
import { asGeneration } from '../../../engine/generation.ts'

const CAPACITY = 16
const DEPTH = 2
/** Where the model keeps the number of a page's last change. */
const COUNTER = 100

interface Change {
  readonly counter: number
  readonly horizon: LogPosition
  readonly position: LogPosition
}

type Step =
  | { readonly step: 'operate'; readonly pages: readonly number[] }
  | { readonly step: 'make'; readonly pages: readonly number[]; readonly fresh: number }
  | { readonly step: 'rewrite'; readonly page: number }
  | { readonly step: 'flush' | 'roll' | 'take' | 'write' | 'hold' }

const aPage = fc.integer({ min: 1, max: 40 })
const aStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ step: fc.constant('operate' as const), pages: fc.array(aPage, { maxLength: 5 }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      step: fc.constant('make' as const),
      pages: fc.array(aPage, { maxLength: 3 }),
      fresh: fc.integer({ min: 1, max: 60 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ step: fc.constant('rewrite' as const), page: aPage }) },
  { weight: 6, arbitrary: fc.record({ step: fc.constantFrom('flush' as const, 'roll', 'take', 'write', 'hold') }) },
)

describe('a page cache', () => {
  it('keeps, writes and remembers what a list of all changes says', () => {
    fc.assert(
      fc.property(fc.array(aStep, { maxLength: 120 }), (steps) => {
        const model = new Model()
        for (const step of steps) model.play(step)
        model.drain()
      }),
      { numRuns: 400 },
    )
  })

  it('answers null when every page of its budget waits for the waypoint, and goes on when that has come', () => {
    const model = new Model()
    for (let number = 1; number <= CAPACITY; number++) model.play({ step: 'make', pages: [], fresh: number })

    expect(model.cache.freeable).toBe(0)
    expect(model.cache.heldBack(model.waypoint)).toBe(CAPACITY)
    expect(model.cache.admit(50, new Uint8Array(PAGE_BYTES))).toBe(false)
    for (let roll = 0; roll <= DEPTH; roll++) model.play({ step: 'roll' })
    model.play({ step: 'flush' })
    model.play({ step: 'take' })
    model.play({ step: 'write' })
    expect(model.cache.admit(50, new Uint8Array(PAGE_BYTES))).toBe(true)
  })

  it('lets the checkpoint pass a page that is changed in every log', () => {
    const model = new Model()
    for (let roll = 0; roll < 20; roll++) {
      model.play({ step: 'operate', pages: [7] })
      model.play({ step: 'flush' })
      for (const step of ['hold', 'take', 'write', 'roll'] as const) model.play({ step })
    }

    const oldest = model.cache.oldestDirty
    expect(oldest === null ? 0 : model.generation - oldest.generation).toBeLessThanOrEqual(2 * DEPTH + 1)
  })

  it('writes a page again that has not changed, before all others and whatever the limits are', () => {
    const { cache } = new Model()
    const page = openPage(new Uint8Array(PAGE_BYTES))
    page.view.setUint32(COUNTER, 7, true)
    page.view.setUint32(36, 0x2002, true)
    cache.admit(3, page.bytes)
    expect([cache.rewrite(3), cache.rewrite(3), cache.rewrite(4)]).toEqual([true, true, false])
    expect(cache.freeable).toBe(CAPACITY - 1)

    const nowhere = { generation: 0, sector: 0, byte: 0 }
    const batch = cache.takeBatch({ durable: nowhere, waypoint: asGeneration(0), oldest: nowhere })
    cache.batchWritten()

    expect(batch.map(({ number, bytes }) => [number, openPage(bytes).view.getUint32(COUNTER, true)])).toEqual([[3, 7]])
    expect(cache.freeable).toBe(CAPACITY)
    expect(cache.takeBatch({ durable: nowhere, waypoint: asGeneration(0), oldest: null })).toEqual([])
  })

  it('leaves a page that is to be written again to the changes that it gets meanwhile', () => {
    const model = new Model()
    model.cache.admit(3, new Uint8Array(PAGE_BYTES))
    model.cache.rewrite(3)
    model.play({ step: 'operate', pages: [3] })

    model.play({ step: 'take' })
    expect(model.cache.isWriting).toBe(false)
    expect(model.cache.freeable).toBe(CAPACITY - 1)
    model.drain()
  })

  it('forgets a page that was made and not written in', () => {
    const model = new Model()
    model.cache.beginOperation(model.end)
    expect(model.cache.make(9)).not.toBeNull()
    model.cache.endOperation(model.end)

    expect(model.cache.find(9)).toBeNull()
  })
})

class Model {
  readonly cache = new PageCache(CAPACITY * PAGE_BYTES)
  readonly changes = new Map<number, Change[]>()
  readonly disk = new Map<number, number>()
  generation = 10
  #byte = 0
  #durable: LogPosition = { generation: 10, sector: 8, byte: 0 }
  #batch: readonly PageImage[] = []
  #counter = 0
  #last: LogPosition = this.end

  get end(): LogPosition {
    return { generation: this.generation, sector: 8, byte: this.#byte }
  }

  get waypoint() {
    return asGeneration(this.generation - DEPTH)
  }

  play(step: Step): void {
    if (step.step === 'operate') this.#operate(step.pages)
    else if (step.step === 'make') this.#make(step.pages, step.fresh)
    else if (step.step === 'flush') this.#durable = this.end
    else if (step.step === 'roll') this.#roll()
    else if (step.step === 'take') this.#take()
    else if (step.step === 'write') this.#write()
    else if (step.step === 'rewrite') expect(this.cache.rewrite(step.page)).toBe(this.cache.find(step.page) !== null)
    else this.cache.holdImages({ waypoint: this.waypoint, oldest: null })
    this.#check()
  }

  /** No roll is missing any more: everything goes to the disk. */
  drain(): void {
    this.#write()
    this.generation += DEPTH + 1
    this.#durable = this.end
    for (let batch = 0; batch < 3; batch++) {
      this.#take()
      this.#write()
    }
    expect(this.cache.oldestDirty).toBeNull()
    expect(this.cache.freeable).toBe(CAPACITY)
    for (const [page, changes] of this.changes) expect(this.disk.get(page)).toBe(changes.at(-1)?.counter)
  }

  #roll(): void {
    this.generation++
    this.#byte = 0
  }

  #operate(pages: readonly number[]): void {
    for (const page of pages) {
      const bytes = new Uint8Array(PAGE_BYTES)
      openPage(bytes).view.setUint32(COUNTER, this.disk.get(page) ?? 0, true)
      if (this.cache.find(page) === null && !this.cache.admit(page, bytes)) return
    }
    const horizon = this.end
    this.cache.beginOperation(horizon)
    const found = pages.map((number) => ({ number, page: this.cache.find(number) }))
    // To admit all of them at once may need more memory than there is.
    if (found.every(({ page }) => page !== null))
      for (const { number, page } of found) if (page !== null) this.#change(number, page, horizon)
    this.cache.endOperation(this.#last)
  }

  #make(pages: readonly number[], fresh: number): void {
    const horizon = this.end
    this.cache.beginOperation(horizon)
    const found = pages.map((number) => ({ number, page: this.cache.find(number) }))
    const page = this.cache.make(fresh)
    if (page !== null) {
      page.bytes.fill(0)
      this.#change(fresh, page, horizon)
    }
    for (const { number, page } of found) if (page !== null) expect(this.cache.find(number)).toBe(page)
    this.cache.endOperation(this.#last)
  }

  #change(number: number, page: Page, horizon: LogPosition): void {
    const changes = this.changes.get(number) ?? []
    if (changes.length > 0 && page.view.getUint32(COUNTER, true) !== 0)
      expect(page.view.getUint32(COUNTER, true)).toBe(changes.at(-1)?.counter)
    const counter = ++this.#counter
    page.view.setUint32(COUNTER, counter, true)
    page.view.setUint32(36, 0x2002, true)
    const position = this.end
    this.#last = position
    this.#byte++
    this.cache.changed(number, position)
    this.changes.set(number, [...changes, { counter, horizon, position }])
  }

  #take(): void {
    if (this.cache.isWriting) return
    const durable = this.#durable
    this.#batch = this.cache.takeBatch({ durable, waypoint: this.waypoint, oldest: null })
    const numbers = this.#batch.map(({ number }) => number)
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
    for (const { number, bytes } of this.#batch) {
      const image = openPage(bytes)
      expect(verifyPage(image, 0, { bytes: PAGE_BYTES, number }).verdict).toBe('sound')
      const counter = image.view.getUint32(COUNTER, true)
      if (counter === (this.disk.get(number) ?? 0)) continue // written again as it is
      const change = this.changes.get(number)?.find((one) => one.counter === counter)
      expect(change !== undefined && comparePositions(change.position, durable) < 0).toBe(true)
      expect(change?.position.generation).toBeLessThanOrEqual(this.waypoint)
    }
  }

  #write(): void {
    for (const { number, bytes } of this.#batch) this.disk.set(number, openPage(bytes).view.getUint32(COUNTER, true))
    this.#batch = []
    this.cache.batchWritten()
  }

  #check(): void {
    const missing = [...this.changes].flatMap(([page, changes]) =>
      changes.filter(({ counter }) => counter > (this.disk.get(page) ?? 0)).map(({ horizon }) => horizon),
    )
    const oldest = missing.sort(comparePositions)[0] ?? null
    expect(this.cache.oldestDirty).toEqual(oldest)
    expect(this.cache.freeable).toBeGreaterThanOrEqual(0)
  }
}
