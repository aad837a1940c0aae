// Goal: whatever an operator restores, and in whatever order copies are suspended, emptied and resumed, no log is lost that only the
// source has, and copies that were put right converge.
// Method: random acts in a calm toy world whose oracle knows the logs of every stream; the same with a source that forgets streams.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { asGeneration, nextGeneration } from '../../engine/generation.ts'
import { stepSource } from '../../engine/source/source-instance.ts'
import { listedChoices } from '../../sim/choices.ts'
import type { CopyNode } from '../../sim/copy-node.ts'
import { CALM_SCENARIO } from '../../sim/fault.ts'
import { Mischief } from '../../sim/mischief.ts'
import { Operator } from '../../sim/operator.ts'
import { ENGINE_RULES, type Rules } from '../../sim/rules.ts'
import { World } from '../../sim/world.ts'

const who = fc.nat({ max: 1 })
const act = fc.oneof(
  { weight: 4, arbitrary: fc.record({ act: fc.constant('close' as const), logs: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 2_500 }) }) },
  { weight: 3, arbitrary: fc.record({ act: fc.constantFrom('suspend' as const, 'resume' as const), who }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('mark' as const) }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('restore' as const), back: fc.integer({ min: 1, max: 6 }) }) },
  {
    weight: 1,
    arbitrary: fc.record({ act: fc.constantFrom('kill' as const, 'partition' as const, 'heal' as const), who }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('empty' as const), who }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('kill-source' as const) }) },
)
type Act = typeof act extends fc.Arbitrary<infer One> ? One : never

/** A source that takes every report for one about its present stream. */
const FORGETS_STREAMS: Rules = {
  ...ENGINE_RULES,
  stepSource: (state, fact) =>
    stepSource(
      state,
      fact.kind === 'copy-reported' ? { ...fact, report: { ...fact.report, stream: state.stream } } : fact,
    ),
}

class Play {
  readonly world: World
  readonly #operator: Operator
  readonly #mischief: Mischief

  constructor(replays: boolean, rules: Rules) {
    const scenario = { ...CALM_SCENARIO, copies: 2, copiesExpected: 1, replays }
    this.world = new World({ scenario, choices: listedChoices([]), rules })
    this.#operator = new Operator(this.world)
    this.#mischief = new Mischief(this.world)
    this.world.start()
    this.wait(500)
  }

  wait(ms: number): void {
    this.world.runUntil(this.world.core.nowMs + ms)
  }

  do(one: Act): void {
    const { world } = this
    switch (one.act) {
      case 'close':
        for (let n = 0; n < one.logs; n++) world.close(nextGeneration(world.generated))
        this.wait(20)
        return
      case 'wait':
        this.wait(one.ms)
        return
      case 'mark':
        this.#operator.mark(world.generated)
        return
      case 'restore':
        if (world.generated > one.back) world.restore(asGeneration(world.generated - one.back))
        return
      case 'kill-source':
        world.source.die(false)
        return
      default:
        this.#toCopy(one.act, one.who)
        return
    }
  }

  /** Suspends a copy, takes what is there away where it is not what the source has, and resumes it. */
  putRight(copy: CopyNode): void {
    this.#operator.suspend(copy, null)
    this.wait(200)
    if (copy.disk.database !== null) this.#mischief.seedByHand(copy)
    else this.#mischief.emptyCopy(copy)
    this.#operator.resume(copy)
  }

  /** Suspends and resumes every copy, and does nothing else: it has to find out by itself what it has. */
  lookAgain(): void {
    const { world } = this
    for (const link of world.links) link.heal()
    this.wait(20_000)
    for (const copy of world.copies) {
      this.#operator.suspend(copy, null)
      this.wait(200)
      this.#operator.resume(copy)
    }
    this.wait(20_000)
    // More than any restore took back.
    for (let n = 0; n < 200; n++) world.close(nextGeneration(world.generated))
    this.wait(40_000)
  }

  /** Whether everything that a copy has is what its source has, in its logs and in its database. */
  isEqual(copy: CopyNode): boolean {
    const { truth } = this.world.oracle
    const names = copy.logs.sortedNames().filter((generation) => generation >= copy.disk.truncatedBelow)
    const isTrue = names.every((generation) => copy.logs.get(generation)?.log === truth.get(generation))
    return isTrue && (copy.database?.firstUntrue(truth) ?? null) === null && names.at(-1) === this.world.generated
  }

  finish(): void {
    const { world } = this
    for (const link of world.links) link.heal()
    this.wait(20_000)
    for (const copy of world.copies) this.putRight(copy)
    this.wait(2_000)
    world.close(nextGeneration(world.generated))
    this.wait(20_000)
    this.#operator.mark(world.generated)
    this.wait(20_000)
  }

  #toCopy(what: Extract<Act, { who: number }>['act'], number: number): void {
    const [copy, link] = [this.world.copies[number], this.world.links[number]]
    if (copy === undefined || link === undefined) return
    switch (what) {
      case 'suspend':
        this.#operator.suspend(copy, null)
        this.wait(50)
        return
      case 'resume':
        this.#operator.resume(copy)
        return
      case 'kill':
        copy.die(false)
        return
      case 'partition':
        link.partition()
        return
      case 'heal':
        link.heal()
        return
      case 'empty':
        if (copy.isUp && copy.state.suspension !== null) this.#mischief.emptyCopy(copy)
    }
  }
}

function play(acts: readonly Act[], replays: boolean, rules: Rules = ENGINE_RULES): Play {
  const stage = new Play(replays, rules)
  for (const one of acts) stage.do(one)
  return stage
}

describe.each([false, true])('restores at any time, copies with databases: %s', (replays) => {
  const acts = fc.array(act, { minLength: 5, maxLength: 40 })

  it('lose nothing, and copies that were put right have everything again', () => {
    fc.assert(
      fc.property(acts, (list) => {
        const stage = play(list, replays)
        stage.finish()

        const { world } = stage
        expect(world.core.violation).toBeNull()
        expect(world.copies.map(({ state }) => [state.inspected, state.failure])).toEqual(
          world.copies.map(() => [world.generated, null]),
        )
        expect(world.source.disk.lowest).toBe(0)
      }),
      { numRuns: 150 },
    )
  })

  it('leave every copy that has looked equal to its source, or Failed', () => {
    fc.assert(
      fc.property(acts, (list) => {
        const stage = play(list, replays)
        stage.lookAgain()

        const { world } = stage
        expect(world.core.violation).toBeNull()
        for (const copy of world.copies)
          expect([copy.label, stage.isEqual(copy), copy.state.failure?.kind ?? 'none']).toEqual(
            copy.state.failure === null
              ? [copy.label, true, 'none']
              : [copy.label, expect.anything(), expect.stringMatching('permanent|missing')],
          )
      }),
      { numRuns: 150 },
    )
  })

  it('lose logs where the source forgets which stream a report is about', () => {
    const found = fc.check(
      fc.property(acts, (list) => play(list, replays, FORGETS_STREAMS).world.core.violation === null),
      { numRuns: 2_000, seed: 7 },
    )

    expect(found.failed).toBe(true)
  })
})
