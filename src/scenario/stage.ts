import {
  playScenario,
  type ScenarioResult,
  type StageAnswer,
  type StageQuestion,
  type StepResult,
} from '../../engine/scenario/play.ts'
import type { ScenarioFile, ScenarioMode } from '../../engine/scenario/step.ts'

/** Where scenarios are played: it answers what the machine of a scenario asks. */
export interface Stage {
  readonly mode: ScenarioMode
  readonly answer: (question: Exclude<StageQuestion, { ask: 'tell' }>) => StageAnswer | Promise<StageAnswer>
  /** What happened last, for whoever looks into a failure. */
  readonly trace: () => readonly string[] | Promise<readonly string[]>
  /** Ends everything that it has started, and removes what it has made. Idempotent. */
  readonly close: () => Promise<void>
}

/** Plays a scenario on a stage. Errors: those of the stage while it is built; later ones fail the step under way. */
export async function playOn(
  stage: Stage,
  file: ScenarioFile,
  onStep: (result: StepResult) => void,
): Promise<ScenarioResult> {
  const machine = playScenario(file, stage.mode)
  let next = machine.next()
  while (next.done !== true) {
    const question = next.value
    if (question.ask === 'tell') {
      onStep(question.result)
      next = machine.next(null)
    } else next = await answered(stage, question).then((resume) => resume(machine))
  }
  return next.value
}

type Machine = ReturnType<typeof playScenario>

/** How the machine goes on: with the answer, or with the error that came instead. */
async function answered(
  stage: Stage,
  question: Exclude<StageQuestion, { ask: 'tell' }>,
): Promise<(machine: Machine) => ReturnType<Machine['next']>> {
  try {
    const answer = await stage.answer(question)
    return (machine) => machine.next(answer)
  } catch (error) {
    return (machine) => machine.throw(error)
  }
}
