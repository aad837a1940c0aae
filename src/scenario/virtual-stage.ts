import { ScenarioStage } from '../../sim/scenario-stage.ts'
import { VERSION } from '../version.ts'
import type { Stage } from './stage.ts'

/** The toy world as a stage; it has nothing to close. */
export function virtualStage(seed: number | null): Stage {
  const stage = new ScenarioStage(seed, VERSION)
  return {
    mode: 'virtual',
    answer: (question) => stage.answer(question),
    trace: () => stage.trace,
    close: async () => undefined,
  }
}
