import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { BackupThread } from '../src/backup/backup-thread.ts'
import { pause, runScript } from './command.ts'
import type { BenchRun } from './measures/measure.ts'
import type { Row } from './result.ts'
import { spreadOf } from './statistics.ts'

/** Somebody who brings the bytes of a database somewhere. */
export interface DatabaseContender {
  readonly name: string
  readonly verified: string
  /** Does its work below `target`, which is empty, and answers what it took. */
  readonly run: (bench: BenchRun, target: string) => Promise<Took>
}

/** What a run took. */
export interface Took {
  readonly seconds: number
  readonly cpuSeconds: number
}

/** What a contender came to, by round. */
export interface DatabaseFigures extends DatabaseContender {
  readonly mbPerSecond: number[]
  readonly cpuPerGb: number[]
}

/** What a freed gigabyte costs the disk must not fall into the next run. */
const SETTLE_MS = 3_000
const GIGABYTE = 1e9

/** Everybody once in each round; another one begins each time, so that nobody always follows the same neighbour. */
export async function playRounds(
  bench: BenchRun,
  contenders: readonly DatabaseContender[],
  bytes: number,
): Promise<readonly DatabaseFigures[]> {
  const all: DatabaseFigures[] = contenders.map((each) => ({ ...each, mbPerSecond: [], cpuPerGb: [] }))
  for (let round = 0; round < bench.options.runs; round++)
    for (let index = 0; index < all.length; index++) {
      const contender = all[(index + round) % all.length]
      if (contender !== undefined) await measure(bench, contender, { round, bytes })
    }
  return all
}

async function measure(
  bench: BenchRun,
  figures: DatabaseFigures,
  { round, bytes }: { readonly round: number; readonly bytes: number },
): Promise<void> {
  const target = join(bench.directory, 'database-target')
  mkdirSync(target)
  bench.steadyState?.fill()
  const { seconds, cpuSeconds } = await figures.run(bench, target)
  figures.mbPerSecond.push(bytes / 1e6 / seconds)
  figures.cpuPerGb.push((cpuSeconds * GIGABYTE) / bytes)
  bench.tell(`round ${round + 1}: ${figures.name}: ${(bytes / 1e6 / seconds).toFixed(0)} MB/s`)
  rmSync(target, { recursive: true })
  await pause(SETTLE_MS)
}

/** A contender's row of the table. */
export function rowOf({ name, verified, mbPerSecond, cpuPerGb }: DatabaseFigures): Row {
  return {
    contender: name,
    columns: { 'MB/s': spreadOf(mbPerSecond), 'CPU s/GB': spreadOf(cpuPerGb), verified },
    raw: { 'MB/s': mbPerSecond, 'CPU s/GB': cpuPerGb },
  }
}

/** A plain copy that is durable at its end. */
export async function copyAndSync(from: string, target: string): Promise<Took> {
  const began = performance.now()
  const cpuSeconds = await runScript('cp -r "$1" "$2/" && sync -f "$2"', [from, target]).done
  return { seconds: (performance.now() - began) / 1000, cpuSeconds }
}

/** The CPU of the whole process, its other threads idle. */
export async function timed(act: () => Promise<void>): Promise<Took> {
  const [began, cpu] = [performance.now(), process.cpuUsage()]
  await act()
  const { user, system } = process.cpuUsage(cpu)
  return { seconds: (performance.now() - began) / 1000, cpuSeconds: (user + system) / 1e6 }
}

/** Runs with a thread of its own, which stands before and ends after what is measured. */
export async function withThread<Result>(act: (thread: BackupThread) => Promise<Result>): Promise<Result> {
  const thread = await BackupThread.start()
  try {
    return await act(thread)
  } finally {
    await thread.close()
  }
}
