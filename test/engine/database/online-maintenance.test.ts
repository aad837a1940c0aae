// Goal: a pass of online maintenance sees every page, in its windows only, and says what is wrong with each.
// Method: the rules one by one over files of a few pages, then random windows, rests and crashes.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { READ_PAGES, startMaintenance } from '../../../engine/database/online-maintenance.ts'
import { PAGE_BYTES } from '../../../engine/database/page.ts'
import { NO_SCAN } from '../../../engine/database/scan-mark.ts'
import { MaintenanceRig, type PageState, pageIn, TURNED_BIT } from './maintenance-pages.ts'

const clean = (pages: number): PageState[] => Array.from({ length: pages }, () => 'clean' as const)
const HOUR_MS = 3_600_000

describe('a pass', () => {
  test('reads nothing before its window opens, and all pages then, one read after the other', () => {
    const rig = new MaintenanceRig(clean(150))
    rig.pass(HOUR_MS)
    expect(rig.orders).toEqual([])

    rig.tell('window-opened')
    rig.work()

    expect(rig.reads()).toEqual([1, 65, 129])
    expect(rig.events()).toEqual([[717], [721, 0, 1, 150, 0, 0, 0]])
  })

  test('ends where the file ends, also behind a read that was full', () => {
    const rig = new MaintenanceRig(clean(READ_PAGES))
    rig.tell('window-opened')
    rig.work()

    expect(rig.reads()).toEqual([1, 65])
    expect(rig.events().at(-1)).toEqual([721, 0, 1, 64, 0, 0, 0])
  })

  test('begins anew in the next window, not in the same one', () => {
    const rig = new MaintenanceRig(clean(3))
    rig.tell('window-opened')
    rig.work()
    rig.pass(HOUR_MS)
    expect(rig.reads()).toEqual([1])

    rig.tell('window-closed')
    rig.tell('window-opened')
    rig.work()
    expect(rig.reads()).toEqual([1, 1])
    expect(rig.events().map(([id]) => id)).toEqual([717, 721, 717, 721])
  })

  test('stops where its window closes, and goes on there in the next one', () => {
    const rig = new MaintenanceRig(clean(200))
    rig.tell('window-opened')
    rig.answer()
    rig.nowMs += 90_000
    rig.tell('window-closed')
    expect(rig.events().at(-1)).toEqual([725, 65])
    expect(rig.pass(HOUR_MS)).toEqual([])

    rig.nowMs += 48 * HOUR_MS
    rig.tell('window-opened')
    expect(rig.events().at(-1)).toEqual([719, 65, '11/14/2023 22:13:20', 2])
    rig.nowMs += 10_000
    rig.work()
    expect(rig.reads()).toEqual([1, 65, 65, 129, 193])
    expect(rig.events().at(-1)).toEqual([721, 100, 2, 200, 0, 0, 0])
  })

  test('takes no pages that come behind the end of its window', () => {
    const rig = new MaintenanceRig(clean(200))
    rig.tell('window-opened')
    rig.tell('window-closed')
    const late = { kind: 'pages-read' as const, nowMs: rig.nowMs, first: 1, bytes: pageIn('bad', 1) }

    expect(rig.take(late)).toEqual([])
    rig.tell('window-opened')
    rig.work()
    expect(rig.events().at(-1)).toEqual([721, 0, 2, 200, 0, 0, 0])
  })

  test('goes on after a restart where the header says, and counts what it has seen', () => {
    const rig = new MaintenanceRig(clean(200))
    rig.tell('window-opened')
    rig.answer()
    rig.tell('window-closed')
    rig.crash()

    rig.tell('window-opened')
    rig.work()
    expect(rig.reads()).toEqual([1, 65, 65, 129, 193])
    expect(rig.events().at(-1)).toEqual([721, 0, 1, 200, 0, 0, 0])
    expect(rig.mark).toMatchObject({ highestPage: 0, start: NO_SCAN.start })
    expect(rig.mark.previousEnd).not.toEqual(NO_SCAN.previousEnd)
  })

  test('tells the header where it stands once in 64 MiB, so that a crash repeats no more', () => {
    const rig = new MaintenanceRig(Array.from({ length: 8300 }, () => 'empty' as const))
    rig.tell('window-opened')
    while (rig.mark.highestPage === 0) rig.answer()

    expect(rig.mark.highestPage).toBe(8192)
    rig.crash()
    rig.tell('window-opened')
    expect(rig.reads().at(-1)).toBe(8193)
  })

  test('is not made where verifying is off', () => {
    const rig = new MaintenanceRig(clean(3), { checksum: false })
    rig.tell('window-opened')
    rig.pass(HOUR_MS)

    expect(rig.orders).toEqual([])
    expect(() => startMaintenance({ checksum: false, zero: true, throttleMs: 0 }, NO_SCAN)).toThrow('verifies')
  })
})

describe('the throttle', () => {
  test('rests between two reads, also when it is woken too early', () => {
    const rig = new MaintenanceRig(clean(200), { throttleMs: 500 })
    rig.tell('window-opened')

    expect(rig.answer()).toEqual([{ kind: 'wake-at', atMs: rig.nowMs + 500 }])
    expect(rig.pass(499)).toEqual([{ kind: 'wake-at', atMs: rig.nowMs + 1 }])
    expect(rig.pass(1)).toEqual([{ kind: 'read-pages', first: 65, count: 64 }])
    expect(rig.pass(5000)).toEqual([])
  })

  test('ends with the window', () => {
    const rig = new MaintenanceRig(clean(200), { throttleMs: 500 })
    rig.tell('window-opened')
    rig.answer()
    rig.tell('window-closed')

    expect(rig.pass(1000)).toEqual([])
  })
})

describe('a page', () => {
  test('with a turned bit is told of with its place and bit, and written again as it should be', () => {
    const rig = new MaintenanceRig(['clean', 'turned', 'clean'])
    rig.tell('window-opened')
    rig.answer()

    expect(rig.orders).toContainEqual({
      kind: 'raise-event',
      id: 399,
      values: [2, 3 * PAGE_BYTES, String(TURNED_BIT)],
    })
    expect(rig.orders).toContainEqual({ kind: 'rewrite-page', page: 2, sound: pageIn('clean', 2) })
    expect(rig.events().at(-1)).toEqual([721, 0, 1, 3, 0, 1, 0])
    expect(rig.orders.at(-1)).toMatchObject({ kind: 'keep-mark', corrected: 1, bad: 0 })
  })

  test('that is bad is told of, memory is asked for it, and the pass goes on', () => {
    const rig = new MaintenanceRig(['bad', 'clean'])
    rig.tell('window-opened')
    rig.answer()

    expect(rig.events()[1]).toEqual([727, 1, 2 * PAGE_BYTES, expect.stringContaining('checksum')])
    expect(rig.orders).toContainEqual({ kind: 'rewrite-page', page: 1, sound: null })
    expect(rig.events().at(-1)).toEqual([721, 0, 1, 2, 1, 0, 0])
    expect(rig.orders.at(-1)).toMatchObject({ kind: 'keep-mark', corrected: 0, bad: 1 })
  })

  test('is told of one by one up to 100 times, and counted beyond', () => {
    const rig = new MaintenanceRig(Array.from({ length: 150 }, () => 'bad' as const))
    rig.tell('window-opened')
    rig.work()

    expect(rig.events().filter(([id]) => id === 727).length).toBe(100)
    expect(rig.orders.filter(({ kind }) => kind === 'rewrite-page').length).toBe(150)
    expect(rig.events().at(-1)).toEqual([721, 0, 1, 150, 150, 0, 0])
  })

  test('with remains is zeroed where that is on; empty, clean and damaged ones are left alone', () => {
    const states: PageState[] = ['clean', 'remains', 'empty', 'turned', 'bad', 'remains']
    const only = new MaintenanceRig(states)
    only.tell('window-opened')
    only.work()
    const rig = new MaintenanceRig(states, { zero: true })
    rig.tell('window-opened')
    rig.work()

    expect(only.orders.filter(({ kind }) => kind === 'zero-page')).toEqual([])
    expect(rig.orders.filter(({ kind }) => kind === 'zero-page')).toEqual([
      { kind: 'zero-page', page: 2 },
      { kind: 'zero-page', page: 6 },
    ])
    expect(rig.events().map(([id]) => id)).toEqual([718, 399, 727, 722])
    expect(rig.events().at(-1)).toEqual([722, 0, 1, 6, 1, 1, 1, 2])
  })
})

describe('a disk that refuses to be read', () => {
  test('ends the work of this window; the next one goes on there', () => {
    const rig = new MaintenanceRig(clean(200))
    rig.tell('window-opened')
    rig.answer()
    rig.take({ kind: 'read-failed', nowMs: rig.nowMs, first: 65, detail: 'EIO' })

    expect(rig.events().at(-1)).toEqual([723, 65, 0, 'EIO'])
    expect(rig.mark.highestPage).toBe(64)
    expect(rig.pass(HOUR_MS)).toEqual([])
    rig.tell('window-closed')
    expect(rig.events().length).toBe(2)
    rig.tell('window-opened')
    expect(rig.orders.at(-1)).toEqual({ kind: 'read-pages', first: 65, count: 64 })
  })
})

type Act = 'answer' | 'open' | 'close' | 'crash' | 'wait'
const anyState = fc.constantFrom<PageState>('clean', 'clean', 'remains', 'empty', 'turned', 'bad')
const anyActs = fc.array(fc.constantFrom<Act>('answer', 'answer', 'answer', 'open', 'open', 'close', 'crash', 'wait'), {
  maxLength: 40,
  size: 'max',
})

describe('whatever comes between', () => {
  test('sees every page of a pass, never outside a window, never without the rest, and names what is damaged', () => {
    fc.assert(
      fc.property(
        fc.array(anyState, { maxLength: 200, size: 'max' }),
        anyActs,
        fc.nat(1000),
        fc.boolean(),
        (states, acts, throttleMs, zero) => {
          const rig = new MaintenanceRig(states, { throttleMs, zero })
          const run = new Run(rig)
          for (const act of acts) run.act(act)
          // One undisturbed window ends the pass that is under way, and a second one makes a whole pass.
          run.act('close')
          run.finish()
          run.act('close')
          const before = rig.orders.length
          run.finish()

          const last = rig.orders.slice(before)
          const named = last.flatMap((order) => (order.kind === 'rewrite-page' ? [order.page] : []))
          const damaged = states.flatMap((state, index) => (state === 'turned' || state === 'bad' ? [index + 1] : []))
          expect(named).toEqual(damaged)
          const zeroed = last.flatMap((order) => (order.kind === 'zero-page' ? [order.page] : []))
          expect(zeroed).toEqual(zero ? states.flatMap((state, index) => (state === 'remains' ? [index + 1] : [])) : [])
          expect(rig.state.previous?.seen).toBe(states.length)
        },
      ),
      { numRuns: 100 },
    )
  })
})

/** Acts on a rig, and looks over what it orders. */
class Run {
  readonly #rig: MaintenanceRig
  #isOpen = false
  #lastReadMs = Number.NEGATIVE_INFINITY
  /** The page behind the last one that was seen, by this pass or what the header knew of it. */
  #next = 1

  constructor(rig: MaintenanceRig) {
    this.#rig = rig
  }

  act(act: Act): void {
    const rig = this.#rig
    const seen = rig.orders.length
    if (act === 'open') this.#open()
    else if (act === 'close') {
      this.#isOpen = false
      rig.tell('window-closed')
    } else if (act === 'crash') {
      // A mark that is ahead of what was seen would leave pages out.
      expect(rig.mark.highestPage).toBeLessThan(this.#next)
      rig.crash()
      this.#isOpen = false
      this.#next = rig.mark.highestPage + 1
    } else if (act === 'wait') rig.pass(300)
    else this.#answer()
    for (const order of rig.orders.slice(seen)) if (order.kind === 'read-pages') this.#check(order.first)
  }

  finish(): void {
    this.act('open')
    for (let turns = 0; turns < 20; turns++) {
      this.act('answer')
      for (let waits = 0; waits < 4; waits++) this.act('wait')
    }
  }

  #open(): void {
    this.#isOpen = true
    this.#rig.tell('window-opened')
  }

  #answer(): void {
    const rig = this.#rig
    const first = rig.state.reading
    if (first === null) return
    rig.answer()
    this.#lastReadMs = rig.nowMs
    this.#next = rig.state.pass === null ? 1 : rig.state.pass.nextPage
    expect(rig.state.pass === null || this.#next === first + READ_PAGES).toBe(true)
  }

  /** A read begins where the pages seen end, in an open window; a rest lies before it, unless a window has opened meanwhile. */
  #check(first: number): void {
    const { state, nowMs } = this.#rig
    expect(this.#isOpen).toBe(true)
    expect(first).toBe(this.#next)
    const opened = state.workingSinceMs ?? 0
    expect(nowMs - this.#lastReadMs >= state.rules.throttleMs || opened >= this.#lastReadMs).toBe(true)
  }
}
