import { EVENT_CATALOGUE } from '../../engine/event-catalogue.ts'
import type { Comparison, Expectation, ExpectationTest, WantedEvent } from '../../engine/scenario/expectation.ts'
import { ACTIVE_NAMES, COPY_NAMES, type LiveKind } from '../../engine/scenario/sight.ts'
import type { HoldingRule } from '../../engine/source/truncation-rule.ts'
import type { Scope } from './scope.ts'
import {
  entriesIn,
  formulaIn,
  type JsonSchema,
  listOf,
  membersOf,
  owner,
  rangeIn,
  type Shape,
  scalarIn,
  whole,
  word,
} from './shape.ts'
import { invalidScenario, unknownWord, type YamlMember, type YamlNode } from './yaml-node.ts'

/** An expectation besides those of live names. */
interface Subject {
  readonly about: string
  readonly sign: string
  readonly schema: JsonSchema
  /** One subject may come to several expectations. */
  readonly read: (node: YamlNode, scope: Scope) => readonly ExpectationTest[]
}

const RULES: Readonly<Record<HoldingRule, true>> = {
  'not-backed-up': true,
  backup: true,
  checkpoint: true,
  circular: true,
  'no-copy': true,
  'not-inspected': true,
  'not-replayed': true,
  required: true,
  outdated: true,
  suspended: true,
  failed: true,
  unreachable: true,
  'not-heard': true,
}
const rules = listOf(word(Object.keys(RULES)))

/** Events are numbers of the catalogue, or numbers with their owner. */
const event: Shape<WantedEvent> = {
  sign: '224 | {id: 224, of: active}',
  schema: {
    anyOf: [
      { type: 'integer' },
      {
        type: 'object',
        properties: { id: { type: 'integer' }, of: owner(true).schema },
        required: ['id'],
        additionalProperties: false,
      },
    ],
  },
  read: (node, scope) => {
    if (node.content.kind !== 'map') return { id: eventId(node), of: null }
    const members = membersOf(node, ['id', 'of'])
    const id = members.get('id')
    const of = members.get('of')
    if (id === undefined) throw invalidScenario(node.place, 'there is no id', 'Write {id: 224, of: active}.')
    return { id: eventId(id.value), of: of === undefined ? null : owner(true).read(of.value, scope) }
  },
}

function eventId(node: YamlNode): number {
  const id = scalarIn(node)
  if (typeof id === 'number' && Object.hasOwn(EVENT_CATALOGUE, id)) return id
  throw invalidScenario(node.place, `${node.written} is no event`, 'docs/EVENTS.md lists the numbers that are raised.')
}

/** Messages: all that were acknowledged, or so many. */
const ALL = 'all acknowledged'

/** The expectations that are no live names. */
const SUBJECTS: Readonly<Record<string, Subject>> = {
  events: {
    about: 'each of these events was raised since the last time that events were looked at',
    sign: `[${event.sign}, …]`,
    schema: listOf(event).schema,
    read: (node, scope) => [{ kind: 'events', events: listOf(event).read(node, scope), none: false }],
  },
  noEvents: {
    about: 'none of these events was raised since the last time that events were looked at',
    sign: `[${event.sign}, …]`,
    schema: listOf(event).schema,
    read: (node, scope) => [{ kind: 'events', events: listOf(event).read(node, scope), none: true }],
  },
  explain: {
    about: 'exactly these rules hold these logs on the active; `[]` where nothing does',
    sign: '{A..B: [RULE, …]}',
    schema: { type: 'object', additionalProperties: rules.schema },
    read: (node, scope) => entriesIn(node).map((member) => heldTest(member, scope)),
  },
  exit: {
    about: 'the exit code of the last act, as the command of the same name ends with',
    sign: '0',
    schema: whole(0, 255).schema,
    read: (node, scope) => [{ kind: 'exit', code: whole(0, 255).read(node, scope) }],
  },
  messages: {
    about:
      'every message that a load has delivered is there, byte for byte; or so many are. The toy world has no messages',
    sign: `${ALL} | N`,
    schema: { anyOf: [{ const: ALL }, { type: 'integer', minimum: 0 }, { type: 'string', minLength: 1 }] },
    read: (node, scope) => {
      const written = String(scalarIn(node))
      const found = written === ALL ? null : formulaIn(node, scope, { text: written, offset: 0 })
      return [{ kind: 'messages', found }]
    },
  },
}

/** The two blocks that hold in one mode only. */
export const MODES = ['virtual', 'real'] as const

/** A map of expectations. */
export const expectations: Shape<readonly Expectation[]> = {
  sign: '{SUBJECT: VALUE, …}',
  schema: { $ref: '#/$defs/expectations' },
  read: (node, scope) => {
    const read = entriesIn(node).flatMap((member) => readMember(member, scope))
    if (read.length === 0) throw invalidScenario(node.place, 'nothing is expected', 'Write SUBJECT: VALUE.')
    return read
  },
}

/** The JSON Schema of a map of expectations, for `$defs`. */
export function expectationsSchema(): JsonSchema {
  const properties: Record<string, JsonSchema> = {}
  for (const [name, { schema, about }] of Object.entries(SUBJECTS)) properties[name] = { ...schema, description: about }
  for (const [name, { kind, about }] of Object.entries(ACTIVE_NAMES))
    properties[`active.${name}`] = { ...TESTS[kind].schema, description: about }
  for (const mode of MODES)
    properties[mode] = { $ref: '#/$defs/expectations', description: `what holds in ${mode} runs only` }
  const patternProperties = Object.fromEntries(
    Object.entries(COPY_NAMES).map(([name, { kind, about }]) => [
      `^copy[1-3]\\.${name}$`,
      { ...TESTS[kind].schema, description: about },
    ]),
  )
  return { type: 'object', properties, patternProperties, additionalProperties: false, minProperties: 1 }
}

function readMember(member: YamlMember, scope: Scope): readonly Expectation[] {
  const { name, place, value } = member
  const mode = MODES.find((each) => each === name)
  if (mode !== undefined) {
    if (scope.only !== null) throw invalidScenario(place, `a block ${mode} inside of another`, 'Write one of them.')
    return expectations.read(value, scope.within(mode))
  }
  const known = [...Object.keys(SUBJECTS), ...scope.live.keys(), ...MODES]
  if (!known.includes(name)) throw unknownWord(place, `expectation ${name}`, known)
  const live = scope.live.get(name)
  const tests = live === undefined ? (SUBJECTS[name]?.read(value, scope) ?? []) : [TESTS[live.kind].read(value, scope)]
  return tests.map((test) => ({ place, subject: name, written: value.written, test, only: scope.only }))
}

function heldTest({ name, place, value }: YamlMember, scope: Scope): ExpectationTest {
  // The range is a key here: read as a scalar that begins where the key does.
  const key: YamlNode = { place, written: name, content: { kind: 'scalar', value: name }, placeOf: () => place }
  const asList =
    value.content.kind === 'list' ? value : { ...value, content: { kind: 'list' as const, items: [value] } }
  return { kind: 'held', range: rangeIn(key, scope, { text: name, offset: 0 }), rules: rules.read(asList, scope) }
}

/** What may be said of each kind of live name. */
const TESTS: Readonly<Record<LiveKind, Shape<ExpectationTest>>> = {
  number: {
    sign: 'N | A..B | ">= N"',
    schema: { anyOf: [{ type: 'integer' }, { type: 'string', minLength: 1 }] },
    read: readNumberTest,
  },
  word: {
    sign: 'WORD | [WORD, …]',
    schema: { anyOf: [{ type: 'string' }, { type: 'array', items: { type: 'string' }, minItems: 1 }] },
    read: (node) => ({ kind: 'word', oneOf: wordsIn(node) }),
  },
  logs: {
    sign: 'A..B | none | [A..B, …]',
    schema: {
      anyOf: [
        { type: 'integer' },
        { type: 'string', minLength: 1 },
        { type: 'array', items: { anyOf: [{ type: 'integer' }, { type: 'string', minLength: 1 }] } },
      ],
    },
    read: (node, scope) => {
      const items = node.content.kind === 'list' ? node.content.items : [node]
      if (items.length === 1 && items[0] !== undefined && scalarIn(items[0]) === 'none')
        return { kind: 'logs', ranges: [] }
      return {
        kind: 'logs',
        ranges: items.map((item) => rangeIn(item, scope, { text: String(scalarIn(item)), offset: 0 })),
      }
    },
  },
}

const COMPARISON = /^\s*(>=|<=|!=|>|<|=)/

function readNumberTest(node: YamlNode, scope: Scope): ExpectationTest {
  const written = String(scalarIn(node) ?? '')
  const sign = COMPARISON.exec(written)
  if (sign !== null) {
    const offset = sign[0].length
    const to = formulaIn(node, scope, { text: written.slice(offset), offset })
    return { kind: 'number', comparison: sign[1] as Comparison, to } // the pattern has the comparisons only
  }
  const range = rangeIn(node, scope, { text: written, offset: 0 })
  return range.first === range.last ? { kind: 'number', comparison: '=', to: range.first } : { kind: 'between', range }
}

function wordsIn(node: YamlNode): readonly string[] {
  const items = node.content.kind === 'list' ? node.content.items : [node]
  return items.map((item) => String(scalarIn(item) ?? ''))
}
