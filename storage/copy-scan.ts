import type { Generation, GenerationRange } from '../engine/generation.ts'
import type { CopyStorePaths } from './copy-store-layout.ts'
import { hasErrno } from './file-error.ts'
import { type FileFacts, type FileOperations, pathIn, wholeOf } from './file-operations.ts'
import { gapsBetween } from './generation-set.ts'
import type { LogNames } from './log-names.ts'
import { type ForeignFiles, type LogScanResult, scanLogs } from './log-scan.ts'
import { sweepTemporaryFiles } from './temporary-files.ts'

/** What a copy's directories hold, read from them alone. */
export interface CopyScan<Identity> {
  /**
   * The logs that the copy goes on from: the lowest contiguous run that a truncation has not left behind. Null for an empty
   * copy. A run above a gap does not count, since a log below it may be lost; its logs are fetched again and found to be there.
   */
  readonly run: GenerationRange | null
  /** The log at `run.last`; null for an empty copy. */
  readonly newest: FoundLog<Identity> | null
  /** All runs, ascending. */
  readonly ranges: readonly GenerationRange[]
  /** What is missing between them. */
  readonly gaps: readonly GenerationRange[]
  readonly foreign: ForeignFiles
  /** Open logs (`E00.log`, `E00tmp.log`) from a time as active. */
  readonly openLogs: readonly string[]
  /** How many temporary files of interrupted attempts were removed. */
  readonly swept: number
}

/** A log as it lies there. The newest is the one that the next must continue. */
interface FoundLog<Identity> {
  readonly generation: Generation
  readonly name: string
  readonly facts: FileFacts
  /** Null when the file's start tells no identity: it is damaged. */
  readonly identity: Identity | null
}

/** What a scan needs. */
export interface CopyScanRequest<Identity> {
  readonly paths: CopyStorePaths
  readonly names: LogNames
  readonly truncatedBelow: Generation
  readonly identityOf: (start: Uint8Array, name: string) => Identity | null
}

/** What a log's header needs: one block. */
const IDENTITY_BYTES = 4096

/**
 * Sweeps what never was published, then reads names alone; only the newest log of the run is opened. What it reports is durable:
 * after a kill the directory may show names that no sync has reached, and they must not be acknowledged before one has.
 */
export async function scanCopy<Identity>(
  request: CopyScanRequest<Identity>,
  files: FileOperations,
): Promise<CopyScan<Identity>> {
  const { paths, names } = request
  const swept = await sweepAll(files, paths)
  await files.syncDirectory(paths.logs)
  const { present, foreign } = await scanCopyNames(request, files)
  const ranges = present.ranges()
  const run = ranges.find((range) => range.last >= request.truncatedBelow - 1) ?? null
  return {
    run,
    newest: run === null ? null : await readLog(request, files, run.last),
    ranges,
    gaps: gapsBetween(ranges),
    foreign,
    openLogs: await openLogsIn(files, paths.logs, names),
    swept,
  }
}

/** Reads the names of a copy's log directory. */
export function scanCopyNames(
  request: { readonly paths: CopyStorePaths; readonly names: LogNames },
  files: FileOperations,
): Promise<LogScanResult> {
  const expected = new Set(['inspector', 'IgnoredLogs'])
  return scanLogs({ directory: request.paths.logs, names: request.names, examine: () => false, expected }, files)
}

async function sweepAll(files: FileOperations, paths: CopyStorePaths): Promise<number> {
  let swept = 0
  for (const directory of [paths.inspector, paths.inspectionFailed, paths.outOfDate, paths.root])
    swept += await sweepTemporaryFiles(files, directory)
  return swept
}

/** Opens one log of a copy and reads what it says that it is; null where it is not there. */
export async function readLog<Identity>(
  request: Pick<CopyScanRequest<Identity>, 'paths' | 'names' | 'identityOf'>,
  files: FileOperations,
  generation: Generation,
): Promise<FoundLog<Identity> | null> {
  for (const name of request.names.candidates(generation)) {
    const start = await readStart(files, pathIn(request.paths.logs, name))
    if (start !== null) return { generation, name, facts: start.facts, identity: request.identityOf(start.bytes, name) }
  }
  return null
}

async function readStart(
  files: FileOperations,
  path: string,
): Promise<{ readonly bytes: Uint8Array; readonly facts: FileFacts } | null> {
  try {
    const file = await files.open(path, 'read')
    try {
      const bytes = new Uint8Array(IDENTITY_BYTES)
      const length = await files.read(file, wholeOf(bytes), 0)
      return { bytes: bytes.subarray(0, length), facts: await files.factsOf(file) }
    } finally {
      await files.close(file)
    }
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return null
    throw error
  }
}

async function openLogsIn(files: FileOperations, directory: string, names: LogNames): Promise<readonly string[]> {
  const found: string[] = []
  for (const name of names.openLogNames) if ((await files.lookUp(pathIn(directory, name))) !== null) found.push(name)
  return found
}
