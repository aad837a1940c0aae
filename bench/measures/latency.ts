import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { SharedRate } from '../../workers/shared-rate.ts'
import { type Daemon, pause, runScript, waitUntil } from '../command.ts'
import { withThread } from '../database-contender.ts'
import { makeDatabase } from '../database-file.ts'
import { emptyFiles } from '../freed-inodes.ts'
import { type FedStream, type Reporter, runLatency } from '../latency-run.ts'
import { makeEseLogs } from '../log-files.ts'
import { lsyncdMissing, type MirroredDirectory, startLsyncd } from '../peers/lsyncd.ts'
import { rsyncMissing, startRsyncDaemon } from '../peers/rsync.ts'
import { startMeter } from '../process-usage.ts'
import { startPair } from '../product-pair.ts'
import type { MeasureResult, Ratio, Row } from '../result.ts'
import { percentile, ratiosByRound, spreadOf } from '../statistics.ts'
import type { BenchRun, Measure } from './measure.ts'

/** One load: so many logs a second over so many storage groups. */
interface Load {
  readonly name: string
  readonly perSecond: number
  readonly groups: number
  readonly target: string
  readonly keepers: () => readonly Keeper[]
}

const STEADY: Load = {
  name: 'latency',
  perSecond: 50,
  groups: 1,
  target: 'p50 ≤ 5 ms, p99 ≤ 12 ms; ≥ 15 × below lsyncd',
  keepers: () => KEEPERS,
}
const WIDE: Load = {
  name: 'latency-wide',
  perSecond: 200,
  groups: 50,
  target: 'p50 ≤ 5 ms, p99 ≤ 15 ms',
  keepers: () => KEEPERS,
}
const BESIDE_SEED: Load = {
  name: 'latency-seed',
  perSecond: 50,
  groups: 1,
  target: 'p50 beside a seed at full speed ≤ 3 times that without, then 2 times',
  keepers: () => [OURS, OURS_SEEDING],
}

/** What one contender came to in one round. */
interface Round {
  readonly delaysMs: readonly number[]
  readonly lost: number
  readonly cpuSeconds: number
  readonly seconds: number
}

/** Somebody who keeps the target directories in step with the sources. */
interface Keeper {
  readonly name: string
  readonly counted: string
  missing(): string | null
  start(scratch: string, streams: readonly FedStream[], bench: BenchRun): Promise<RunningKeeper>
}

interface RunningKeeper {
  readonly pids: readonly number[]
  readonly reporter: Reporter | null
  stop(): Promise<void>
}

/** What ended moments ago may still be writing. */
const SETTLE_MS = 1_000

const OURS: Keeper = {
  name: 'ccr',
  counted: 'inspected: durable with its name',
  missing: () => null,
  start: async (scratch, streams) => {
    const pair = await startPair(scratch, streams)
    return { pids: pair.pids, reporter: pair.reporter, stop: pair.stop }
  },
}

/** The same while the source serves a database for one seed after the other, as fast as it goes. */
const OURS_SEEDING: Keeper = {
  name: 'ccr, beside a seed at full speed',
  counted: OURS.counted,
  missing: () => null,
  start: async (scratch, streams, bench) => {
    const database = seedDatabaseOf(bench)
    const pair = await startPair(scratch, streams, database)
    const seeding = seedForEver(`${pair.listen}/shares/${streams[0]?.group}`, join(scratch, 'seeded'))
    const stop = async (): Promise<void> => {
      await seeding.stop()
      await pair.stop()
    }
    return { pids: pair.pids, reporter: pair.reporter, stop }
  },
}

function seedForEver(sourceUrl: string, directory: string): { readonly stop: () => Promise<void> } {
  const ending = new AbortController()
  const rate = new SharedRate()
  const done = withThread(async (thread) => {
    while (!ending.signal.aborted) {
      mkdirSync(directory, { recursive: true })
      const query = {
        ask: 'read-seed',
        sourceUrl,
        session: 1,
        to: join(directory, 'priv1.edb'),
        rate: rate.memory,
      } as const
      await thread.ask(query, { signal: ending.signal }).catch((error: unknown) => {
        if (!ending.signal.aborted) throw error
      })
      rmSync(directory, { recursive: true })
    }
  })
  return {
    stop: async () => {
      ending.abort()
      await done
    },
  }
}

function seedDatabaseOf({ directory }: BenchRun): string {
  return join(directory, 'latency-seed', 'priv1.edb')
}

const LSYNCD: Keeper = {
  name: 'lsyncd, delay 0, to an rsync daemon',
  counted: 'present',
  missing: lsyncdMissing,
  start: async (scratch, streams) => {
    const { mirrored, daemon } = await mirrorTo(scratch, streams)
    const mirror = await startLsyncd(scratch, mirrored)
    await untilMirrored(streams)
    const stop = async (): Promise<void> => {
      await mirror.stop()
      await daemon.stop()
    }
    return { pids: [mirror.pid, daemon.pid], reporter: null, stop }
  },
}

const LOOP: Keeper = {
  name: 'rsync in a loop, to an rsync daemon',
  counted: 'present',
  missing: rsyncMissing,
  start: async (scratch, streams) => {
    const { mirrored, daemon } = await mirrorTo(scratch, streams)
    const command = runScript(
      RSYNC_LOOP,
      mirrored.flatMap(({ source, target }) => [`${source}/`, target]),
    )
    command.done.catch(() => undefined) // it is ended by a signal
    const stop = async (): Promise<void> => {
      process.kill(command.pid, 'SIGTERM')
      await command.done.catch(() => undefined)
      await daemon.stop()
    }
    return { pids: [command.pid, daemon.pid], reporter: null, stop }
  },
}

/** Both mirrors push over TCP, as ours does, to a daemon that writes below `scratch`. */
async function mirrorTo(
  scratch: string,
  streams: readonly FedStream[],
): Promise<{ readonly mirrored: readonly MirroredDirectory[]; readonly daemon: Daemon }> {
  for (const { arrived } of streams) mkdirSync(arrived, { recursive: true })
  const { daemon, port } = await startRsyncDaemon(scratch, { module: 'run', path: scratch, readOnly: false })
  const mirrored = streams.map(({ source, arrived }) => ({
    source,
    target: `rsync://127.0.0.1:${port}/run/${relative(scratch, arrived)}/`,
  }))
  return { mirrored, daemon }
}

const RSYNC_LOOP = `round() { while [ $# -gt 1 ]; do rsync -rt --fsync "$1" "$2"; shift 2; done; }
trap "exit 0" TERM; while :; do round "$@"; done`

const KEEPERS: readonly Keeper[] = [OURS, LSYNCD, LOOP]

/** Delay of single logs at 50 a second. */
export const LATENCY: Measure = latencyOf(STEADY)
/** Delay of single logs at 200 a second over 50 storage groups in one pair of processes. */
export const LATENCY_WIDE: Measure = latencyOf(WIDE)

/** Delay of single logs at 50 a second, without and beside a seed from the same source. */
export const LATENCY_SEED: Measure = latencyOf(BESIDE_SEED)

function latencyOf(load: Load): Measure {
  return {
    name: load.name,
    prepare: async (bench) => {
      bench.tell(`making the logs of ${load.name}`)
      if (load === BESIDE_SEED) makeDatabase(seedDatabaseOf(bench), bench.options.scale.databaseMebibytes)
      const count = Math.ceil((load.perSecond * bench.options.scale.latencySeconds) / load.groups)
      for (const stream of streamsOf(bench, load, 'prepared'))
        makeEseLogs({ directory: stream.staging, count, seed: Number(stream.group.slice(2)) })
    },
    run: (bench) => measure(bench, load),
  }
}

async function measure(bench: BenchRun, load: Load): Promise<MeasureResult> {
  const present = load.keepers().filter((keeper) => keeper.missing() === null)
  const rounds = new Map<Keeper, Round[]>(present.map((keeper) => [keeper, []]))
  for (let round = 0; round < bench.options.runs; round++)
    for (let index = 0; index < present.length; index++) {
      const keeper = present[(index + round) % present.length]
      if (keeper === undefined) continue
      const outcome = await runKeeper(bench, load, keeper)
      bench.tell(
        `round ${round + 1}: ${keeper.name}: p50 ${percentile(outcome.delaysMs, 50).toFixed(1)} ms, p99 ${percentile(outcome.delaysMs, 99).toFixed(1)} ms, ${outcome.lost} lost`,
      )
      rounds.get(keeper)?.push(outcome)
    }
  return resultOf(bench, load, rounds)
}

let runs = 0
async function runKeeper(bench: BenchRun, load: Load, keeper: Keeper): Promise<Round> {
  runs += 1
  const run = `run-${runs}`
  const scratch = join(bench.directory, `${load.name}-${run}`)
  const streams = streamsOf(bench, load, run)
  for (const stream of streams) mkdirSync(stream.source, { recursive: true })
  const running = await keeper.start(scratch, streams, bench)
  try {
    bench.steadyState?.fill()
    const meter = startMeter(running.pids)
    const { delaysMs, lost } = await runLatency(streams, load.perSecond, running.reporter)
    const { cpuSeconds, seconds } = meter.stop()
    return { delaysMs, lost, cpuSeconds, seconds }
  } finally {
    await running.stop()
    takeBack(streams)
    emptyFiles(scratch)
    await pause(SETTLE_MS)
  }
}

/** The streams of a load; their logs wait in `staging`, which outlives the runs. */
function streamsOf(bench: BenchRun, load: Load, run: string): FedStream[] {
  const count = Math.ceil((load.perSecond * bench.options.scale.latencySeconds) / load.groups)
  const names = Array.from({ length: count }, (_, index) => `E00${hex(index + 1)}.log`)
  return Array.from({ length: load.groups }, (_, index) => {
    const group = `SG${index + 1}`
    const base = join(bench.directory, `${load.name}-${run}`)
    return {
      group,
      names,
      staging: join(bench.directory, `${load.name}-staging`, group),
      source: join(base, 'source', group),
      arrived: join(base, 'copies', group, 'logs'),
    }
  })
}

function hex(generation: number): string {
  return generation.toString(16).toUpperCase().padStart(8, '0')
}

function takeBack(streams: readonly FedStream[]): void {
  for (const stream of streams)
    for (const name of stream.names)
      try {
        renameSync(join(stream.source, name), join(stream.staging, name))
      } catch {
        // It was never fed: the run failed before.
      }
}

/** lsyncd says nowhere that it is ready, so a file that it mirrors tells. */
async function untilMirrored(streams: readonly FedStream[]): Promise<void> {
  for (const stream of streams) {
    writeFileSync(join(stream.source, PROBE), '')
    await waitUntil('lsyncd mirrors a file', () => existsSync(join(stream.arrived, PROBE)))
    rmSync(join(stream.source, PROBE))
    await waitUntil('lsyncd mirrors its removal', () => !existsSync(join(stream.arrived, PROBE)))
  }
}

const PROBE = 'probe'

function resultOf(bench: BenchRun, load: Load, rounds: ReadonlyMap<Keeper, readonly Round[]>): MeasureResult {
  const medians = (keeper: Keeper): number[] =>
    (rounds.get(keeper) ?? []).map((round) => percentile(round.delaysMs, 50))
  const besideSeed: Ratio = {
    what: `p50: ${OURS_SEEDING.name} ÷ ${OURS.name}`,
    spread: spreadOf(ratiosByRound(medians(OURS_SEEDING), medians(OURS))),
    target: '≤ 3, then 2',
  }
  const ratios: Ratio[] =
    load === BESIDE_SEED
      ? [besideSeed]
      : [...rounds.keys()]
          .filter((keeper) => keeper !== OURS)
          .map((keeper) => ({
            what: `p50: ${keeper.name} ÷ ${OURS.name} (how many times lower ours is)`,
            spread: spreadOf(ratiosByRound(medians(keeper), medians(OURS))),
            target: load === STEADY && keeper === LSYNCD ? '≥ 15' : null,
          }))
  const skipped = load.keepers().flatMap((keeper) => {
    const reason = keeper.missing()
    return reason === null ? [] : [`${keeper.name} was skipped: ${reason}`]
  })
  return {
    name: load.name,
    title: titleOf(load),
    method: `Logs of 1 MiB that lie ready on the disk are renamed into the watched directory at a steady rate for ${bench.options.scale.latencySeconds} s; what a store does to write them is not part of it. For ours a log counts when the state of its copy says that it is inspected, which is after the sync of file and directory; for the others when the name is there. Source and copy are one process each, made of the hosts of ccr share and ccr copy.`,
    rows: [...rounds].map(([keeper, each]) => rowOf(keeper, each)),
    ratios,
    notes: [`To reach: ${load.target}.`, ...skipped],
  }
}

function titleOf(load: Load): string {
  const groups = load.groups === 1 ? 'one storage group' : `${load.groups} storage groups`
  return `Latency: ${load.perSecond} logs a second over ${groups}${load === BESIDE_SEED ? ', beside a seed' : ''}`
}

function rowOf(keeper: Keeper, rounds: readonly Round[]): Row {
  const raw = {
    'p50 ms': rounds.map((round) => percentile(round.delaysMs, 50)),
    'p99 ms': rounds.map((round) => percentile(round.delaysMs, 99)),
    'max ms': rounds.map((round) => percentile(round.delaysMs, 100)),
    lost: rounds.map((round) => round.lost),
    'CPU % of a core': rounds.map((round) => (100 * round.cpuSeconds) / round.seconds),
  }
  const spreads = Object.fromEntries(Object.entries(raw).map(([column, values]) => [column, spreadOf(values)]))
  return { contender: keeper.name, columns: { ...spreads, 'counts when': keeper.counted }, raw }
}
