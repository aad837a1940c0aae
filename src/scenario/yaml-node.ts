import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, type Pair, parseDocument, type YAMLMap } from 'yaml'
import { ReplicationError } from '../../engine/error.ts'
import { nearestWord } from '../nearest-word.ts'

/** One value of a scenario file, with its place. */
export interface YamlNode {
  /** `path:line:column`. */
  readonly place: string
  /** What was written, on one line. */
  readonly written: string
  /** What it is: a scalar has a value, a map has entries, a list has items. */
  readonly content:
    | { readonly kind: 'scalar'; readonly value: string | number | boolean | null }
    | { readonly kind: 'map'; readonly entries: readonly YamlMember[] }
    | { readonly kind: 'list'; readonly items: readonly YamlNode[] }
  /** The place of a character of a scalar, counted from 0. */
  readonly placeOf: (offset: number) => string
}

/** One key with its value. */
export interface YamlMember {
  readonly name: string
  /** Of the key. */
  readonly place: string
  readonly value: YamlNode
}

/** A place in the file by its offset. */
type PlaceOf = (offset: number) => string

interface Source {
  readonly text: string
  readonly placeOf: PlaceOf
}

/** Reads the text of a scenario file as far as the YAML goes. Errors: `SCENARIO_INVALID` with line and column. */
export function readYaml(text: string, path: string): YamlNode {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true })
  const placeOf = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${path}:${line}:${col}`
  }
  const problem = document.errors[0] ?? document.warnings[0]
  if (problem !== undefined) {
    const [message = ''] = problem.message.split('\n', 1)
    throw invalidScenario(placeOf(problem.pos[0]), message.replace(/ at line \d+, column \d+:?$/, ''), YAML_HINT)
  }
  return nodeOf(document.contents, { text, placeOf }, 0)
}

const YAML_HINT = `Mend the YAML at this place. A text that begins with >, or has \${…} inside of {}, needs quotation marks around it.`

/** A `SCENARIO_INVALID` at a place. */
export function invalidScenario(place: string, message: string, hint: string): ReplicationError {
  const parts = /:(\d+):(\d+)$/.exec(place)
  return new ReplicationError({
    code: 'SCENARIO_INVALID',
    message: `${place}: ${message}`,
    hint,
    fields: { line: Number(parts?.[1]), column: Number(parts?.[2]) },
  })
}

/** A word that is none of those that are known here, with the nearest one that is. */
export function unknownWord(place: string, what: string, known: readonly string[]): ReplicationError {
  const word = what.slice(what.lastIndexOf(' ') + 1)
  const nearest = nearestWord(word, known)
  const question = nearest === null ? '' : `Did you mean ${nearest}? `
  return invalidScenario(place, `unknown ${what}`, `${question}Known here: ${known.join(', ') || 'none'}.`)
}

function nodeOf(node: unknown, source: Source, fallback: number): YamlNode {
  // The library types what is nested as unknown; whatever is a node has a range.
  const range = (node as Node | null)?.range ?? null
  const start = range?.[0] ?? fallback
  const quoted = isScalar(node) && (node.type === 'QUOTE_DOUBLE' || node.type === 'QUOTE_SINGLE') ? 1 : 0
  const content = contentOf(node, source, start)
  return {
    place: source.placeOf(start),
    written: writtenAs(content, source.text.slice(start, range?.[1] ?? start)),
    content,
    placeOf: (offset) => source.placeOf(start + quoted + offset),
  }
}

function contentOf(node: unknown, source: Source, start: number): YamlNode['content'] {
  if (isMap(node)) {
    // The items of a nested map are pairs, as those of the document's own map.
    const map: YAMLMap = node
    return { kind: 'map', entries: map.items.map((pair) => memberOf(pair, source, start)) }
  }
  if (isSeq(node)) return { kind: 'list', items: node.items.map((item) => nodeOf(item, source, start)) }
  if (isAlias(node)) throw invalidScenario(source.placeOf(start), 'an alias is not taken here', 'Write the value out.')
  if (!isScalar(node)) return { kind: 'scalar', value: null }
  const { value } = node
  const isPlain = typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean'
  return { kind: 'scalar', value: isPlain ? value : null }
}

function memberOf(pair: Pair, source: Source, start: number): YamlMember {
  const { key, value } = pair
  if (!isScalar(key)) throw invalidScenario(source.placeOf(start), 'a key is not a word', 'Write KEY: VALUE.')
  const keyAt = key.range?.[0] ?? start
  return {
    name: String(key.value),
    place: source.placeOf(keyAt),
    value: nodeOf(value, source, key.range?.[1] ?? keyAt),
  }
}

/** Lists and maps as they stand on one line, whatever lines and comments they have. */
function writtenAs(content: YamlNode['content'], text: string): string {
  switch (content.kind) {
    case 'scalar':
      return text.replace(/\s+/g, ' ').trim()
    case 'list':
      return `[${content.items.map(({ written }) => written).join(', ')}]`
    case 'map':
      return `{${content.entries.map(({ name, value }) => `${name}: ${value.written}`).join(', ')}}`
  }
}
