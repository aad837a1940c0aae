import type { Generation } from '../generation.ts'

/** What ends a recovery or a replay, with ESE's number. Nothing may be redone after it before an operator has looked. */
export interface StoreFault {
  readonly error: number
  readonly detail: string
  /** The log at fault, or the one that was redone when a page was found at fault; null where none is named. */
  readonly generation: Generation | null
  /** The page at fault, or null. */
  readonly page: number | null
}

/** ESE's numbers of what the files of a store may lack. Those of logs stand with `ESE_ERROR_OF`, those of redo with `RedoStep`. */
export const STORE_ERROR = {
  logCorrupt: -501,
  logMissing: -528,
  badLogSignature: -530,
  badDatabaseSignature: -531,
  badCheckpointSignature: -532,
  badPatchPage: -535,
  requiredLogsMissing: -543,
  consistentTimeMismatch: -551,
  restoredLogBadSignature: -555,
  restoredLogNotContiguous: -556,
  openLogOfCopy: -611,
  outOfMemory: -1011,
  pageBad: -1018,
  attachedMismatch: -1216,
  databaseMissing: -1811,
} as const

/** A fault that names no page. */
export function logFault(error: number, generation: Generation | null, detail: string): StoreFault {
  return { error, detail, generation, page: null }
}
