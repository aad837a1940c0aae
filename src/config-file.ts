import { readFileSync, statSync } from 'node:fs'
import { isMap, isScalar, LineCounter, type Pair, parseDocument, type YAMLMap } from 'yaml'
import { ReplicationError } from '../engine/error.ts'
import { SETTING_KEYS, type SettingKey } from './config.ts'
import { readSettingValue } from './config-value.ts'
import { nearestWord } from './nearest-word.ts'

/** One value of the file, with its place for `ccr config print`. */
export interface FileValue {
  readonly key: SettingKey
  readonly value: string | number
  /** `path:line:column`. */
  readonly place: string
}

/** The largest configuration file: a hundred times what all keys with comments need. */
const FILE_BYTES_MAX = 64 * 1024

/**
 * Reads a configuration file. Every key must be known, every value in its bounds.
 *
 * Errors: `CONFIG_INVALID` with line and column; `READ_FAILED` when the file cannot be read.
 */
export function readConfigFile(path: string): FileValue[] {
  return parseConfigText(readText(path), path)
}

/** Reads the text of a configuration file; `path` is only for messages. Errors: `CONFIG_INVALID`. */
export function parseConfigText(text: string, path: string): FileValue[] {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, uniqueKeys: true })
  const place = (offset: number): string => {
    const { line, col } = lines.linePos(offset)
    return `${path}:${line}:${col}`
  }
  const problem = document.errors[0] ?? document.warnings[0]
  if (problem !== undefined)
    throw invalid(place(problem.pos[0]), firstLine(problem.message), 'Mend the YAML at this place.')
  if (document.contents === null) return []
  if (!isMap(document.contents)) throw invalid(place(0), 'not a map of sections', SECTIONS_HINT)
  return document.contents.items.flatMap((section) => readSection(section, place))
}

const SECTIONS = [...new Set(SETTING_KEYS.map((key) => sectionOf(key)))]
const SECTIONS_HINT = `Write one of the sections ${SECTIONS.join(', ')}, with its keys below; ccr config print shows all.`

function readSection(pair: Pair, place: (offset: number) => string): FileValue[] {
  const [section, sectionPlace] = readKey(pair, place)
  if (!SECTIONS.includes(section)) throw unknownKey(sectionPlace, section, SECTIONS)
  if (!isMap(pair.value)) throw invalid(sectionPlace, `section ${section} has no keys below it`, SECTIONS_HINT)
  // The library types the items of a nested map as unknown; they are pairs like those of the document's own map.
  const map: YAMLMap = pair.value
  return map.items.map((item) => readEntry(section, item, place))
}

function readEntry(section: string, pair: Pair, place: (offset: number) => string): FileValue {
  const [name, keyPlace] = readKey(pair, place)
  const known = SETTING_KEYS.filter((key) => sectionOf(key) === section)
  const key = known.find((candidate) => candidate === `${section}.${name}`)
  if (key === undefined)
    throw unknownKey(
      keyPlace,
      `${section}.${name}`,
      known.map((candidate) => candidate),
    )
  if (!isScalar(pair.value)) throw invalid(keyPlace, `${key} is not a single value`, 'Write one text or number.')
  const valuePlace = place(pair.value.range?.[0] ?? 0)
  return { key, value: readSettingValue(key, pair.value.value, valuePlace), place: valuePlace }
}

function readKey(pair: Pair, place: (offset: number) => string): [key: string, place: string] {
  if (isScalar(pair.key)) return [String(pair.key.value), place(pair.key.range?.[0] ?? 0)]
  throw invalid(place(0), 'a key is not a word', SECTIONS_HINT)
}

function unknownKey(place: string, key: string, known: readonly string[]): ReplicationError {
  const nearest = nearestWord(key, known)
  const question = nearest === null ? '' : `Did you mean ${nearest}? `
  return invalid(place, `unknown key ${key}`, `${question}Known here: ${known.join(', ')}.`)
}

function invalid(place: string, message: string, hint: string): ReplicationError {
  const parts = /:(\d+):(\d+)$/.exec(place)
  return new ReplicationError({
    code: 'CONFIG_INVALID',
    message: `${place}: ${message}`,
    hint,
    fields: { line: Number(parts?.[1]), column: Number(parts?.[2]) },
  })
}

function readText(path: string): string {
  try {
    if (statSync(path).size > FILE_BYTES_MAX)
      throw invalid(`${path}:1:1`, `larger than ${FILE_BYTES_MAX} bytes`, 'Give the path of a configuration file.')
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

function sectionOf(key: string): string {
  return key.slice(0, key.indexOf('.'))
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? text
}
