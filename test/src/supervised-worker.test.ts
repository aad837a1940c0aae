// Goal: a worker thread that dies is replaced, but not for ever at full speed, and a stopping service waits for nobody.
// Method: threads made of promises and a clock that the test moves; no real thread.
import { describe, expect, it } from 'vitest'
import type { Fault } from '../../engine/fact.ts'
import { serviceLog } from '../../src/service-log.ts'
import { SupervisedWorker, type WorkerLine } from '../../src/supervised-worker.ts'

const FAULT: Fault = { code: 'INTERNAL', message: 'it died' }

/** A supervised worker whose threads end when the test says so. */
function aWorker(options: { readonly endsOnStop: boolean } = { endsOnStop: true }) {
  const diary: string[] = []
  const ends: ((fault: Fault | null) => void)[] = []
  const waits: { readonly delayMs: number; readonly act: () => void }[] = []
  const time = { ms: 0 }
  const worker = new SupervisedWorker<string, string>({
    name: 'worker',
    start: async (): Promise<WorkerLine<string>> => {
      let end: (fault: Fault | null) => void = () => {}
      const ended = new Promise<Fault | null>((resolve) => {
        end = resolve
      })
      ends.push(end)
      return {
        post: (command) => {
          diary.push(command)
          if (command === 'stop' && options.endsOnStop) end(null)
        },
        ended,
        destroy: async () => {
          diary.push('destroyed')
          end(null)
        },
      }
    },
    stop: 'stop',
    onReport: () => {},
    onStarted: () => diary.push('started'),
    onLost: (fault) => diary.push(`lost: ${fault.message}`),
    clock: {
      nowMs: () => time.ms,
      wakeAfter: (delayMs, act) => {
        waits.push({ delayMs, act })
        return () => {}
      },
    },
    log: serviceLog('silent'),
  })
  return { worker, diary, ends, waits, time }
}

/** Lets every promise that can go on go on. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

describe('a supervised worker', () => {
  it('is replaced when it dies, and told so in between', async () => {
    const { worker, diary, ends } = aWorker()
    await worker.start()

    ends[0]?.(FAULT)
    await settled()

    expect(diary).toEqual(['started', 'destroyed', 'lost: it died', 'started'])
    expect(worker.isRunning).toBe(true)
    await worker.close()
  })

  it('that ends without having been told to is replaced, too', async () => {
    const { worker, diary, ends } = aWorker()
    await worker.start()

    ends[0]?.(null)
    await settled()

    expect(diary.at(-1)).toBe('started')
    await worker.close()
  })

  it('is replaced five times a minute, then waits', async () => {
    const { worker, ends, waits, time } = aWorker()
    await worker.start()

    for (let death = 0; death < 10; death++) {
      ends.at(-1)?.(FAULT)
      await settled()
    }

    expect(ends).toHaveLength(6)
    expect(worker.isRunning).toBe(false)
    expect(worker.post('anything')).toBe(false)
    time.ms += 60_000
    waits[0]?.act()
    await settled()
    expect(ends).toHaveLength(7)
    await worker.close()
  })

  it('ends by itself when the service stops', async () => {
    const { worker, diary } = aWorker()
    await worker.start()

    await worker.close()

    expect(diary).toEqual(['started', 'stop', 'destroyed'])
  })

  it('that hangs when the service stops is ended after a while', async () => {
    const { worker, diary, waits } = aWorker({ endsOnStop: false })
    await worker.start()

    const closed = worker.close()
    await settled()
    expect(diary).toEqual(['started', 'stop'])
    waits[0]?.act()
    await closed

    expect(diary).toEqual(['started', 'stop', 'destroyed'])
    expect(waits[0]?.delayMs).toBeLessThanOrEqual(5_000)
  })
})
