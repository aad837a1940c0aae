import type { Rules } from '../../sim/rules.ts'
import { ScenarioStage } from '../../sim/scenario-stage.ts'
import { VERSION } from '../version.ts'
import type { Stage } from './stage.ts'

/** The toy world as a stage; it has nothing to close. Other rules than those of the product are for tests. */
export function virtualStage(seed: number | null, rules?: Rules): Stage {
  const stage = new ScenarioStage(seed, VERSION, rules)
  return {
    mode: 'virtual',
    answer: (question) => stage.answer(question),
    trace: () => stage.trace,
    close: async () => undefined,
  }
}
