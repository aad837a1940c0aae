// Goal: choices are what the toy world believes them to be: repeatable, within their bounds, calm at 0, complete when walked.
// Method: properties over the three makers; the walk is compared with a plain product of sets.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { everyChoice, listedChoices, recordedChoices, seededChoices } from '../../sim/choices.ts'

const bounds = fc.array(fc.integer({ min: 1, max: 1000 }), { minLength: 1, maxLength: 50 })

describe('seeded choices', () => {
  it('stay within every bound and repeat for a seed', () => {
    fc.assert(
      fc.property(fc.nat(), bounds, (seed, list) => {
        const [once, again] = [seededChoices(seed), seededChoices(seed)]
        for (const bound of list) {
          const choice = once.below(bound)
          expect(choice).toBe(again.below(bound))
          expect(choice >= 0 && choice < bound && Number.isInteger(choice)).toBe(true)
        }
      }),
    )
  })

  it('spread evenly: a thousandth strikes about once in a thousand', () => {
    const choices = seededChoices(1)
    let strikes = 0
    for (let draw = 0; draw < 1_000_000; draw++) if (choices.below(1000) === 999) strikes++

    expect(strikes).toBeGreaterThan(850)
    expect(strikes).toBeLessThan(1150)
  })
})

describe('listed choices', () => {
  it('fold what is listed into the bounds, then are calm for ever', () => {
    const choices = listedChoices([3, 7, 1])

    expect([5, 5, 5, 5, 5].map((bound) => choices.below(bound))).toEqual([3, 2, 1, 0, 0])
  })

  it('replay what was recorded', () => {
    fc.assert(
      fc.property(fc.nat(), bounds, (seed, list) => {
        const recorded = recordedChoices(seededChoices(seed))
        const made = list.map((bound) => recorded.below(bound))
        const replayed = listedChoices(recorded.made)

        expect(list.map((bound) => replayed.below(bound))).toEqual(made)
      }),
    )
  })
})

describe('every choice', () => {
  it('walks the product of all ways once, calm first', () => {
    const choices = everyChoice()
    const seen: string[] = []
    do seen.push([choices.below(2), choices.below(3), choices.below(1)].join(''))
    while (choices.advance())

    expect(seen).toEqual(['000', '010', '020', '100', '110', '120'])
    expect(choices.runs).toBe(6)
  })

  it('walks ways that depend on earlier choices', () => {
    const choices = everyChoice()
    const seen: string[] = []
    do seen.push(choices.below(2) === 0 ? 'calm' : `fault ${choices.below(2)}`)
    while (choices.advance())

    expect(seen).toEqual(['calm', 'fault 0', 'fault 1'])
  })

  it('takes a large bound for a probability with two ends', () => {
    const choices = everyChoice()
    const seen: number[] = []
    do seen.push(choices.below(1000))
    while (choices.advance())

    expect(seen).toEqual([0, 999])
  })
})
