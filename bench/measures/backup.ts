import { mkdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { asGeneration } from '../../engine/generation.ts'
import { BackupThread } from '../../src/backup/backup-thread.ts'
import { pause, runScript } from '../command.ts'
import { makeDatabase } from '../database-file.ts'
import type { MeasureResult, Ratio, Row } from '../result.ts'
import { ratiosByRound, spreadOf } from '../statistics.ts'
import type { BenchRun, Measure } from './measure.ts'

/** What a freed gigabyte costs the disk must not fall into the next run. */
const SETTLE_MS = 3_000
const TARGET = '≥ 0.8'
const GIGABYTE = 1e9

/** A backup of a database that stands still, its verification and its restore, each against a plain copy of the same bytes. */
export const BACKUP: Measure = {
  name: 'backup',
  prepare: async (bench) => {
    bench.tell(`making a database of ${bench.options.scale.databaseMebibytes} MiB`)
    makeDatabase(databaseOf(bench), bench.options.scale.databaseMebibytes)
    await withThread((thread) => backUp(thread, bench, setOf(bench)))
    // Both are read from memory by whoever reads them, as the source of every measure.
    await runScript('cat "$1"/database/* "$2" > /dev/null', [setOf(bench), databaseOf(bench)]).done
  },
  run: async (bench) => {
    const all = CONTENDERS.map((contender) => ({ ...contender, mbPerSecond: [] as number[], cpuPerGb: [] as number[] }))
    for (let round = 0; round < bench.options.runs; round++)
      // Another one begins each round, so that nobody always follows the same neighbour.
      for (let index = 0; index < all.length; index++) {
        const contender = all[(index + round) % all.length]
        if (contender !== undefined) await measure(bench, contender, round)
      }
    return resultOf(bench, all)
  },
}

interface BackupContender {
  readonly name: string
  readonly verified: string
  /** Does its work below `target`, and answers what it took. */
  readonly run: (bench: BenchRun, target: string) => Promise<Took>
}

interface Took {
  readonly seconds: number
  readonly cpuSeconds: number
}

interface Figures extends BackupContender {
  readonly mbPerSecond: number[]
  readonly cpuPerGb: number[]
}

const BACKUP_CONTENDER: BackupContender = {
  name: 'ccr: backup (snapshot)',
  verified: 'every page, and xxh64',
  run: (bench, target) => withThread((thread) => timed(() => backUp(thread, bench, join(target, 'set')))),
}
const COPY_DATABASE: BackupContender = {
  name: 'cp + syncfs of the database',
  verified: 'no',
  run: (bench, target) => copyAndSync(databaseOf(bench), target),
}
const RESTORE_CONTENDER: BackupContender = {
  name: 'ccr: restore',
  verified: 'every page, and xxh64',
  run: (bench, target) => withThread((thread) => timed(() => restore(thread, bench, join(target, 'SG1')))),
}
const COPY_SET: BackupContender = {
  name: 'cp + syncfs of the set',
  verified: 'no',
  run: (bench, target) => copyAndSync(`${setOf(bench)}/.`, target),
}
const CONTENDERS: readonly BackupContender[] = [COPY_DATABASE, BACKUP_CONTENDER, COPY_SET, RESTORE_CONTENDER]

function databaseOf({ directory }: BenchRun): string {
  return join(directory, 'backup-source', 'priv1.edb')
}

function setOf({ directory }: BenchRun): string {
  return join(directory, 'backup-set')
}

async function copyAndSync(from: string, target: string): Promise<Took> {
  const began = performance.now()
  const cpuSeconds = await runScript('cp -r "$1" "$2/" && sync -f "$2"', [from, target]).done
  return { seconds: (performance.now() - began) / 1000, cpuSeconds }
}

/** The CPU of the whole process, its other threads idle. */
async function timed(act: () => Promise<void>): Promise<Took> {
  const [began, cpu] = [performance.now(), process.cpuUsage()]
  await act()
  const { user, system } = process.cpuUsage(cpu)
  return { seconds: (performance.now() - began) / 1000, cpuSeconds: (user + system) / 1e6 }
}

/** Runs with a thread of its own, which stands before and ends after what is measured. */
async function withThread<Result>(act: (thread: BackupThread) => Promise<Result>): Promise<Result> {
  const thread = await BackupThread.start()
  try {
    return await act(thread)
  } finally {
    await thread.close()
  }
}

async function backUp(thread: BackupThread, bench: BenchRun, directory: string): Promise<void> {
  await thread.ask({ ask: 'begin-set', directory })
  await thread.ask({ ask: 'copy-database', path: databaseOf(bench), mode: 'snapshot' })
  await thread.ask({
    ask: 'finish-set',
    description: {
      ...{ storageGroup: 'SG1', baseName: 'E00', scope: 'copy', method: 'vss', product: '0.1.0' },
      ...{
        of: { copy: 'active', node: '' },
        closed: asGeneration(1),
        mark: null,
        buildsOn: null,
        begunMs: 0,
        endedMs: 0,
      },
    },
  })
}

async function restore(thread: BackupThread, bench: BenchRun, root: string): Promise<void> {
  const names = { root, storageGroup: 'SG1', baseName: 'E00', databaseName: 'priv1.edb', product: '0.1.0' }
  await thread.ask({ ask: 'restore-sets', restore: { ...names, sets: [setOf(bench)], pointInTime: false } })
}

async function measure(bench: BenchRun, figures: Figures, round: number): Promise<void> {
  const target = join(bench.directory, 'backup-target')
  mkdirSync(target)
  bench.steadyState?.fill()
  const { seconds, cpuSeconds } = await figures.run(bench, target)
  const bytes = statSync(databaseOf(bench)).size
  figures.mbPerSecond.push(bytes / 1e6 / seconds)
  figures.cpuPerGb.push((cpuSeconds * GIGABYTE) / bytes)
  bench.tell(`round ${round + 1}: ${figures.name}: ${(bytes / 1e6 / seconds).toFixed(0)} MB/s`)
  rmSync(target, { recursive: true })
  await pause(SETTLE_MS)
}

function rowOf({ name, verified, mbPerSecond, cpuPerGb }: Figures): Row {
  return {
    contender: name,
    columns: { 'MB/s': spreadOf(mbPerSecond), 'CPU s/GB': spreadOf(cpuPerGb), verified },
    raw: { 'MB/s': mbPerSecond, 'CPU s/GB': cpuPerGb },
  }
}

function resultOf({ options }: BenchRun, all: readonly Figures[]): MeasureResult {
  const of = (name: string): readonly number[] => all.find((figures) => figures.name === name)?.mbPerSecond ?? []
  const ratio = (ours: BackupContender, peer: BackupContender): Ratio => ({
    what: `MB/s: ${ours.name} ÷ ${peer.name}`,
    spread: spreadOf(ratiosByRound(of(ours.name), of(peer.name))),
    target: TARGET,
  })
  return {
    name: 'backup',
    title: 'Backup and restore of a database',
    method:
      `A clean database of ${options.scale.databaseMebibytes} MiB in 8 KB pages, incompressible, warm in the page cache. Backup: copied into a set, every page and the whole verified, synced, manifest written. ` +
      'Restore: a set put into an empty folder, verified on the way. Against them `cp -r` and `sync -f` of the same bytes, in the same rounds, everybody beginning once. The thread stands before (0.1 s).',
    rows: all.map(rowOf),
    ratios: [ratio(BACKUP_CONTENDER, COPY_DATABASE), ratio(RESTORE_CONTENDER, COPY_SET)],
    notes: [],
  }
}
