import { ERROR_CODES } from '../../engine/error.ts'
import type { Binding, ScenarioStep, StepBody } from '../../engine/scenario/step.ts'
import { ACTS } from './acts.ts'
import { expectations, type MODES } from './expectations.ts'
import type { Scope } from './scope.ts'
import { duration, entriesIn, formula, type JsonSchema, map, type Shape, scalarIn, text } from './shape.ts'
import { type Verb, verb } from './verb.ts'
import { invalidScenario, unknownWord, type YamlMember, type YamlNode } from './yaml-node.ts'

/** A name that a scenario gives; dots are for names of the world. */
const BINDING_NAME = '^[A-Za-z][A-Za-z0-9]*$'
/** Words that a formula reads otherwise. */
const TAKEN_NAMES = ['min', 'max', 'active']
/** As long as one line of a terminal takes. */
const TITLE_LENGTH_MAX = 100

/** A part of what a refusal says. */
const SAYS = text('TEXT')

const NUMBER_SCHEMA: JsonSchema = { anyOf: [{ type: 'integer' }, { type: 'string', minLength: 1 }] }

const WAIT = {
  until: { shape: expectations, about: 'what is waited for' },
  within: { shape: duration, about: 'how long at most' },
}

const bindings: Shape<readonly Binding[]> = {
  sign: '{NAME: N, …}',
  schema: {
    type: 'object',
    propertyNames: { pattern: BINDING_NAME },
    additionalProperties: NUMBER_SCHEMA,
    minProperties: 1,
  },
  read: (node, scope) => entriesIn(node).map((member) => readBinding(member, scope)),
}

const steps: Shape<readonly ScenarioStep[]> = {
  sign: '[STEP, …]',
  schema: { type: 'array', items: { $ref: '#/$defs/step' } },
  read: readSteps,
}

/** What can be asked, waited for and named, in the order of the manual. */
export const OTHER_VERBS: Readonly<Record<string, Verb<StepBody>>> = {
  expect: verb({
    about: 'all of this has to be so now',
    example: 'expect: {copy1.status: Healthy}',
    shape: expectations,
    does: (expected): StepBody => ({ verb: 'expect', expectations: expected }),
  }),
  wait: verb({
    about: 'all of this has to be so within a time of the world; goes on as soon as it is',
    example: 'wait: {until: {copy1.replayQueue: 0}, within: 60s}',
    shape: map(WAIT, ['until', 'within']),
    does: ({ until = [], within = 0 }): StepBody => ({ verb: 'wait', until, withinMs: within }),
  }),
  advance: verb({
    about: 'time passes; in real runs 10 s at most, and none in front of a `wait`',
    example: 'advance: 30s',
    shape: duration,
    does: (ms): StepBody => ({ verb: 'advance', ms }),
  }),
  let: verb({
    about: 'gives names to numbers, for formulas further down',
    example: 'let: {chk: active.checkpoint}',
    shape: bindings,
    does: (bound): StepBody => ({ verb: 'let', bindings: bound }),
  }),
  attempt: {
    about:
      'an act that has to be refused, with a code of docs/ERRORS.md or with a number of ESE, and with `says` in these words',
    example: 'attempt: {suspend: copy1, refused: STATE_REFUSED}',
    sign: '{ACT: …, refused: CODE | -N, says: TEXT}',
    schema: { $ref: '#/$defs/attempt' },
    read: readAttempt,
  },
  virtual: modeVerb('virtual'),
  real: modeVerb('real'),
}

/** Every verb in the order of the manual. */
const VERBS: readonly string[] = [...Object.keys(ACTS), ...Object.keys(OTHER_VERBS)]

/** Reads a list of steps; names that a step gives are known to those below it. Errors: `SCENARIO_INVALID`. */
export function readSteps(node: YamlNode, scope: Scope): readonly ScenarioStep[] {
  if (node.content.kind !== 'list')
    throw invalidScenario(node.place, 'not a list of steps', 'Write lines "- VERB: VALUE".')
  return node.content.items.map((item) => readStep(item, scope))
}

/** The JSON Schemas of a step and of an attempt, for `$defs`. */
export function stepSchemas(): { readonly step: JsonSchema; readonly attempt: JsonSchema } {
  const acts = schemasOf(ACTS)
  const refused = {
    anyOf: [
      { type: 'string', pattern: '^[A-Z_]+$' },
      { type: 'integer', maximum: -1 },
    ],
  }
  return {
    step: {
      type: 'object',
      properties: { ...acts, ...schemasOf(OTHER_VERBS) },
      additionalProperties: false,
      minProperties: 1,
      maxProperties: 1,
    },
    attempt: {
      type: 'object',
      properties: { ...acts, refused, says: SAYS.schema },
      required: ['refused'],
      additionalProperties: false,
      minProperties: 2,
      maxProperties: 3,
    },
  }
}

function schemasOf(verbs: Readonly<Record<string, Verb<unknown>>>): JsonSchema {
  return Object.fromEntries(
    Object.entries(verbs).map(([name, { schema, about }]) => [name, { ...schema, description: about }]),
  )
}

function readStep(node: YamlNode, scope: Scope): ScenarioStep {
  const [member, excess] = entriesIn(node)
  if (member === undefined) throw invalidScenario(node.place, 'an empty step', `Write one of ${VERBS.join(', ')}.`)
  if (excess !== undefined)
    throw invalidScenario(excess.place, `a second verb, ${excess.name}, in one step`, 'Begin another step with "- ".')
  const { name, place, value } = member
  return { place, title: titleOf(member), does: bodyOf({ name, place, value }, scope) }
}

function bodyOf({ name, place, value }: YamlMember, scope: Scope): StepBody {
  const act = ACTS[name]
  if (act !== undefined) return { verb: 'act', act: act.read(value, scope) }
  const other = OTHER_VERBS[name]
  if (other === undefined) throw unknownWord(place, `verb ${name}`, VERBS)
  return other.read(value, scope)
}

function titleOf({ name, value }: YamlMember): string {
  const title = `${name}: ${value.written}`
  return title.length <= TITLE_LENGTH_MAX ? title : `${title.slice(0, TITLE_LENGTH_MAX - 1)}…`
}

function readAttempt(node: YamlNode, scope: Scope): StepBody {
  const entries = entriesIn(node)
  const known = [...Object.keys(ACTS), 'refused', 'says']
  for (const { name, place } of entries) if (!known.includes(name)) throw unknownWord(place, `act ${name}`, known)
  const refused = entries.find(({ name }) => name === 'refused')
  const said = entries.find(({ name }) => name === 'says')
  const [member, excess] = entries.filter((entry) => entry !== refused && entry !== said)
  const act = ACTS[member?.name ?? '']
  if (refused === undefined || member === undefined || act === undefined || excess !== undefined)
    throw invalidScenario(node.place, 'an attempt is one act and how it is refused', 'Write {ACT: …, refused: CODE}.')
  const says = said === undefined ? '' : SAYS.read(said.value, scope)
  return { verb: 'attempt', act: act.read(member.value, scope), refused: refusalIn(refused.value), says }
}

function refusalIn(node: YamlNode): string | number {
  const value = scalarIn(node)
  if (typeof value === 'number' && Number.isInteger(value) && value < 0) return value
  const codes = Object.keys(ERROR_CODES)
  if (typeof value === 'string' && codes.includes(value)) return value
  throw unknownWord(node.place, `refusal ${node.written}`, codes)
}

/** Nothing else than a number can stand here, so a formula needs no signs around it. */
function readBinding({ name, place, value }: YamlMember, scope: Scope): Binding {
  if (!new RegExp(BINDING_NAME).test(name) || TAKEN_NAMES.includes(name) || /^copy\d/.test(name))
    throw invalidScenario(place, `${name} cannot be given as a name`, 'Take another word of letters and digits.')
  const written = String(scalarIn(value) ?? '')
  const bare: YamlNode = {
    ...value,
    content: { kind: 'scalar', value: `\${${written}}` },
    placeOf: (at) => value.placeOf(at - 2),
  }
  const read = formula.read(written.includes('${') || written === '' ? value : bare, scope)
  scope.bind(name)
  return { name, formula: read }
}

function modeVerb(mode: (typeof MODES)[number]): Verb<StepBody> {
  return {
    about: `steps that are played in ${mode} runs only`,
    example: `${mode}: [{close: 10}]`,
    sign: steps.sign,
    schema: steps.schema,
    read: (node, scope) => {
      if (scope.only !== null)
        throw invalidScenario(node.place, `a block ${mode} inside of another`, 'Write one of them.')
      return { verb: 'only', mode, steps: steps.read(node, scope.within(mode)) }
    },
  }
}
