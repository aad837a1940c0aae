import { readFileSync, statSync } from 'node:fs'
import { basename } from 'node:path'
import { ReplicationError } from '../../engine/error.ts'
import type { ScenarioFile, ScenarioWorld } from '../../engine/scenario/step.ts'
import { SETTING_KEYS, SETTINGS, type SettingKey } from '../config.ts'
import { readSettingValue } from '../config-value.ts'
import { expectationsSchema, MODES } from './expectations.ts'
import { Scope } from './scope.ts'
import {
  duration,
  type Field,
  type FieldsOf,
  flag,
  type JsonSchema,
  listOf,
  map,
  membersOf,
  owner,
  type Shape,
  scalarIn,
  text,
  whole,
  word,
} from './shape.ts'
import { readSteps, stepSchemas } from './steps.ts'
import { invalidScenario, readYaml, unknownWord, type YamlNode } from './yaml-node.ts'

/** The largest scenario file: ten thousand steps. */
const FILE_BYTES_MAX = 512 * 1024
/** As many copies as the toy world has, and ports of a test machine. */
const COPIES_MAX = 3
/** Logs that a checkpoint lags behind, at most: the toy world plays some hundred logs in a moment. */
const LAG_MAX = 10_000

const settings: Shape<ScenarioWorld['settings']> = {
  sign: '{KEY: VALUE}',
  schema: {
    type: 'object',
    properties: Object.fromEntries(SETTING_KEYS.map((key) => [key, { description: SETTINGS[key].reason }])),
    additionalProperties: false,
  },
  read: (node) =>
    Object.fromEntries([...membersOf(node, SETTING_KEYS)].map(([name, { value }]) => [name, settingIn(name, value)])),
}

const TOY = {
  active: { shape: whole(0, LAG_MAX), about: 'the active needs so many of its newest closed logs; 20' },
  copy: { shape: whole(0, LAG_MAX), about: 'a copy needs so many of the logs that it replayed last; 10' },
  idle: { shape: flag, about: 'whether databases are written out in quiet times, after which they need none; false' },
}

const STANDBY = {
  copies: { shape: listOf(owner(false)), about: 'which copies are; all of them' },
  replayLag: { shape: duration, about: 'how old a log is when it is replayed; 24h' },
  truncationLag: { shape: duration, about: 'how long what is replayed is kept; 0s' },
}

const WORLD_FIELDS = {
  copies: { shape: whole(0, COPIES_MAX), about: 'how many copies there are, `copy1` and so on; 1' },
  late: {
    shape: listOf(owner(false)),
    about: 'copies that are set up later, with a step `start`; the active does not count on them before',
  },
  databases: {
    shape: flag,
    about: 'whether a mailbox store writes the logs and copies replay them; true. Without, in virtual runs only',
  },
  gate: { shape: word(['replayed', 'inspected']), about: 'truncation.passiveGate; replayed' },
  standby: {
    shape: map(STANDBY),
    about: 'copies are standby targets, which stay 50 logs behind and replay late; none',
  },
  circular: { shape: flag, about: 'circular logging; false' },
  release: {
    shape: word(['sp1', 'rtm']),
    about: 'what a copy tells of its failures, copy.release, and in real runs how deep lost log resilience is; sp1',
  },
  settings: { shape: settings, about: 'settings of docs/CONFIG.md, in real runs' },
  toy: { shape: map(TOY), about: 'how many logs the checkpoints lag behind in virtual runs' },
} as const satisfies Readonly<Record<string, Field<unknown>>>

const FILE_FIELDS: Readonly<Record<string, string>> = {
  name: 'what it is called; the name of the file when absent',
  about: 'why it is played, with the source of what it expects',
  only: 'the one mode in which it can be played; elsewhere it is skipped',
  world: 'what there is before the first step',
  steps: 'what is done and expected, one after the other',
}

/**
 * Reads a scenario file.
 *
 * Errors: `SCENARIO_INVALID` with line and column; `READ_FAILED`.
 */
export function readScenarioFile(path: string): ScenarioFile {
  return parseScenario(readText(path), path)
}

/** Reads the text of a scenario file; `path` is for places and for the name. Errors: `SCENARIO_INVALID`. */
export function parseScenario(written: string, path: string): ScenarioFile {
  const node = readYaml(written, path)
  const members = membersOf(node, Object.keys(FILE_FIELDS))
  const world = worldIn(members.get('world')?.value)
  const steps = members.get('steps')
  if (steps === undefined) throw invalidScenario(node.place, 'there are no steps', 'Write steps: and a list below it.')
  const scope = new Scope(world.copies)
  const read = <Value>(name: string, shape: Shape<Value>, preset: Value): Value => {
    const member = members.get(name)
    return member === undefined ? preset : shape.read(member.value, scope)
  }
  return {
    name: read('name', text('TEXT', 200), basename(path).replace(/\.ya?ml$/, '')),
    about: read('about', text('TEXT'), ''),
    only: read('only', word(MODES), null),
    world,
    steps: readSteps(steps.value, scope),
  }
}

/** The JSON Schema of a scenario file, made from what the reader takes. */
export function scenarioSchema(): JsonSchema {
  const fields: Readonly<Record<string, JsonSchema>> = {
    name: text('TEXT', 200).schema,
    about: text('TEXT').schema,
    only: word(MODES).schema,
    world: map(WORLD_FIELDS).schema,
    steps: { type: 'array', items: { $ref: '#/$defs/step' } },
  }
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Scenario of ccr',
    type: 'object',
    properties: Object.fromEntries(
      Object.entries(FILE_FIELDS).map(([name, description]) => [name, { ...fields[name], description }]),
    ),
    required: ['steps'],
    additionalProperties: false,
    $defs: { ...stepSchemas(), expectations: expectationsSchema() },
  }
}

function worldIn(node: YamlNode | undefined): ScenarioWorld {
  const written: Partial<FieldsOf<typeof WORLD_FIELDS>> =
    node === undefined ? {} : map(WORLD_FIELDS).read(node, new Scope(COPIES_MAX))
  const { copies = 1 } = written
  // Once more, now that it is known which copies there are to be named.
  const said = node === undefined ? written : map(WORLD_FIELDS).read(node, new Scope(copies))
  const { late = [], databases = true, gate = 'replayed', circular = false, release = 'sp1', toy } = said
  const { standby } = said
  const { active = 20, copy = 10, idle = false } = toy ?? {}
  return {
    copies,
    late: [...new Set(late)],
    databases,
    gate,
    standby: standby === undefined ? null : standbyIn(standby, copies),
    circular,
    release,
    settings: { ...(release === 'rtm' ? { 'store.resilience': 'ccr-rtm-best' } : {}), ...said.settings },
    toyLag: { active, copy, idle },
  }
}

function standbyIn(said: Partial<FieldsOf<typeof STANDBY>>, copies: number): ScenarioWorld['standby'] {
  const all = Array.from({ length: copies }, (_, index) => `copy${index + 1}`)
  const lag = {
    replayLagMs: said.replayLag ?? SETTINGS['copy.replayLag'].default,
    truncationLagMs: said.truncationLag ?? SETTINGS['copy.truncationLag'].default,
  }
  return { copies: said.copies ?? all, lag }
}

function settingIn(name: string, node: YamlNode): string | number {
  const key = SETTING_KEYS.find((each): each is SettingKey => each === name)
  if (key === undefined) throw unknownWord(node.place, `setting ${name}`, SETTING_KEYS)
  try {
    return readSettingValue(key, scalarIn(node), node.place)
  } catch (error) {
    if (!(error instanceof ReplicationError) || error.code === 'SCENARIO_INVALID') throw error
    throw invalidScenario(node.place, `${key} is not taken as ${node.written}`, error.hint)
  }
}

function readText(path: string): string {
  try {
    if (statSync(path).size > FILE_BYTES_MAX)
      throw invalidScenario(`${path}:1:1`, `larger than ${FILE_BYTES_MAX} bytes`, 'Give the path of a scenario file.')
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (cause instanceof ReplicationError) throw cause
    throw new ReplicationError({
      code: 'READ_FAILED',
      message: `scenario file ${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'Give the path of a readable file.',
      fields: { path },
      cause,
    })
  }
}
