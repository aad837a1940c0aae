/**
 * `npm run bench`: the product and its peers in turn on the same files, in the steady state of a server. What a measure needs
 * is made before the memory is limited; everything that is compared runs inside the limit.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { BENCH_USAGE, type BenchOptions, readBenchOptions } from './bench-options.ts'
import { makeFastDirectory } from './freed-inodes.ts'
import { describeMachine, fileSystemType } from './machine.ts'
import { BACKLOG_MEMORY, START_UP } from './measures/backlog.ts'
import { BACKUP } from './measures/backup.ts'
import { BACKUP_LOAD } from './measures/backup-load.ts'
import { CATCH_UP } from './measures/catch-up.ts'
import { COMMITS } from './measures/commits.ts'
import { ENGINE_STEPS } from './measures/engine-steps.ts'
import { IDLE_GROUPS } from './measures/idle-groups.ts'
import { LATENCY, LATENCY_SEED, LATENCY_WIDE } from './measures/latency.ts'
import type { BenchRun, Measure } from './measures/measure.ts'
import { REDO } from './measures/redo.ts'
import { SEED } from './measures/seed.ts'
import { SEED_THROTTLE } from './measures/seed-throttle.ts'
import { TRUNCATION } from './measures/truncation.ts'
import { markdownOf, reportLines } from './report.ts'
import type { BenchResult, MeasureResult } from './result.ts'
import { runWithOwnMounts } from './scratch-disk.ts'
import { enterSteadyState } from './steady-state.ts'

const MEASURES: readonly Measure[] = [
  CATCH_UP,
  LATENCY,
  LATENCY_WIDE,
  LATENCY_SEED,
  BACKLOG_MEMORY,
  START_UP,
  IDLE_GROUPS,
  ENGINE_STEPS,
  COMMITS,
  REDO,
  BACKUP,
  BACKUP_LOAD,
  SEED,
  SEED_THROTTLE,
  TRUNCATION,
]

async function main(args: readonly string[]): Promise<number> {
  const startedAt = new Date()
  let options: ReturnType<typeof readBenchOptions>
  try {
    options = readBenchOptions(args, startedAt)
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
  const unknown = options.only.filter((name) => !MEASURES.some((measure) => measure.name === name))
  if (unknown.length > 0) return refuse(`there is no measure named ${unknown.join(', ')}`)
  if (options.list) {
    for (const measure of MEASURES) console.log(measure.name)
    return 0
  }
  if (options.from.length > 0) tellAgain(options)
  else {
    const inside = runWithOwnMounts()
    if (inside !== null) return inside
    keep(options, await runAll(options, startedAt))
  }
  return 0
}

function tellAgain(options: BenchOptions): void {
  // The files were written by this program.
  const results = options.from.map((path) => JSON.parse(readFileSync(path, 'utf8')) as BenchResult)
  const newest = results[results.length - 1]
  if (newest === undefined) return
  const measures = MEASURES.flatMap(({ name }) => {
    const found = results.flatMap((result) =>
      result.measures.filter((measure) => measure.name === name).map((measure) => datedIn(result, newest, measure)),
    )
    return found.slice(-1)
  })
  for (const measure of measures) console.log(reportLines(measure).join('\n'))
  makeMarkdown(options, { ...newest, measures })
}

/** A measure of another commit than the one at the head of the report says so. */
function datedIn({ machine, startedAt }: BenchResult, newest: BenchResult, measure: MeasureResult): MeasureResult {
  if (machine.commit === newest.machine.commit) return measure
  const note = `Measured at commit ${machine.commit}, ${startedAt.slice(0, 16).replace('T', ' ')} UTC.`
  return { ...measure, notes: [...measure.notes, note] }
}

function refuse(message: string): number {
  console.error(`error: ${message}\n${BENCH_USAGE}`)
  return 2
}

async function runAll(options: BenchOptions, startedAt: Date): Promise<BenchResult> {
  const root = mkdtempSync(join(options.directory ?? diskDirectory(), 'ccr-bench-'))
  // Whatever ends the run, the gigabytes of its input go with it.
  process.once('exit', () => rmSync(root, { recursive: true, force: true }))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
  const chosen = MEASURES.filter((measure) => options.only.length === 0 || options.only.includes(measure.name))
  const tell = (text: string): void => console.error(`  ${text}`)
  const directory = await makeFastDirectory(root, tell)
  const measures: MeasureResult[] = []
  const input: BenchRun = { options, directory, steadyState: null, tell }
  let description = ''
  for (const measure of chosen) {
    console.error(measure.name)
    // One after the other: the input of a later measure would push that of an earlier one out of the page cache.
    await measure.prepare(input)
    const steadyState = enterSteadyState(directory)
    description = steadyState.description
    try {
      measures.push(await runMeasure(measure, { ...input, steadyState }))
    } finally {
      steadyState.leave()
    }
  }
  const machine = describeMachine(directory)
  return { machine, startedAt: startedAt.toISOString(), steadyState: description, measures }
}

/** A measure that fails is reported as such; the others still run. */
async function runMeasure(measure: Measure, bench: BenchRun): Promise<MeasureResult> {
  console.error(`  ${bench.steadyState?.description ?? ''}`)
  try {
    const result = await measure.run(bench)
    console.log(reportLines(result).join('\n'))
    return result
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    console.error(`  FAILED: ${reason}`)
    process.exitCode = 1
    const notes = [`Failed: ${reason.split('\n')[0]}`]
    return { name: measure.name, title: measure.name, method: '', rows: [], ratios: [], notes }
  }
}

/** The temporary directory, unless that lies in memory: then the working directory. */
function diskDirectory(): string {
  return fileSystemType(tmpdir()) === 'tmpfs' ? process.cwd() : tmpdir()
}

function keep(options: BenchOptions, result: BenchResult): void {
  mkdirSync(dirname(options.json), { recursive: true })
  writeFileSync(options.json, `${JSON.stringify(result, null, 2)}\n`)
  console.log(`\nresult: ${options.json}`)
  makeMarkdown(options, result)
}

function makeMarkdown(options: BenchOptions, result: BenchResult): void {
  if (options.markdown === null) return
  writeFileSync(options.markdown, markdownOf(result))
  console.log(`table: ${options.markdown}`)
}

process.exitCode = (await main(process.argv.slice(2))) || process.exitCode
