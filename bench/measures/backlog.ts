import { existsSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { pause, waitUntil } from '../command.ts'
import { makeNumberedLogs, NUMBERED_PATTERN, numberedName } from '../log-files.ts'
import { peakResidentBytes, residentBytes, startMeter } from '../process-usage.ts'
import { copyFigures, readJson, spawnCopy, spawnShare, startCopy, startShare, untilInspected } from '../product.ts'
import type { MeasureResult, Row } from '../result.ts'
import { spreadOf } from '../statistics.ts'
import type { BenchRun, Measure } from './measure.ts'

/** 100,000 logs of 1 MiB are 105 GB, more than the disk has; what is held in memory goes by logs, not by their length. */
const LOG_BYTES = 4096
/** How often memory is read while the backlog shrinks. */
const LOOK_MS = 100
const CATCH_UP_MS = 1_800_000

/** Memory of each side while it catches up from a long backlog. */
export const BACKLOG_MEMORY: Measure = {
  name: 'backlog-memory',
  prepare: (bench) => makeBacklog(bench),
  run: async (bench) => {
    const rounds: Round[] = []
    for (let round = 0; round < bench.options.runs; round++) {
      rounds.push(await inScratch(bench, (scratch) => catchUp(bench, scratch)))
      bench.tell(`round ${round + 1}: ${describe(rounds[round])}`)
    }
    return memoryResult(bench, rounds)
  },
}

/** From the start of the processes until the first log is there, with a long backlog on disk. */
export const START_UP: Measure = {
  name: 'start-up',
  prepare: (bench) => makeBacklog(bench),
  run: async (bench) => {
    const served: number[] = []
    const present: number[] = []
    for (let round = 0; round < bench.options.runs; round++) {
      served.push(await inScratch(bench, (scratch) => untilServed(bench, scratch)))
      present.push(await inScratch(bench, (scratch) => untilPresent(bench, scratch)))
      bench.tell(
        `round ${round + 1}: served after ${served[round]?.toFixed(2)} s, present after ${present[round]?.toFixed(2)} s`,
      )
    }
    return startResult(bench, { served, present })
  },
}

interface Side {
  readonly startBytes: number
  readonly peakBytes: number
  /** Resident memory when a tenth, half and all of the backlog was done. */
  readonly alongBytes: readonly number[]
}

interface Round {
  readonly source: Side
  readonly copy: Side
  readonly logsPerSecond: number
}

let made = false
function makeBacklog(bench: BenchRun): Promise<void> {
  if (!made) {
    const last = bench.options.scale.backlogLogs
    bench.tell(`making ${last} logs of ${LOG_BYTES} bytes`)
    makeNumberedLogs(sourceOf(bench), { first: 1, last, sizeBytes: LOG_BYTES })
    made = true
  }
  return Promise.resolve()
}

function sourceOf(bench: BenchRun): string {
  return join(bench.directory, 'backlog-source')
}

function inScratch<Result>(bench: BenchRun, act: (scratch: string) => Promise<Result>): Promise<Result> {
  // Its files go with the bench's directory: removing 100,000 of them would slow the creates of what follows.
  const scratch = mkdtempSync(join(bench.directory, 'backlog-run-'))
  bench.steadyState?.fill()
  return act(scratch)
}

function shareWords(scratch: string): string[] {
  return ['--format', 'numbered', '--pattern', NUMBERED_PATTERN, '--state', join(scratch, 'state')]
}

async function catchUp(bench: BenchRun, scratch: string): Promise<Round> {
  const last = bench.options.scale.backlogLogs
  const share = await startShare(sourceOf(bench), { arguments: shareWords(scratch) })
  const copy = await startCopy(`${share.listen}/shares/SG1`, join(scratch, 'store'))
  const pids = [share.pid, copy.pid]
  try {
    const startBytes = pids.map((pid) => residentBytes([pid]))
    const meter = startMeter(pids)
    const along: number[][] = []
    for (const mark of [last / 10, last / 2, last]) {
      await waitUntil(`generation ${mark} is inspected`, async () => await reached(copy, mark), CATCH_UP_MS)
      along.push(pids.map((pid) => residentBytes([pid])))
    }
    const { seconds } = meter.stop()
    const side = (index: number): Side => ({
      startBytes: startBytes[index] ?? 0,
      peakBytes: peakResidentBytes(pids[index] ?? 0),
      alongBytes: along.map((each) => each[index] ?? 0),
    })
    return { source: side(0), copy: side(1), logsPerSecond: last / seconds }
  } finally {
    await copy.stop()
    await share.stop()
  }
}

async function reached(copy: Parameters<typeof copyFigures>[0], generation: number): Promise<boolean> {
  await pause(LOOK_MS)
  if (!copy.running()) throw new Error(`the copy ended:\n${copy.said()}`)
  return ((await copyFigures(copy))?.LastLogInspected ?? 0) >= generation
}

function memoryResult(bench: BenchRun, rounds: readonly Round[]): MeasureResult {
  const row = (contender: string, sideOf: (round: Round) => Side): Row => {
    const raw = {
      'at start MB': rounds.map((round) => sideOf(round).startBytes / 1e6),
      'at 10% MB': rounds.map((round) => (sideOf(round).alongBytes[0] ?? 0) / 1e6),
      'at 50% MB': rounds.map((round) => (sideOf(round).alongBytes[1] ?? 0) / 1e6),
      'at 100% MB': rounds.map((round) => (sideOf(round).alongBytes[2] ?? 0) / 1e6),
      'peak RSS MB': rounds.map((round) => sideOf(round).peakBytes / 1e6),
      'logs/s': rounds.map((round) => round.logsPerSecond),
    }
    return {
      contender,
      columns: Object.fromEntries(Object.entries(raw).map(([column, values]) => [column, spreadOf(values)])),
      raw,
    }
  }
  return {
    name: 'backlog-memory',
    title: `Memory while catching up from ${bench.options.scale.backlogLogs} logs`,
    method: `Numbered format, logs of ${LOG_BYTES} bytes (as many of 1 MiB do not fit on the disk). Peak is VmHWM of the process.`,
    rows: [row('ccr share', (round) => round.source), row('ccr copy', (round) => round.copy)],
    ratios: [],
    notes: ['To reach: ≤ 200 MB on each side, flat; then 150.'],
  }
}

function describe(round: Round | undefined): string {
  if (round === undefined) return ''
  const megabytes = (side: Side): string => (side.peakBytes / 1e6).toFixed(0)
  return `source ${megabytes(round.source)} MB, copy ${megabytes(round.copy)} MB, ${round.logsPerSecond.toFixed(0)} logs/s`
}

/** Until a client without any knowledge gets the first byte of the first log, once the source has announced them all. */
async function untilServed(bench: BenchRun, scratch: string): Promise<number> {
  const last = bench.options.scale.backlogLogs
  const started = performance.now()
  const share = await spawnShare(sourceOf(bench), { arguments: shareWords(scratch) })
  try {
    await waitUntil('the source announces its logs', async () => (await announced(share.listen)) >= last)
    const answer = await fetch(`${share.listen}/shares/SG1/logs/1`)
    await answer.body?.getReader().read()
    if (!answer.ok) throw new Error(`the first log is not served: ${answer.status}`)
    return (performance.now() - started) / 1000
  } finally {
    await share.stop()
  }
}

async function announced(listen: string): Promise<number> {
  const document = await readJson(`${listen}/shares/SG1`)
  // A document of another shape has no announcement and counts as none.
  const { announcement } = (document ?? {}) as { announcement?: { closedThrough?: number } }
  return announcement?.closedThrough ?? 0
}

/** Until the first log is inspected on the passive, both processes being started at the same time. */
async function untilPresent(bench: BenchRun, scratch: string): Promise<number> {
  const store = join(scratch, 'store')
  const started = performance.now()
  const share = await spawnShare(sourceOf(bench), { arguments: shareWords(scratch) })
  const copy = await spawnCopy(`${share.listen}/shares/SG1`, store)
  try {
    await waitUntil('the first log is present', () => existsSync(join(store, 'logs', numberedName(1))))
    const seconds = (performance.now() - started) / 1000
    await untilInspected(copy, 1)
    return seconds
  } finally {
    await copy.stop()
    await share.stop()
  }
}

function startResult(
  bench: BenchRun,
  seconds: { readonly served: readonly number[]; readonly present: readonly number[] },
): MeasureResult {
  const row = (contender: string, values: readonly number[]): Row => ({
    contender,
    columns: { seconds: spreadOf(values) },
    raw: { seconds: values },
  })
  return {
    name: 'start-up',
    title: `Start with ${bench.options.scale.backlogLogs} logs on disk`,
    method: `From the start of the process, Node's own included. Numbered format, logs of ${LOG_BYTES} bytes.`,
    rows: [
      row('ccr share: first byte over HTTP, all logs announced', seconds.served),
      row('ccr share and ccr copy started together: first log on the passive', seconds.present),
    ],
    ratios: [],
    notes: ['To reach: first byte ≤ 2 s; then 1 s.'],
  }
}
