// Goal: an expectation holds when what it says is so, and else tells what was expected and what was found.
// Method: one sight of a small world, and expectations about it, right and wrong.
import { describe, expect, it } from 'vitest'
import { type Evidence, type ExpectationTest, inMode, mismatches } from '../../../engine/scenario/expectation.ts'
import { type Formula, isProblem, parseFormula } from '../../../engine/scenario/formula.ts'

const evidence: Evidence = {
  sight: {
    numbers: new Map([
      ['active.current', 102],
      ['copy1.copyQueue', 3],
    ]),
    words: new Map([['copy1.status', 'Healthy']]),
    logs: new Map([
      ['active.logs', [{ first: 81, last: 101 }]],
      ['copy1.logs', []],
    ]),
    events: [
      { id: 225, of: 'active', text: '' },
      { id: 224, of: 'active', text: '' },
    ],
    held: [
      { range: { first: 81, last: 90 }, rules: ['checkpoint'] },
      { range: { first: 91, last: 101 }, rules: ['not-backed-up', 'checkpoint'] },
    ],
    messages: { found: 7, faults: 0 },
  },
  bound: new Map([['chk', 81]]),
  eventsFrom: 1,
  exit: 6,
  mode: 'real',
}

function formula(text: string): Formula {
  const read = parseFormula(text)
  if (isProblem(read)) throw new Error(read.problem)
  return read
}

const range = (first: string, last: string) => ({ first: formula(first), last: formula(last) })

function found(subject: string, test: ExpectationTest): string {
  const expectation = { place: 'here', subject, written: 'this', test, only: null }
  return mismatches([expectation], evidence)
    .map(({ expected, actual }) => `${expected} / ${actual}`)
    .join()
}

const TESTS: readonly (readonly [string, ExpectationTest, string])[] = [
  ['copy1.copyQueue', { kind: 'number', comparison: '=', to: formula('3') }, ''],
  ['copy1.copyQueue', { kind: 'number', comparison: '>=', to: formula('4') }, '>= 4 / 3'],
  ['copy1.copyQueue', { kind: 'between', range: range('0', '2') }, '0..2 / 3'],
  ['copy1.inspected', { kind: 'number', comparison: '=', to: formula('3') }, '3 / not known at this time'],
  [
    'copy1.copyQueue',
    { kind: 'number', comparison: '<', to: formula('${copy1.replayed}') },
    'this / copy1.replayed is not known at this time',
  ],
  ['active.logs', { kind: 'logs', ranges: [range('${chk}', '${active.current - 1}')] }, ''],
  ['active.logs', { kind: 'logs', ranges: [range('81', '90'), range('91', '101')] }, ''],
  ['active.logs', { kind: 'logs', ranges: [] }, 'none / 81..101'],
  ['copy1.logs', { kind: 'logs', ranges: [range('5', '4')] }, ''],
  ['copy2.logs', { kind: 'logs', ranges: [] }, 'none / not known at this time'],
  ['copy1.status', { kind: 'word', oneOf: ['Initializing', 'Healthy'] }, ''],
  ['copy1.status', { kind: 'word', oneOf: ['Failed'] }, 'Failed / Healthy'],
  ['events', { kind: 'events', events: [{ id: 224, of: 'active' }], none: false }, ''],
  ['events', { kind: 'events', events: [{ id: 224, of: 'copy1' }], none: false }, '224 of copy1 / 224 of active'],
  ['events', { kind: 'events', events: [{ id: 225, of: null }], none: false }, '225 / 224 of active'],
  ['noEvents', { kind: 'events', events: [{ id: 225, of: null }], none: true }, ''],
  ['noEvents', { kind: 'events', events: [{ id: 224, of: null }], none: true }, 'no 224 / 224 of active'],
  ['explain', { kind: 'held', range: range('82', '90'), rules: ['checkpoint'] }, ''],
  ['explain', { kind: 'held', range: range('95', '95'), rules: ['checkpoint', 'not-backed-up'] }, ''],
  [
    'explain',
    { kind: 'held', range: range('90', '91'), rules: ['checkpoint'] },
    '90..91: checkpoint / 81..90: checkpoint; 91..101: checkpoint, not-backed-up',
  ],
  ['explain', { kind: 'held', range: range('1', '80'), rules: [] }, '1..80: held by nothing / not there any more'],
  [
    'explain',
    { kind: 'held', range: range('80', '85'), rules: ['checkpoint'] },
    '80..85: checkpoint / 81..90: checkpoint',
  ],
  ['exit', { kind: 'exit', code: 0 }, '0 / 6'],
  ['messages', { kind: 'messages', found: null }, ''],
  ['messages', { kind: 'messages', found: formula('8') }, '8 messages / 7 messages and 0 faults'],
]

describe('an expectation', () => {
  it.each(TESTS)('about %s is judged', (subject, test, told) => {
    expect(found(subject, test)).toBe(told)
  })

  it('of one mode is left out in the other', () => {
    const test: ExpectationTest = { kind: 'exit', code: 0 }
    const virtual = { place: 'here', subject: 'exit', written: '0', test, only: 'virtual' as const }

    expect(inMode([virtual], 'real')).toEqual([])
    expect(inMode([virtual], 'virtual')).toEqual([virtual])
  })

  it('about messages holds in the toy world, which has none', () => {
    const messages = {
      place: 'here',
      subject: 'messages',
      written: '9',
      test: { kind: 'messages', found: formula('9') } as const,
      only: null,
    }

    expect(mismatches([messages], { ...evidence, mode: 'virtual' })).toEqual([])
  })
})
