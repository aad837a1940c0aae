// Goal: whatever moment the power fails at, the logs of a store are one of the states that its orders promise.
// Method: the real code over the modelled disk; the power is cut at every call with every kind of loss, and a dumb twin that knows
// nothing of files says which logs there may be. Then a new process gives the same orders again. Syncs left out must be found.
import { describe, expect, it } from 'vitest'
import type { LogOrder } from '../../engine/database/store-order.ts'
import { asGeneration } from '../../engine/generation.ts'
import { CrashDisk, DirectoryNode, FileNode } from './crash-disk.ts'
import { operationsOver } from './crash-disk-operations.ts'
import { FATES, POLICIES, type Variant } from './power-cuts.ts'
import { BODY, freshLog, LOG_BYTES, logHeader, prepare, roll, StoreRig, write } from './store-rig.ts'

const LOGS = '/data/SG1/logs'

/** What the log lane has made so far, in the simplest form. */
interface LogTwin {
  readonly open: number
  readonly closed: readonly number[]
  readonly contents: ReadonlyMap<number, Uint8Array>
}

const NOTHING: LogTwin = { open: 0, closed: [], contents: new Map() }

function after(twin: LogTwin, order: LogOrder): LogTwin {
  const contents = new Map(twin.contents)
  switch (order.order) {
    case 'write-log': {
      const next = (contents.get(order.generation) ?? new Uint8Array()).slice()
      next.set(order.bytes, order.at)
      return { ...twin, contents: contents.set(order.generation, next) }
    }
    case 'roll-log': {
      if (twin.open === order.opens) return twin
      const closed = order.closes === null ? twin.closed : [...twin.closed, order.closes]
      return { open: order.opens, closed, contents: contents.set(order.opens, freshLog(order.opens)) }
    }
    case 'prepare-log':
      return { ...twin, closed: twin.closed.filter((generation) => generation !== order.reuse) }
    case 'mend-log':
      return { ...twin, contents: contents.set(order.generation, order.bytes) }
    case 'discard-logs':
      return { ...twin, open: 0, closed: twin.closed.filter((generation) => generation < order.from) }
  }
}

/** What breaks a promise in what lies there after a cut during `order`. `reused` are logs that a background order may have taken. */
function judgeLogs(
  disk: CrashDisk,
  of: { before: LogTwin; order: LogOrder | null; reused: ReadonlySet<number> },
): string[] {
  const { before, order, reused } = of
  const next = order === null ? before : after(before, order)
  const files = filesOf(disk)
  const faults: string[] = []
  const open = files.get('E00.log')
  for (const generation of new Set([...before.closed, ...next.closed])) {
    const found = files.get(logName(generation))
    const mayBeGone = reused.has(generation) || (!next.closed.includes(generation) && isKept(disk, generation, before))
    const mayBeOpen = !before.closed.includes(generation) && open !== undefined
    const mayHaveLeft = mayBeOpen && generationIn(open) === generation
    if (found === undefined && !mayBeGone && !mayHaveLeft) faults.push(`log ${generation} is missing`)
    if (found !== undefined && !isBetween(found, generation, { before, next }))
      faults.push(`log ${generation} is not whole`)
  }
  if (open === undefined) {
    const explained =
      order?.order === 'discard-logs' || before.open === 0 || files.get('E00tmp.log')?.length === LOG_BYTES
    if (before.open !== 0 && (before.open === next.open || !explained)) faults.push('the open log is missing')
  } else {
    const generation = generationIn(open)
    if (generation !== before.open && generation !== next.open) faults.push(`log ${generation} is open`)
    else if (!isBetween(open, generation, { before, next })) faults.push(`the open log ${generation} is torn`)
  }
  const known = new Set([...before.closed, ...next.closed, ...reused].map(logName))
  for (const name of files.keys())
    if (/^E00[0-9A-F]{8}\.log$/.test(name) && !known.has(name)) faults.push(`${name} is there`)
  return faults
}

function filesOf(disk: CrashDisk): Map<string, Uint8Array> {
  const directory = disk.find(LOGS)
  const entries = directory instanceof DirectoryNode ? [...directory.entries] : []
  return new Map(entries.flatMap(([name, node]) => (node instanceof FileNode ? [[name, node.content] as const] : [])))
}

/** Whether a discarded log lies where the operator finds it, whole. */
function isKept(disk: CrashDisk, generation: number, { contents }: LogTwin): boolean {
  const directory = disk.find(`${LOGS}/IgnoredLogs/E00OutOfDate`)
  const nodes = directory instanceof DirectoryNode ? [...directory.entries.values()] : []
  return nodes.some((node) => node instanceof FileNode && node.content.equals(contents.get(generation) ?? Buffer.of()))
}

function generationIn(log: Uint8Array): number {
  return new DataView(log.buffer, log.byteOffset).getInt32(4, true)
}

function logName(generation: number): string {
  return `E00${generation.toString(16).toUpperCase().padStart(8, '0')}.log`
}

/** Whether each sector of a log is what it was before the order or what it is to be after it. */
function isBetween(log: Uint8Array, generation: number, of: { before: LogTwin; next: LogTwin }): boolean {
  const versions = [of.before, of.next].flatMap(({ contents }) => contents.get(generation) ?? [])
  if (log.length !== LOG_BYTES) return false
  for (let at = 0; at < LOG_BYTES; at += 512) {
    const sector = Buffer.from(log.subarray(at, at + 512))
    if (!versions.some((version) => sector.equals(version.subarray(at, at + 512)))) return false
  }
  return true
}

const MENDED = freshLog(4).fill(0x44, BODY, BODY + 512)

const LOG_SCRIPT: readonly LogOrder[] = [
  prepare(),
  roll(null, 1),
  write(1, 0, 0x11),
  write(1, 0, 0x12),
  prepare(),
  write(1, 1, 0x13),
  roll(1, 2),
  write(2, 0, 0x21),
  roll(2, 3),
  prepare(1),
  write(3, 0, 0x31),
  roll(3, 4),
  { order: 'mend-log', generation: asGeneration(4), bytes: MENDED },
  write(4, 1, 0x45),
  prepare(),
  { order: 'discard-logs', from: asGeneration(3) },
  roll(null, 3),
  write(3, 0, 0x39),
]

interface LogRun {
  readonly disk: CrashDisk
  readonly steps: number
  /** After the orders that have ended. */
  readonly before: LogTwin
  /** The one that the crash met. */
  readonly order: LogOrder | null
  readonly ended: number
  readonly reused: ReadonlySet<number>
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
    before = after(before, order)
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
        const [fault] = judgeLogs(run.disk.afterPowerCut(policy, choose()), run)
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
        const faults = judgeLogs(survivor, { ...next, reused: run.reused })
        expect([next.ended, faults], `after a cut at ${crashAt}`).toEqual([LOG_SCRIPT.length, []])
      }
    }
  })

  it('whose oracle is no friend of mistakes: it misses no planted one', async () => {
    const run = await playLogs(new CrashDisk(), { at: 0, twin: NOTHING })
    const before = { ...run.before, closed: [...run.before.closed, 9] }
    const torn = new Map(run.before.contents).set(1, freshLog(1))

    expect(judgeLogs(run.disk, { ...run, before })).toEqual(['log 9 is missing'])
    expect(judgeLogs(run.disk, { ...run, before: { ...run.before, open: 8 } })).toEqual(['log 3 is open'])
    expect(judgeLogs(run.disk, { ...run, before: { ...run.before, contents: torn } })).toEqual([])
    expect(run.before.closed).toEqual([2])
    expect(judgeLogs(run.disk, { ...run, before: { ...run.before, closed: [] } })).toEqual(['E0000000002.log is there'])
    expect(logHeader(3)).toEqual(run.before.contents.get(3)?.subarray(0, BODY))
  })
})
