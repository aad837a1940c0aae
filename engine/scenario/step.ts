import type { BackupScope } from '../database/backup-slot.ts'
import type { Release } from '../release.ts'
import type { StandbyOptions } from '../replication/standby-lag.ts'
import type { PassiveGate } from '../source/source-state.ts'
import type { Expectation } from './expectation.ts'
import type { Formula } from './formula.ts'

/** Where a scenario is played: in the toy world and its virtual time, or against processes of this program. */
export type ScenarioMode = 'virtual' | 'real'

/** What a scenario file says. */
export interface ScenarioFile {
  readonly name: string
  /** Why it is played, with the source of what it expects; `''` when nothing was said. */
  readonly about: string
  /** Where it can be played; elsewhere it is skipped. Null: anywhere. */
  readonly only: ScenarioMode | null
  readonly world: ScenarioWorld
  readonly steps: readonly ScenarioStep[]
}

/** What there is before the first step: one storage group, nothing written yet. */
export interface ScenarioWorld {
  /** Copies of the storage group, from 0 to 3: `copy1`, `copy2`, `copy3`. */
  readonly copies: number
  /** Copies that nobody has set up yet: their nodes are down until they are started for the first time. */
  readonly late: readonly Owner[]
  /** Whether a mailbox store writes the logs and the copies replay them; else logs only. */
  readonly databases: boolean
  readonly gate: PassiveGate
  /** The copies that are standby targets, with their lags; null when none is. */
  readonly standby: { readonly copies: readonly Owner[]; readonly lag: StandbyOptions } | null
  readonly circular: boolean
  /** The release that the product behaves as, where that matters. */
  readonly release: Release
  /** Settings of the configuration by key, for real processes. */
  readonly settings: Readonly<Record<string, string | number>>
  /** How many logs the checkpoints of the toy databases lag behind; a real database follows its checkpoint depth. */
  readonly toyLag: ToyLag
}

/** The checkpoints of the toy world, which writes no pages. */
interface ToyLag {
  /** The active needs so many of its newest closed logs. */
  readonly active: number
  /** A copy needs so many of the logs that it replayed last. */
  readonly copy: number
  /** Whether databases are written out when nothing happens for a while, so that the lag becomes 0. */
  readonly idle: boolean
}

/** One step, and where it was written. */
export interface ScenarioStep {
  /** `path:line:column` of its verb. */
  readonly place: string
  /** As it was written, on one line, not longer than a line. */
  readonly title: string
  readonly does: StepBody
}

/** What a step does. */
export type StepBody =
  | { readonly verb: 'act'; readonly act: Act<Formula> }
  /** The act has to be refused so: with a code of docs/ERRORS.md, or with a number of ESE; and in these words, `''` for any. */
  | { readonly verb: 'attempt'; readonly act: Act<Formula>; readonly refused: string | number; readonly says: string }
  | { readonly verb: 'expect'; readonly expectations: readonly Expectation[] }
  | { readonly verb: 'wait'; readonly until: readonly Expectation[]; readonly withinMs: number }
  | { readonly verb: 'advance'; readonly ms: number }
  | { readonly verb: 'let'; readonly bindings: readonly Binding[] }
  /** Steps that are played in one mode only. */
  | { readonly verb: 'only'; readonly mode: ScenarioMode; readonly steps: readonly ScenarioStep[] }

/** A name that a scenario gives to a number. */
export interface Binding {
  readonly name: string
  readonly formula: Formula
}

/** `active`, `copy1`, `copy2` or `copy3`. */
type Owner = string

/** In which way a log is wrong. */
export type LogDamage = 'body' | 'torn' | 'generation' | 'signature' | 'previous'

/** What is done to the world. Counts are formulas where a scenario says them, and numbers when they are carried out. */
export type Act<Count> =
  /** So many logs are closed, one after the other; each has a message where there are messages. */
  | { readonly kind: 'close'; readonly logs: Count }
  /** Mail is delivered: so many messages, or until so many logs were closed. */
  | { readonly kind: 'load'; readonly messages: Count | null; readonly logs: Count | null }
  | { readonly kind: 'suspend'; readonly copy: Owner; readonly comment: string | null }
  | { readonly kind: 'resume'; readonly copy: Owner }
  | { readonly kind: 'network'; readonly change: 'cut' | 'heal'; readonly copy: Owner }
  /** The process of a node ends at once (`crash`) or in order (`stop`), and stays down until `start`. */
  | { readonly kind: 'node'; readonly change: 'crash' | 'stop' | 'start'; readonly node: Owner }
  /** Another product says that everything through this log is backed up. */
  | { readonly kind: 'mark'; readonly through: Count }
  | { readonly kind: 'corrupt-log'; readonly log: Count; readonly on: Owner; readonly how: LogDamage }
  /** The next transfers of a log arrive damaged. */
  | { readonly kind: 'corrupt-transfer'; readonly log: Count; readonly times: Count; readonly copy: Owner }
  | { readonly kind: 'delete-logs'; readonly first: Count; readonly last: Count; readonly on: Owner }
  /** Somebody stops counting on a copy. */
  | { readonly kind: 'disable'; readonly copy: Owner }
  | BackupAct
  /** The backup or the seed that is held ends. */
  | { readonly kind: 'release'; readonly outcome: 'completed' | 'aborted' }
  /** Sets are restored into the active; `pointInTime` leaves out the logs that are newer than they. */
  | { readonly kind: 'restore'; readonly from: readonly string[]; readonly pointInTime: boolean }
  /** A set says from now on that this version of the product has made it. */
  | { readonly kind: 'age'; readonly set: string; readonly product: string }
  /** Somebody removes the logs and the database of a copy that is suspended. */
  | { readonly kind: 'empty'; readonly copy: Owner }
  | SeedAct
  /** Somebody leaves a file among the logs of a copy, or removes it. */
  | { readonly kind: 'file'; readonly change: 'leave' | 'remove'; readonly file: string; readonly on: Owner }
  /** The database of the active is dismounted, or mounted again; the toy world has none. */
  | { readonly kind: 'database'; readonly change: 'dismount' | 'mount' }

/** A backup, from its beginning to its end, or until it is held. */
export interface BackupAct {
  readonly kind: 'backup'
  readonly scope: BackupScope
  readonly method: 'streaming' | 'vss'
  readonly of: Owner
  /** What the set is called; null where nobody restores it. */
  readonly to: string | null
  readonly outcome: BackupOutcome
}

/** A seed, from its beginning to its end, or until it is held. */
export interface SeedAct {
  readonly kind: 'seed'
  readonly copy: Owner
  readonly deleteExistingFiles: boolean
  /** The prompt about an obsolete checkpoint is answered with Yes. */
  readonly confirm: boolean
  readonly manualResume: boolean
  readonly held: boolean
}

/** How the tool of a backup ends it: one that `vanished` leaves it under way, one that is `held` does until it is released. */
type BackupOutcome = 'completed' | 'aborted' | 'vanished' | 'held'

/** The number of ESE that a refusal names, where it gives none by itself: `(error -526)`, `(-617)`; 0 for none. */
export function eseErrorIn(message: string): number {
  return Number(/\((?:error )?(-\d+)\)/.exec(message)?.[1] ?? 0)
}

/** What an act came to: null when it was done. */
export interface ActRefusal {
  /** Of docs/ERRORS.md. */
  readonly code: string
  /** ESE's number, or 0. */
  readonly eseError: number
  readonly message: string
  /** The exit code of a command that is refused so. */
  readonly exit: number
}
