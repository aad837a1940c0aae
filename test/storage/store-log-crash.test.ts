// Goal: whatever moment the power fails at, the logs of a store are one of the states that its orders promise.
// Method: the real code over the modelled disk; the power is cut at every call with every kind of loss, and a dumb twin that knows
// nothing of files says which logs there may be. Then a new process gives the same orders again. Syncs left out must be found.
import { describe, expect, it } from 'vitest'
import {
  afterOrder,
  judgeLogs,
  type LogPromise,
  type LogTwin,
  NOTHING,
  type StoreContents,
} from '../../bench/soak/store-oracle.ts'
import { freshLog, LOG_SCRIPT } from '../../bench/soak/store-script.ts'
import type { LogOrder } from '../../engine/database/store-order.ts'
import { CrashDisk } from './crash-disk.ts'
import { operationsOver } from './crash-disk-operations.ts'
import { FATES, POLICIES, type Variant } from './power-cuts.ts'
import { StoreRig, storeOn } from './store-rig.ts'

interface LogRun extends LogPromise {
  readonly disk: CrashDisk
  readonly steps: number
  readonly ended: number
}

/** What recovery reads of the logs. A prepared log is not trusted, whatever it holds. */
function closedAndOpen({ logs }: StoreContents): [string, string][] {
  const read = [...logs].filter(([name]) => /^E00([0-9A-F]{8})?\.log$/.test(name))
  return read.map(([name, bytes]): [string, string] => [name, Buffer.from(bytes).toString('hex')]).sort()
}

async function judge(disk: CrashDisk, run: LogPromise): Promise<string[]> {
  return judgeLogs(await storeOn(disk), run)
}

/** Plays the script from an order on, until its end or the crash. */
async function playLogs(
  disk: CrashDisk,
  from: { at: number; twin: LogTwin; crashAt?: number; variant?: Variant },
): Promise<LogRun> {
  const model = operationsOver(disk, from.crashAt === undefined ? {} : { crashAt: from.crashAt })
  const files = from.variant?.(model) ?? model
  const reused = new Set<number>()
  let before = from.twin
  let ended = from.at
  const ending = (order: LogOrder | null): LogRun => ({ disk, steps: model.steps(), before, order, ended, reused })
  let rig: StoreRig
  try {
    rig = await StoreRig.open(files)
  } catch {
    return ending(null)
  }
  for (const order of LOG_SCRIPT.slice(from.at)) {
    if (order.order === 'prepare-log' && order.reuse !== null) reused.add(order.reuse)
    if (!(await rig.log(order))) return ending(order)
    before = afterOrder(before, order)
    ended++
  }
  await rig.store.close().catch(() => undefined) // a crash in what ran in the background
  return ending(null)
}

/** The first fault that a power cut shows, at any call and with every kind of loss; null when there is none. */
async function searchLogs(variant: Variant = (files) => files): Promise<string | null> {
  const whole = await playLogs(new CrashDisk(), { at: 0, twin: NOTHING, variant })
  for (let crashAt = 1; crashAt <= whole.steps; crashAt++) {
    const run = await playLogs(new CrashDisk(), { at: 0, twin: NOTHING, crashAt, variant })
    for (const policy of POLICIES)
      for (const choose of FATES) {
        const [fault] = await judge(run.disk.afterPowerCut(policy, choose()), run)
        if (fault !== undefined) return `cut at ${crashAt} in ${run.order?.order}: ${fault}`
      }
  }
  return null
}

/** Syncs that are left out. Each of them is one that the orders rely on. */
const PLANTED: readonly (readonly [string, Variant])[] = [
  ['no sync of a directory', (files) => ({ ...files, syncDirectory: () => Promise.resolve() })],
  ['no sync of a file', (files) => ({ ...files, datasync: () => Promise.resolve() })],
  [
    'writes into the open log that are not durable',
    (files) => ({
      ...files,
      open: (path, mode) => files.open(path, mode === 'overwrite-synchronous' ? 'extend' : mode),
    }),
  ],
]

describe('the logs of a store', () => {
  it('are one stream after a power cut at any call', { timeout: 180_000 }, async () => {
    expect(await searchLogs()).toBeNull()
  })

  it.each(PLANTED)('lose something with %s, which the search finds', { timeout: 180_000 }, async (_name, variant) => {
    expect(await searchLogs(variant)).toMatch(/^cut at/)
  })

  it('that a killed process left are durable as soon as the next one has opened the store', async () => {
    const { steps } = await playLogs(new CrashDisk(), { at: 0, twin: NOTHING })
    for (let crashAt = 5; crashAt <= steps; crashAt++) {
      const { disk } = await playLogs(new CrashDisk(), { at: 0, twin: NOTHING, crashAt })
      const next = await StoreRig.open(operationsOver(disk))
      const seen = closedAndOpen(await storeOn(disk))

      for (const choose of FATES)
        expect(closedAndOpen(await storeOn(disk.afterPowerCut('any subset', choose()))), `${crashAt}`).toEqual(seen)
      await next.store.close()
    }
  })

  it('go on with the same orders after a power cut', { timeout: 180_000 }, async () => {
    const { steps } = await playLogs(new CrashDisk(), { at: 0, twin: NOTHING })
    expect(steps).toBeGreaterThan(100)
    for (let crashAt = 1; crashAt <= steps; crashAt++) {
      const run = await playLogs(new CrashDisk(), { at: 0, twin: NOTHING, crashAt })
      for (const policy of POLICIES) {
        const choose = FATES[crashAt % FATES.length] ?? (() => () => 0)
        const survivor = run.disk.afterPowerCut(policy, choose())
        const next = await playLogs(survivor, { at: run.ended, twin: run.before })
        // A log that was to be reused when the power failed may stay.
        const faults = await judge(survivor, { ...next, reused: run.reused })
        expect([next.ended, faults], `after a cut at ${crashAt}`).toEqual([LOG_SCRIPT.length, []])
      }
    }
  })

  it('whose oracle is no friend of mistakes: it misses no planted one', async () => {
    const run = await playLogs(new CrashDisk(), { at: 0, twin: NOTHING })
    const before = { ...run.before, closed: [...run.before.closed, 9] }
    const torn = new Map(run.before.contents).set(2, freshLog(1))

    const without = (part: Partial<LogTwin>): LogPromise => ({ ...run, before: { ...run.before, ...part } })
    expect(await judge(run.disk, { ...run, before })).toEqual(['log 9 is missing'])
    expect(await judge(run.disk, without({ open: 8 }))).toEqual(['log 3 is open'])
    expect(await judge(run.disk, without({ contents: torn }))).toEqual(['log 2 is not whole'])
    expect(await judge(run.disk, without({ closed: [] }))).toEqual(['E0000000002.log is there'])
    expect(await judge(run.disk, run)).toEqual([])
  })
})
