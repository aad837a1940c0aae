import type { Release } from '../engine/release.ts'
import type { StandbyOptions } from '../engine/replication/standby-lag.ts'
import type { PassiveGate } from '../engine/source/source-state.ts'
import { type Choices, PER_MILLE } from './choices.ts'
import type { NameSurvival } from './toy-directory.ts'

/** Each fault that the toy world knows, and what it does. The key is what scenarios, situations and stories call it. */
const FAULTS = {
  'wire-flip': 'a bit of a log flips on the wire',
  'short-write': 'a log is cut short while it is written to inspector/',
  'rest-flip': 'a closed log decays or is changed on the disk of the source, until somebody restores it',
  'kill-copy': 'the process of a copy is killed',
  'kill-publishing':
    'the process of a copy dies, with or without power, between the naming of a log and the sync of its directory',
  'kill-source': 'the process of the source is killed',
  'power-cut-copy': 'the machine of a copy loses power and what was not synced',
  'power-cut-source': 'the machine of the source loses power and what was not synced',
  'full-disk-copy': 'the disk of a copy is full for a while',
  'full-disk-source': 'the disk of the source is full for a while',
  'sync-error': 'a sync on a copy fails once',
  'lost-message': 'a message is lost, and the connection with it a little later',
  'duplicate-message': 'an announcement or a report comes twice',
  'late-message': 'a message comes late, and all behind it',
  partition: 'a copy and its source cannot reach each other for a while',
  'deleted-on-source': 'somebody deletes a closed log on the source',
  'deleted-on-copy': 'somebody deletes an inspected log of a copy',
  'held-on-source': 'another program holds a log open on the source for a while',
  'held-on-copy': 'another program holds a file of a copy for a moment',
  'vanished-on-source': 'the log directory of the source is not there for a while',
  'vanished-on-copy': 'the directories of a copy are not there for a while',
  'lost-hint': 'the watcher of the source misses that a log was closed',
  'late-closing': 'the writer closes a log later than the ones above it',
  operator: 'an operator runs a command, legal or not',
  'replay-fails': 'a replay fails once',
  'bad-page': 'a page of a copy’s database is bad, until somebody exchanges the file',
  'lost-database': 'somebody deletes the database file of a copy',
  backup: 'an operator has a backup taken, of whichever kind and copy',
  'rotten-log': 'a log decays on the disk of a copy after its inspection',
  restore: 'an operator restores a backup on the source that ends with an earlier log',
  seed: 'an operator has a copy seeded, one that cannot go on above all',
  failover: 'the node of the active dies, and that of a copy takes its place with what it has',
  move: 'an operator moves the active to the node of a copy',
} as const

/** Faults that meet only copies with a database. */
const REPLAY_FAULTS: ReadonlySet<string> = new Set(['replay-fails', 'bad-page', 'lost-database', 'rotten-log'])

/** What happens only in worlds with backups, and what only in worlds with seeds. */
const BACKUP_FAULTS: ReadonlySet<string> = new Set(['backup'])
const SEED_FAULTS: ReadonlySet<string> = new Set(['seed'])

/** What happens only in worlds whose nodes change their roles. */
const MOVE_FAULTS: ReadonlySet<string> = new Set(['failover', 'move'])

/** What happens only in worlds with restores. */
const RESTORE_FAULTS: ReadonlySet<string> = new Set(['restore'])

/**
 * What does not happen in them: somebody changes or loses files behind the back of the program. Then nobody can tell from a comparison
 * who has diverged, and the oracle cannot either.
 */
const NOT_WITH_RESTORES: ReadonlySet<string> = new Set([
  'rest-flip',
  'deleted-on-source',
  'deleted-on-copy',
  'rotten-log',
  'bad-page',
  'lost-database',
  'late-closing',
  'power-cut-source',
])

/** The name of a fault. */
export type FaultName = keyof typeof FAULTS

/** All names, in a fixed order. */
// The keys of a literal object are exactly its key type.
export const FAULT_NAMES: readonly FaultName[] = Object.keys(FAULTS) as FaultName[]

/** How often each fault strikes, in thousandths of the occasions it gets. */
export type FaultRates = Readonly<Record<FaultName, number>>

/**
 * What kind of world is drawn: copies that keep logs only, copies with databases, these with backups taken, copies with databases of
 * which some are standby targets, copies of all kinds whose source is restored now and then, or copies with databases that are backed
 * up and seeded, and whose source is restored in half of the runs; or such copies that take the place of the active.
 */
export type WorldKind = 'logs' | 'databases' | 'backups' | 'standby' | 'restores' | 'seeds' | 'moves'

/** All kinds. */
export const WORLD_KINDS: readonly WorldKind[] = [
  'logs',
  'databases',
  'backups',
  'standby',
  'restores',
  'seeds',
  'moves',
]

/** What a run is made of. Drawn from the choices first, so that a seed fixes it. */
export interface Scenario {
  /** Copies of the one source: 1 to 3. */
  readonly copies: number
  /** Logs that the writer closes in phase one. */
  readonly logs: number
  readonly rates: FaultRates
  /** How often each fault may strike in the run. */
  readonly strikesMax: number
  readonly survival: NameSurvival
  /** Delays vary by up to this, in milliseconds. */
  readonly jitterMs: number
  /** Settings of the source. */
  readonly copiesExpected: number
  readonly passiveGate: PassiveGate
  /** Whether the copies have a database, all or none. */
  readonly replays: boolean
  /** How many logs the checkpoint of the active lags behind; null where no mailbox store writes the logs. */
  readonly activeLag: number | null
  /** Whether that store has circular logging, as far as its source is concerned; false when absent. */
  readonly circular?: boolean
  /** How many logs the checkpoint of a copy lags behind at the end of a batch; 2 when absent. */
  readonly copyLag?: number
  /** Whether databases are written out when nothing happens for a while; true when absent. */
  readonly idles?: boolean
  /** The release that the copies behave as; `sp1` when absent. */
  readonly release?: Release
  /** The lags of the copies that are standby targets, in order of the copies, null for any other; none when absent. */
  readonly standby?: readonly (StandbyOptions | null)[]
  /** How many of its newest logs, the open one included, the database file of the active has nothing of; 1 when absent. */
  readonly lostLogDepth?: number
  /** How long phase one lasts in virtual time, in milliseconds. */
  readonly phaseOneMs: number
}

/** A world without faults, whose delays do not vary. */
export const CALM_SCENARIO: Scenario = {
  copies: 1,
  logs: 10,
  rates: ratesOf(() => 0),
  strikesMax: 0,
  survival: 'prefix',
  jitterMs: 0,
  copiesExpected: 1,
  passiveGate: 'replayed',
  replays: false,
  activeLag: null,
  phaseOneMs: 10_000,
}

/**
 * Strikes per thousand occasions when a fault is on. Spot faults meet each log or message; faults of the clock are asked for
 * five times a virtual second, so 10 stands for once in 20 s.
 */
const USUAL_RATES: FaultRates = {
  'wire-flip': 40,
  'short-write': 20,
  'rest-flip': 6,
  'kill-copy': 15,
  'kill-publishing': 15,
  'kill-source': 10,
  'power-cut-copy': 15,
  'power-cut-source': 10,
  'full-disk-copy': 10,
  'full-disk-source': 6,
  'sync-error': 15,
  'lost-message': 10,
  'duplicate-message': 60,
  'late-message': 40,
  partition: 10,
  'deleted-on-source': 8,
  'deleted-on-copy': 6,
  'held-on-source': 12,
  'held-on-copy': 15,
  'vanished-on-source': 6,
  'vanished-on-copy': 6,
  'lost-hint': 100,
  'late-closing': 100,
  operator: 60,
  'replay-fails': 20,
  'bad-page': 4,
  'lost-database': 4,
  'rotten-log': 20,
  backup: 60,
  restore: 20,
  seed: 40,
  failover: 30,
  move: 20,
}

/**
 * Draws a scenario. Each fault is off in about half of the runs (swarm): some bugs hide behind another fault that strikes
 * first. A world whose copies keep logs only draws nothing for databases, so that its seeds stay what they were.
 */
export function drawScenario(choices: Choices, kind: WorldKind = 'logs'): Scenario {
  const copies = 1 + choices.below(3)
  // More than the 50 that a standby target stays behind.
  const logs = 10 + choices.below(60) + (kind === 'standby' || kind === 'restores' ? 60 : 0)
  const replays = kind === 'restores' ? logs % 3 > 0 : kind !== 'logs'
  const hasTargets = kind === 'standby' || (kind === 'restores' && logs % 3 === 1)
  return {
    copies,
    logs,
    rates: withoutLosses(
      ratesOf((fault) => drawRate(choices, isDrawn(fault, kind) ? USUAL_RATES[fault] : 0)),
      kind,
    ),
    strikesMax: Number.POSITIVE_INFINITY,
    survival: choices.below(3) === 0 ? 'any' : 'prefix',
    jitterMs: 1 + choices.below(20),
    copiesExpected: choices.below(copies + 1),
    phaseOneMs: 10_000 + 10_000 * choices.below(5),
    replays,
    // Of what is drawn already, so that the choices of older seeds mean what they meant.
    activeLag: kind === 'seeds' || kind === 'moves' || (replays && logs % 2 === 1) ? logs % 9 : null,
    passiveGate: replays && choices.below(4) === 3 ? 'inspected' : 'replayed',
    // A copy that is ahead of its active's checkpoint needs more logs after a seed than before.
    ...(kind === 'seeds' && { copyLag: logs % 3 }),
    ...((logs + copies) % 4 === 2 && { release: 'rtm' }),
    ...(kind === 'moves' && { copyLag: logs % 3, lostLogDepth: LOST_LOG_DEPTHS[logs % LOST_LOG_DEPTHS.length] ?? 1 }),
    ...(hasTargets && { standby: lagsBy(copies, logs) }),
  }
}

/** None at all, that of a store that is not in a cluster, those of the settings of a cluster, and that since the first service pack. */
const LOST_LOG_DEPTHS = [0, 1, 4, 7, 10] as const

/**
 * Whether an operator has copies seeded where nothing else helps; nowhere where the active is no store of ours, or copies keep logs only. In
 * these worlds numbers of logs are used again, too.
 */
export function isSeeded({ rates, replays, activeLag }: Scenario): boolean {
  return (rates.seed > 0 || rates.failover > 0 || rates.move > 0) && replays && activeLag !== null
}

/** Where the source is restored, nothing else takes or changes files behind the back of the program. */
function withoutLosses(rates: FaultRates, kind: WorldKind): FaultRates {
  if (kind !== 'seeds' || rates.restore === 0) return rates
  return ratesOf((fault) => (NOT_WITH_RESTORES.has(fault) ? 0 : rates[fault]))
}

/** The first copy and every second one after it are standby targets, or all, with lags of some seconds or none; of what is drawn already. */
function lagsBy(copies: number, logs: number): readonly (StandbyOptions | null)[] {
  const lags = { replayLagMs: 4_000 * (logs % 4), truncationLagMs: 3_000 * (logs % 3) }
  return Array.from({ length: copies }, (_, index) => (logs % 5 === 0 || index % 2 === 0 ? lags : null))
}

/** Whether a fault belongs into worlds of a kind: the promises of the others do not reckon with it. */
export function isDrawn(fault: FaultName, kind: WorldKind): boolean {
  if (MOVE_FAULTS.has(fault)) return kind === 'moves'
  if (kind === 'restores') return !NOT_WITH_RESTORES.has(fault) && !BACKUP_FAULTS.has(fault) && !SEED_FAULTS.has(fault)
  if (kind === 'moves') return !NOT_WITH_RESTORES.has(fault) && !RESTORE_FAULTS.has(fault)
  if (REPLAY_FAULTS.has(fault)) return kind !== 'logs'
  if (RESTORE_FAULTS.has(fault) || SEED_FAULTS.has(fault)) return kind === 'seeds'
  return !BACKUP_FAULTS.has(fault) || kind === 'backups' || kind === 'seeds'
}

function drawRate(choices: Choices, usual: number): number {
  return usual === 0 || choices.below(2) === 0 ? 0 : usual * (1 + choices.below(3))
}

/** A scenario in which the named faults strike in half of their occasions, for small worlds that are walked exhaustively. */
export function smallScenario(faults: readonly FaultName[], parts: Partial<Scenario>): Scenario {
  const rates = ratesOf((fault) => (faults.includes(fault) ? PER_MILLE / 2 : 0))
  return { ...CALM_SCENARIO, logs: 3, strikesMax: 1, ...parts, rates }
}

/** One rate for each fault. */
export function ratesOf(rate: (fault: FaultName) => number): FaultRates {
  const rates: Partial<Record<FaultName, number>> = {}
  for (const fault of FAULT_NAMES) rates[fault] = rate(fault)
  return rates as FaultRates // the loop has filled every name in
}

/** A scenario in one line: what a failure prints. */
export function describeScenario(scenario: Scenario): string {
  const on = FAULT_NAMES.filter((fault) => scenario.rates[fault] > 0).map(
    (fault) => `${fault} ${scenario.rates[fault]}`,
  )
  const { copies, logs, survival, jitterMs, copiesExpected, phaseOneMs, replays, passiveGate, activeLag } = scenario
  const depth = scenario.lostLogDepth === undefined ? '' : `, lost log resilience ${scenario.lostLogDepth}`
  const targets = (scenario.standby ?? []).flatMap((lag, index) =>
    lag === null ? [] : [`copy${index + 1} lags ${lag.replayLagMs} and ${lag.truncationLagMs} ms`],
  )
  const lags = targets.map((target) => `, ${target}`).join('')
  const release = scenario.release === 'rtm' ? ', as RTM' : ''
  const databases = replays ? `, with databases, gate ${passiveGate}` : ''
  const active = activeLag === null ? '' : `, checkpoint of the active ${activeLag} logs behind${depth}`
  return `copies ${copies}${release}${lags}${databases}${active}, expected ${copiesExpected}, logs ${logs}, names survive by ${survival}, jitter ${jitterMs} ms, phase one ${phaseOneMs / 1000} s; faults per mille: ${on.join(', ') || 'none'}`
}
