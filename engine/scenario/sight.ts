/** What a scenario sees of its world at one moment. What is not known, such as the status of a node that is down, is not there. */
export interface Sight {
  /** By name: `active.current`, `copy1.inspected`. */
  readonly numbers: ReadonlyMap<string, number>
  /** By name: `copy1.status`. */
  readonly words: ReadonlyMap<string, string>
  /** Closed logs that lie on a disk, by name: `active.logs`. Ascending runs. */
  readonly logs: ReadonlyMap<string, readonly SeenRange[]>
  /** Every event since the world began, of each owner in the order in which it was raised. */
  readonly events: readonly SeenEvent[]
  /** Which rules hold the logs of the active, in ascending runs without gaps. */
  readonly held: readonly SeenHold[]
  /** What came of reading back every message that was acknowledged; null where nobody looked or there are none. */
  readonly messages: { readonly found: number; readonly faults: number } | null
}

/** First and last generation, both included. */
export interface SeenRange {
  readonly first: number
  readonly last: number
}

/** An event of the event log. */
export interface SeenEvent {
  readonly id: number
  /** Who raised it: `active`, `copy1`. */
  readonly of: string
  readonly text: string
}

/** Logs that the same rules hold. */
interface SeenHold {
  readonly range: SeenRange
  readonly rules: readonly string[]
}

/** The part of a sight that is filled name by name. */
export interface DraftSight {
  readonly numbers: Map<string, number>
  readonly words: Map<string, string>
  readonly logs: Map<string, readonly SeenRange[]>
}

/** What an explanation of truncation says of the logs of the active: each rule once. */
export function seenHolds(
  held: readonly { readonly range: SeenRange; readonly reasons: readonly { readonly rule: string }[] }[],
): readonly SeenHold[] {
  return held.map(({ range, reasons }) => ({ range, rules: [...new Set(reasons.map(({ rule }) => rule))] }))
}

/** What kind of thing a live name stands for. */
export type LiveKind = 'number' | 'word' | 'logs'

/** One live name: what follows `active.` or `copy1.`. */
export interface LiveName {
  readonly kind: LiveKind
  readonly about: string
}

/** What can be said of the active. */
export const ACTIVE_NAMES: Readonly<Record<string, LiveName>> = {
  logs: { kind: 'logs', about: 'the closed logs in the log directory of the active' },
  current: { kind: 'number', about: 'the generation of the open log' },
  checkpoint: { kind: 'number', about: 'the first log that the database of the active needs to recover' },
  backedUp: { kind: 'number', about: 'everything through this log is backed up; 0 before the first backup' },
  truncatable: { kind: 'number', about: 'no rule holds a log through this one; 0 when nothing may go' },
  ...slotNames(),
  status: {
    kind: 'word',
    about: '`running`, `ServiceDown`, or what the store says of itself: `recovering`, `dismounted`, `failed`',
  },
}

/** What can be said of a copy. */
export const COPY_NAMES: Readonly<Record<string, LiveName>> = {
  logs: { kind: 'logs', about: 'the inspected logs in the log directory of the copy' },
  status: {
    kind: 'word',
    about: 'SummaryCopyStatus: `Healthy`, `Failed`, `Suspended`, …; `ServiceDown` while its node is down',
  },
  copyQueue: {
    kind: 'number',
    about: 'CopyQueueLength: logs that the active has closed and the copy has not inspected',
  },
  replayQueue: { kind: 'number', about: 'ReplayQueueLength: logs that are inspected and not replayed' },
  generated: { kind: 'number', about: 'LastLogGenerated, as the copy knows it' },
  inspected: { kind: 'number', about: 'LastLogInspected: everything through this log is inspected' },
  replayed: { kind: 'number', about: 'LastLogReplayed: everything through this log is replayed' },
  required: { kind: 'number', about: 'the first log that the database of the copy needs to recover' },
  comment: { kind: 'word', about: 'SuspendComment' },
}

/** The newest backup of each scope, as the header of the active's database says. */
function slotNames(): Readonly<Record<string, LiveName>> {
  const names: Record<string, LiveName> = {}
  for (const scope of ['full', 'incremental', 'copy', 'differential']) {
    names[`slots.${scope}.first`] = { kind: 'number', about: `the first log of the newest ${scope} backup; 0 for none` }
    names[`slots.${scope}.last`] = { kind: 'number', about: `the last log of the newest ${scope} backup; 0 for none` }
  }
  return names
}

/** The live names of a world with so many copies, in full. */
export function liveNames(copies: number): ReadonlyMap<string, LiveName> {
  const names = new Map<string, LiveName>()
  for (const [name, live] of Object.entries(ACTIVE_NAMES)) names.set(`active.${name}`, live)
  for (let copy = 1; copy <= copies; copy++)
    for (const [name, live] of Object.entries(COPY_NAMES)) names.set(`copy${copy}.${name}`, live)
  return names
}

/** Generations in ascending order as runs. */
export function runsOf(generations: readonly number[]): readonly SeenRange[] {
  const runs: { first: number; last: number }[] = []
  for (const generation of generations) {
    const run = runs.at(-1)
    if (run !== undefined && generation === run.last + 1) run.last = generation
    else runs.push({ first: generation, last: generation })
  }
  return runs
}

/** Runs as a scenario writes them: `81..101`, `none`, `1..3, 5..9`. */
export function runsText(runs: readonly SeenRange[]): string {
  return runs.map(({ first, last }) => (first === last ? `${first}` : `${first}..${last}`)).join(', ') || 'none'
}
