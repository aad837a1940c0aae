import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { asGeneration } from '../../engine/generation.ts'
import { eseLogName } from '../../engine/log-format.ts'
import { pause, runScript } from '../command.ts'
import type { Contender, Scene } from '../contender.ts'
import { emptyFiles, makeFastDirectory } from '../freed-inodes.ts'
import { makeEseLogs } from '../log-files.ts'
import { CCR_ONCE, CCR_RUNNING } from '../peers/ccr.ts'
import { COPY_SYNC } from '../peers/copy-sync.ts'
import { CURL_NGINX } from '../peers/nginx.ts'
import { rsyncDaemon } from '../peers/rsync.ts'
import { startMeter, type Usage } from '../process-usage.ts'
import type { MeasureResult, Ratio, Row } from '../result.ts'
import { ratiosByRound, spreadOf } from '../statistics.ts'
import type { BenchRun, Measure } from './measure.ts'

const RSYNC_ONE = rsyncDaemon(1)
const RSYNC_FOUR = rsyncDaemon(4)
const CONTENDERS: readonly Contender[] = [CCR_RUNNING, CCR_ONCE, COPY_SYNC, RSYNC_ONE, RSYNC_FOUR, CURL_NGINX]

/** What the project set out to reach, ours ÷ the peer's MB/s. */
const TARGETS: ReadonlyMap<Contender, string> = new Map([
  [RSYNC_ONE, '≥ 1.8, then 2.3'],
  [RSYNC_FOUR, '≥ 1.2, then 1.5'],
  [CURL_NGINX, '≥ 1.1, then 1.4'],
  [COPY_SYNC, '≥ 0.65, then 0.85'],
])

/** What a freed gigabyte costs the disk (discard) must not fall into the next run. */
const SETTLE_MS = 3_000
/**
 * As many times the logs that are measured are shipped before by the services that run. V8 goes on compiling for some thousand
 * logs, and begins anew when a copy comes back to a backlog for the first time: in a measured run after one time as many it took 7 % of the CPU,
 * and after three times as many without such a return still 5 %. A service ships for months.
 */
const WARM_UP_ROUNDS = 5
/** Logs whose content is compared after each run, spread over the whole set. */
const COMPARED_LOGS = 20
const GIGABYTE = 1e9

/** How fast a backlog of closed logs of 1 MiB is brought over. */
export const CATCH_UP: Measure = {
  name: 'catch-up',
  prepare: async (bench) => {
    bench.tell(`making ${bench.options.logs} logs`)
    const names = makeEseLogs({ directory: sourceOf(bench), count: (WARM_UP_ROUNDS + 1) * bench.options.logs, seed: 7 })
    mkdirSync(warmUpOf(bench))
    mkdirSync(targetRoot(bench))
    for (const name of names.slice(0, warmUpLogs(bench)))
      renameSync(join(sourceOf(bench), name), join(warmUpOf(bench), name))
  },
  run: async (bench) => {
    const present = CONTENDERS.filter((each) => each.missing() === null)
    const usages = new Map<Contender, Usage[]>(present.map((each) => [each, []]))
    for (let round = 0; round < bench.options.runs; round++) {
      // Another one begins each round, so that nobody always follows the same neighbour.
      for (let index = 0; index < present.length; index++) {
        const contender = present[(index + round) % present.length]
        if (contender === undefined) continue
        const usage = await runOne(bench, contender)
        bench.tell(`round ${round + 1}: ${contender.name}: ${megabytesPerSecond(bench, usage).toFixed(0)} MB/s`)
        usages.get(contender)?.push(usage)
      }
    }
    return resultOf(bench, usages)
  },
}

async function runOne(bench: BenchRun, contender: Contender): Promise<Usage> {
  const scene = await makeScene(bench)
  const prepared = await contender.prepare(scene)
  try {
    bench.steadyState?.fill()
    await touchSource(bench)
    const commands: number[] = []
    const meter = startMeter(prepared.daemons, () => commands)
    const usage = meter.stop(await prepared.run((pid) => commands.push(pid)))
    compare(scene, prepared.arrived)
    return usage
  } finally {
    await prepared.close()
    emptyFiles(scene.target)
    await pause(SETTLE_MS)
  }
}

/** A page that a virtual machine has not touched for some seconds costs its next reader several times a copy. */
async function touchSource(bench: BenchRun): Promise<void> {
  await runScript('cat "$1"/* > /dev/null', [sourceOf(bench)]).done
}

let scenes = 0
async function makeScene(bench: BenchRun): Promise<Scene> {
  scenes += 1
  const source = sourceOf(bench)
  const scratch = join(bench.directory, `scratch-${scenes}`)
  mkdirSync(scratch)
  const root = join(targetRoot(bench), String(scenes))
  mkdirSync(root)
  const target = await makeFastDirectory(root, bench.tell)
  const names = (first: number, count: number): string[] =>
    Array.from({ length: count }, (_, index) => eseLogName('E00', asGeneration(first + index)))
  return {
    source,
    target,
    scratch,
    names: names(warmUpLogs(bench) + 1, bench.options.logs),
    warmUp: { directory: warmUpOf(bench), names: names(1, warmUpLogs(bench)) },
  }
}

/** All sizes, and the content of some: a contender that did half of the work does not count as fast. */
function compare(scene: Scene, arrived: string): void {
  const step = Math.max(1, Math.floor(scene.names.length / COMPARED_LOGS))
  scene.names.forEach((name, index) => {
    const [theirs, ours] = [join(scene.source, name), join(arrived, name)]
    if (statSync(theirs).size !== statSync(ours).size) throw new Error(`${ours} has another size than its source`)
    if (index % step === 0 && digest(theirs) !== digest(ours)) throw new Error(`${ours} has another content`)
  })
}

function digest(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

function resultOf(bench: BenchRun, usages: ReadonlyMap<Contender, readonly Usage[]>): MeasureResult {
  const rates = (contender: Contender): number[] =>
    (usages.get(contender) ?? []).map((usage) => megabytesPerSecond(bench, usage))
  const ratios: Ratio[] = []
  for (const ours of [CCR_RUNNING, CCR_ONCE])
    for (const [peer, target] of TARGETS)
      if (usages.has(ours) && usages.has(peer))
        ratios.push({
          what: `MB/s: ${ours.name} ÷ ${peer.name}`,
          spread: spreadOf(ratiosByRound(rates(ours), rates(peer))),
          target: ours === CCR_RUNNING ? target : null,
        })
  return {
    name: 'catch-up',
    title: `Catch-up: ${bench.options.logs} closed logs of 1 MiB`,
    method: METHOD,
    rows: [...usages].map(([contender, each]) => rowOf(bench, contender, each)),
    ratios,
    notes: CONTENDERS.flatMap((each) => {
      const reason = each.missing()
      return reason === null ? [] : [`${each.name} was skipped: ${reason}`]
    }),
  }
}

const METHOD = `ESE logs with pseudo-random content, source warm in the page cache. All contenders run once in each round, on the same files, on one disk. \
"${CCR_RUNNING.name}": both services have shipped ${WARM_UP_ROUNDS} times as many logs before, the later half of them after a suspension (V8 has compiled their hot paths), then the copy was suspended again; the clock runs from the resume to the status that shows all logs inspected. The source runs while the logs come, and hashes what nobody asks for yet, as it does for any copy that is suspended. \
"${CCR_ONCE.name}": the source runs; the clock runs from the start of the process to its end, so it holds the start of Node. \
Megabytes are 10^6 bytes. CPU is user and system time of all processes of a contender, memory the highest sum of their resident sets.`

function rowOf(bench: BenchRun, contender: Contender, usages: readonly Usage[]): Row {
  const raw = {
    'MB/s': usages.map((usage) => megabytesPerSecond(bench, usage)),
    'CPU s/GB': usages.map((usage) => usage.cpuSeconds / (bytesOf(bench) / GIGABYTE)),
    'peak RSS MB': usages.map((usage) => usage.peakBytes / 1e6),
  }
  const spreads = Object.fromEntries(Object.entries(raw).map(([column, values]) => [column, spreadOf(values)]))
  return {
    contender: contender.name,
    columns: { ...spreads, 'verified end to end': contender.verified, durable: contender.durable },
    raw,
  }
}

function megabytesPerSecond(bench: BenchRun, usage: Usage): number {
  return bytesOf(bench) / 1e6 / usage.seconds
}

function bytesOf(bench: BenchRun): number {
  return bench.options.logs * 1024 ** 2
}

function warmUpLogs(bench: BenchRun): number {
  return WARM_UP_ROUNDS * bench.options.logs
}

function sourceOf(bench: BenchRun): string {
  return join(bench.directory, 'catch-up-source')
}

function warmUpOf(bench: BenchRun): string {
  return join(bench.directory, 'catch-up-before')
}

function targetRoot(bench: BenchRun): string {
  return join(bench.directory, 'catch-up-target')
}
