// Goal: a name that was taken is found again from its generation, and every candidate is a name of that very generation.
// Method: random names of each format, taken in any order, against what the parser says of them.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { asGeneration, ESE_GENERATION_MAX } from '../../engine/generation.ts'
import type { LogFormat } from '../../engine/log-format.ts'
import { logNamesOf } from '../../storage/log-names.ts'

const eseName = fc
  .record({
    base: fc.constantFrom('edb', 'EDB', 'Edb'),
    generation: fc.integer({ min: 1, max: ESE_GENERATION_MAX }),
    width: fc.constantFrom(5, 8),
    lower: fc.boolean(),
    extension: fc.constantFrom('.log', '.LOG'),
  })
  .map(({ base, generation, width, lower, extension }) => {
    const digits = (width === 5 ? generation % 0xfffff || 1 : generation).toString(16).padStart(width, '0')
    return base + (lower ? digits : digits.toUpperCase()) + extension
  })

describe('the names of a stream', () => {
  it('gives back each ESE name that it took, whatever styles are mixed', () => {
    fc.assert(
      fc.property(fc.array(eseName, { minLength: 1, maxLength: 20 }), (list) => {
        const names = logNamesOf({ kind: 'ese', baseName: 'EDB' })
        for (const name of list) {
          const parsed = names.parse(name)
          if (parsed === null || names.accept(name, parsed) !== null) throw new Error(`${name} was not taken`)
        }
        for (const name of list) {
          const generation = names.parse(name)?.generation ?? asGeneration(0)
          const candidates = names.candidates(generation)
          expect(candidates).toContain(name)
          for (const candidate of candidates) expect(names.parse(candidate)?.generation).toBe(generation)
        }
      }),
    )
  })

  it('does not take a name of mixed digits, which it could not write again', () => {
    const names = logNamesOf({ kind: 'ese', baseName: 'E00' })
    const name = 'E000000aBCd.log'

    expect(names.accept(name, names.parse(name) ?? { generation: asGeneration(0), stream: '' })).toBe(
      'letter case that no engine writes',
    )
  })

  it('proposes eight digits before five, and five only while the generation fits', () => {
    const names = logNamesOf({ kind: 'ese', baseName: 'E00' })

    expect(names.candidates(asGeneration(26))).toEqual(['E000000001A.log', 'E000001A.log'])
    expect(names.candidates(asGeneration(0x123456))).toEqual(['E0000123456.log'])
  })

  it('knows the files of a store that are no closed logs', () => {
    const names = logNamesOf({ kind: 'ese', baseName: 'E00' })
    const companions = [
      'E00.log',
      'E00tmp.log',
      'e00.chk',
      'E00res00001.jrs',
      'tmp.edb',
      'IgnoredLogs',
      'E00.chk.a1.tmp',
    ]

    expect(companions.filter((name) => names.isCompanion(name))).toEqual(companions)
    expect(
      ['E01.log', 'E0000000001.log', 'mail.edb', 'E0000000001.log.a1.tmp', 'inspector2'].filter((name) =>
        names.isCompanion(name),
      ),
    ).toEqual([])
  })

  it('computes every PostgreSQL segment of its timeline', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 40 - 1 }).map(asGeneration), (generation) => {
        const names = logNamesOf({ kind: 'numbered', pattern: 'postgresql' }, '0000000A')

        const [name = ''] = names.candidates(generation)
        expect(names.parse(name)).toEqual({ generation, stream: '0000000A' })
      }),
    )
  })

  it('of a pattern are remembered until they are forgotten, and the second file of a generation is refused', () => {
    const names = logNamesOf({ kind: 'numbered', pattern: 'log-(?<decimal>\\d+)' })
    const parsed = { generation: asGeneration(7), stream: '' }

    expect(names.accept('log-7', parsed)).toBeNull()
    expect(names.accept('log-007', parsed)).toBe('second file of its generation')
    expect(names.candidates(asGeneration(7))).toEqual(['log-7'])
    names.forget(asGeneration(7))
    expect(names.accept('log-007', parsed)).toBeNull()
    expect(names.candidates(asGeneration(7))).toEqual(['log-007'])
  })

  it('of a pattern are unknown as long as none was accepted', () => {
    const names = logNamesOf({ kind: 'numbered', pattern: 'log-(?<decimal>\\d+)' })

    expect(names.candidates(asGeneration(7))).toEqual([])
  })

  it('lets nothing be deleted under a name of a pattern that was not accepted, or is forgotten', () => {
    const names = logNamesOf({ kind: 'numbered', pattern: 'log-(?<decimal>\\d+)' })
    const parsed = { generation: asGeneration(7), stream: '' }
    names.accept('log-7', parsed)
    names.accept('log-007', parsed)

    const known = [7, 8].map((generation) => names.deletable(asGeneration(generation)))
    names.forget(asGeneration(7))

    expect(known).toEqual([['log-7'], []])
    expect(names.deletable(asGeneration(7))).toEqual([])
  })
})

const numbered = (pattern: string): LogFormat => ({ kind: 'numbered', pattern })
const decimal = (width: number) => (generation: number) => String(generation).padStart(width, '0')
const hex = (width: number) => (generation: number) => generation.toString(16).padStart(width, '0')
const upperHex = (width: number) => (generation: number) => hex(width)(generation).toUpperCase()

/** Formats, and how a program writes the names of its logs. */
const PROGRAMS: readonly (readonly [LogFormat, (generation: number) => string])[] = [
  [{ kind: 'ese', baseName: 'E00' }, (generation) => `E00${upperHex(8)(generation)}.log`],
  [numbered('postgresql'), (generation) => `0000000A${upperHex(8)(generation >> 8)}${upperHex(8)(generation & 255)}`],
  [numbered('(?<decimal>\\d+)'), decimal(1)],
  [numbered('bin\\.(?<decimal>\\d+)'), (generation) => `bin.${decimal(8)(generation)}`],
  [numbered('(?<decimal>\\d{8})\\.log'), (generation) => `${decimal(8)(generation)}.log`],
  [numbered('(?<hex>[0-9A-F]{8})\\.wal'), (generation) => `${upperHex(8)(generation)}.wal`],
  [numbered('(?<hex>[0-9a-f]{8})\\.wal'), (generation) => `${hex(8)(generation)}.wal`],
  [numbered('(?<hex>[0-9A-Fa-f]+)-log'), (generation) => `${hex(1)(generation)}-log`],
  // What stands around the number looks like digits itself, or like the number.
  [numbered('archive(?<decimal>\\d{8})'), (generation) => `archive${decimal(8)(generation)}`],
  [numbered('edb(?<hex>[0-9A-F]{6,8})\\.log'), (generation) => `edb${upperHex(6)(generation)}.log`],
  [numbered('v10(?<decimal>\\d{8})'), (generation) => `v10${decimal(8)(generation)}`],
  [numbered('\\d+-(?<decimal>\\d+)\\.7'), (generation) => `7-${generation}.7`],
]

describe.each(PROGRAMS)('the names of %j', (format, write) => {
  it('are computed for any log once one is known, few for each and all of that very generation', () => {
    const generation = fc.integer({ min: 1, max: 0xff_ffff })
    fc.assert(
      fc.property(fc.array(generation, { minLength: 1, maxLength: 5 }), generation, (known, wanted) => {
        const names = logNamesOf(format)
        for (const name of known.map(write)) {
          const parsed = names.parse(name)
          expect([name, parsed === null || names.accept(name, parsed)]).toEqual([name, null])
        }

        const candidates = names.candidates(asGeneration(wanted))

        expect(candidates).toContain(write(wanted))
        expect(candidates.map((name) => names.parse(name)?.generation)).toEqual(candidates.map(() => wanted))
        expect(candidates.length).toBeLessThanOrEqual(4)
      }),
    )
  })
})
