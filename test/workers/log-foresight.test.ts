// Goal: a log that is foreseen is asked for at once, and the copy is told what it ordered and nothing else, each order once.
// Method: the cases by hand, and random orders, announcements, arrivals, losses and stops against a plain account of what is owed.
import fc from 'fast-check'
import { beforeEach, describe, expect, it } from 'vitest'
import type { Announcement, CopiedLog } from '../../engine/fact.ts'
import { asGeneration } from '../../engine/generation.ts'
import { LogForesight, type LogOutcome } from '../../workers/log-foresight.ts'
import { unprovedIdentity } from '../../workers/log-inspection.ts'

const SESSION = 3

let wanted: string[]
let told: LogOutcome[]
let dropped: number[]
let isIdle: boolean
let foresight: LogForesight

beforeEach(() => {
  wanted = []
  told = []
  dropped = []
  isIdle = true
  foresight = new LogForesight({
    want: (session, { first, last }) => wanted.push(`${session}: ${first}-${last}`),
    isIdle: () => isIdle,
    tell: (outcome) => told.push(outcome),
    drop: ({ generation }) => dropped.push(generation),
  })
})

function announce(closedThrough: number, stream = 1): void {
  const closed = asGeneration(closedThrough)
  const announcement: Announcement = {
    ...{ lowest: asGeneration(1), closedThrough: closed, generated: closed, missing: asGeneration(0) },
    ...{ truncatedBelow: asGeneration(0), stream, logTimeMs: 0 },
  }
  foresight.announced(announcement)
}

function order(first: number, last = first, session = SESSION): void {
  foresight.order(session, { first: asGeneration(first), last: asGeneration(last) })
}

function logOf(generation: number): CopiedLog {
  const identity = unprovedIdentity(asGeneration(generation))
  const name = `${generation}.log`
  return {
    generation: asGeneration(generation),
    name,
    arrivingName: `${name}.new`,
    logTimeMs: 0,
    identity,
    rejection: null,
  }
}

function copied(generation: number, session = SESSION): LogOutcome {
  const outcome: LogOutcome = { kind: 'log-copied', copy: 1, session, log: logOf(generation), bytes: 1 }
  foresight.ended(outcome)
  return outcome
}

function failed(generation: number, session = SESSION): LogOutcome {
  const fault = { code: 'NODE_UNREACHABLE', message: 'gone' } as const
  const outcome: LogOutcome = { kind: 'copy-failed', copy: 1, session, generation: asGeneration(generation), fault }
  foresight.ended(outcome)
  return outcome
}

/** A copy that has everything up to 7. */
function caughtUp(): void {
  announce(7)
  order(1, 7)
  wanted = []
}

describe('the next log of a copy that keeps up', () => {
  beforeEach(caughtUp)

  it('is asked for when it is announced, and not again when it is ordered', () => {
    announce(8)
    expect(wanted).toEqual(['3: 8-8'])
    order(8)
    const outcome = copied(8)

    expect(wanted).toEqual(['3: 8-8'])
    expect(told).toEqual([outcome])
  })

  it('is told when it is ordered, if it has come before that', () => {
    announce(8)
    const outcome = copied(8)
    const before = [...told]
    order(8)

    expect([before, told]).toEqual([[], [outcome]])
  })

  it('is one of those that are ordered', () => {
    announce(10)
    order(7, 10)

    expect(wanted).toEqual(['3: 8-8', '3: 7-7', '3: 9-10'])
  })

  it('is not asked for before anything was ordered, after a stop, while others come, or twice', () => {
    isIdle = false
    announce(8)
    isIdle = true
    foresight.forget()
    announce(9)
    order(9)
    announce(9)
    expect(wanted).toEqual(['3: 9-9'])
    announce(10)
    announce(11)

    expect(wanted).toEqual(['3: 9-9', '3: 10-10'])
  })

  it('is not asked for in another stream', () => {
    announce(8, 2)

    expect(wanted).toEqual([])
  })
})

describe('a log that was foreseen and is not wanted', () => {
  beforeEach(() => {
    caughtUp()
    announce(8)
    wanted = []
  })

  it('is dropped when something else is ordered, before it has come or after', () => {
    order(5)
    copied(8)
    announce(9)
    copied(8)
    order(6)

    expect(dropped).toEqual([8, 8])
    expect(told).toEqual([])
  })

  it('of another session is asked for again, once the one on its way has ended', () => {
    order(8, 9, 4)
    expect(wanted).toEqual([])
    copied(8)

    expect(dropped).toEqual([8])
    expect(wanted).toEqual(['4: 8-9'])
    const outcome = copied(8, 4)
    expect(told).toEqual([outcome])
  })

  it('is void with its connection, and nobody hears of that', () => {
    foresight.lost()
    failed(8)
    order(8)

    expect(told).toEqual([])
    expect(wanted).toEqual(['3: 8-8'])
  })

  it('is void when the source was restored', () => {
    copied(8)
    announce(8, 2)
    order(8)

    expect(dropped).toEqual([8])
    expect(wanted).toEqual(['3: 8-8'])
  })

  it('that the source does not have is told so, when it is ordered', () => {
    const outcome = failed(8)
    order(8)

    expect(told).toEqual([outcome])
  })
})

type Act = readonly ['announce' | 'order' | 'settle' | 'lose' | 'stop' | 'restore', number]

describe('whatever happens', () => {
  it('every order is told once, nothing else is, and no log is on its way twice', () => {
    const act = fc.tuple(
      fc.constantFrom<Act[0]>(
        'announce',
        'announce',
        'order',
        'order',
        'settle',
        'settle',
        'settle',
        'lose',
        'stop',
        'restore',
      ),
      fc.nat(3),
    )
    let foreseen = 0
    fc.assert(
      fc.property(fc.array(act, { minLength: 20, maxLength: 60 }), (acts) => {
        const world = new World()
        for (const one of acts) world.act(one)
        world.settleAll()
        expect(world.faults).toEqual([])
        expect(world.owed).toEqual([])
        foreseen += world.foreseen
      }),
      { numRuns: 2_000 },
    )
    expect(foreseen).toBeGreaterThan(1_000)
  })
})

/** A copy that orders each announced log once in each session, and a source that sends in any order. */
class World {
  readonly faults: string[] = []
  /** Ordered, and not told. */
  owed: string[] = []
  foreseen = 0
  readonly #onItsWay: { readonly session: number; readonly generation: number }[] = []
  #session = 1
  #stream = 1
  #closed = 0
  #ordered = 0
  #isOrdering = false
  readonly #foresight = new LogForesight({
    want: (session, { first, last }) => {
      if (!this.#isOrdering) this.foreseen += 1
      for (let generation: number = first; generation <= last; generation++) {
        if (this.#onItsWay.some((log) => log.generation === generation)) this.faults.push(`${generation} comes twice`)
        this.#onItsWay.push({ session, generation })
      }
    },
    isIdle: () => this.#onItsWay.length === 0,
    tell: (outcome) => {
      const name = `${outcome.session}/${outcome.kind === 'log-copied' ? outcome.log.generation : outcome.generation}`
      if (!this.owed.includes(name)) this.faults.push(`${name} was told and not ordered`)
      this.owed = this.owed.filter((owed) => owed !== name)
    },
    drop: () => undefined,
  })

  act([kind, number]: Act): void {
    if (kind === 'announce') this.#announce(this.#closed + number)
    else if (kind === 'order') this.#order(number === 0 ? 1 : this.#closed)
    else if (kind === 'settle' && number < 2) this.#settle(number)
    else if (kind === 'settle') this.settleAll()
    else if (kind === 'lose') this.#lose()
    else if (kind === 'stop') this.#stop()
    else this.#announce(this.#closed, this.#stream + 1)
  }

  settleAll(): void {
    while (this.#onItsWay.length > 0) this.#settle(0)
  }

  #announce(closedThrough: number, stream = this.#stream): void {
    this.#closed = closedThrough
    this.#stream = stream
    const closed = asGeneration(closedThrough)
    const rest = { missing: asGeneration(0), truncatedBelow: asGeneration(0), logTimeMs: 0 }
    this.#foresight.announced({ lowest: asGeneration(1), closedThrough: closed, generated: closed, stream, ...rest })
  }

  #order(count: number): void {
    const first = this.#ordered + 1
    const last = Math.min(this.#closed, this.#ordered + count)
    if (first > last) return
    this.#ordered = last
    for (let generation = first; generation <= last; generation++) this.owed.push(`${this.#session}/${generation}`)
    this.#isOrdering = true
    this.#foresight.order(this.#session, { first: asGeneration(first), last: asGeneration(last) })
    this.#isOrdering = false
  }

  #settle(which: number, isThere = true): void {
    const [log] = this.#onItsWay.splice(which % Math.max(1, this.#onItsWay.length), 1)
    if (log === undefined) return
    const { session, generation } = log
    this.#isOrdering = true // what stood behind it is asked for
    this.#foresight.ended(
      isThere
        ? { kind: 'log-copied', copy: 1, session, log: logOf(generation), bytes: 1 }
        : {
            ...{ kind: 'copy-failed', copy: 1, session },
            generation: asGeneration(generation),
            fault: { code: 'NODE_UNREACHABLE', message: 'gone' },
          },
    )
    this.#isOrdering = false
  }

  #lose(): void {
    this.#foresight.lost()
    for (let left = this.#onItsWay.length; left > 0; left--) this.#settle(0, false)
  }

  /** A copy that begins a new session orders anew what has not come. */
  #stop(): void {
    this.#foresight.forget()
    this.#onItsWay.length = 0
    this.owed = []
    this.#session += 1
    this.#ordered = Math.max(0, this.#ordered - 2)
  }
}
