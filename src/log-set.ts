import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { ReplicationError } from '../engine/error.ts'
import type { Generation } from '../engine/generation.ts'
import { logNameParser } from '../engine/log-format.ts'

/** One log file, and the generation of its name; null for the open log, whose name has none. */
export interface LogFile {
  readonly path: string
  readonly generation: Generation | null
}

/** The logs of one base name in one directory, ascending, the open log last. */
export interface LogFiles {
  readonly baseName: string
  readonly digits: 5 | 8
  readonly files: readonly LogFile[]
}

/**
 * The ESE logs at `path`: all sets of a directory, or of `baseName` alone, sorted by base name; or the one set that a single
 * file makes, whatever it is called.
 *
 * Errors: `DIRECTORY_MISSING`, `READ_FAILED`, `LOG_FORMAT_INVALID` (base name).
 */
export async function findLogSets(path: string, baseName?: string): Promise<LogFiles[]> {
  const found = await statOf(path)
  if (!found.isDirectory()) return [singleFile(path)]
  const names = await readdir(path)
  const bases = baseName === undefined ? baseNamesOf(names) : [baseName]
  return bases.map((base) => setOf(path, base, names)).filter(({ files }) => files.length > 0)
}

/** The base names of the logs in a directory, sorted; none where it cannot be read. */
export async function baseNamesIn(directory: string): Promise<string[]> {
  return baseNamesOf(await readdir(directory).catch(() => []))
}

/** The closed logs of a stream begin with any three letters or digits, then 5 or 8 hexadecimal digits. */
function baseNamesOf(names: readonly string[]): string[] {
  const bases = new Map<string, string>()
  for (const name of names) {
    const base = /^([A-Za-z0-9]{3})(?:[0-9A-Fa-f]{8}|[0-9A-Fa-f]{5})?\.log$/i.exec(name)?.[1]
    if (base !== undefined && !bases.has(base.toLowerCase())) bases.set(base.toLowerCase(), base)
  }
  return [...bases.values()].sort()
}

function setOf(directory: string, baseName: string, names: readonly string[]): LogFiles {
  const parse = logNameParser({ kind: 'ese', baseName })
  const closed: { path: string; generation: Generation }[] = []
  for (const name of names) {
    const parsed = parse(name)
    if (parsed !== null) closed.push({ path: join(directory, name), generation: parsed.generation })
  }
  closed.sort((a, b) => a.generation - b.generation)
  const open = names.find((name) => name.toLowerCase() === `${baseName.toLowerCase()}.log`)
  const files: LogFile[] = open === undefined ? closed : [...closed, { path: join(directory, open), generation: null }]
  return { baseName, digits: digitsOf(closed[0]?.path ?? ''), files }
}

function singleFile(path: string): LogFiles {
  const name = basename(path)
  const baseName = name.slice(0, 3)
  const parsed = /^[A-Za-z0-9]{3}$/.test(baseName) ? logNameParser({ kind: 'ese', baseName })(name) : null
  return { baseName, digits: digitsOf(path), files: [{ path, generation: parsed?.generation ?? null }] }
}

/** `edb00001.log` has five digits, `E0000000001.log` eight. */
function digitsOf(path: string): 5 | 8 {
  return basename(path).length === 'edb00001.log'.length ? 5 : 8
}

async function statOf(path: string): Promise<{ isDirectory(): boolean }> {
  try {
    return await stat(path)
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

/** Why a file or directory that a person named cannot be read. */
export function unreadable(path: string, cause: unknown): ReplicationError {
  const errno = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause)
  return new ReplicationError({
    code: 'READ_FAILED',
    message: `${path} cannot be read: ${errno}`,
    hint: errno === 'ENOENT' ? 'Check the path; nothing lies there.' : 'Check the path and the rights of this user.',
    fields: { path, errno },
    cause,
  })
}
