import { listedChoices, recordedChoices, seededChoices } from './choices.ts'
import { WORLD_STARTS_MS } from './core.ts'
import { describeScenario, drawScenario, type WorldKind } from './fault.ts'
import type { Rules } from './rules.ts'
import { type RunResult, runWorld } from './run-world.ts'
import { describeChoices, shrinkChoices } from './shrink.ts'

/** Lines of the trace that a failure prints: its last moments. */
const TRACE_LINES = 60

/**
 * Everything that a person needs of a failing seed: what broke, the scenario, the choices that it takes, and the last lines
 * of the trace of the calmest run that still fails in the same way. `''` for a seed that does not fail.
 */
export function explainFailure(seed: number, rules?: Rules, kind: WorldKind = 'logs'): string {
  const options = rules === undefined ? {} : { rules }
  const choices = seededChoices(seed)
  const scenario = drawScenario(choices, kind)
  const recorded = recordedChoices(choices)
  const found = runWorld(recorded, { ...options, scenario })
  if (found.violation === null) return ''
  const what = found.violation.what
  const play = (list: readonly number[], tell?: (line: string) => void): RunResult =>
    runWorld(listedChoices(list), { ...options, scenario, ...(tell && { tell }) })
  const calmest = shrinkChoices(recorded.made, (list) => play(list).violation?.what === what)
  const lines: string[] = []
  const { violation } = play(calmest, (line) => lines.push(line))
  return [
    `seed ${seed}: ${found.violation.what}: ${found.violation.detail} (at ${found.violation.atMs - WORLD_STARTS_MS} ms)`,
    describeScenario(scenario),
    `calmest: ${violation?.detail ?? 'does not fail alone'}; ${describeChoices(calmest)}`,
    ...lines.slice(-TRACE_LINES),
    `replay: SIM_SEED=${seed} SIM_RUNS=1 SIM_TRACE=1 SIM_WORLD=${kind} npm run sim`,
  ].join('\n')
}
