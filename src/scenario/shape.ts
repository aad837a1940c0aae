import { ReplicationError } from '../../engine/error.ts'
import { type Formula, isProblem, namesIn, parseFormula } from '../../engine/scenario/formula.ts'
import { DURATION_PATTERN, parseDuration } from '../format-time.ts'
import type { Scope } from './scope.ts'
import { invalidScenario, unknownWord, type YamlMember, type YamlNode } from './yaml-node.ts'

/** What a value of a scenario file may be: how it is read, what its JSON Schema is, and how a manual writes it. */
export interface Shape<Value> {
  /** Reads a value. Errors: `SCENARIO_INVALID`. */
  readonly read: (node: YamlNode, scope: Scope) => Value
  readonly schema: JsonSchema
  /** As a manual writes it: `N`, `copy1`, `A..B`. */
  readonly sign: string
}

/** A JSON Schema, or a part of one. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** One field of a map. */
export interface Field<Value> {
  readonly shape: Shape<Value>
  readonly about: string
}

/** Text between `${` and `}`. */
const FORMULA_PATTERN = '^\\s*\\$\\{.+\\}\\s*$'

/** A text that is not empty, on one line or several. */
export function text(sign: string, lengthMax = 10_000): Shape<string> {
  return {
    sign,
    schema: { type: 'string', minLength: 1, maxLength: lengthMax },
    read: (node) => {
      const value = scalarIn(node)
      if (typeof value !== 'string' || value.trim() === '' || value.length > lengthMax)
        throw invalidScenario(node.place, 'not a text', `Write some text, at most ${lengthMax} characters long.`)
      return value.trim()
    },
  }
}

/** True or false. */
export const flag: Shape<boolean> = {
  sign: 'true | false',
  schema: { type: 'boolean' },
  read: (node) => {
    const value = scalarIn(node)
    if (typeof value !== 'boolean') throw invalidScenario(node.place, 'neither true nor false', 'Write true or false.')
    return value
  },
}

/** A whole number within bounds that is written out. */
export function whole(least: number, most: number): Shape<number> {
  return {
    sign: `${least} to ${most}`,
    schema: { type: 'integer', minimum: least, maximum: most },
    read: (node) => {
      const value = scalarIn(node)
      if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most)
        throw invalidScenario(
          node.place,
          `${node.written} is no whole number from ${least} to ${most}`,
          'Write a whole number.',
        )
      return value
    },
  }
}

/** A whole number, or a formula between `${` and `}`. */
export const formula: Shape<Formula> = {
  sign: 'N',
  schema: {
    anyOf: [
      { type: 'integer', minimum: 0 },
      { type: 'string', pattern: FORMULA_PATTERN },
    ],
  },
  read: (node, scope) => formulaIn(node, scope, { text: String(scalarIn(node) ?? ''), offset: 0 }),
}

/** Reads a part of a scalar as a formula, and knows every name in it. */
export function formulaIn(
  node: YamlNode,
  scope: Scope,
  part: { readonly text: string; readonly offset: number },
): Formula {
  const read = parseFormula(part.text, part.offset)
  if (isProblem(read)) throw invalidScenario(node.placeOf(read.offset), read.problem, FORMULA_HINT)
  for (const { name, offset } of namesIn(read))
    if (!scope.isNumber(name)) throw unknownWord(node.placeOf(offset), `name ${name}`, scope.numberNames())
  return read
}

const FORMULA_HINT = `Write a whole number, or \${…} with numbers, names, + - * ( ) min() max().`

/** One of some words. */
export function word<const Word extends string>(words: readonly Word[]): Shape<Word> {
  return {
    sign: words.join(' | '),
    schema: { enum: words },
    read: (node) => {
      const value = scalarIn(node)
      const known = words.find((each) => each === value)
      if (known === undefined) throw unknownWord(node.place, `word ${node.written}`, words)
      return known
    },
  }
}

/** `copy1` and so on, as many as the world has; with `active` where that may stand too. */
export function owner(withActive: boolean): Shape<string> {
  return {
    sign: withActive ? 'active | copy1' : 'copy1',
    schema: { enum: [...(withActive ? ['active'] : []), 'copy1', 'copy2', 'copy3'] },
    read: (node, scope) => {
      const value = String(scalarIn(node))
      const known = [...(withActive ? ['active'] : []), ...scope.copies]
      if (!known.includes(value)) throw unknownWord(node.place, `${withActive ? 'node' : 'copy'} ${value}`, known)
      return value
    },
  }
}

/** A duration with its unit, in milliseconds. */
export const duration: Shape<number> = {
  sign: '30s',
  schema: { type: 'string', pattern: DURATION_PATTERN },
  read: (node) => {
    try {
      return parseDuration(String(scalarIn(node)))
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw error
      throw invalidScenario(node.place, error.message, error.hint)
    }
  },
}

/** What is written between `first` and `last`: `1..40`, or one number. */
export const range: Shape<{ readonly first: Formula; readonly last: Formula }> = {
  sign: 'A..B',
  schema: {
    anyOf: [
      { type: 'integer', minimum: 0 },
      { type: 'string', minLength: 1 },
    ],
  },
  read: (node, scope) => rangeIn(node, scope, { text: String(scalarIn(node) ?? ''), offset: 0 }),
}

/** Reads a part of a scalar as a range. */
export function rangeIn(
  node: YamlNode,
  scope: Scope,
  part: { readonly text: string; readonly offset: number },
): { readonly first: Formula; readonly last: Formula } {
  const at = dotsIn(part.text)
  if (at < 0) {
    const both = formulaIn(node, scope, part)
    return { first: both, last: both }
  }
  const first = formulaIn(node, scope, { text: part.text.slice(0, at), offset: part.offset })
  const last = formulaIn(node, scope, { text: part.text.slice(at + 2), offset: part.offset + at + 2 })
  return { first, last }
}

/** Where the two dots of a range are, outside of formulas. */
function dotsIn(written: string): number {
  const blanked = written.replace(/\$\{[^}]*\}/g, (inside) => '_'.repeat(inside.length))
  return blanked.indexOf('..')
}

/** A list of values; a single one may stand by itself. */
export function listOf<Value>(item: Shape<Value>): Shape<readonly Value[]> {
  return {
    sign: `${item.sign}, …`,
    schema: { anyOf: [item.schema, { type: 'array', items: item.schema }] },
    read: (node, scope) =>
      node.content.kind === 'list'
        ? node.content.items.map((each) => item.read(each, scope))
        : [item.read(node, scope)],
  }
}

/** A map where one stands, else a single value. */
export function eitherShape<One, Other>(scalar: Shape<One>, mapped: Shape<Other>): Shape<One | Other> {
  return {
    sign: `${scalar.sign} | ${mapped.sign}`,
    schema: { anyOf: [scalar.schema, mapped.schema] },
    read: (node, scope) => (node.content.kind === 'map' ? mapped : scalar).read(node, scope),
  }
}

/** What a map with these fields is read as. */
export type FieldsOf<Fields> = {
  readonly [Name in keyof Fields]: Fields[Name] extends Field<infer Value> ? Value | undefined : never
}

/** A map with these fields, each of which may be left out but for those in `needed`. */
export function map<Fields extends Readonly<Record<string, Field<unknown>>>>(
  fields: Fields,
  needed: readonly (keyof Fields & string)[] = [],
): Shape<FieldsOf<Fields>> {
  const properties = Object.fromEntries(
    Object.entries(fields).map(([name, { shape, about }]) => [name, { ...shape.schema, description: about }]),
  )
  return {
    sign: `{${Object.entries(fields)
      .map(([name, { shape }]) => `${name}: ${shape.sign}`)
      .join(', ')}}`,
    schema: { type: 'object', properties, required: needed, additionalProperties: false },
    read: (node, scope) => {
      const members = membersOf(node, Object.keys(fields))
      for (const name of needed)
        if (!members.has(name))
          throw invalidScenario(node.place, `there is no ${name}`, `Write ${name}: ${fields[name]?.shape.sign ?? ''}.`)
      const values = Object.entries(fields).map(([name, { shape }]): [string, unknown] => {
        const member = members.get(name)
        return [name, member === undefined ? undefined : shape.read(member.value, scope)]
      })
      return Object.fromEntries(values) as FieldsOf<Fields> // each field was read by its own shape
    },
  }
}

/** The members of a map by name, all of them known. */
export function membersOf(node: YamlNode, known: readonly string[]): ReadonlyMap<string, YamlMember> {
  const entries = entriesIn(node)
  for (const { name, place } of entries) if (!known.includes(name)) throw unknownWord(place, `field ${name}`, known)
  return new Map(entries.map((member) => [member.name, member]))
}

/** The members of a map. Errors: `SCENARIO_INVALID` when it is none. */
export function entriesIn(node: YamlNode): readonly YamlMember[] {
  if (node.content.kind !== 'map') throw invalidScenario(node.place, 'not a map', 'Write KEY: VALUE pairs here.')
  return node.content.entries
}

/** The value of a scalar; null for nothing. Errors: `SCENARIO_INVALID` for a list or a map. */
export function scalarIn(node: YamlNode): string | number | boolean | null {
  if (node.content.kind === 'scalar') return node.content.value
  throw invalidScenario(node.place, `a ${node.content.kind} stands where one value belongs`, 'Write one value.')
}
