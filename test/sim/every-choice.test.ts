// Goal: in small worlds every combination of faults and moments keeps the promises, not only those that chance finds.
// Method: an odometer over all choices; each fault may strike at most once, time stands on a grid.
import { describe, expect, it } from 'vitest'
import { everyChoice } from '../../sim/choices.ts'
import { type FaultName, type Scenario, smallScenario } from '../../sim/fault.ts'
import type { Rules } from '../../sim/rules.ts'
import { runWorld } from '../../sim/run-world.ts'
import { PLANTED_BUGS } from './planted-bugs.ts'
import { PLANTED_REPLAY_BUGS } from './planted-replay-bugs.ts'

/** More combinations than this are no small world: the test fails instead of running for minutes. */
const COMBINATIONS_MAX = 40_000

interface Walked {
  readonly runs: number
  readonly broken: string
}

function walk(faults: readonly FaultName[], parts: Partial<Scenario> = {}, rules?: Rules): Walked {
  const scenario = smallScenario(faults, { phaseOneMs: 1_300, ...parts })
  const choices = everyChoice()
  do {
    const { violation } = runWorld(choices, { scenario, ...(rules && { rules }) })
    if (violation !== null) return { runs: choices.runs, broken: `${violation.what}: ${violation.detail}` }
  } while (choices.advance() && choices.runs <= COMBINATIONS_MAX)
  return { runs: choices.runs, broken: '' }
}

/** Faults that strike single logs and messages, and those that strike a process at any of its moments. */
const SMALL_WORLDS: readonly (readonly FaultName[])[] = [
  ['wire-flip'],
  ['short-write'],
  ['wire-flip', 'short-write'],
  ['rest-flip'],
  ['sync-error'],
  ['kill-copy'],
  ['power-cut-copy'],
  ['kill-publishing'],
  ['kill-publishing', 'power-cut-copy'],
  ['kill-source'],
  ['power-cut-source'],
  ['lost-message'],
  ['duplicate-message'],
  ['late-message'],
  ['partition'],
  ['deleted-on-source'],
  ['deleted-on-copy'],
  ['held-on-source'],
  ['held-on-copy'],
  ['full-disk-copy'],
  ['full-disk-source'],
  ['vanished-on-copy'],
  ['vanished-on-source'],
  ['late-closing'],
  ['operator'],
]

describe('three logs, one copy, every fault at most once', () => {
  for (const faults of SMALL_WORLDS) {
    it(`every way of ${faults.join(' and ')} keeps the promises`, () => {
      const { runs, broken } = walk(faults)

      expect(broken).toBe('')
      expect(runs).toBeGreaterThan(1)
      expect(runs).toBeLessThanOrEqual(COMBINATIONS_MAX)
    })
  }

  it('every set of survivors of a power cut keeps the promises', () => {
    const { runs, broken } = walk(['power-cut-copy', 'kill-publishing'], { survival: 'any', logs: 2 })

    expect(broken).toBe('')
    expect(runs).toBeLessThanOrEqual(COMBINATIONS_MAX)
  })
})

/** Small worlds whose copy has a database. */
const SMALL_WORLDS_WITH_DATABASES: readonly (readonly FaultName[])[] = [
  ['replay-fails'],
  ['bad-page'],
  ['lost-database'],
  ['rotten-log'],
  ['kill-copy'],
  ['power-cut-copy'],
  ['lost-database', 'kill-copy'],
  ['kill-publishing'],
  ['kill-source'],
  ['deleted-on-copy'],
  ['deleted-on-source'],
  ['sync-error'],
  ['vanished-on-copy'],
  ['lost-message'],
  ['late-message'],
  ['partition'],
  ['operator'],
]

describe('three logs, one copy with a database, every fault at most once', () => {
  for (const faults of SMALL_WORLDS_WITH_DATABASES) {
    it(`every way of ${faults.join(' and ')} keeps the promises`, () => {
      const { runs, broken } = walk(faults, { replays: true })

      expect(broken).toBe('')
      expect(runs).toBeGreaterThan(1)
      expect(runs).toBeLessThanOrEqual(COMBINATIONS_MAX)
    })
  }
})

describe('the same small worlds', () => {
  it('catch a store that does not sync its directory', () => {
    expect(walk(['power-cut-copy'], {}, PLANTED_BUGS['the store does not sync the directory']).broken).not.toBe('')
  })

  it('catch a header that is written before the pages', () => {
    const rules = PLANTED_REPLAY_BUGS['the header is written before the pages']

    expect(walk(['kill-copy'], { replays: true }, rules).broken).not.toBe('')
  })

  it('catch an inspection without a verdict', () => {
    expect(walk(['wire-flip'], {}, PLANTED_BUGS['the verdict of the inspection is skipped']).broken).not.toBe('')
  })
})
