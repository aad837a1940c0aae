import { mkdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { BackupLoadCount, BackupLoadPlan } from '../backup-load-child.ts'
import { runJsonChild, runScript } from '../command.ts'
import type { MeasureResult } from '../result.ts'
import { ratiosByRound, spreadOf } from '../statistics.ts'
import type { BenchRun, Measure } from './measure.ts'

const CLIENTS = 16
/** A mail of text without attachment. */
const MESSAGE_BYTES = 1_000
/** What the backup may copy meanwhile, of what a plain copy of the same database reaches on this disk. */
const RATE_SHARE = 0.5
/** Of the time that the backup takes, so that it lasts longer than the clients count. */
const TIME_SHARE = 0.7
/** Each client has as many numbers as a round can use. */
const NUMBERS_PER_ROUND = 100_000_000
/** Stretches with a backup in one round, and as many without. */
const PAIRS_PER_ROUND = 4
/** The copies that tell what the disk gives. */
const COPIES = 3
const TARGET = '≥ 0.8'

/** What a streaming backup at half the disk's rate takes from the clients of a store. */
export const BACKUP_LOAD: Measure = {
  name: 'backup-load',
  prepare: async (bench) => {
    const mebibytes = mebibytesOf(bench)
    bench.tell(`filling a store to ${mebibytes} MiB`)
    mkdirSync(rootOf(bench))
    await runChild<null>({ act: 'fill', ...storeOf(bench), bytes: mebibytes * 2 ** 20 })
  },
  run: async (bench) => {
    const figures: Figures = { alone: [], withBackup: [], copied: [], disk: [] }
    for (let copy = 0; copy < COPIES; copy++) figures.disk.push((await copyRate(bench)) / 1e6)
    for (let round = 0; round < bench.options.runs; round++) await runRound(bench, figures, round)
    return resultOf(bench, figures)
  },
}

interface Figures {
  readonly alone: number[]
  readonly withBackup: number[]
  /** In MB/s, as the next. */
  readonly copied: number[]
  readonly disk: number[]
}

/** Half of the database of the other measure: a gigabyte. */
function mebibytesOf({ options }: BenchRun): number {
  return Math.ceil(options.scale.databaseMebibytes / 2)
}

function rootOf({ directory }: BenchRun): string {
  return join(directory, 'backup-load')
}

function storeOf(bench: BenchRun): { readonly root: string; readonly database: string } {
  return { root: rootOf(bench), database: join(rootOf(bench), 'database', 'bench.edb') }
}

function runChild<Answer>(plan: BackupLoadPlan): Promise<Answer> {
  return runJsonChild<Answer>('backup-load-child', plan)
}

async function runRound(bench: BenchRun, figures: Figures, round: number): Promise<void> {
  bench.steadyState?.fill()
  const bytesPerSecond = Math.round(spreadOf(figures.disk).median * 1e6 * RATE_SHARE)
  const lasts = statSync(storeOf(bench).database).size / bytesPerSecond
  const counts = await runChild<readonly BackupLoadCount[]>({
    act: 'count',
    ...storeOf(bench),
    set: join(bench.directory, 'backup-load-set'),
    bytesPerSecond,
    clients: CLIENTS,
    seconds: Math.min(bench.options.scale.commitSeconds, lasts * TIME_SHARE),
    messageBytes: MESSAGE_BYTES,
    firstNumber: round * NUMBERS_PER_ROUND,
    pairs: PAIRS_PER_ROUND,
  })
  for (const { alone, withBackup, backupBytesPerSecond } of counts) {
    figures.alone.push(alone)
    figures.withBackup.push(withBackup)
    figures.copied.push(backupBytesPerSecond / 1e6)
    bench.tell(`round ${round + 1}: ${Math.round(alone)} commits/s, ${Math.round(withBackup)} with a backup`)
  }
}

/** What a plain copy of the database reaches, in bytes per second. */
async function copyRate(bench: BenchRun): Promise<number> {
  const { database } = storeOf(bench)
  const target = join(bench.directory, 'backup-load-copy')
  const began = performance.now()
  await runScript('cp "$1" "$2" && sync -f "$2"', [database, target]).done
  const seconds = (performance.now() - began) / 1000
  rmSync(target)
  return statSync(database).size / seconds
}

function resultOf(bench: BenchRun, { alone, withBackup, copied, disk }: Figures): MeasureResult {
  return {
    name: 'backup-load',
    title: 'A store under load while a streaming backup runs',
    method: `A store of ${mebibytesOf(bench)} MiB, ${CLIENTS} clients that each insert a message of ${MESSAGE_BYTES.toLocaleString('en-US')} bytes and wait until it is durable, with and without a streaming backup that is bounded to half of what \`cp\` and \`sync -f\` of the database reached before (the median of ${COPIES}); ${PAIRS_PER_ROUND} pairs of stretches in each round, in turn the one and the other first, after a pair that does not count. The backup lasts longer than the clients count, for ${bench.options.scale.commitSeconds} s at most.`,
    rows: [
      {
        contender: 'without a backup',
        columns: { 'commits/s': spreadOf(alone) },
        raw: { 'commits/s': alone },
      },
      {
        contender: 'with a streaming backup',
        columns: { 'commits/s': spreadOf(withBackup), 'copied MB/s': spreadOf(copied), 'cp MB/s': spreadOf(disk) },
        raw: { 'commits/s': withBackup, 'copied MB/s': copied, 'cp MB/s': disk },
      },
    ],
    ratios: [
      {
        what: 'commits/s: with a backup ÷ without',
        spread: spreadOf(ratiosByRound(withBackup, alone)),
        target: TARGET,
      },
    ],
    notes: [],
  }
}
