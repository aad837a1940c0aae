import { readFileSync, statSync } from 'node:fs'
import { isMap, isScalar, LineCounter, type Pair, parseDocument, type YAMLMap } from 'yaml'
import { ReplicationError } from '../engine/error.ts'
import { nearestWord } from './nearest-word.ts'

/** A place in a configuration file, as messages and `ccr config print` show it: `path:line:column`. */
export type PlaceOf = (offset: number) => string

/** One key with what stands behind it. */
export interface YamlEntry {
  readonly name: string
  readonly value: unknown
  /** Of the key. */
  readonly place: string
}

/** The largest configuration file: a hundred times what all keys with comments need. */
const FILE_BYTES_MAX = 64 * 1024
const KEY_HINT = 'A key is one word; ccr config print shows all of them, ccr config schema what else a file may say.'

/**
 * Reads a configuration file as far as the yaml goes. Errors: `CONFIG_INVALID` with line and column, `READ_FAILED`.
 */
export function readConfigText(path: string): string {
  try {
    if (statSync(path).size > FILE_BYTES_MAX)
      throw invalidConfig(
        `${path}:1:1`,
        `larger than ${FILE_BYTES_MAX} bytes`,
        'Give the path of a configuration file.',
      )
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (cause instanceof ReplicationError) throw cause
    throw new ReplicationError({
      code: 'READ_FAILED',
      message: `configuration file ${path} cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'Give the path of a readable file with --config or CCR_CONFIG.',
      fields: { path },
      cause,
    })
  }
}

/** The sections of a configuration file, in its order. Errors: `CONFIG_INVALID`, `hint` when it is no map. */
export function readSections(
  text: string,
  file: { readonly path: string; readonly hint: string },
): { readonly entries: YamlEntry[]; readonly place: PlaceOf } {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true })
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${file.path}:${line}:${col}`
  }
  const problem = document.errors[0] ?? document.warnings[0]
  if (problem !== undefined)
    throw invalidConfig(place(problem.pos[0]), firstLine(problem.message), 'Mend the YAML at this place.')
  if (document.contents === null) return { entries: [], place }
  if (!isMap(document.contents)) throw invalidConfig(place(0), 'not a map of sections', file.hint)
  return { entries: document.contents.items.map((pair) => readPair(pair, place)), place }
}

/** The keys below an entry, or null when there are none. */
export function entriesBelow({ value }: YamlEntry, place: PlaceOf): YamlEntry[] | null {
  if (!isMap(value)) return null
  // The library types the items of a nested map as unknown; they are pairs like those of the document's own map.
  const map: YAMLMap = value
  return map.items.map((pair) => readPair(pair, place))
}

/** The single value of an entry with its own place; undefined when it is a list or a map. */
export function singleValue(
  { value }: YamlEntry,
  place: PlaceOf,
): { readonly value: unknown; readonly place: string } | undefined {
  return isScalar(value) ? { value: value.value, place: place(value.range?.[0] ?? 0) } : undefined
}

/** Errors of a key that is none: with the nearest one that is. */
export function unknownKey(place: string, key: string, known: readonly string[]): ReplicationError {
  const nearest = nearestWord(key, known)
  const question = nearest === null ? '' : `Did you mean ${nearest}? `
  return invalidConfig(place, `unknown key ${key}`, `${question}Known here: ${known.join(', ')}.`)
}

/** A `CONFIG_INVALID` at a place of a file. */
export function invalidConfig(place: string, message: string, hint: string): ReplicationError {
  const parts = /:(\d+):(\d+)$/.exec(place)
  return new ReplicationError({
    code: 'CONFIG_INVALID',
    message: `${place}: ${message}`,
    hint,
    fields: { line: Number(parts?.[1]), column: Number(parts?.[2]) },
  })
}

function readPair(pair: Pair, place: PlaceOf): YamlEntry {
  if (!isScalar(pair.key)) throw invalidConfig(place(0), 'a key is not a word', KEY_HINT)
  return { name: String(pair.key.value), value: pair.value, place: place(pair.key.range?.[0] ?? 0) }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text
}
