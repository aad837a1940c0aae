import { ReplicationError } from '../engine/error.ts'
import { asGeneration } from '../engine/generation.ts'
import type { LogFormat } from '../engine/log-format.ts'
import { directoryFacts, makeDirectoriesDurably } from './durable-directory.ts'
import type { FileOperations } from './file-operations.ts'
import { pathIn } from './file-operations.ts'
import { readStoreMarker, STORE_MARKER_NAME, type StoreMarker, writeStoreMarker } from './store-marker.ts'

/** The directories and files of a copy's store. */
export interface CopyStorePaths {
  readonly root: string
  readonly logs: string
  /** Logs that are arriving. */
  readonly inspector: string
  readonly ignoredLogs: string
  /** Logs that the inspector refused, kept for the operator. */
  readonly inspectionFailed: string
  /** Open logs from a time as active, kept for the operator. */
  readonly outOfDate: string
  readonly database: string
  readonly journal: string
}

/** The paths of a store below `root`. Touches nothing. */
export function copyStorePaths(root: string, format: LogFormat): CopyStorePaths {
  const logs = pathIn(root, 'logs')
  const ignoredLogs = pathIn(logs, 'IgnoredLogs')
  return {
    root,
    logs,
    inspector: pathIn(logs, 'inspector'),
    ignoredLogs,
    inspectionFailed: pathIn(ignoredLogs, 'InspectionFailed'),
    outOfDate: pathIn(ignoredLogs, format.kind === 'ese' ? `${format.baseName}OutOfDate` : 'OutOfDate'),
    database: pathIn(root, 'database'),
    journal: pathIn(root, JOURNAL_NAME),
  }
}

/** The journal's name in the root of a store. */
const JOURNAL_NAME = 'intent.ndjson'

/** What {@link makeLayout} needs. */
export interface LayoutRequest {
  readonly root: string
  readonly format: LogFormat
  /** Makes ids that never repeat, of 32 hexadecimal digits: the id of the store, and of attempts to write. */
  readonly newId: () => string
  /** The store must be there already: what is missing is then a vanished volume and not a new copy. */
  readonly mustExist: boolean
}

/**
 * Makes the layout of a store durably, or checks that of one that is there. The marker comes last: with it, all directories
 * are durable, and a missing one is a loss that nobody papers over.
 *
 * Errors: `DIRECTORY_CONFLICT`, `DIRECTORY_MISSING`, `STORE_FOREIGN`, and those of the file system.
 */
export async function makeLayout(files: FileOperations, request: LayoutRequest): Promise<StoreMarker> {
  const paths = copyStorePaths(request.root, request.format)
  const found = (await directoryFacts(files, request.root)) === null ? null : await readStoreMarker(files, request.root)
  if (found === null) return createLayout(files, request, paths)
  if (!sameFormat(found.format, request.format)) throw otherFormat(request, found.format)
  for (const directory of [paths.logs, paths.database]) {
    if ((await directoryFacts(files, directory)) === null) throw vanished(directory)
  }
  // A killed start may have left the marker without a sync, and everything rests on it.
  await files.syncDirectory(request.root)
  // These hold nothing that the copy rests on, so they may come back.
  for (const directory of [paths.inspector, paths.inspectionFailed, paths.outOfDate]) {
    if ((await directoryFacts(files, directory)) === null) await makeDirectoriesDurably(files, directory)
  }
  return found
}

/** The error for a directory of the store that is gone or was exchanged. */
export function vanished(path: string): ReplicationError {
  return new ReplicationError({
    code: 'DIRECTORY_MISSING',
    message: `${path} is not the directory of this store any more`,
    hint: 'Mount the volume or put the directory back; a lost copy is made anew by seeding it, never silently.',
    fields: { path },
  })
}

async function createLayout(
  files: FileOperations,
  request: LayoutRequest,
  paths: CopyStorePaths,
): Promise<StoreMarker> {
  if (request.mustExist) throw vanished(request.root)
  await makeDirectoriesDurably(files, request.root)
  await refuseStrangers(files, request.root)
  const subdirectories = [paths.logs, paths.inspector, paths.inspectionFailed, paths.outOfDate, paths.database]
  for (const directory of subdirectories) await makeDirectoriesDurably(files, directory)
  const marker: StoreMarker = { copyId: request.newId(), format: request.format, truncatedBelow: asGeneration(0) }
  await writeStoreMarker(files, { root: request.root, attemptId: request.newId() }, marker)
  return marker
}

/** Names that a root without a marker may hold: those of an interrupted creation, of the lock, and of a fresh volume. */
const KNOWN_IN_ROOT = /^(logs|database|intent\.ndjson|store\.(json|lock)(\..*)?|lost\+found)$/

async function refuseStrangers(files: FileOperations, root: string): Promise<void> {
  const stranger = (await files.readDirectory(root)).find((name) => !KNOWN_IN_ROOT.test(name))
  if (stranger === undefined) return
  throw new ReplicationError({
    code: 'STORE_FOREIGN',
    message: `${root} holds ${JSON.stringify(stranger)} and no ${STORE_MARKER_NAME}: it is no store of a copy`,
    hint: 'Give an empty or new directory.',
    fields: { path: root },
  })
}

function sameFormat(a: LogFormat, b: LogFormat): boolean {
  if (a.kind === 'ese') return b.kind === 'ese' && a.baseName.toLowerCase() === b.baseName.toLowerCase()
  return b.kind === 'numbered' && a.pattern === b.pattern
}

function otherFormat(request: LayoutRequest, found: LogFormat): ReplicationError {
  return new ReplicationError({
    code: 'STORE_FOREIGN',
    message: `${request.root} holds logs of format ${JSON.stringify(found)}, the source has ${JSON.stringify(request.format)}`,
    hint: 'Give the copy of this source another directory.',
    fields: { path: request.root },
  })
}
