// Goal: a thread that replays is begun when a database wants one, gets what came meanwhile, and its loss is told to its copies alone.
// Method: a host whose threads are lines that the test holds.
import { describe, expect, it } from 'vitest'
import type { Fault } from '../../engine/fact.ts'
import { systemClock } from '../../src/clock.ts'
import { ReplayHost } from '../../src/replay-host.ts'
import { serviceLog } from '../../src/service-log.ts'
import type { StartWorker } from '../../src/supervised-worker.ts'
import type { ReplayCommand, ReplayEvent } from '../../workers/messages.ts'

/** One thread. */
interface Line {
  readonly got: string[]
  readonly tell: (event: ReplayEvent) => void
  readonly end: (fault: Fault | null) => void
}

/** Threads that start when the test lets them. */
class Threads {
  readonly lines: Line[] = []
  starts = 0
  #let: (error: Error | null) => void = () => {}

  readonly start: StartWorker<ReplayCommand, ReplayEvent> = async (onReport) => {
    this.starts++
    await new Promise<void>((resolve, reject) => {
      this.#let = (error) => (error === null ? resolve() : reject(error))
    })
    let end: (fault: Fault | null) => void = () => {}
    const ended = new Promise<Fault | null>((resolve) => {
      end = resolve
    })
    const line: Line = { got: [], tell: onReport, end }
    this.lines.push(line)
    const post = (command: ReplayCommand): void => {
      line.got.push(command.kind)
      if (command.kind === 'stop') end(null)
    }
    return { post, ended, destroy: () => Promise.resolve() }
  }

  async let(error: Error | null = null): Promise<void> {
    this.#let(error)
    await settled()
  }
}

/** All that was resolved has had its consequences. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

const KEPT = { root: '/copy', format: { kind: 'ese', baseName: 'E00' } } as const

function aHost(workers = 1) {
  const threads = new Threads()
  const told: ReplayEvent[] = []
  const host = new ReplayHost({
    log: serviceLog('silent'),
    clock: systemClock(),
    workers,
    cacheBytes: 1,
    startWorker: threads.start,
  })
  const replayer = (copy: number) => host.connect(copy, (event) => told.push(event))
  const open = (copy: number): boolean => replayer(copy).post({ kind: 'open-database', copy, session: 1, kept: KEPT })
  return { threads, told, host, replayer, open }
}

describe('a host of replayers', () => {
  it('begins no thread for a copy that opens no database', async () => {
    const { threads, host, replayer } = aHost()

    expect(replayer(0).post({ kind: 'stop-replaying', copy: 0 })).toBe(false)
    replayer(0).post({ kind: 'close-database', copy: 0 })
    await host.close()

    expect(threads.starts).toBe(0)
  })

  it('begins one with the first database, and gives it what came meanwhile, in order', async () => {
    const { threads, host, replayer, open } = aHost()

    expect(open(0)).toBe(true)
    expect(replayer(0).post({ kind: 'stop-replaying', copy: 0 })).toBe(true)
    await threads.let()
    open(1)

    expect([threads.starts, threads.lines[0]?.got]).toEqual([1, ['open-database', 'stop-replaying', 'open-database']])
    await host.close()
    expect(threads.lines[0]?.got.at(-1)).toBe('stop')
  })

  it('tells the loss of a thread to the copies that it kept, and to no other', async () => {
    const { threads, told, host, open } = aHost(2)
    open(0)
    await threads.let()
    open(1)
    await threads.let()

    threads.lines[0]?.end({ code: 'INTERNAL', message: 'it died' })
    await settled()

    expect(told).toEqual([{ kind: 'replayer-lost', copy: 0, fault: { code: 'INTERNAL', message: 'it died' } }])
    expect(host.isReady).toBe(false)
    await threads.let()
    expect(host.isReady).toBe(true)
    await host.close()
  })

  it('tells a thread that cannot be started as a loss, and tries again with the next database', async () => {
    const { threads, told, host, open } = aHost()
    open(4)

    await threads.let(new Error('no memory'))

    expect(told).toMatchObject([{ kind: 'replayer-lost', copy: 4, fault: { code: 'INTERNAL' } }])
    open(4)
    await threads.let()
    expect(threads.lines[0]?.got).toEqual(['open-database'])
    await host.close()
  })

  it('tells nothing more to a copy that has given its database up', async () => {
    const { threads, told, host, replayer, open } = aHost()
    open(0)
    await threads.let()
    replayer(0).post({ kind: 'close-database', copy: 0 })

    threads.lines[0]?.tell({ kind: 'replay-stopped', copy: 0, progress: null })

    expect(told).toEqual([])
    await host.close()
  })
})
