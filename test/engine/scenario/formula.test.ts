// Goal: a formula of a scenario comes to what a person would work out, and a wrong one is told with its place.
// Method: formulas are drawn with what they come to by plain arithmetic; faults are listed one by one.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { evaluate, isProblem, namesIn, parseFormula } from '../../../engine/scenario/formula.ts'

const NAMES: Readonly<Record<string, number>> = { chk: 81, 'active.current': 102, zero: 0 }

interface Drawn {
  readonly text: string
  readonly value: number
}

const drawn = fc.letrec<{ formula: Drawn; leaf: Drawn; node: Drawn }>((tie) => ({
  formula: fc.oneof({ depthSize: 'small', withCrossShrink: true }, tie('leaf'), tie('node')),
  leaf: fc.oneof(
    fc.nat(1000).map((value) => ({ text: `${value}`, value })),
    fc.constantFrom(...Object.entries(NAMES)).map(([text, value]) => ({ text, value })),
  ),
  node: fc.oneof(
    fc.tuple(tie('formula'), fc.constantFrom('+', '-', '*'), tie('formula')).map(([left, sign, right]) => ({
      text: `(${left.text} ${sign} ${right.text})`,
      value:
        sign === '+' ? left.value + right.value : sign === '-' ? left.value - right.value : left.value * right.value,
    })),
    fc.tuple(fc.constantFrom('min' as const, 'max' as const), tie('formula'), tie('formula')).map(([which, a, b]) => ({
      text: `${which}(${a.text},${b.text})`,
      value: Math[which](a.value, b.value),
    })),
  ),
})).formula

function valueOfText(text: string): number | string {
  const formula = parseFormula(text)
  if (isProblem(formula)) throw new Error(formula.problem)
  return evaluate(formula, (name) => NAMES[name])
}

describe('a formula', () => {
  it('comes to what arithmetic says', () => {
    fc.assert(
      fc.property(drawn, ({ text, value }) => {
        expect(valueOfText(`\${${text}}`)).toBe(value)
      }),
    )
  })

  it.each([
    ['81', 81],
    [' 81 ', 81],
    ['${1 + 2 * 3 - 4}', 3],
    ['${10 - 2 - 3}', 5],
    ['${max(chk, active.current - 1)}', 101],
  ])('%s is %d', (text, value) => {
    expect(valueOfText(text)).toBe(value)
  })

  it('comes to the name that nothing is known of', () => {
    expect(valueOfText('${chk + copy1.inspected}')).toBe('copy1.inspected')
  })

  it('tells where its names stand', () => {
    const formula = parseFormula('${chk + active.current}', 10)
    if (isProblem(formula)) throw new Error(formula.problem)

    expect(namesIn(formula).map(({ name, offset }) => [name, offset])).toEqual([
      ['chk', 12],
      ['active.current', 18],
    ])
  })

  it.each([
    ['', 0],
    ['chk', 0],
    ['1.5', 0],
    ['${1 +}', 5],
    ['${1 2}', 4],
    ['${(1 + 2}', 8],
    ['${mean(1, 2)}', 2],
    ['${+ 1}', 2],
    [`\${${'('.repeat(30)}1${')'.repeat(30)}}`, 63],
  ])('%s is none, from character %d on', (text, offset) => {
    const formula = parseFormula(text)

    expect(isProblem(formula) ? formula.offset : formula).toBe(offset)
  })
})
