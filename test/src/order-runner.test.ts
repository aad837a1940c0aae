// Goal: orders of one instance happen one after the other, facts never wait for them, and a failure is a fact or a crash.
// Method: small made-up state machines over a clock that the test moves by hand; no disk, no thread, no waiting.
import { describe, expect, it } from 'vitest'
import type { WakeOrder } from '../../engine/order.ts'
import type { Clock } from '../../src/clock.ts'
import { OrderRunner, type OrderRunnerParts, type TimePassed, WAITING_ORDERS_MAX } from '../../src/order-runner.ts'

interface Fact {
  readonly kind: 'told'
  readonly orders: readonly (Order | WakeOrder)[]
}
interface Order {
  readonly kind: 'quick' | 'slow' | 'latest'
  readonly label: string
}
type Parts = OrderRunnerParts<readonly string[], Fact, Order>

/** A machine whose facts say which orders they lead to; its state is what it was told. */
function step(state: readonly string[], fact: Fact | TimePassed): [readonly string[], readonly (Order | WakeOrder)[]] {
  if (fact.kind === 'time-passed') return [[...state, `time ${fact.nowMs}`], []]
  return [[...state, 'told'], fact.orders]
}

function quick(label: string): Order {
  return { kind: 'quick', label }
}
function slow(label: string): Order {
  return { kind: 'slow', label }
}
function told(...orders: readonly (Order | WakeOrder)[]): Fact {
  return { kind: 'told', orders }
}

/** A clock that stands still until it is moved. */
function handClock(): Clock & { readonly timers: () => number; readonly moveTo: (ms: number) => void } {
  let nowMs = 0
  let timers: { readonly atMs: number; readonly act: () => void }[] = []
  return {
    nowMs: () => nowMs,
    wakeAfter: (delayMs, act) => {
      const timer = { atMs: nowMs + delayMs, act }
      timers.push(timer)
      return () => {
        timers = timers.filter((other) => other !== timer)
      }
    },
    timers: () => timers.length,
    moveTo: (ms) => {
      nowMs = ms
      for (const due of timers.filter((timer) => timer.atMs <= ms)) {
        timers = timers.filter((timer) => timer !== due)
        due.act()
      }
    },
  }
}

/** A runner with a diary of what it did; slow orders end when the test says so. */
function aRunner(parts: Partial<Parts> = {}) {
  const diary: string[] = []
  const ends = new Map<string, { end: () => void; fail: (error: Error) => void }>()
  const crashes: unknown[] = []
  const clock = handClock()
  const runner: OrderRunner<readonly string[], Fact, Order> = new OrderRunner({
    state: [],
    step,
    perform: (order) => {
      diary.push(order.label)
      if (order.kind !== 'slow') return undefined
      return new Promise<void>((end, fail) => ends.set(order.label, { end, fail }))
    },
    failureFact: () => null,
    latestOnly: new Set(['latest'] as const),
    onStep: () => {},
    onCrash: (error) => crashes.push(error),
    trace: null,
    clock,
    ...parts,
  } satisfies Parts)
  return { runner, diary, ends, crashes, clock }
}

describe('the order runner', () => {
  it('runs the orders of a step in list order', () => {
    const { runner, diary } = aRunner()

    runner.notice(told(quick('a'), quick('b'), quick('c')))

    expect(diary).toEqual(['a', 'b', 'c'])
  })

  it('holds later orders back behind an awaited one, while facts are stepped at once', async () => {
    const { runner, diary, ends } = aRunner()

    runner.notice(told(slow('record'), quick('answer')))
    runner.notice(told(quick('next')))
    expect(diary).toEqual(['record'])
    expect(runner.state).toEqual(['told', 'told'])
    ends.get('record')?.end()
    await runner.idle()

    expect(diary).toEqual(['record', 'answer', 'next'])
  })

  it('finishes a step before it takes the fact that one of its orders tells', () => {
    const states: number[] = []
    const { runner, diary } = aRunner({
      onStep: (state) => states.push(state.length),
      perform: (order) => {
        diary.push(order.label)
        if (order.label === 'outer') runner.notice(told(quick('inner')))
        return undefined
      },
    })

    runner.notice(told(quick('outer'), quick('second')))

    expect(diary).toEqual(['outer', 'second', 'inner'])
    expect(states).toEqual([1, 2])
  })

  it('replaces a waiting order of which only the latest counts', async () => {
    const { runner, diary, ends } = aRunner()

    runner.notice(told(slow('record')))
    runner.notice(told({ kind: 'latest', label: 'report 1' }, quick('event')))
    runner.notice(told({ kind: 'latest', label: 'report 2' }))
    ends.get('record')?.end()
    await runner.idle()

    expect(diary).toEqual(['record', 'event', 'report 2'])
  })

  it('turns the failure of an order into a fact and goes on with the next order', async () => {
    const { runner, diary, ends, crashes } = aRunner({ failureFact: (order) => told(quick(`${order.label} failed`)) })

    runner.notice(told(slow('delete'), quick('after')))
    ends.get('delete')?.fail(new Error('the disk is gone'))
    await runner.idle()

    expect(diary).toEqual(['delete', 'after', 'delete failed'])
    expect(crashes).toEqual([])
  })

  it('crashes the instance, once and for good, on a failure that no fact stands for', async () => {
    const { runner, diary, ends, crashes } = aRunner()
    const error = new Error('broken rule')

    runner.notice(told(slow('record'), quick('never')))
    ends.get('record')?.fail(error)
    await runner.idle()
    runner.notice(told(quick('never either')))

    expect(crashes).toEqual([error])
    expect(diary).toEqual(['record'])
  })

  it('crashes the instance when a step breaks a rule', () => {
    const { runner, crashes } = aRunner({
      step: () => {
        throw new Error('must hold: one is one')
      },
    })

    runner.notice(told())

    expect(crashes).toHaveLength(1)
  })

  it('gives up instead of growing when orders pile up behind one that never ends', () => {
    const { runner, crashes } = aRunner()

    runner.notice(told(slow('hung disk')))
    for (let i = 0; i <= WAITING_ORDERS_MAX; i++) runner.notice(told(quick(`order ${i}`)))

    expect(String(crashes[0])).toContain('orders wait')
  })
})

describe('the wishes to be woken', () => {
  it('share one timer, and each of them is kept', () => {
    const { runner, clock } = aRunner()

    runner.notice(told({ kind: 'wake-at', atMs: 2_000 }, { kind: 'wake-at', atMs: 1_000 }))
    expect(clock.timers()).toBe(1)
    clock.moveTo(1_000)
    clock.moveTo(2_000)

    expect(runner.state).toEqual(['told', 'time 1000', 'time 2000'])
  })

  it('lead to one fact when they are for the same moment', () => {
    const { runner, clock } = aRunner()

    for (let i = 0; i < 50; i++) runner.notice(told({ kind: 'wake-at', atMs: 1_000 - i / 10 }))
    clock.moveTo(1_000)

    expect(runner.state.filter((entry) => entry.startsWith('time'))).toEqual(['time 1000'])
  })

  it('are given up by a runner that closes', async () => {
    const { runner, clock } = aRunner()
    runner.notice(told({ kind: 'wake-at', atMs: 1_000 }))

    await runner.close()

    expect(clock.timers()).toBe(0)
  })
})

describe('a runner that closes', () => {
  it('finishes the orders it was given and takes no further fact', async () => {
    const { runner, diary, ends } = aRunner()
    runner.notice(told(slow('record'), quick('answer')))

    const closed = runner.close()
    runner.notice(told(quick('too late')))
    ends.get('record')?.end()
    await closed

    expect(diary).toEqual(['record', 'answer'])
  })
})

describe('the trace', () => {
  it('names each fact and each order in the order of their happening', () => {
    const lines: string[] = []
    const { runner } = aRunner({ trace: (what, entry) => lines.push(`${what} ${entry.kind}`) })

    runner.notice(told(quick('a'), { kind: 'wake-at', atMs: 5 }))

    expect(lines).toEqual(['fact told', 'order quick', 'order wake-at'])
  })
})
