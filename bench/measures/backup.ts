import { statSync } from 'node:fs'
import { join } from 'node:path'
import { asGeneration } from '../../engine/generation.ts'
import type { BackupThread } from '../../src/backup/backup-thread.ts'
import { runScript } from '../command.ts'
import {
  copyAndSync,
  type DatabaseContender,
  type DatabaseFigures,
  playRounds,
  rowOf,
  timed,
  withThread,
} from '../database-contender.ts'
import { makeDatabase } from '../database-file.ts'
import type { MeasureResult, Ratio } from '../result.ts'
import { ratiosByRound, spreadOf } from '../statistics.ts'
import type { BenchRun, Measure } from './measure.ts'

const TARGET = '≥ 0.8'

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
    const bytes = statSync(databaseOf(bench)).size
    return resultOf(bench, await playRounds(bench, CONTENDERS, bytes))
  },
}

const BACKUP_CONTENDER: DatabaseContender = {
  name: 'ccr: backup (snapshot)',
  verified: 'every page, and xxh64',
  run: (bench, target) => withThread((thread) => timed(() => backUp(thread, bench, join(target, 'set')))),
}
const COPY_DATABASE: DatabaseContender = {
  name: 'cp + syncfs of the database',
  verified: 'no',
  run: (bench, target) => copyAndSync(databaseOf(bench), target),
}
const RESTORE_CONTENDER: DatabaseContender = {
  name: 'ccr: restore',
  verified: 'every page, and xxh64',
  run: (bench, target) => withThread((thread) => timed(() => restore(thread, bench, join(target, 'SG1')))),
}
const COPY_SET: DatabaseContender = {
  name: 'cp + syncfs of the set',
  verified: 'no',
  run: (bench, target) => copyAndSync(`${setOf(bench)}/.`, target),
}
const CONTENDERS: readonly DatabaseContender[] = [COPY_DATABASE, BACKUP_CONTENDER, COPY_SET, RESTORE_CONTENDER]

function databaseOf({ directory }: BenchRun): string {
  return join(directory, 'backup-source', 'priv1.edb')
}

function setOf({ directory }: BenchRun): string {
  return join(directory, 'backup-set')
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

function resultOf({ options }: BenchRun, all: readonly DatabaseFigures[]): MeasureResult {
  const of = (name: string): readonly number[] => all.find((figures) => figures.name === name)?.mbPerSecond ?? []
  const ratio = (ours: DatabaseContender, peer: DatabaseContender): Ratio => ({
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
