import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { pause } from '../command.ts'
import { makeSparseLogs, NUMBERED_PATTERN } from '../log-files.ts'
import { cpuSecondsOf, residentBytes } from '../process-usage.ts'
import { startManyShares } from '../product-pair.ts'
import type { MeasureResult } from '../result.ts'
import { makeScratchDisk, type ScratchDisk } from '../scratch-disk.ts'
import { spreadOf } from '../statistics.ts'
import type { BenchRun, Measure } from './measure.ts'

/** What ended its start may still be collecting garbage. */
const SETTLE_MS = 5_000

/** What a storage group costs in which nothing happens. */
export const IDLE_GROUPS: Measure = {
  name: 'idle-groups',
  prepare: (bench) => {
    const { idleGroups, idleNames } = bench.options.scale
    disk = makeScratchDisk(bench.directory, idleGroups * (idleNames + SPARE_INODES))
    bench.tell(`making ${idleGroups} storage groups of ${idleNames} sparse logs ${disk.description}`)
    for (let group = 1; group <= idleGroups; group++) makeSparseLogs(groupDirectory(group), idleNames)
    return Promise.resolve()
  },
  run: async (bench) => {
    const rounds: Round[] = []
    try {
      for (let round = 0; round < bench.options.runs; round++) {
        rounds.push(await measureOnce(bench, round))
        bench.tell(`round ${round + 1}: ${JSON.stringify(rounds[round])}`)
      }
    } finally {
      disk?.close()
    }
    return resultOf(bench, rounds)
  },
}

let disk: ScratchDisk | null = null
/** Directories take inodes, too. */
const SPARE_INODES = 20

interface Round {
  readonly kilobytesPerGroup: number
  readonly cpuPercent: number
  readonly startSeconds: number
}

async function measureOnce(bench: BenchRun, round: number): Promise<Round> {
  const { idleGroups, idleSeconds } = bench.options.scale
  const scratch = join(bench.directory, `idle-${round}`)
  mkdirSync(scratch)
  const one = await startAndSettle(scratch, 1)
  const all = await startAndSettle(scratch, idleGroups)
  const cpuBefore = cpuSecondsOf([all.pid])
  await pause(idleSeconds * 1000)
  const cpuSeconds = cpuSecondsOf([all.pid]) - cpuBefore
  const bytes = residentBytes([all.pid]) - residentBytes([one.pid])
  await all.stop()
  await one.stop()
  return {
    kilobytesPerGroup: bytes / 1024 / (idleGroups - 1),
    cpuPercent: (100 * cpuSeconds) / idleSeconds,
    startSeconds: all.startSeconds,
  }
}

async function startAndSettle(
  scratch: string,
  groups: number,
): Promise<{ pid: number; startSeconds: number; stop: () => Promise<void> }> {
  const shared = Array.from({ length: groups }, (_, index) => ({
    share: `SG${index + 1}`,
    directory: groupDirectory(index + 1),
  }))
  const started = performance.now()
  const service = await startManyShares(join(scratch, String(groups)), shared, {
    format: { kind: 'numbered', pattern: NUMBERED_PATTERN },
  })
  const startSeconds = (performance.now() - started) / 1000
  await pause(SETTLE_MS)
  return { pid: service.pid, startSeconds, stop: () => service.stop() }
}

function groupDirectory(group: number): string {
  return join(disk?.path ?? '', `SG${group}`)
}

function resultOf(bench: BenchRun, rounds: readonly Round[]): MeasureResult {
  const { idleGroups, idleNames, idleSeconds } = bench.options.scale
  const raw = {
    'KB RSS per group': rounds.map((round) => round.kilobytesPerGroup),
    'CPU % of a core': rounds.map((round) => round.cpuPercent),
    'start s': rounds.map((round) => round.startSeconds),
  }
  return {
    name: 'idle-groups',
    title: `Idle: ${idleGroups} storage groups in one source process`,
    method: `Each has ${idleNames} closed logs on disk: numbered format, files of one sparse byte, ${disk?.description}. Memory is the difference to a process with one group, divided by the others; CPU over ${idleSeconds} s in which nothing happens.`,
    rows: [
      {
        contender: 'ccr share',
        columns: Object.fromEntries(Object.entries(raw).map(([column, values]) => [column, spreadOf(values)])),
        raw,
      },
    ],
    ratios: [],
    notes: ['To reach: ≤ 60 KB and no CPU; then 16 KB.'],
  }
}
