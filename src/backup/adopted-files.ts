import { readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ReplicationError } from '../../engine/error.ts'
import { asGeneration, type Generation, type GenerationRange } from '../../engine/generation.ts'
import { logNameParser } from '../../engine/log-format.ts'

/** The files of a backup that another tool has extracted, wherever they lie below a directory. */
export interface AdoptedFiles {
  /** Null where it has logs only. */
  readonly database: string | null
  readonly checkpoint: string | null
  /** Directory of the logs. */
  readonly logs: string
  readonly baseName: string
  readonly range: GenerationRange
}

interface FoundLog {
  readonly directory: string
  readonly baseName: string
  readonly generation: Generation
}

/** A backup has so many files at most: a million logs of 1 MiB are a terabyte. */
const FILES_MAX = 1_000_000
const LOG_NAME = /^([A-Za-z0-9]{3})[0-9A-Fa-f]{5,8}\.log$/

/**
 * Finds them by their names: at most one database and one checkpoint, and the logs of one stream in one directory. Links are not followed.
 *
 * Errors: `BACKUP_REJECTED` where it is not clear what belongs together.
 */
export async function findAdopted(directory: string): Promise<AdoptedFiles> {
  const paths = await filesBelow(directory)
  const [database = null, ...otherDatabases] = paths.filter((path) => path.endsWith('.edb'))
  const [checkpoint = null, ...otherCheckpoints] = paths.filter((path) => path.endsWith('.chk'))
  if (otherDatabases.length > 0) throw unclear(directory, 'more than one database (.edb)')
  if (otherCheckpoints.length > 0) throw unclear(directory, 'more than one checkpoint (.chk)')
  const logs = paths.map(logAt).filter((log) => log !== null)
  const [first] = logs
  if (first === undefined) throw unclear(directory, 'no log, as E000000001A.log')
  if (logs.some((log) => log.directory !== first.directory || log.baseName !== first.baseName))
    throw unclear(directory, 'logs in more than one directory, or of more than one base name')
  const generations = logs.map(({ generation }) => generation).sort((a, b) => a - b)
  const range = { first: first.generation, last: first.generation }
  return {
    database,
    checkpoint,
    logs: first.directory,
    baseName: first.baseName,
    // What lies between them is looked for when it is read.
    range: { first: generations[0] ?? range.first, last: generations.at(-1) ?? range.last },
  }
}

async function filesBelow(directory: string): Promise<string[]> {
  const paths: string[] = []
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  for (const entry of entries) if (entry.isFile()) paths.push(join(entry.parentPath, entry.name))
  if (paths.length > FILES_MAX) throw unclear(directory, `more than ${FILES_MAX} files`)
  return paths.sort()
}

function logAt(path: string): FoundLog | null {
  const directory = dirname(path)
  const name = path.slice(directory.length + 1)
  const baseName = LOG_NAME.exec(name)?.[1]
  if (baseName === undefined) return null
  const parsed = logNameParser({ kind: 'ese', baseName })(name)
  return parsed === null ? null : { directory, baseName, generation: asGeneration(parsed.generation) }
}

function unclear(directory: string, what: string): ReplicationError {
  return new ReplicationError({
    code: 'BACKUP_REJECTED',
    message: `${directory} has ${what}: it is not clear which files are the backup`,
    hint: 'Give a directory with the files of one backup: those that ccr writer list names, and nothing else.',
    fields: { path: directory },
  })
}
