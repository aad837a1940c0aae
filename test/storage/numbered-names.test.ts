// Goal: the names of a pattern are known exactly, and cost bits instead of texts.
// Method: a plain table of all names is the model; any order of names of any style, doubles and removals must agree with it.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { asGeneration } from '../../engine/generation.ts'
import { logNameParser } from '../../engine/log-format.ts'
import { GenerationBits } from '../../storage/generation-bits.ts'
import { NumberedNames } from '../../storage/numbered-names.ts'

const DECIMAL = logNameParser({ kind: 'numbered', pattern: '(db-|Db-)(?<decimal>[0-9]{1,12})\\.wal' })
const HEX = logNameParser({ kind: 'numbered', pattern: '(?<hex>[0-9A-Fa-f]{4,12})-log' })

const decimalName = fc
  .record({ generation: fc.integer({ min: 1, max: 400 }), width: fc.constantFrom(1, 4, 8), big: fc.boolean() })
  .map(({ generation, width, big }) => `${big ? 'Db' : 'db'}-${String(generation).padStart(width, '0')}.wal`)
const hexName = fc
  .record({ generation: fc.integer({ min: 1, max: 70_000 }), width: fc.constantFrom(4, 8), upper: fc.boolean() })
  .map(({ generation, width, upper }) => {
    const digits = generation.toString(16).padStart(width, '0')
    return `${upper ? digits.toUpperCase() : digits}-log`
  })
const steps = (name: fc.Arbitrary<string>): fc.Arbitrary<{ name: string; forget: boolean }[]> =>
  fc.array(fc.record({ name, forget: fc.nat(4).map((of5) => of5 === 0) }), { maxLength: 300 })

describe.each([
  ['decimal', DECIMAL, decimalName],
  ['hexadecimal', HEX, hexName],
])('the names of a %s pattern', (_, parse, name) => {
  it('are what a table of them would say, whatever came and went', () => {
    fc.assert(
      fc.property(steps(name), (history) => {
        const names = new NumberedNames(parse)
        const model = new Map<number, string>()
        for (const step of history) {
          const generation = parse(step.name)?.generation
          if (generation === undefined) throw new Error(`${step.name} is of the pattern`)
          if (step.forget) {
            names.forget(generation)
            model.delete(generation)
          } else {
            const fits = (model.get(generation) ?? step.name) === step.name
            expect(names.take(step.name, generation)).toBe(fits)
            if (fits) model.set(generation, step.name)
          }
          const known = model.get(generation)
          const candidates = names.candidates(generation)
          expect(names.nameOf(generation)).toBe(known ?? null)
          if (known !== undefined) expect(candidates).toEqual([known])
          for (const candidate of candidates) expect(parse(candidate)?.generation).toBe(generation)
        }
        for (const [generation, expected] of model) expect(names.nameOf(asGeneration(generation))).toBe(expected)
      }),
      { numRuns: 300 },
    )
  })
})

describe('names without a style', () => {
  it('are kept beside those that have one', () => {
    const parse = logNameParser({ kind: 'numbered', pattern: '[a-z]+(?<decimal>[0-9]+)' })
    const names = new NumberedNames(parse)
    const all = ['a1', 'b2', 'c3', 'd4', 'e5', 'f6', 'a7'].map((name, index) => ({
      name,
      generation: asGeneration(index + 1),
    }))

    for (const { name, generation } of all) expect(names.take(name, generation)).toBe(true)
    for (const { name, generation } of all) expect(names.nameOf(generation)).toBe(name)
    expect(names.take('z6', asGeneration(6))).toBe(false)
  })
})

describe('the name of a log that is not known', () => {
  it('is that of the newest one with another number, in whatever order the names came and however many styles there were', () => {
    const nameOf = (generation: number) => `day-${Math.ceil(generation / 10)}-${generation}.wal`
    const parse = logNameParser({ kind: 'numbered', pattern: 'day-\\d+-(?<decimal>\\d+)\\.wal' })
    const names = new NumberedNames(parse)

    for (let index = 0; index < 98; index++) {
      const generation = asGeneration(((index * 37) % 98) + 1)
      names.take(nameOf(generation), generation)
    }

    expect(names.candidates(asGeneration(99))[0]).toBe('day-10-99.wal')
    expect(names.candidates(asGeneration(98))).toEqual(['day-10-98.wal'])
  })

  it('keeps the style of the others when the newest is forgotten', () => {
    const names = new NumberedNames(DECIMAL)
    for (const generation of [8, 9].map(asGeneration)) names.take(`db-000${generation}.wal`, generation)

    names.forget(asGeneration(9))

    expect(names.candidates(asGeneration(10))).toEqual(['db-0010.wal'])
  })

  it('is not told when no name has its number in it as digits of one kind', () => {
    const names = new NumberedNames(HEX)

    names.take('00aB-log', asGeneration(0xab))

    expect(names.candidates(asGeneration(0xab))).toEqual(['00aB-log'])
    expect(names.candidates(asGeneration(0xac))).toEqual([])
  })
})

describe('a set of bits', () => {
  it('holds generations above the 32 bits of its operators, and on both sides of a block', () => {
    const bits = new GenerationBits()
    const some = [1, 31, 32, 4095, 4096, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 5].map(asGeneration)

    for (const generation of some) bits.add(generation)
    for (const generation of some) expect([generation, bits.has(generation)]).toEqual([generation, true])
    for (const generation of [2, 33, 4097, 2 ** 32 + 1, 5].map(asGeneration)) expect(bits.has(generation)).toBe(false)
    for (const generation of some) bits.delete(generation)
    for (const generation of some) expect(bits.has(generation)).toBe(false)
  })
})
