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
  run: (bench: BenchRun) => {
    const program = fileURLToPath(new URL('../engine-steps.js', import.meta.url))
    if (!existsSync(program)) return Promise.resolve(resultOf(new Map(), ['bench/engine-steps.ts is not there.']))
    const rates = new Map<string, number[]>()
    for (let round = 0; round < bench.options.runs; round++)
      for (const { name, perSecond } of runOnce(program)) {
        bench.tell(`round ${round + 1}: ${name}: ${perSecond.toLocaleString('en-US')} steps/s`)
        rates.set(name, [...(rates.get(name) ?? []), perSecond])
      }
    return Promise.resolve(resultOf(rates, []))
  },
}

interface Rate {
  readonly name: string
  readonly perSecond: number
}

/** The program ends with 1 when it misses what it should reach; its figures are good all the same. */
function runOnce(program: string): Rate[] {
  const { stdout, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8' })
  const rates = [...stdout.matchAll(/^(\S.*?)\s{2,}([\d,]+) steps\/s/gm)].map(([, name = '', figure = '']) => ({
    name,
    perSecond: Number(figure.replaceAll(',', '')),
  }))
  if (rates.length === 0) throw new Error(`engine-steps tells no figure:\n${stdout}\n${stderr}`)
  return rates
}

function resultOf(rates: ReadonlyMap<string, readonly number[]>, notes: readonly string[]): MeasureResult {
  return {
    name: 'engine-steps',
    title: 'Engine alone',
    method:
      'Steps of the pure rules in a second of CPU, one core, no I/O; each value is the median of the rounds of one run.',
    rows: [...rates].map(([contender, values]) => ({
      contender,
      columns: { 'steps/s': spreadOf(values) },
      raw: { 'steps/s': values },
    })),
    ratios: [],
    notes: ['To reach in the toy world: ≥ 200,000; then 500,000.', ...notes],
  }
}
