import { mkdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { asGeneration } from '../../engine/generation.ts'
import { eseLogName } from '../../engine/log-format.ts'
import type { ReplayCommand, ReplayEvent } from '../../workers/messages.ts'
import { startReplayWorker } from '../../workers/pool.ts'
import { runJsonChild } from '../command.ts'
import type { Generated, GeneratePlan } from '../generate-child.ts'
import type { MeasureResult, Ratio, Row } from '../result.ts'
import { ratiosByRound, spreadOf } from '../statistics.ts'
import type { BenchRun, Measure } from './measure.ts'

/** What the store writes: messages of this size, of which one in ten is deleted again. */
const MESSAGE_BYTES = 4_000
const MAILBOXES = 200
const DELETE_EVERY = 10
const CLIENTS = 16
/** Memory for pages: as it is unless it is set, and so little that pages come and go all the time. */
const CACHES_MIB = [64, 8] as const
/** As many logs as the rules of replay order at a time. */
const BATCH_LOGS = 32
const MEBIBYTE = 1_048_576
/** So much quicker must a copy be than what one core can write, to catch up when it fell behind. */
const TARGET = '≥ 3'

/** The logs that a store writes at full speed, and their replay: read, verified, redone, saved, written and synced. */
export const REDO: Measure = {
  name: 'redo',
  prepare: () => Promise.resolve(),
  run: async (bench) => {
    const store: Figures = { contender: 'store, at full speed', mbPerSecond: [], cpuPerGb: [] }
    const replays = CACHES_MIB.map((mebibytes) => ({
      mebibytes,
      figures: { contender: `replay worker, ${mebibytes} MiB for pages`, mbPerSecond: [], cpuPerGb: [] } as Figures,
    }))
    for (let round = 1; round <= bench.options.runs; round++) {
      const generated = await generate(bench)
      note(store, { bench, round, logs: generated.logs, took: generated })
      for (const { mebibytes, figures } of replays) {
        const took = await replayAll(bench, { cacheBytes: mebibytes * MEBIBYTE, last: generated.logs })
        note(figures, { bench, round, logs: generated.logs, took })
      }
    }
    return resultOf(
      bench,
      store,
      replays.map(({ figures }) => figures),
    )
  },
}

/** The figures of one contender, round by round. */
interface Figures {
  readonly contender: string
  readonly mbPerSecond: number[]
  readonly cpuPerGb: number[]
}

function note(
  figures: Figures,
  run: {
    readonly bench: BenchRun
    readonly round: number
    readonly logs: number
    readonly took: { readonly seconds: number; readonly cpuSeconds: number }
  },
): void {
  const megabytes = (run.logs * MEBIBYTE) / 1e6
  figures.mbPerSecond.push(megabytes / run.took.seconds)
  figures.cpuPerGb.push((run.took.cpuSeconds * 1000) / megabytes)
  run.bench.tell(`round ${run.round}: ${figures.contender}: ${(megabytes / run.took.seconds).toFixed(0)} MB of log/s`)
}

/** The folder of the store, and that of the copy. */
function rootOf({ directory }: BenchRun, side: 'store' | 'copy'): string {
  return join(directory, `redo-${side}`)
}

/** The store in a process of its own. Its closed logs become the copy's. */
async function generate(bench: BenchRun): Promise<Generated> {
  for (const side of ['store', 'copy'] as const) rmSync(rootOf(bench, side), { recursive: true, force: true })
  const generated = await runJsonChild<Generated>('generate-child', planOf(bench))
  const [from, to] = [join(rootOf(bench, 'store'), 'logs'), join(rootOf(bench, 'copy'), 'logs')]
  mkdirSync(to, { recursive: true })
  for (let generation = 1; generation <= generated.logs; generation++) {
    const name = eseLogName('E00', asGeneration(generation))
    renameSync(join(from, name), join(to, name))
  }
  return generated
}

function planOf(bench: BenchRun): GeneratePlan {
  return {
    root: rootOf(bench, 'store'),
    clients: CLIENTS,
    logs: bench.options.scale.redoLogs,
    messageBytes: MESSAGE_BYTES,
    mailboxes: MAILBOXES,
    deleteEvery: DELETE_EVERY,
  }
}

/** The time until the last log is replayed and every change is in the file; the CPU of the whole process, its other threads idle. */
async function replayAll(
  bench: BenchRun,
  { cacheBytes, last }: { readonly cacheBytes: number; readonly last: number },
): Promise<{ readonly seconds: number; readonly cpuSeconds: number }> {
  const root = rootOf(bench, 'copy')
  rmSync(join(root, 'database'), { recursive: true, force: true })
  mkdirSync(join(root, 'database'))
  const events: ReplayEvent[] = []
  let wake = (): void => {}
  const worker = startReplayWorker({
    cacheBytes,
    onEvent: (event) => {
      events.push(event)
      wake()
    },
    onCrash: ({ message }) => {
      throw new Error(message)
    },
  })
  await worker.ready
  const until = async (fits: (event: ReplayEvent) => boolean): Promise<void> => {
    while (!events.splice(0).some((event) => fits(checked(event))))
      await new Promise<void>((resolve) => {
        wake = resolve
      })
  }
  const [began, cpu] = [performance.now(), process.cpuUsage()]
  try {
    await replayWith((command) => worker.send(command), { root, last, until })
    const seconds = (performance.now() - began) / 1000
    const { user, system } = process.cpuUsage(cpu)
    return { seconds, cpuSeconds: (user + system) / 1e6 }
  } finally {
    // A thread that is left would keep the process alive.
    await worker.close()
  }
}

async function replayWith(
  send: (command: ReplayCommand) => void,
  job: {
    readonly root: string
    readonly last: number
    readonly until: (fits: (event: ReplayEvent) => boolean) => Promise<void>
  },
): Promise<void> {
  const { root, last, until } = job
  send({ kind: 'open-database', copy: 0, session: 1, kept: { root, format: { kind: 'ese', baseName: 'E00' } } })
  await until(({ kind }) => kind === 'database-opened')
  for (let first = 1; first <= last; first += BATCH_LOGS) {
    const end = Math.min(last, first + BATCH_LOGS - 1)
    const range = { first: asGeneration(first), last: asGeneration(end) }
    send({ kind: 'replay-logs', copy: 0, session: 1, range })
    await until((event) => event.kind === 'logs-replayed' && event.progress.replayedThrough === end)
  }
  await until((event) => event.kind === 'checkpoint-moved' && event.progress.requiredLow === last)
}

function checked(event: ReplayEvent): ReplayEvent {
  if (event.kind === 'replay-failed') throw new Error(`the replay failed: ${event.fault.message}`)
  return event
}

function rowOf({ contender, mbPerSecond, cpuPerGb }: Figures): Row {
  return {
    contender,
    columns: { 'MB of log/s': spreadOf(mbPerSecond), 'CPU s/GB of log': spreadOf(cpuPerGb) },
    raw: { 'MB of log/s': mbPerSecond, 'CPU s/GB of log': cpuPerGb },
  }
}

function resultOf({ options }: BenchRun, store: Figures, replays: readonly Figures[]): MeasureResult {
  return {
    name: 'redo',
    title: 'What a store writes, and the replay of a copy',
    method:
      `A store writes about ${options.scale.redoLogs} logs of 1 MiB at full speed: ${CLIENTS} clients in its process insert messages of ${MESSAGE_BYTES} bytes into ${MAILBOXES} mailboxes, one in ten deleted again, each transaction durable before it is answered. ` +
      `Its closed logs are replayed in batches of ${BATCH_LOGS} from the first one until every change is in the file: read, verified, redone, pages saved, written and synced. The two seconds without a log after which the last pages are written are part of it.`,
    rows: [store, ...replays].map(rowOf),
    ratios: replays.flatMap((replay) => ratiosTo(store, replay)),
    notes: [],
  }
}

function ratiosTo(store: Figures, replay: Figures): Ratio[] {
  const bySpeed = ratiosByRound(replay.mbPerSecond, store.mbPerSecond)
  const byCpu = ratiosByRound(store.cpuPerGb, replay.cpuPerGb)
  return [
    { what: `MB of log/s: ${replay.contender} ÷ store`, spread: spreadOf(bySpeed), target: null },
    { what: `log for a second of CPU: ${replay.contender} ÷ store`, spread: spreadOf(byCpu), target: TARGET },
  ]
}
