import { isScalar, isSeq } from 'yaml'
import { ReplicationError } from '../engine/error.ts'
import type { StandbyOptions } from '../engine/replication/standby-lag.ts'
import { SETTINGS, STANDBY_LAG_MS_MAX } from './config.ts'
import { entriesBelow, invalidConfig, type PlaceOf, singleValue, unknownKey, type YamlEntry } from './config-yaml.ts'
import { parseDuration } from './format-time.ts'

/** A copy as a configuration file writes it. */
export interface WrittenCopy {
  readonly node: string
  /** Null for a copy that is no standby target. */
  readonly standby: StandbyOptions | null
  readonly place: string
}

const COPY_KEYS = ['node', 'kind', 'replayLag', 'truncationLag'] as const
const HINT =
  'Write copies: [node2], or for a standby target [{node: node3, kind: scr, replayLag: 1.00:00:00, truncationLag: 30m}].'

/** Reads the copies of a storage group: names of nodes, or a node with its kind and lags. Errors: `CONFIG_INVALID`. */
export function readCopies(entry: YamlEntry | undefined, place: PlaceOf): readonly WrittenCopy[] {
  if (entry === undefined) return []
  const { value } = entry
  if (!isSeq(value)) throw invalidConfig(entry.place, 'copies is no list of nodes', HINT)
  return value.items.map((item) => {
    if (isScalar(item) && typeof item.value === 'string')
      return { node: item.value, standby: null, place: place(item.range?.[0] ?? 0) }
    const keys = entriesBelow({ ...entry, value: item }, place)
    if (keys === null) throw invalidConfig(entry.place, 'copies is no list of nodes', HINT)
    return readCopy(keys, place, entry.place)
  })
}

function readCopy(entries: readonly YamlEntry[], place: PlaceOf, ownerPlace: string): WrittenCopy {
  const keys = new Map<string, { readonly text: string; readonly place: string }>()
  for (const entry of entries) {
    if (!COPY_KEYS.some((known) => known === entry.name)) throw unknownKey(entry.place, entry.name, COPY_KEYS)
    const written = singleValue(entry, place)
    if (typeof written?.value !== 'string') throw invalidConfig(entry.place, `${entry.name} is not a text`, HINT)
    keys.set(entry.name, { text: written.value, place: written.place })
  }
  const [node, kind] = [keys.get('node'), keys.get('kind')]
  if (node === undefined) throw invalidConfig(ownerPlace, 'a copy has no node', HINT)
  if (kind !== undefined && kind.text !== 'ccr' && kind.text !== 'scr')
    throw invalidConfig(kind.place, `${kind.text} is no kind of copy`, 'Write ccr or scr.')
  const lagMs = (key: 'replayLag' | 'truncationLag'): number => {
    const lag = keys.get(key)
    if (lag === undefined) return SETTINGS[`copy.${key}`].default
    if (kind?.text !== 'scr') throw invalidConfig(lag.place, 'only a standby target has a lag', 'Add kind: scr.')
    return readLag(lag.text, lag.place)
  }
  const lags = { replayLagMs: lagMs('replayLag'), truncationLagMs: lagMs('truncationLag') }
  return { node: node.text, standby: kind?.text === 'scr' ? lags : null, place: node.place }
}

function readLag(text: string, place: string): number {
  const hint = 'Write 30m, 24h or Days.Hours:Minutes:Seconds, at most 7 days.'
  try {
    const lagMs = parseDuration(text)
    if (lagMs <= STANDBY_LAG_MS_MAX) return lagMs
  } catch (cause) {
    if (!(cause instanceof ReplicationError)) throw cause
  }
  throw invalidConfig(place, `${text} is no lag`, hint)
}
