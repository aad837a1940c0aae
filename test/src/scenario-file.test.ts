// Goal: a scenario file is read as it was meant, a wrong one is told with its place and what was meant, and the schema says the same.
// Method: texts with one mistake each; the examples of all verbs, read by the parser and by a JSON Schema validator.
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { ReplicationError } from '../../engine/error.ts'
import { ACTS } from '../../src/scenario/acts.ts'
import { parseScenario, scenarioSchema } from '../../src/scenario/scenario-file.ts'
import { OTHER_VERBS } from '../../src/scenario/steps.ts'
import { ccr } from './cli-harness.ts'

function problemOf(text: string): string {
  try {
    parseScenario(text, 'f.yaml')
  } catch (error) {
    if (error instanceof ReplicationError && error.code === 'SCENARIO_INVALID')
      return `${error.message} | ${error.hint}`
    throw error
  }
  return 'none'
}

const WRONG: readonly (readonly [string, string, string])[] = [
  ['a verb that is none', 'steps:\n  - clsoe: 3', 'f.yaml:2:5: unknown verb clsoe | Did you mean close?'],
  ['a field that is none', 'steps:\n  - close: 3\nwrold: {}', 'f.yaml:3:1: unknown field wrold | Did you mean world?'],
  [
    'a field of a map that is none',
    'steps:\n  - delete: {logs: 3, no: active}',
    'f.yaml:2:23: unknown field no | Did you mean on?',
  ],
  [
    'an expectation that is none',
    'steps:\n  - expect:\n      copy1.inspcted: 3',
    'f.yaml:3:7: unknown expectation copy1.inspcted | Did you mean copy1.inspected?',
  ],
  ['a copy that is not there', 'steps:\n  - suspend: copy2', 'f.yaml:2:14: unknown copy copy2 | Did you mean copy1?'],
  [
    'a late copy that is not there',
    'world: {late: [copy1, copy2]}\nsteps: []',
    'f.yaml:1:23: unknown copy copy2 | Did you mean copy1?',
  ],
  [
    'a standby target that is not there',
    'world: {standby: {copies: [copy3]}, copies: 2}\nsteps: []',
    'f.yaml:1:28: unknown copy copy3',
  ],
  ['a name that nothing has given', 'steps:\n  - close: ${chk}', 'f.yaml:2:14: unknown name chk'],
  ['a name behind its use', 'steps:\n  - close: ${n}\n  - let: {n: 3}', 'f.yaml:2:14: unknown name n'],
  ['a name within a quoted range', 'steps:\n  - expect: {active.logs: "1..${cur}"}', 'f.yaml:2:33: unknown name cur'],
  ['a formula that ends early', 'steps:\n  - close: ${1 +}', 'f.yaml:2:17: the formula ends too early'],
  ['no number', 'steps:\n  - close: many', 'f.yaml:2:12: "many" is no whole number'],
  ['a duration without its unit', 'steps:\n  - advance: 30', 'f.yaml:2:14: "30" is no duration'],
  [
    'a set that no backup has made',
    'steps:\n  - restore: {from: [mondy]}',
    'f.yaml:2:22: unknown set mondy | Known here: none.',
  ],
  [
    'a version that is none',
    'steps:\n  - backup: {kind: full, method: vss, of: active, to: m}\n  - age: {set: m, product: 8.0}',
    'f.yaml:3:28: not a text',
  ],
  [
    'a version of two numbers',
    'steps:\n  - backup: {kind: full, method: vss, of: active, to: m}\n  - age: {set: m, product: "8.0"}',
    'f.yaml:3:28: 8.0 is no version | Write three numbers, as 8.0.0.',
  ],
  [
    'an outcome of a backup that is held',
    'steps:\n  - backup: {kind: full, method: vss, of: active, held: true, outcome: aborted}',
    'f.yaml:2:13: a backup that is held has no outcome yet | Say it with release: further down.',
  ],
  ['two verbs in a step', 'steps:\n  - close: 3\n    mark: 3', 'f.yaml:3:5: a second verb, mark, in one step'],
  ['an event that is not raised', 'steps:\n  - expect: {events: [9999]}', 'f.yaml:2:23: 9999 is no event'],
  [
    'a rule that is none',
    'steps:\n  - expect: {explain: {3: [chekpoint]}}',
    'f.yaml:2:28: unknown word chekpoint | Did you mean checkpoint?',
  ],
  ['a wait without its time', 'steps:\n  - wait: {until: {exit: 0}}', 'f.yaml:2:11: there is no within'],
  [
    'an attempt of two acts',
    'steps:\n  - attempt: {close: 1, mark: 1, refused: -1}',
    'f.yaml:2:14: an attempt is one act and how it is refused',
  ],
  [
    'a refusal that is none',
    'steps:\n  - attempt: {close: 1, refused: STATE_REFUSE}',
    'f.yaml:2:34: unknown refusal STATE_REFUSE | Did you mean STATE_REFUSED?',
  ],
  ['a block in a block', 'steps:\n  - virtual: [{real: [{close: 1}]}]', 'f.yaml:2:22: a block real inside of another'],
  [
    'a setting that is none',
    'world: {settings: {store.cacheByte: 1}}\nsteps: []',
    'f.yaml:1:20: unknown field store.cacheByte | Did you mean store.cacheBytes?',
  ],
  [
    'a setting out of its bounds',
    'world: {settings: {copy.workers: -1}}\nsteps: []',
    'f.yaml:1:34: copy.workers is not taken as -1',
  ],
  ['too many copies', 'world: {copies: 9}\nsteps: []', 'f.yaml:1:17: 9 is no whole number from 0 to 3'],
  ['a taken name', 'steps:\n  - let: {active: 3}', 'f.yaml:2:11: active cannot be given as a name'],
  ['no steps', 'name: x', 'f.yaml:1:1: there are no steps'],
  ['nothing at all', '', 'f.yaml:1:1: not a map'],
  ['a comparison without its quotation marks', 'steps:\n  - expect:\n      copy1.copyQueue: >= 5', 'f.yaml:3:25'],
  ['a key that stands twice', 'steps: []\nsteps: []', 'f.yaml:2:1'],
  ['an alias', 'name: &n x\nabout: *n\nsteps: []', 'f.yaml:2:8: an alias is not taken here'],
]

describe('a scenario file', () => {
  it.each(WRONG)('with %s is told with its place', (_, text, told) => {
    expect(problemOf(text).startsWith(told) ? told : problemOf(text)).toBe(told)
  })

  it.each([
    ['virtual: [SET]', 'real: [SET]', 'none'],
    ['virtual: [SET]', 'virtual: [SET]', 'monday cannot be the name of a set'],
    ['virtual: [SET]', 'SET', 'monday cannot be the name of a set'],
    ['SET', 'real: [SET]', 'monday cannot be the name of a set'],
  ])('takes a name of a set once in each mode: %s, %s', (first, second, told) => {
    const backup = (step: string): string =>
      step.replace('SET', '{backup: {kind: full, method: vss, of: active, to: monday}}')

    expect(problemOf(`steps:\n  - ${backup(first)}\n  - ${backup(second)}`)).toContain(told)
  })

  it('counts a copy once that is late twice', () => {
    expect(parseScenario('world: {late: [copy1, copy1]}\nsteps: []', 'f.yaml').world.late).toEqual(['copy1'])
  })

  it('is named after its file when it says no name', () => {
    expect(parseScenario('steps: []', 'labs/07-nightly.yaml')).toMatchObject({
      name: '07-nightly',
      about: '',
      only: null,
    })
  })

  it('shows a step on one line, however it was written', () => {
    const { steps } = parseScenario(
      'steps:\n  - wait: # why\n      until:\n        exit: 0\n      within: 5s',
      'f.yaml',
    )

    expect(steps[0]?.title).toBe('wait: {until: {exit: 0}, within: 5s}')
  })
})

describe('the schema', () => {
  const validate = new Ajv2020({ allowUnionTypes: true }).compile(scenarioSchema())
  const verbs = { ...ACTS, ...OTHER_VERBS }

  it.each(Object.entries(verbs))('takes the example of %s, as the parser does', (name, { example }) => {
    const before = 'backup: {kind: full, method: vss, of: active, to: monday}'
    const text = `world: {copies: 2}\nsteps:\n  - ${before}\n  - ${example}`

    expect(problemOf(text)).toBe('none')
    expect(validate(parse(text)) ? 'none' : validate.errors).toBe('none')
    expect(example).toMatch(new RegExp(`^${name}: `))
  })

  it.each(['30s', '1.5H', '500MS', '1.00:00:00', '0:30:00'])('takes the duration %s, as the parser does', (lasts) => {
    const text = `steps: [{advance: "${lasts}"}]`

    expect(problemOf(text)).toBe('none')
    expect(validate(parse(text)) ? 'none' : validate.errors).toBe('none')
  })

  it.each([
    'steps: [{clsoe: 3}]',
    'steps: [{advance: 30}]',
    'steps: [{advance: 30sm}]',
    'steps: [{close: 3, mark: 3}]',
    'wrold: {}\nsteps: []',
    'steps: [{suspend: copy7}]',
    'steps: [{expect: {copy1.inspcted: 3}}]',
    'steps: [{attempt: {close: 1}}]',
    'world: {copies: 9}\nsteps: []',
    'name: x',
  ])('refuses %s', (text) => {
    expect(validate(parse(text))).toBe(false)
  })

  it('is printed by the command', async () => {
    const { exitCode, stdout } = await ccr(['scenario', 'schema'])

    expect(exitCode).toBe(0)
    expect(JSON.parse(stdout)).toEqual(scenarioSchema())
  })
})
