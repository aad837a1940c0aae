import { mkdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { BackupThread } from '../../src/backup/backup-thread.ts'
import { SharedRate } from '../../workers/shared-rate.ts'
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
import { rsyncMissing, startRsyncDaemon } from '../peers/rsync.ts'
import type { MeasureResult, Ratio } from '../result.ts'
import { startSeedSource } from '../seed-source.ts'
import { ratiosByRound, spreadOf } from '../statistics.ts'
import type { BenchRun, Measure } from './measure.ts'

/** Storage groups that are seeded side by side. */
const SIDE_BY_SIDE = 4

/** The seed of one database, and of four at a time, against a plain copy and rsync. */
export const SEED: Measure = {
  name: 'seed',
  prepare: async (bench) => {
    const { databaseMebibytes } = bench.options.scale
    bench.tell(`making databases of ${databaseMebibytes} MiB together, twice`)
    makeDatabase(wholeOf(bench), databaseMebibytes)
    for (let part = 1; part <= SIDE_BY_SIDE; part++)
      makeDatabase(partOf(bench, part), Math.max(1, Math.floor(databaseMebibytes / SIDE_BY_SIDE)))
    await runScript('cat "$1"/*/*.edb > /dev/null', [join(bench.directory, 'seed-source')]).done
  },
  run: async (bench) => {
    const databases = new Map([['SG0', wholeOf(bench)]])
    for (let part = 1; part <= SIDE_BY_SIDE; part++) databases.set(`SG${part}`, partOf(bench, part))
    const source = await startSeedSource(bench.directory, databases)
    const rsync = rsyncMissing() === null ? await rsyncContender(bench) : null
    const ours = seedContender('ccr: seed', [source.url('SG0')])
    const urls = Array.from({ length: SIDE_BY_SIDE }, (_, index) => source.url(`SG${index + 1}`))
    const parallel = seedContender(`ccr: ${SIDE_BY_SIDE} seeds side by side`, urls)
    const contenders = [ours, COPY, ...(rsync === null ? [] : [rsync.contender]), parallel]
    try {
      return resultOf(bench, await playRounds(bench, contenders, statSync(wholeOf(bench)).size))
    } finally {
      await source.close()
      await rsync?.close()
    }
  },
}

const COPY: DatabaseContender = {
  name: 'cp + syncfs',
  verified: 'no',
  run: (bench, target) => copyAndSync(wholeOf(bench), target),
}

function seedContender(name: string, urls: readonly string[]): DatabaseContender {
  const rate = new SharedRate()
  return {
    name,
    verified: 'every page',
    run: (_bench, target) => seedAll(urls, target, rate),
  }
}

async function seedAll(urls: readonly string[], target: string, rate: SharedRate): ReturnType<typeof timed> {
  const [first, ...others] = urls
  if (first === undefined) return await timed(async () => undefined)
  // Threads stand inside of each other, so that all of them are there before the clock runs.
  return await withThread(async (thread) => {
    const to = (index: number): string => join(target, `priv${index}.edb`)
    const read = async (on: typeof thread, url: string, index: number): Promise<void> => {
      await on.ask({ ask: 'read-seed', sourceUrl: url, session: 1, to: to(index), rate: rate.memory })
    }
    if (others.length === 0) return await timed(() => read(thread, first, 0))
    const threads = await Promise.all(others.map(() => BackupThread.start()))
    try {
      return await timed(async () => {
        await Promise.all([
          read(thread, first, 0),
          ...others.map((url, index) => read(threads[index] ?? thread, url, index + 1)),
        ])
      })
    } finally {
      await Promise.all(threads.map((each) => each.close()))
    }
  })
}

async function rsyncContender(bench: BenchRun): Promise<{ contender: DatabaseContender; close: () => Promise<void> }> {
  const scratch = join(bench.directory, 'seed-rsync')
  mkdirSync(scratch)
  const served = { module: 'db', path: join(bench.directory, 'seed-source', 'SG0'), readOnly: true }
  const { daemon, port } = await startRsyncDaemon(scratch, served)
  const contender: DatabaseContender = {
    name: 'rsync daemon --fsync',
    verified: 'yes (its own checksum)',
    run: async (_bench, target) => {
      const began = performance.now()
      const pull = runScript('rsync --whole-file --fsync "$1" "$2/"', [
        `rsync://127.0.0.1:${port}/db/priv1.edb`,
        target,
      ])
      const cpuSeconds = await pull.done
      return { seconds: (performance.now() - began) / 1000, cpuSeconds }
    },
  }
  return { contender, close: () => daemon.stop() }
}

function wholeOf({ directory }: BenchRun): string {
  return join(directory, 'seed-source', 'SG0', 'priv1.edb')
}

function partOf({ directory }: BenchRun, part: number): string {
  return join(directory, 'seed-source', `SG${part}`, 'priv1.edb')
}

function resultOf({ options }: BenchRun, all: readonly DatabaseFigures[]): MeasureResult {
  const [ours, copy] = all
  const rsync = all.find(({ name }) => name.startsWith('rsync'))
  const parallel = all.at(-1)
  const ratio = (of: DatabaseFigures | undefined, to: DatabaseFigures | undefined, target: string): Ratio[] =>
    of === undefined || to === undefined
      ? []
      : [
          {
            what: `MB/s: ${of.name} ÷ ${to.name}`,
            spread: spreadOf(ratiosByRound(of.mbPerSecond, to.mbPerSecond)),
            target,
          },
        ]
  return {
    name: 'seed',
    title: 'Seed of a database',
    method:
      `A database of ${options.scale.databaseMebibytes} MiB in 8 KB pages, incompressible, warm in the page cache, and four of a quarter of that. ` +
      'Ours: the listener of a source serves it, a thread of a copy reads, verifies and writes it; durable at the end; both in one process, whose CPU is told. rsync: a daemon serves it, a client pulls it with --whole-file --fsync; CPU of the client alone. Everybody begins once.',
    rows: all.map(rowOf),
    ratios: [
      ...ratio(ours, rsync, '≥ 1.5, then 2.0'),
      ...ratio(ours, copy, '≥ 0.6, then 0.85'),
      ...ratio(parallel, ours, '≥ 1.0'),
    ],
    notes: [],
  }
}
