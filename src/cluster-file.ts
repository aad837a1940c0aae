import { dirname, resolve } from 'node:path'
import { ReplicationError } from '../engine/error.ts'
import { asStorageGroupName } from '../engine/storage-group.ts'
import { parseListenAddress } from '../transport/loopback.ts'
import { BASE_NAME, type Cluster, type ClusterGroup, type ClusterNode, GROUPS_MAX, NODES_MAX } from './cluster.ts'
import { readCopies } from './cluster-copies.ts'
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

const NODE_KEYS = ['data', 'listen', 'manage'] as const
const GROUP_KEYS = ['active', 'copies', 'baseName'] as const
const HINT =
  'A cluster is written as nodes: {NAME: {data, listen, manage}} and storageGroups: {NAME: {active, copies, baseName}}; ccr config schema has it all.'

/**
 * Reads the nodes and storage groups of a configuration file; relative paths are relative to the file.
 *
 * Errors: `CONFIG_INVALID` with line and column, also when there are none, or when a storage group names a node that is none;
 * `NAME_INVALID`, `BIND_REFUSED`, `READ_FAILED`.
 */
export function readClusterFile(path: string): Cluster {
  return parseClusterText(readConfigText(path), path)
}

/** Reads the text of a configuration file that lies at `path`. Errors: as {@link readClusterFile}. */
export function parseClusterText(text: string, path: string): Cluster {
  const { entries, place } = readSections(text, { path, hint: HINT })
  const nodes = itemsOf({ entries, section: 'nodes', most: NODES_MAX, path }, place).map((entry) =>
    readNode(entry, place, dirname(resolve(path))),
  )
  const names = nodes.map(({ name }) => name)
  const groups = itemsOf({ entries, section: 'storageGroups', most: GROUPS_MAX, path }, place).map((entry, index) =>
    readGroup(entry, place, { names, index }),
  )
  return { nodes, groups }
}

function itemsOf(
  wanted: {
    readonly entries: readonly YamlEntry[]
    readonly section: string
    readonly most: number
    readonly path: string
  },
  place: PlaceOf,
): YamlEntry[] {
  const { entries, section, most, path } = wanted
  const found = entries.find(({ name }) => name === section)
  if (found === undefined) throw invalidConfig(`${path}:1:1`, `there is no section ${section}`, HINT)
  const items = entriesBelow(found, place)
  if (items === null || items.length === 0) throw invalidConfig(found.place, `section ${section} is empty`, HINT)
  const excess = items[most]
  if (excess !== undefined) throw invalidConfig(excess.place, `section ${section} has more than ${most} entries`, HINT)
  return items
}

function readNode(entry: YamlEntry, place: PlaceOf, base: string): ClusterNode {
  const keys = keysOf(entry, place, NODE_KEYS)
  const { name } = entry
  taking(entry.place, () => asStorageGroupName(name))
  const address = (key: 'listen' | 'manage') => {
    const { value, place: at } = textOf({ keys, owner: entry }, key, place)
    return taking(at, () => parseListenAddress(value))
  }
  const data = textOf({ keys, owner: entry }, 'data', place).value
  return { name, data: resolve(base, data), listen: address('listen'), manage: address('manage') }
}

function readGroup(
  entry: YamlEntry,
  place: PlaceOf,
  known: { readonly names: readonly string[]; readonly index: number },
): ClusterGroup {
  const keys = keysOf(entry, place, GROUP_KEYS)
  const name = taking(entry.place, () => asStorageGroupName(entry.name))
  const active = textOf({ keys, owner: entry }, 'active', place)
  knownNode(active, known.names)
  const copies = readCopies(keys.get('copies'), place)
  for (const copy of copies) {
    knownNode({ value: copy.node, place: copy.place }, known.names)
    if (copy.node === active.value)
      throw invalidConfig(copy.place, `${name} has its copy where it is active`, 'Name another node.')
  }
  if (new Set(copies.map(({ node }) => node)).size < copies.length)
    throw invalidConfig(entry.place, `${name} has two copies on one node`, 'Name each node once.')
  const standby = new Map(copies.flatMap((copy) => (copy.standby === null ? [] : [[copy.node, copy.standby] as const])))
  const baseName = keys.has('baseName') ? textOf({ keys, owner: entry }, 'baseName', place) : null
  if (baseName !== null && !BASE_NAME.test(baseName.value))
    throw invalidConfig(baseName.place, `${baseName.value} is no base name`, 'Write three letters or digits, as E00.')
  return {
    name,
    active: active.value,
    copies: copies.map(({ node }) => node),
    ...(standby.size > 0 && { standby }),
    baseName: baseName?.value ?? `E${known.index.toString(16).toUpperCase().padStart(2, '0')}`,
  }
}

interface Written {
  readonly value: string
  readonly place: string
}

function knownNode({ value, place }: Written, names: readonly string[]): void {
  if (!names.includes(value)) throw unknownKey(place, value, names)
}

function keysOf(entry: YamlEntry, place: PlaceOf, known: readonly string[]): Map<string, YamlEntry> {
  const keys = entriesBelow(entry, place)
  if (keys === null) throw invalidConfig(entry.place, `${entry.name} has no keys below it`, HINT)
  for (const key of keys) if (!known.includes(key.name)) throw unknownKey(key.place, key.name, known)
  return new Map(keys.map((key) => [key.name, key]))
}

function textOf({ keys, owner }: Keys, key: string, place: PlaceOf): Written {
  const entry = keys.get(key)
  if (entry === undefined) throw invalidConfig(owner.place, `${owner.name} has no ${key}`, HINT)
  const written = singleValue(entry, place)
  if (typeof written?.value !== 'string' || written.value === '')
    throw invalidConfig(entry.place, `${key} is not a text`, HINT)
  return { value: written.value, place: written.place }
}

/** The keys below an entry. */
interface Keys {
  readonly keys: ReadonlyMap<string, YamlEntry>
  readonly owner: YamlEntry
}

/** Adds the place to an error of whoever reads the value. */
function taking<Value>(place: string, read: () => Value): Value {
  try {
    return read()
  } catch (cause) {
    if (!(cause instanceof ReplicationError)) throw cause
    throw new ReplicationError({ code: cause.code, message: `${place}: ${cause.message}`, hint: cause.hint, cause })
  }
}
