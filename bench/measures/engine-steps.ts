import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { MeasureResult } from '../result.ts'
import { spreadOf } from '../statistics.ts'
import type { BenchRun, Measure } from './measure.ts'

/** Steps of the pure rules in the toy world, on one core. */
export const ENGINE_STEPS: Measure = {
  name: 'engine-steps',
  prepare: () => Promise.resolve(),
  run: (bench) => {
    const program = fileURLToPath(new URL('../engine-steps.js', import.meta.url))
    if (!existsSync(program)) return Promise.resolve(resultOf([], ['bench/engine-steps.ts is not there.']))
    const rates = Array.from({ length: bench.options.runs }, (_, round) => runOnce(bench, program, round))
    return Promise.resolve(resultOf(rates, []))
  },
}

function runOnce(bench: BenchRun, program: string, round: number): number {
  const { stdout, stderr, status } = spawnSync(process.execPath, [program], { encoding: 'utf8' })
  const rate = stepsPerSecond(stdout)
  if (status !== 0 || rate === null) throw new Error(`engine-steps failed (${status}):\n${stdout}\n${stderr}`)
  bench.tell(`round ${round + 1}: ${rate.toFixed(0)} steps/s`)
  return rate
}

/** The number before "steps/s" (or "steps per second") in what the program printed, separators of thousands taken out. */
function stepsPerSecond(text: string): number | null {
  const figure = /([\d,. ]*\d)\s*steps(?:\/s| per second| a second)/i.exec(text)?.[1]
  return figure === undefined ? null : Number(figure.replace(/[, ]/g, ''))
}

function resultOf(rates: readonly number[], notes: readonly string[]): MeasureResult {
  return {
    name: 'engine-steps',
    title: 'Engine alone',
    method: 'Steps a second of the rules in the toy world, one core, no I/O.',
    rows:
      rates.length === 0
        ? []
        : [{ contender: 'engine', columns: { 'steps/s': spreadOf(rates) }, raw: { 'steps/s': rates } }],
    ratios: [],
    notes: ['To reach: ≥ 200,000; then 500,000.', ...notes],
  }
}
