import { assert } from '../engine/assert.ts'
import { brokenGuarantee } from '../engine/guarantee.ts'
import type { Guarantee } from '../engine/step.ts'

/** A pure step of an instance. */
export type PureStep<State, Fact, Order> = (state: State, fact: Fact) => readonly [State, readonly Order[]]

/**
 * The same step with the cheap ones of its guarantees checked each time: an instance that breaks a promise stops before any of
 * its orders is done.
 */
export function guardedStep<State, Fact, Order>(
  step: PureStep<State, Fact, Order>,
  guarantees: readonly Guarantee<State, Fact, Order>[],
): PureStep<State, Fact, Order> {
  const cheap = guarantees.filter((guarantee) => guarantee.cheap)
  return (before, fact) => {
    const result = step(before, fact)
    const [after, orders] = result
    const broken = brokenGuarantee(cheap, { before, fact, after, orders })
    assert(broken === null, broken ?? '')
    return result
  }
}
