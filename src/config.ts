import type { Release } from '../engine/release.ts'
import type { PassiveGate } from '../engine/source/source-state.ts'

/** How much the log of a service tells. info: an operator would act. debug: a developer would. */
type LogLevel = 'error' | 'warn' | 'info' | 'debug'

/**
 * How deep lost log resilience is: `standalone` 1, `ccr-sp1` 10, and of the release before that, by what its mount dial let a failover
 * lose, `ccr-rtm-lossless` 1, `ccr-rtm-good` 4, `ccr-rtm-best` 7.
 */
type ResilienceWord = 'standalone' | 'ccr-sp1' | 'ccr-rtm-lossless' | 'ccr-rtm-good' | 'ccr-rtm-best'

/** Every setting with its value, as the services take them: durations in milliseconds, sizes in bytes. */
export interface Settings {
  readonly 'share.listen': string
  readonly 'share.manage': string
  readonly 'share.scanInterval': number
  readonly 'copy.manage': string
  readonly 'copy.workers': number
  readonly 'copy.cache': number
  readonly 'copy.rate': string
  readonly 'copy.kind': 'ccr' | 'scr'
  readonly 'copy.replayLag': number
  readonly 'copy.truncationLag': number
  readonly 'copy.release': Release
  readonly 'truncation.passiveGate': PassiveGate
  readonly 'truncation.copiesExpected': number
  readonly 'store.cacheBytes': number
  readonly 'store.checkpointDepth': number
  readonly 'store.resilience': ResilienceWord
  readonly 'store.circularLogging': 'off' | 'on'
  readonly 'maintenance.checksum': 'off' | 'on'
  readonly 'maintenance.zero': 'off' | 'on'
  readonly 'maintenance.throttle': number
  readonly 'maintenance.window': string
  readonly 'seed.rate': string
  readonly 'events.size': number
  readonly 'log.level': LogLevel
  readonly 'client.timeout': number
}

/** The name of a setting: its section and its key in the configuration file. */
export type SettingKey = keyof Settings

/** What kind of value a setting takes, which is also its unit. */
type SettingUnit = 'HOST:PORT' | 'milliseconds' | 'bytes' | 'count' | 'word' | 'times of day' | 'rate'

/** One row of the table. */
export interface Setting<Value extends string | number = string | number> {
  readonly unit: SettingUnit
  readonly default: Value
  /** Least and most number allowed, both included; null where the value is no number. */
  readonly least: number | null
  readonly most: number | null
  /** The words allowed; empty where the value is no word of a list. */
  readonly words: readonly Value[]
  /** The flag that overrides the setting, or null. */
  readonly flag: string | null
  /** What it is for, and why the default is what it is. */
  readonly reason: string
}

const KIBIBYTE = 1024
const MEBIBYTE = 1024 * KIBIBYTE
const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 3600 * SECOND_MS
/** The longest lag of a standby target. Source: ReplayLagTime and TruncationLagTime of Exchange 2007. */
export const STANDBY_LAG_MS_MAX: number = 7 * 24 * HOUR_MS

/** The one table of settings. `ccr config print`, the JSON Schema and docs/CONFIG.md all come from it. */
export const SETTINGS: { readonly [Key in SettingKey]: Setting<Settings[Key]> } = {
  'share.listen': address(
    '127.0.0.1:7700',
    '--listen',
    'Where the source serves its logs. Only loopback is taken until there are TLS and credentials; port 0 takes any free port.',
  ),
  'share.manage': address(
    '127.0.0.1:7701',
    '--manage',
    'Where the source answers people and tools: backup marks, truncation, events, metrics. Loopback only.',
  ),
  'share.scanInterval': {
    ...number('milliseconds', 30 * SECOND_MS, { least: 100, most: HOUR_MS }),
    flag: null,
    reason:
      'How often the log directory is read again although no change was noticed: watch events are hints and can be lost. 30 s is the period in which the Replication service of Exchange 2007 looks again.',
  },
  'copy.manage': address(
    '127.0.0.1:7702',
    '--manage',
    'Where the copy answers people and tools: status, suspend, resume, events, metrics. Loopback only.',
  ),
  'copy.workers': {
    ...number('count', 1, { least: 1, most: 8 }),
    flag: null,
    reason:
      'Threads that fetch, verify and write logs, and as many more that replay them where a copy has a database. One keeps up with a gigabit link; more help only when several sources are copied at once.',
  },
  'copy.cache': {
    ...number('bytes', 64 * MEBIBYTE, { least: MEBIBYTE, most: 16 * 1024 * MEBIBYTE }),
    flag: null,
    reason:
      'Memory for pages of a database that logs are replayed into. It is taken as pages are read and kept while the database is open, for each copy of the process. A page that is changed again while it is in memory is written once: with less memory a copy reads and writes more, and is no less right.',
  },
  'copy.rate': {
    unit: 'rate',
    default: 'off',
    least: null,
    most: null,
    words: [],
    flag: '--rate',
    reason:
      'The most that the logs of all copies of a process take together in a second: 25M, off for no bound, or a timetable of the day such as 08:00,5M 19:00,off. A copy behind a bound that is lower than what its source writes lags more and more. Seeds have a bound of their own, seed.rate.',
  },
  'copy.kind': {
    ...word<'ccr' | 'scr'>('ccr', ['ccr', 'scr']),
    flag: '--scr',
    reason:
      'What a new copy is made for. scr is a standby target: it stays 50 logs behind what it has inspected and replays by its lag, its source waits only for what it has inspected, and no backup is taken of it. Fixed when the store is made; a store keeps its kind when it is started without this.',
  },
  'copy.replayLag': {
    ...number('milliseconds', 24 * HOUR_MS, { least: 0, most: STANDBY_LAG_MS_MAX }),
    flag: '--replay-lag',
    reason:
      'How old a log is before a standby target replays it, 24 h in Exchange 2007: a change that should not have been made can be kept out for so long. Written as 30m, 24h or Days.Hours:Minutes:Seconds. Fixed when the store is made.',
  },
  'copy.truncationLag': {
    ...number('milliseconds', 0, { least: 0, most: STANDBY_LAG_MS_MAX }),
    flag: '--truncation-lag',
    reason:
      'How long a standby target keeps a log that it has replayed and its source has truncated. The log is then as old as both lags together at least. Fixed when the store is made.',
  },
  'copy.release': {
    ...word<Release>('sp1', ['sp1', 'rtm']),
    flag: '--release',
    reason:
      'Whose status a copy has: that of the first service pack of Exchange 2007, or of the release before. With rtm an idle copy is Healthy whatever is wrong, nothing is said of initialising, and a copy that misses a log or cannot replay one is tried again for ever, Failed and Healthy in turns. What becomes of the logs is the same. Not fixed: a copy can be started with the other.',
  },
  'truncation.passiveGate': {
    ...word<PassiveGate>('replayed', ['inspected', 'replayed']),
    flag: '--passive-gate',
    reason:
      'What a copy with a database must have done with a log before the source may delete it. Exchange 2007 waits until the passive has replayed it and does not need it any more to recover its database; with inspected a copy that lags does not hold the source, but then a log that decays on the copy cannot be copied again. A copy that keeps logs only is always asked for what it has inspected.',
  },
  'truncation.copiesExpected': {
    ...number('count', 1, { least: 0, most: 64 }),
    flag: '--copies-expected',
    reason:
      'Nothing is truncated before this many copies have introduced themselves, so that a backup mark cannot delete logs that a copy yet to come still needs. 0 says that no copy is waited for.',
  },
  'store.cacheBytes': {
    ...number('bytes', 64 * MEBIBYTE, { least: MEBIBYTE, most: 4096 * MEBIBYTE }),
    flag: null,
    reason:
      'Memory of a mailbox store for pages of its database. 64 MiB hold 8,192 pages: a good part of what a test writes, and little of what a machine has.',
  },
  'store.checkpointDepth': {
    ...number('bytes', 20 * MEBIBYTE, { least: MEBIBYTE, most: 4096 * MEBIBYTE }),
    flag: null,
    reason:
      'How far the checkpoint of a mailbox store may lag behind its log: so much is redone after a crash, and so many logs survive a backup. 20 MB in Exchange 2007.',
  },
  'store.resilience': {
    ...word<ResilienceWord>('ccr-sp1', ['standalone', 'ccr-sp1', 'ccr-rtm-lossless', 'ccr-rtm-good', 'ccr-rtm-best']),
    flag: null,
    reason:
      'Lost log resilience: how many generations a change is held back from the database file, so that a failover that loses logs leaves no trace in it. 10 under CCR since the first service pack; before, one more than the mount dial lets be lost; 1 without a cluster.',
  },
  'store.circularLogging': {
    ...word<'off' | 'on'>('off', ['off', 'on']),
    flag: null,
    reason:
      'Whether a mailbox store uses logs again that its database does not need any more, without any backup. Exchange 2007 does not support it beside a copy, which then misses logs and has to be seeded.',
  },
  'maintenance.checksum': {
    ...word<'off' | 'on'>('off', ['off', 'on']),
    flag: null,
    reason:
      'Whether online maintenance verifies the pages of a mailbox store in its window: Online Maintenance Checksum of Exchange 2007 SP1, where it is off too unless it is set. A backup of the copy never looks at the pages of the active.',
  },
  'maintenance.zero': {
    ...word<'off' | 'on'>('off', ['off', 'on']),
    flag: null,
    reason:
      'Whether the same pass zeroes what pages hold without using it: Zero Database Pages During Checksum. Only together with maintenance.checksum. Each page that is zeroed is logged, so the copies do the same.',
  },
  'maintenance.throttle': {
    ...number('milliseconds', 0, { least: 0, most: MINUTE_MS }),
    flag: null,
    reason:
      'Rest of online maintenance between two reads of 64 pages: Throttle Checksum. 0 is none: then it reads as fast as the disk gives and the sessions of the store let it.',
  },
  'maintenance.window': {
    unit: 'times of day',
    default: '01:00-05:00',
    least: null,
    most: null,
    words: [],
    flag: null,
    reason:
      'When online maintenance may work, each day, in the local time of the machine; over midnight as 22:00-04:00, always as 00:00-24:00. A pass that has not come to the end goes on in the next window. The night hours are those of Exchange 2007.',
  },
  'seed.rate': {
    unit: 'rate',
    default: 'off',
    least: null,
    most: null,
    words: [],
    flag: null,
    reason:
      'The most that all seeds of a node take together in a second: 25M, off for no bound, or a timetable of the day such as 08:00,5M 19:00,off. ccr seed-rate changes it while seeds run. The logs that are shipped have no part in it.',
  },
  'events.size': {
    ...number('bytes', 8 * MEBIBYTE, { least: 64 * KIBIBYTE, most: 1024 * MEBIBYTE }),
    flag: null,
    reason: 'The event log begins a new file at this size and keeps one older file: it never fills the disk.',
  },
  'log.level': {
    ...word<LogLevel>('info', ['error', 'warn', 'info', 'debug']),
    flag: '--log-level',
    reason: 'How much a service tells on stderr. info: an operator would act. debug: a developer would.',
  },
  'client.timeout': {
    ...number('milliseconds', 30 * SECOND_MS, { least: 100, most: HOUR_MS }),
    flag: null,
    reason:
      'How long a command waits for the answer of a service. A suspension answers only when no more I/O touches the copy, so it needs more than a moment.',
  },
}

/** All keys in the order of the table. */
export const SETTING_KEYS: readonly SettingKey[] = Object.keys(SETTINGS) as SettingKey[] // the mapped type admits no other key

/** The environment variable of a setting: `truncation.passiveGate` is `CCR_TRUNCATION_PASSIVE_GATE`. */
export function environmentName(key: string): string {
  return `CCR_${key
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase()}`
}

type Row<Value extends string | number> = Omit<Setting<Value>, 'flag' | 'reason'>

function address(preset: string, flag: string, reason: string): Setting<string> {
  return { unit: 'HOST:PORT', default: preset, least: null, most: null, words: [], flag, reason }
}

function number(
  unit: SettingUnit,
  preset: number,
  bounds: { readonly least: number; readonly most: number },
): Row<number> {
  return { unit, default: preset, ...bounds, words: [] }
}

function word<Value extends string>(preset: Value, words: readonly Value[]): Row<Value> {
  return { unit: 'word', default: preset, least: null, most: null, words }
}
