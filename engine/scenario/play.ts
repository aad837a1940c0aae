import { assert } from '../assert.ts'
import { resolveAct } from './act.ts'
import {
  type Evidence,
  type Expectation,
  inMode,
  type Mismatch,
  mismatches,
  namesWanted,
  valueIn,
} from './expectation.ts'
import { evaluate, type Formula, namesIn } from './formula.ts'
import type { Sight } from './sight.ts'
import type { Act, ActRefusal, ScenarioFile, ScenarioMode, ScenarioStep, ScenarioWorld, StepBody } from './step.ts'

/** What a scenario asks of its stage: the toy world, or processes. */
export type StageQuestion =
  | { readonly ask: 'build'; readonly world: ScenarioWorld }
  /** Carry an act out; what is refused is an answer, what fails otherwise is thrown. */
  | { readonly ask: 'act'; readonly act: Act<number> }
  /** Look at what these names and subjects stand for. */
  | { readonly ask: 'look'; readonly names: readonly string[] }
  /** Let time pass, in milliseconds; answers how many milliseconds have passed since the world was built. */
  | { readonly ask: 'pass'; readonly ms: number }
  /** Tell somebody what became of a step. */
  | { readonly ask: 'tell'; readonly result: StepResult }

/** The answer to a question: of an act its refusal or null, of a look a sight, of time a number; null to the others. */
export type StageAnswer = ActRefusal | Sight | number | null

/** What became of a step. */
export interface StepResult {
  readonly place: string
  readonly title: string
  readonly outcome: 'passed' | 'failed'
  /** What was not as expected; empty for a step that passed. */
  readonly mismatches: readonly Mismatch[]
  /** What to know of it besides, such as the refusal of an attempt; `''` for nothing. */
  readonly remark: string
  /** When it ended, in milliseconds of the stage since the world was built. */
  readonly atMs: number
}

/** What became of a scenario. */
export interface ScenarioResult {
  readonly outcome: 'passed' | 'failed' | 'skipped'
  readonly steps: readonly StepResult[]
  /** Steps that were not played because one before them failed, or because the scenario was skipped. */
  readonly notPlayed: readonly ScenarioStep[]
}

/** A scenario under way: it yields a question, its stage answers, and so on to the end. */
export type ScenarioMachine<Result> = Generator<StageQuestion, Result, StageAnswer>

/** Between two looks while something is waited for, in milliseconds. A look at processes costs some requests. */
const LOOK_MS: Readonly<Record<ScenarioMode, number>> = { virtual: 20, real: 100 }
/** As long as time passes at once in real processes, in milliseconds: what needs longer is waited for. */
const REAL_ADVANCE_MS_MAX = 10_000

/**
 * Plays a scenario to its end, or to the first step that fails. An error of the stage, thrown into the machine, fails the step that is
 * under way. In real processes an `advance` in front of a `wait` is left out, since the wait takes as long as it takes.
 */
export function* playScenario(file: ScenarioFile, mode: ScenarioMode): ScenarioMachine<ScenarioResult> {
  const steps = stepsOf(file.steps, mode)
  if (file.only !== null && file.only !== mode) return { outcome: 'skipped', steps: [], notPlayed: steps }
  yield { ask: 'build', world: file.world }
  const results: StepResult[] = []
  const memory: Memory = { mode, bound: new Map(), eventsFrom: 0, exit: 0 }
  for (const [index, step] of steps.entries()) {
    const result = yield* playStep(step, { memory, next: steps[index + 1] ?? null })
    results.push(result)
    yield { ask: 'tell', result }
    if (result.outcome === 'failed') return { outcome: 'failed', steps: results, notPlayed: steps.slice(index + 1) }
  }
  return { outcome: 'passed', steps: results, notPlayed: [] }
}

/** What a scenario remembers from step to step. */
interface Memory {
  readonly mode: ScenarioMode
  readonly bound: Map<string, number>
  eventsFrom: number
  exit: number
}

interface Scene {
  readonly memory: Memory
  readonly next: ScenarioStep | null
}

/** The steps of one mode, in order, without the blocks around them. */
function stepsOf(steps: readonly ScenarioStep[], mode: ScenarioMode): readonly ScenarioStep[] {
  return steps.flatMap((step) => {
    if (step.does.verb !== 'only') return [step]
    return step.does.mode === mode ? stepsOf(step.does.steps, mode) : []
  })
}

interface Came {
  readonly mismatches: readonly Mismatch[]
  readonly remark: string
}

const WENT_WELL: Came = { mismatches: [], remark: '' }

function* playStep(step: ScenarioStep, scene: Scene): ScenarioMachine<StepResult> {
  const { place, title } = step
  let came: Came
  try {
    came = yield* play(step, scene)
  } catch (error) {
    came = wrong(step, 'the step to be carried out', error instanceof Error ? error.message : String(error))
  }
  const outcome = came.mismatches.length === 0 ? 'passed' : 'failed'
  return { place, title, outcome, ...came, atMs: yield* askTime(0) }
}

function* play(step: ScenarioStep, scene: Scene): ScenarioMachine<Came> {
  const { does } = step
  const { memory } = scene
  switch (does.verb) {
    case 'act':
    case 'attempt':
      return yield* playAct(step, does, memory)
    case 'expect':
      return yield* playExpect(does.expectations, memory)
    case 'wait':
      return yield* playWait(does, memory)
    case 'advance':
      return yield* playAdvance(does.ms, scene)
    case 'let':
      return yield* playLet(step, does, memory)
    case 'only':
      return WENT_WELL // stepsOf has put its steps in its place
  }
}

function* playAct(
  step: ScenarioStep,
  does: Extract<StepBody, { verb: 'act' | 'attempt' }>,
  memory: Memory,
): ScenarioMachine<Came> {
  const names: string[] = []
  resolveAct(does.act, (formula: Formula) => {
    names.push(...namesIn(formula).map(({ name }) => name))
    return 0
  })
  const sight = names.length === 0 ? null : yield* askLook(names)
  const unknown: string[] = []
  const act = resolveAct(does.act, (formula) => {
    const value = evaluate(formula, numberOf(sight, memory))
    if (typeof value === 'number') return value
    unknown.push(value)
    return 0
  })
  if (unknown.length > 0) return wrong(step, 'numbers', `${unknown.join(', ')} is not known at this time`)
  const refusal = yield* askAct(act)
  memory.exit = refusal?.exit ?? 0
  return does.verb === 'act' ? judgeAct(step, refusal) : judgeAttempt(step, does, refusal)
}

function judgeAct(step: ScenarioStep, refusal: ActRefusal | null): Came {
  return refusal === null ? WENT_WELL : wrong(step, 'done', refusalText(refusal))
}

function judgeAttempt(
  step: ScenarioStep,
  { refused, says }: Extract<StepBody, { verb: 'attempt' }>,
  refusal: ActRefusal | null,
): Came {
  const expected = `refused with ${refused}${says === '' ? '' : `, saying ${says}`}`
  if (refusal === null) return wrong(step, expected, 'done')
  const remark = refusalText(refusal)
  const isSaid = refusal.message.includes(says)
  return isSaid && (refused === refusal.code || refused === refusal.eseError)
    ? { mismatches: [], remark }
    : wrong(step, expected, remark)
}

function refusalText({ code, eseError, message }: ActRefusal): string {
  return `refused (${code}${eseError === 0 ? '' : `, ${eseError}`}): ${message}`
}

function* playExpect(written: readonly Expectation[], memory: Memory): ScenarioMachine<Came> {
  const expectations = inMode(written, memory.mode)
  const sight = yield* askLook(namesWanted(expectations))
  const found = mismatches(expectations, evidenceOf(sight, memory))
  noteEvents(expectations, sight, memory)
  return { mismatches: found, remark: '' }
}

function* playWait(does: Extract<StepBody, { verb: 'wait' }>, memory: Memory): ScenarioMachine<Came> {
  const until = inMode(does.until, memory.mode)
  const names = namesWanted(until)
  const beganMs = yield* askTime(0)
  for (let nowMs = beganMs; ; nowMs = yield* askTime(LOOK_MS[memory.mode])) {
    const sight = yield* askLook(names)
    const found = mismatches(until, evidenceOf(sight, memory))
    if (found.length === 0) {
      noteEvents(until, sight, memory)
      return { mismatches: [], remark: `after ${nowMs - beganMs} ms` }
    }
    if (nowMs - beganMs >= does.withinMs) return { mismatches: found, remark: `waited ${does.withinMs} ms` }
  }
}

function* playAdvance(ms: number, { memory, next }: Scene): ScenarioMachine<Came> {
  if (memory.mode === 'virtual') yield* askTime(ms)
  else if (next?.does.verb !== 'wait') yield* askTime(Math.min(ms, REAL_ADVANCE_MS_MAX))
  return WENT_WELL
}

function* playLet(step: ScenarioStep, does: Extract<StepBody, { verb: 'let' }>, memory: Memory): ScenarioMachine<Came> {
  const sight = yield* askLook(does.bindings.flatMap(({ formula }) => namesIn(formula).map(({ name }) => name)))
  for (const { name, formula } of does.bindings) {
    const value = evaluate(formula, numberOf(sight, memory))
    if (typeof value === 'string') return wrong(step, `a number for ${name}`, `${value} is not known at this time`)
    memory.bound.set(name, value)
  }
  return { mismatches: [], remark: does.bindings.map(({ name }) => `${name} is ${memory.bound.get(name)}`).join(', ') }
}

function noteEvents(expectations: readonly Expectation[], sight: Sight, memory: Memory): void {
  if (expectations.some(({ test }) => test.kind === 'events')) memory.eventsFrom = sight.events.length
}

function evidenceOf(sight: Sight, { bound, eventsFrom, exit, mode }: Memory): Evidence {
  return { sight, bound, eventsFrom, exit, mode }
}

function numberOf(sight: Sight | null, { bound }: Memory): (name: string) => number | undefined {
  return sight === null ? (name) => bound.get(name) : valueIn({ sight, bound })
}

function wrong({ place, title }: ScenarioStep, expected: string, actual: string): Came {
  return { mismatches: [{ place, subject: title, expected, actual }], remark: '' }
}

function* askAct(act: Act<number>): ScenarioMachine<ActRefusal | null> {
  const answer = yield { ask: 'act', act }
  assert(answer === null || (typeof answer === 'object' && 'code' in answer), 'an act is refused or done')
  return answer
}

function* askLook(names: readonly string[]): ScenarioMachine<Sight> {
  const answer = yield { ask: 'look', names: [...new Set(names)] }
  assert(answer !== null && typeof answer === 'object' && 'numbers' in answer, 'a look is answered by a sight')
  return answer
}

function* askTime(ms: number): ScenarioMachine<number> {
  const answer = yield { ask: 'pass', ms }
  assert(typeof answer === 'number', 'time is a number')
  return answer
}
