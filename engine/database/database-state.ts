import { assert } from '../assert.ts'

/**
 * What a database says of itself:
 *
 * - `just-created`: no log tells of it yet;
 * - `dirty-shutdown`: in use, or left so by a crash. A passive copy is always in this state: it needs its logs;
 * - `clean-shutdown`: complete without any log;
 * - `incremental-reseed`, `dirty-and-patched`, `reverting`: marks of versions after Exchange 2007.
 */
export type DatabaseState =
  | 'just-created'
  | 'dirty-shutdown'
  | 'clean-shutdown'
  | 'being-converted'
  | 'force-detach'
  | 'incremental-reseed'
  | 'dirty-and-patched'
  | 'reverting'

/** The states by their number in a header, from 1 on. */
const STATES: readonly DatabaseState[] = [
  'just-created',
  'dirty-shutdown',
  'clean-shutdown',
  'being-converted',
  'force-detach',
  'incremental-reseed',
  'dirty-and-patched',
  'reverting',
]

/**
 * Which state may follow which. Source: the engine's own table, of which the states that it no longer enters have no row.
 * `reverting` belongs to versions far after Exchange 2007, and nothing here begins or ends it.
 */
const FOLLOWERS: Readonly<Record<DatabaseState, readonly DatabaseState[]>> = {
  'just-created': ['dirty-shutdown'],
  'dirty-shutdown': ['clean-shutdown', 'incremental-reseed'],
  'clean-shutdown': ['dirty-shutdown'],
  'being-converted': [],
  'force-detach': [],
  'incremental-reseed': ['dirty-and-patched'],
  'dirty-and-patched': ['dirty-shutdown', 'incremental-reseed'],
  reverting: [],
}

/** How eseutil names them. The engine calls every state that it does not expect illegal. */
const NAMES: Readonly<Record<DatabaseState, string>> = {
  'just-created': 'Just Created',
  'dirty-shutdown': 'Dirty Shutdown',
  'clean-shutdown': 'Clean Shutdown',
  'being-converted': 'Being Converted',
  'force-detach': 'Force Detach Replay Error',
  'incremental-reseed': 'Incremental Reseed In Progress',
  'dirty-and-patched': 'Dirty and Patched Shutdown',
  reverting: 'Database Revert in Progress',
}

/** The state of a number in a header, or null when no version has it. */
export function databaseStateOf(number: number): DatabaseState | null {
  return STATES[number - 1] ?? null
}

/** The number of a state in a header. */
export function numberOfState(state: DatabaseState): number {
  return STATES.indexOf(state) + 1
}

/** Whether a database may go from one state to another. Staying as it is is no move, and always allowed. */
export function mayBecome(from: DatabaseState, to: DatabaseState): boolean {
  return from === to || FOLLOWERS[from].includes(to)
}

/** Goes from one state to another. Asserts {@link mayBecome}: a wrong move is a fault of the caller, never of the disk. */
export function movedState(from: DatabaseState, to: DatabaseState): DatabaseState {
  assert(mayBecome(from, to), `a database may go from ${from} to ${to}`)
  return to
}

/** As eseutil prints the state: `Clean Shutdown`. */
export function formatDatabaseState(state: DatabaseState): string {
  return NAMES[state]
}
