import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { asGeneration } from '../../engine/generation.ts'
import { eseLogName } from '../../engine/log-format.ts'
import type { ReplayCommand, ReplayEvent } from '../../workers/messages.ts'
import { startReplayWorker } from '../../workers/pool.ts'
import type { MeasureResult, Row } from '../result.ts'
import { spreadOf } from '../statistics.ts'
import { StoreStream } from '../store-stream.ts'
import type { BenchRun, Measure } from './measure.ts'

/** What a store writes: the sizes of its messages, of which one in ten is deleted again. */
const MESSAGE_BYTES = 4_000
const MAILBOXES = 200
const DELETE_EVERY = 10
/** Memory for pages: as it is unless it is set, and so little that pages come and go all the time. */
const CACHES_MIB = [64, 8] as const
/** As many logs as the rules of replay order at a time. */
const BATCH_LOGS = 32
const MEBIBYTE = 1_048_576

/** The logs of a mailbox store replayed into a database: read, verified, redone, saved, written and synced. */
export const REDO: Measure = {
  name: 'redo',
  prepare: (bench) => {
    makeLogs(sourceOf(bench), bench.options.scale.redoLogs)
    return Promise.resolve()
  },
  run: async (bench) => {
    const runs = CACHES_MIB.map((mebibytes) => ({ mebibytes, mbPerSecond: [] as number[], cpuPerGb: [] as number[] }))
    for (let round = 1; round <= bench.options.runs; round++)
      for (const { mebibytes, mbPerSecond, cpuPerGb } of runs) {
        const { seconds, cpuSeconds } = await replayAll(bench, mebibytes * MEBIBYTE)
        const megabytes = (bench.options.scale.redoLogs * MEBIBYTE) / 1e6
        mbPerSecond.push(megabytes / seconds)
        cpuPerGb.push((cpuSeconds * 1000) / megabytes)
        bench.tell(`round ${round}: ${mebibytes} MiB for pages: ${(megabytes / seconds).toFixed(0)} MB of log/s`)
      }
    return resultOf(bench, runs.map(rowOf))
  },
}

function sourceOf({ directory }: BenchRun): string {
  return join(directory, 'redo')
}

function makeLogs(root: string, count: number): void {
  const stream = new StoreStream()
  for (const directory of ['logs', 'database']) mkdirSync(join(root, directory), { recursive: true })
  while (stream.closedCount < count)
    stream.write({
      messages: 200,
      bytes: MESSAGE_BYTES,
      mailboxes: MAILBOXES,
      deleteEvery: DELETE_EVERY,
      firstId: stream.written + 1,
    })
  for (const [index, bytes] of stream.closedLogs.slice(0, count).entries())
    writeFileSync(join(root, 'logs', eseLogName('E00', asGeneration(index + 1))), bytes)
}

/** The time until the last log is replayed and every change is in the file; the CPU of the whole process, its other threads idle. */
async function replayAll(
  bench: BenchRun,
  cacheBytes: number,
): Promise<{ readonly seconds: number; readonly cpuSeconds: number }> {
  const root = sourceOf(bench)
  rmSync(join(root, 'database'), { recursive: true })
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
  await replayWith((command) => worker.send(command), { root, last: bench.options.scale.redoLogs, until })
  const seconds = (performance.now() - began) / 1000
  const { user, system } = process.cpuUsage(cpu)
  await worker.close()
  return { seconds, cpuSeconds: (user + system) / 1e6 }
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

function rowOf(run: {
  readonly mebibytes: number
  readonly mbPerSecond: readonly number[]
  readonly cpuPerGb: readonly number[]
}): Row {
  const raw = { 'MB of log/s': run.mbPerSecond, 'CPU s/GB of log': run.cpuPerGb }
  return {
    contender: `replay worker, ${run.mebibytes} MiB for pages`,
    columns: { 'MB of log/s': spreadOf(run.mbPerSecond), 'CPU s/GB of log': spreadOf(run.cpuPerGb) },
    raw,
  }
}

function resultOf({ options }: BenchRun, rows: readonly Row[]): MeasureResult {
  return {
    name: 'redo',
    title: 'Replay of a copy, end to end',
    method:
      `${options.scale.redoLogs} logs of 1 MiB of a mailbox store (messages of ${MESSAGE_BYTES} bytes in ${MAILBOXES} mailboxes, one in ten deleted) replayed in batches of ${BATCH_LOGS} ` +
      'from the first log until every change is in the file: read, verified, redone, pages saved, written and synced. The two seconds without a log after which the last pages are written are part of it.',
    rows,
    ratios: [],
    notes: [],
  }
}
