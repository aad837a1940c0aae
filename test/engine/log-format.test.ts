// Goal: every name of a closed log gives its generation, and no other name and no hostile pattern gets through.
// Method: names of each format by example, properties over all generations, and patterns that would take for ever.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ReplicationError } from '../../engine/error.ts'
import { asGeneration, ESE_GENERATION_MAX, GENERATION_MAX } from '../../engine/generation.ts'
import { eseLogName, logNameParser } from '../../engine/log-format.ts'

const anyEseGeneration = fc.integer({ min: 1, max: ESE_GENERATION_MAX })
const anyBaseName = fc.stringMatching(/^[A-Za-z0-9]{3}$/)

describe('an ESE name', () => {
  const parse = logNameParser({ kind: 'ese', baseName: 'E00' })

  test('has eight hexadecimal digits after its base name, or five', () => {
    expect(parse('E0000000001.log')).toEqual({ generation: 1, stream: '' })
    expect(parse('E000000001A.log')).toEqual({ generation: 26, stream: '' })
    expect(parse('E00000001AF.log')).toEqual({ generation: 0x1af, stream: '' })
    expect(parse('E0000001.log')).toEqual({ generation: 1, stream: '' })
    expect(parse('E00FFFFF.log')).toEqual({ generation: 0xfffff, stream: '' })
  })

  test('is read whatever the case of its letters', () => {
    for (const name of ['e000000001a.LOG', 'E000000001a.Log', 'e000000001A.log'])
      expect(parse(name)).toEqual({ generation: 26, stream: '' })
  })

  test('of another file of the engine has no generation', () => {
    const others = ['E00.log', 'E00tmp.log', 'E00.chk', 'E00res00001.jrs', 'E00res00001.log', 'tmp.edb', '']
    for (const name of others) expect(parse(name)).toBeNull()
  })

  test('with other digits, another base, or anything before or after has no generation', () => {
    const others = [
      'E000001.log',
      'E00000001.log',
      'E000000001.log',
      'E00000000001.log',
      'E0100000001.log',
      'E0000000001.log.tmp',
      'E0000000001.log\n',
      ' E0000000001.log',
      'E000000000G.log',
      'E00-0000001.log',
      'E00+0000001.log',
      'E0000000001.jtx',
      '../E0000000001.log',
    ]
    for (const name of others) expect(parse(name)).toBeNull()
  })

  test('has a generation from 1 to the highest of the engine', () => {
    expect(parse('E0000000000.log')).toBeNull()
    expect(parse('E0000000.log')).toBeNull()
    expect(parse('E007FFFFFEC.log')).toEqual({ generation: 0x7fffffec, stream: '' })
    expect(parse('E007FFFFFED.log')).toBeNull()
    expect(parse('E00FFFFFFFF.log')).toBeNull()
  })

  test('is not misread where the base name consists of hexadecimal letters', () => {
    const edb = logNameParser({ kind: 'ese', baseName: 'edb' })
    const abc = logNameParser({ kind: 'ese', baseName: 'abc' })

    expect(edb('edb00001.log')).toEqual({ generation: 1, stream: '' })
    expect(edb('edb0000001F.log')).toEqual({ generation: 31, stream: '' })
    expect(edb('00000001.log')).toBeNull()
    expect(abc('abcabcde.log')).toEqual({ generation: 0xabcde, stream: '' })
    expect(abc('abcdefab.log')).toEqual({ generation: 0xdefab, stream: '' })
  })

  test('of any generation and base name is read back from the name that is written for it', () => {
    fc.assert(
      fc.property(anyBaseName, anyEseGeneration, (baseName, generation) => {
        const read = logNameParser({ kind: 'ese', baseName })
        const name = eseLogName(baseName, asGeneration(generation))
        expect(name).toHaveLength(15)
        expect(read(name)).toEqual({ generation, stream: '' })
        expect(read(name.toLowerCase())).toEqual({ generation, stream: '' })
      }),
    )
  })

  test('has a base name of three letters or digits', () => {
    for (const baseName of ['', 'E0', 'E000', 'E0/', '..a', 'E0\n', 'É00'])
      expect(() => logNameParser({ kind: 'ese', baseName })).toThrow(ReplicationError)
  })
})

describe('any string', () => {
  test('is taken by no parser without a generation that can be', () => {
    const parsers = [
      logNameParser({ kind: 'ese', baseName: 'E00' }),
      logNameParser({ kind: 'numbered', pattern: 'postgresql' }),
      logNameParser({ kind: 'numbered', pattern: '(?<decimal>\\d+)' }),
      logNameParser({ kind: 'numbered', pattern: '(?<hex>.*)' }),
    ]
    const anyName = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary', maxLength: 400 }),
      fc.stringMatching(/^[0-9A-F]+$/),
    )

    fc.assert(
      fc.property(anyName, (name) => {
        for (const parse of parsers) {
          const parsed = parse(name)
          if (parsed === null) continue
          expect(parsed.generation).toBeGreaterThanOrEqual(1)
          expect(parsed.generation).toBeLessThanOrEqual(GENERATION_MAX)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('a PostgreSQL name', () => {
  const parse = logNameParser({ kind: 'numbered', pattern: 'postgresql' })

  test('is timeline, log and segment, and its generations have no gap where the log number rises', () => {
    expect(parse('000000010000000000000001')).toEqual({ generation: 1, stream: '00000001' })
    expect(parse('0000000100000000000000FF')).toEqual({ generation: 255, stream: '00000001' })
    expect(parse('000000010000000100000000')).toEqual({ generation: 256, stream: '00000001' })
    expect(parse('0000000A00000002000000FE')).toEqual({ generation: 0x2fe, stream: '0000000A' })
  })

  test('follows for each segment the one before', () => {
    const name = (segment: number): string => {
      const hex = (value: number): string => value.toString(16).toUpperCase().padStart(8, '0')
      return `00000003${hex(Math.floor(segment / 256))}${hex(segment % 256)}`
    }

    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 40 - 2 }), (segment) => {
        expect(parse(name(segment))).toEqual({ generation: segment, stream: '00000003' })
        expect(parse(name(segment + 1))?.generation).toBe(segment + 1)
      }),
    )
  })

  test('of anything else in the directory has no generation', () => {
    const others = [
      '000000010000000000000000',
      '000000010000000000000100',
      '00000001000000000000000a',
      '00000001000000000000001',
      '0000000100000000000000011',
      '000000010000000000000001.partial',
      '000000010000000000000001.00000028.backup',
      '00000002.history',
      'archive_status',
    ]
    for (const name of others) expect(parse(name)).toBeNull()
  })
})

describe('a pattern', () => {
  const parser = (pattern: string) => logNameParser({ kind: 'numbered', pattern })

  test('finds the generation by a group named hex or decimal, in the whole name', () => {
    const hex = parser('(?<hex>[0-9A-F]{8})\\.wal')
    const decimal = parser('log-(?<decimal>\\d+)\\.(?:bin|log)')

    expect(hex('0000001A.wal')).toEqual({ generation: 26, stream: '' })
    expect(decimal('log-0026.bin')).toEqual({ generation: 26, stream: '' })
    expect(decimal('log-26.log')).toEqual({ generation: 26, stream: '' })
    for (const name of ['x0000001A.wal', '0000001A.wal2', '0000001A.wal\n', '00000000.wal'])
      expect(hex(name)).toBeNull()
  })

  test('finds none where the group has no number of a size that counts', () => {
    const decimal = parser('(?<decimal>.*)\\.bin')

    for (const digits of ['', '-1', '1e3', '1.5', ' 1', '0x1', '0', '281474976710656', '9999999999999999'])
      expect(decimal(`${digits}.bin`)).toBeNull()
    expect(decimal('281474976710655.bin')).toEqual({ generation: 281_474_976_710_655, stream: '' })
  })

  test('is refused without exactly one such group, or when it is no regular expression, or too long', () => {
    const bad = [
      '',
      '\\d+',
      '(\\d+)',
      '(?<number>\\d+)',
      '(?<hex>a)(?<decimal>1)',
      '(?<hex>[)',
      `(?<hex>a)${'b'.repeat(200)}`,
    ]
    for (const pattern of bad) expect(() => parser(pattern), pattern).toThrow(ReplicationError)
  })

  test('that could take more than linear time is refused', () => {
    const slow = [
      '(a+)+(?<hex>b)',
      '(?:a|a)*(?<hex>b)',
      '(?<hex>(a*)*)',
      '(?<hex>a)\\1',
      '(?<hex>a)\\k<hex>',
      '(?=a)(?<hex>a)',
      '(?<!a)(?<hex>a)',
      '.*.*.*(?<hex>b)',
      'a{1,}a{1,}a{1,}(?<hex>b)',
      '(?:a){2,9}(?<hex>b)',
      `${'a?'.repeat(30)}${'a'.repeat(30)}(?<hex>b)`,
      `${'(?:a|a)'.repeat(25)}(?<hex>b)`,
      `${'a??'.repeat(30)}${'a'.repeat(30)}(?<hex>b)`,
      `${'a{0,1}'.repeat(20)}(?<hex>b)`,
    ]
    for (const pattern of slow) expect(() => parser(pattern), pattern).toThrow(ReplicationError)
  })

  test('that is let in decides any name of the longest length at once', () => {
    const worst = parser('.*a.*(?:a|b|c)a?a?(?<hex>F)')
    const began = performance.now()
    for (let round = 0; round < 10; round++) expect(worst('a'.repeat(255))).toBeNull()

    // A pattern with exponential time would not end within the test's own limit; a second for ten names is far from that.
    expect(performance.now() - began).toBeLessThan(1000)
    expect(worst(`${'a'.repeat(255)}F`)).toBeNull()
  })
})
