import { CHECKPOINT_FILE_BYTES } from '../engine/database/checkpoint-file.ts'
import { DATABASE_HEADERS_BYTES_MAX } from '../engine/database/database-header-copies.ts'
import type { GenerationRange } from '../engine/generation.ts'
import { hasErrno } from './file-error.ts'
import { type FileOperations, pathIn, wholeOf } from './file-operations.ts'
import { gapsBetween } from './generation-set.ts'
import { type ForeignFiles, scanLogs } from './log-scan.ts'
import type { StoreTools } from './prepared-log.ts'
import { logPath } from './store-places.ts'

/** What lies in the directories of a store: what a recovery goes by, before it reads any log. Nothing of it is verified. */
export interface StoreListing {
  readonly hasOpenLog: boolean
  /** Explains that there is no open log: a roll was cut between its two renames. */
  readonly hasPreparedLog: boolean
  /** The closed logs, as ascending runs without gaps, and what is missing between the runs. */
  readonly closed: readonly GenerationRange[]
  readonly gaps: readonly GenerationRange[]
  /** How many of the two reserve logs there are. */
  readonly reserveLogs: number
  /** The checkpoint file, as it lies there; null where there is none. */
  readonly checkpoint: Uint8Array | null
  /** The first bytes of the database, which hold both copies of its header whatever its page size; null where there is none. */
  readonly databaseStart: Uint8Array | null
  /** Its length; 0 where there is none. */
  readonly databaseBytes: number
  /** What else lies among the logs. It is listed, never touched. */
  readonly foreign: ForeignFiles
}

/** The folder of the source that serves the logs. */
const EXPECTED_AMONG_LOGS: ReadonlySet<string> = new Set(['.ccr'])

/** Reads the directories, the checkpoint and the start of the database. Changes nothing. */
export async function listStore({ files, places, names }: StoreTools): Promise<StoreListing> {
  const isThere = async (name: string): Promise<boolean> => (await files.lookUp(logPath(places, name))) !== null
  const scan = { directory: places.logs, names, examine: () => false, expected: EXPECTED_AMONG_LOGS }
  const { present, foreign } = await scanLogs(scan, files)
  const closed = present.ranges()
  const database = pathIn(places.database, places.databaseName)
  let reserveLogs = 0
  for (const name of places.reserveLogNames) if (await isThere(name)) reserveLogs++
  return {
    hasOpenLog: await isThere(places.openLogName),
    hasPreparedLog: await isThere(places.preparedLogName),
    closed,
    gaps: gapsBetween(closed),
    reserveLogs,
    checkpoint: await startOf(files, logPath(places, places.checkpointName), CHECKPOINT_FILE_BYTES),
    databaseStart: await startOf(files, database, DATABASE_HEADERS_BYTES_MAX),
    databaseBytes: (await files.lookUp(database))?.sizeBytes ?? 0,
    foreign,
  }
}

async function startOf(files: FileOperations, path: string, bytesMax: number): Promise<Uint8Array | null> {
  try {
    const file = await files.open(path, 'read')
    try {
      const bytes = new Uint8Array(bytesMax)
      return bytes.subarray(0, await files.read(file, wholeOf(bytes), 0))
    } finally {
      await files.close(file)
    }
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return null
    throw error
  }
}
