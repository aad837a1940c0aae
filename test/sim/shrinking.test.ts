// Goal: any schedule whatever keeps the promises, and a schedule that breaks one shrinks to what the failure needs.
// Method: fast-check draws and shrinks the list of choices itself; our own shrinking is tried on a planted bug.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { listedChoices } from '../../sim/choices.ts'
import { explainFailure } from '../../sim/explain-failure.ts'
import { FAULT_NAMES, type FaultName, isDrawn, ratesOf, type Scenario, smallScenario } from '../../sim/fault.ts'
import { type RunResult, runWorld } from '../../sim/run-world.ts'
import { shrinkChoices } from '../../sim/shrink.ts'
import { PLANTED_BUGS } from './planted-bugs.ts'

/** Faults of single logs and messages: they strike at each. All others are asked for at every look of the clock. */
const SPOT_FAULTS: readonly FaultName[] = [
  'wire-flip',
  'short-write',
  'late-message',
  'duplicate-message',
  'held-on-copy',
]

/** Every fault of such a world is on, a short first phase: lists of some hundred choices decide all of it. */
const ROUGH: Scenario = {
  ...smallScenario(FAULT_NAMES, {}),
  copies: 2,
  logs: 12,
  rates: ratesOf((fault) => (!isDrawn(fault, 'logs') ? 0 : SPOT_FAULTS.includes(fault) ? 100 : 15)),
  strikesMax: Number.POSITIVE_INFINITY,
  survival: 'any',
  jitterMs: 5,
  phaseOneMs: 4_000,
}

// Without a size fast-check draws lists of some ten choices, which decide nothing.
const schedules = fc.array(fc.nat({ max: 999 }), { minLength: 100, maxLength: 800, size: 'max' })

describe('any schedule', () => {
  it('keeps every promise', () => {
    fc.assert(
      fc.property(schedules, (list) => {
        const { violation } = runWorld(listedChoices(list), { scenario: ROUGH })
        expect(violation).toBeNull()
      }),
      // A counterexample is shrunk for a minute at most.
      { numRuns: 300, interruptAfterTimeLimit: 60_000, markInterruptAsFailure: true },
    )
  })
})

describe('a schedule that breaks a promise', () => {
  const rules = PLANTED_BUGS['the verdict of the inspection is skipped']
  const play = (list: readonly number[]): RunResult =>
    runWorld(listedChoices(list), { scenario: ROUGH, ...(rules && { rules }) })

  it('is shrunk by fast-check to a single choice that is not calm', () => {
    const found = fc.check(
      fc.property(schedules, (list) => play(list).violation === null),
      { numRuns: 200, seed: 7 },
    )
    const counterexample = found.counterexample?.[0] ?? []

    expect(found.failed).toBe(true)
    expect(counterexample.filter((choice) => choice !== 0).length).toBeLessThanOrEqual(3)
  })

  it('is shrunk by ourselves, without a property test at hand', () => {
    const noisy = Array.from({ length: 400 }, (_, index) => (index * 7919) % 1000)

    const calmest = shrinkChoices(noisy, (list) => play(list).violation !== null)

    expect(play(noisy).violation).not.toBeNull()
    expect(play(calmest).violation).not.toBeNull()
    expect(calmest.filter((choice) => choice !== 0).length).toBeLessThanOrEqual(3)
  })

  it('is explained with its seed, its scenario, its choices and its last moments', () => {
    const text = explainFailure(2, rules)

    expect(text).toMatch(/^seed 2: I12 corruption: log \d+ of copy\d is not the true one \(at \d+ ms\)/)
    expect(text).toMatch(/\ncopies \d, expected \d, logs \d+/)
    expect(text).toMatch(/choices are not calm: \d+:\d+/)
    expect(text).toMatch(/world +broken: I12 corruption/)
    expect(text).toMatch(/replay: SIM_SEED=2 SIM_RUNS=1 SIM_TRACE=1 SIM_WORLD=logs npm run sim$/)
  })
})
