import { CLUSTER_SECTIONS } from './cluster.ts'
import { SETTING_KEYS, type SettingKey } from './config.ts'
import { readSettingValue } from './config-value.ts'
import {
  entriesBelow,
  invalidConfig,
  type PlaceOf,
  readConfigText,
  readSections,
  singleValue,
  unknownKey,
  type YamlEntry,
} from './config-yaml.ts'

/** One value of the file, with its place for `ccr config print`. */
export interface FileValue {
  readonly key: SettingKey
  readonly value: string | number
  /** `path:line:column`. */
  readonly place: string
}

/**
 * Reads the settings of a configuration file. Every key must be known, every value in its bounds; the sections of a cluster are
 * left to `readClusterFile`.
 *
 * Errors: `CONFIG_INVALID` with line and column; `READ_FAILED` when the file cannot be read.
 */
export function readConfigFile(path: string): FileValue[] {
  return parseConfigText(readConfigText(path), path)
}

/** Reads the text of a configuration file; `path` is only for messages. Errors: `CONFIG_INVALID`. */
export function parseConfigText(text: string, path: string): FileValue[] {
  const { entries, place } = readSections(text, { path, hint: SECTIONS_HINT })
  return entries.flatMap((section) => readSection(section, place))
}

const SECTIONS = [...new Set(SETTING_KEYS.map((key) => sectionOf(key)))]
const SECTIONS_HINT = `Write one of the sections ${SECTIONS.join(', ')}, with its keys below; ccr config print shows all.`

function readSection(section: YamlEntry, place: PlaceOf): FileValue[] {
  const { name } = section
  if (CLUSTER_SECTIONS.includes(name)) return []
  if (!SECTIONS.includes(name)) throw unknownKey(section.place, name, [...SECTIONS, ...CLUSTER_SECTIONS])
  const entries = entriesBelow(section, place)
  if (entries === null) throw invalidConfig(section.place, `section ${name} has no keys below it`, SECTIONS_HINT)
  return entries.map((entry) => readEntry(name, entry, place))
}

function readEntry(section: string, entry: YamlEntry, place: PlaceOf): FileValue {
  const known = SETTING_KEYS.filter((key) => sectionOf(key) === section)
  const key = known.find((candidate) => candidate === `${section}.${entry.name}`)
  if (key === undefined) throw unknownKey(entry.place, `${section}.${entry.name}`, known)
  const written = singleValue(entry, place)
  if (written === undefined)
    throw invalidConfig(entry.place, `${key} is not a single value`, 'Write one text or number.')
  return { key, value: readSettingValue(key, written.value, written.place), place: written.place }
}

function sectionOf(key: string): string {
  return key.slice(0, key.indexOf('.'))
}
