import { checkContinuation } from '../engine/database/log-chain.ts'
import { readIdentity } from '../engine/database/log-file.ts'
import { LOG_HEADER_BYTES } from '../engine/database/log-header.ts'
import { ReplicationError } from '../engine/error.ts'
import { asGeneration, formatGeneration, type Generation, type GenerationRange } from '../engine/generation.ts'
import type { LogIdentity } from '../engine/log-identity.ts'
import { type FileOperations, wholeOf } from './file-operations.ts'
import { logNamesOf } from './log-names.ts'
import { logPath, type StorePlaces } from './store-places.ts'

/** What lies in the folder of a storage group before a restore. */
export interface FolderContent {
  /** Closed logs, ascending. A generation may have two files. */
  readonly closed: readonly { readonly generation: Generation; readonly name: string }[]
  /** Names in `logs` of the open log, the prepared log and the checkpoint, as far as they are there. */
  readonly open: string | null
  readonly prepared: string | null
  readonly checkpoint: string | null
  /** Names in `database` of the database and what belongs to it. */
  readonly database: readonly string[]
}

/** What becomes of a folder. */
export interface FolderPlan {
  /** Paths below the folder that go aside. */
  readonly aside: readonly string[]
  /** Closed logs behind those of the sets that stay, and are redone at the next start; null for none. */
  readonly rolledForward: GenerationRange | null
  /** Whether the open log stays too. */
  readonly keepsOpenLog: boolean
}

/** The sets as far as the folder is compared with them. */
export interface SetsToPutBack {
  readonly logs: GenerationRange | null
  /** Identities of the first and the last of the logs. */
  readonly ends: { readonly first: LogIdentity; readonly last: LogIdentity } | null
  /** Identity of one of the logs; null where the sets have none of that generation. */
  readonly identityAt: (generation: Generation) => Promise<LogIdentity | null>
}

/** Looks at a folder, which may not be there. Errors: `FILE_NOT_REGULAR`, and those of the file system. */
export async function lookAtFolder(files: FileOperations, places: StorePlaces): Promise<FolderContent> {
  const logs = await namesIn(files, places.logs)
  const database = await namesIn(files, places.database)
  const names = logNamesOf({ kind: 'ese', baseName: places.openLogName.slice(0, 3) })
  const closed: { generation: Generation; name: string }[] = []
  for (const name of logs) {
    const parsed = names.parse(name)
    if (parsed === null) continue
    await refuseOdd(files, logPath(places, name))
    closed.push({ generation: parsed.generation, name })
  }
  const ofDatabase = [places.databaseName, places.savedPagesName]
  return {
    closed: closed.sort((a, b) => a.generation - b.generation || (a.name < b.name ? -1 : 1)),
    open: present(logs, places.openLogName),
    prepared: present(logs, places.preparedLogName),
    checkpoint: present(logs, places.checkpointName),
    database: ofDatabase.filter((name) => database.includes(name)),
  }
}

/**
 * Decides what stays of a folder. The database, what belongs to it, the checkpoint and every log that a set has go aside in any case.
 *
 * - *Point in time*: so do all other logs, and the open one.
 * - *Roll forward*: logs that continue the last one of the sets stay, with the open log behind them; so do those in front of the first one
 *   that lead up to it, for copies that lack them. Logs that are of another stream or history, or lie behind a gap, are a reason to refuse; so
 *   is an open log below those of the sets, of which nobody can tell.
 *
 * Errors: `BACKUP_REJECTED` with the hint to restore to a point in time.
 */
export async function planFolder(
  files: FileOperations,
  places: StorePlaces,
  of: { readonly content: FolderContent; readonly sets: SetsToPutBack; readonly pointInTime: boolean },
): Promise<FolderPlan> {
  const { content, sets, pointInTime } = of
  const aside = [...content.database.map((name) => `database/${name}`), ...inLogs([content.checkpoint])]
  if (pointInTime) {
    const all = [...content.closed.map(({ name }) => name), content.open, content.prepared]
    return { aside: [...aside, ...inLogs(all)], rolledForward: null, keepsOpenLog: false }
  }
  const kept = await keptLogs(files, places, { content, sets })
  const replaced = content.closed.filter(({ generation }) => !kept.generations.has(generation)).map(({ name }) => name)
  const open = kept.keepsOpenLog ? [] : [content.open, content.prepared]
  return { aside: [...aside, ...inLogs([...replaced, ...open])], ...kept }
}

interface KeptLogs {
  readonly generations: ReadonlySet<number>
  readonly rolledForward: GenerationRange | null
  readonly keepsOpenLog: boolean
}

async function keptLogs(
  files: FileOperations,
  places: StorePlaces,
  { content, sets }: { readonly content: FolderContent; readonly sets: SetsToPutBack },
): Promise<KeptLogs> {
  const { logs, ends } = sets
  const generations = new Set<number>()
  if (logs === null || ends === null) {
    const odd = content.closed[0]?.name ?? content.open
    if (odd !== null) throw cannotRollForward(`${odd} cannot be held against a set without logs`)
    return { generations, rolledForward: null, keepsOpenLog: false }
  }
  await refuseOtherHistory(files, places, { content, sets })
  await keepBefore(files, places, { content, first: ends.first, generations })
  let last = ends.last
  for (const { generation, name } of content.closed) {
    if (generation <= logs.last) continue
    if (generations.has(generation)) throw cannotRollForward(`log ${generation} is there twice, one of them as ${name}`)
    last = await continuing(files, logPath(places, name), { before: last, generation })
    generations.add(generation)
  }
  const rolledForward =
    last.generation > logs.last ? { first: asGeneration(logs.last + 1), last: last.generation } : null
  return { generations, rolledForward, keepsOpenLog: await keepsOpen(files, places, { content, sets, last }) }
}

/** Refuses a folder that has another log than the sets. Histories that have parted never meet again, so the newest one tells. */
async function refuseOtherHistory(
  files: FileOperations,
  places: StorePlaces,
  { content, sets }: { readonly content: FolderContent; readonly sets: SetsToPutBack },
): Promise<void> {
  for (const { generation, name } of [...content.closed].reverse()) {
    const inSets = await sets.identityAt(generation)
    const here = inSets === null ? null : await identityOf(files, logPath(places, name))
    if (inSets === null || here === null) continue // a damaged log is replaced by that of the sets
    if (isSameLog(here, inSets)) return
    throw ofAnotherHistory(logPath(places, name), generation)
  }
}

function isSameLog(a: LogIdentity, b: LogIdentity): boolean {
  return a.signature === b.signature && a.createTime === b.createTime && a.previousCreateTime === b.previousCreateTime
}

/** The logs in front of the first one that lead up to it without a gap. Others are of no use to anybody. */
async function keepBefore(
  files: FileOperations,
  places: StorePlaces,
  of: { readonly content: FolderContent; readonly first: LogIdentity; readonly generations: Set<number> },
): Promise<void> {
  let after = of.first
  for (const { generation, name } of [...of.content.closed].reverse()) {
    if (generation >= after.generation) continue
    const identity = await identityOf(files, logPath(places, name))
    if (identity === null || checkContinuation(identity, after) !== null) return
    of.generations.add(generation)
    after = identity
  }
}

async function continuing(
  files: FileOperations,
  path: string,
  { before, generation }: { readonly before: LogIdentity; readonly generation: Generation },
): Promise<LogIdentity> {
  const identity = await identityOf(files, path)
  if (identity === null) throw cannotRollForward(`the header of ${path} is damaged`)
  if (identity.generation !== generation)
    throw cannotRollForward(`${path} is log ${formatGeneration(identity.generation)} by its header`)
  const rejection = checkContinuation(before, identity)
  if (rejection === null) return identity
  throw cannotRollForward(`${path} does not continue log ${formatGeneration(before.generation)}: ${rejection.detail}`)
}

/** An open log that is there as a closed one too, in the sets or behind them, has nothing more to tell. */
async function keepsOpen(
  files: FileOperations,
  places: StorePlaces,
  {
    content,
    sets,
    last,
  }: { readonly content: FolderContent; readonly sets: SetsToPutBack; readonly last: LogIdentity },
): Promise<boolean> {
  if (content.open === null) return false
  const path = logPath(places, content.open)
  const identity = await identityOf(files, path)
  if (identity === null) throw cannotRollForward(`the header of ${path} is damaged`)
  const { generation, signature } = identity
  if (generation <= last.generation && signature === last.signature) {
    const inSets = await sets.identityAt(generation)
    const isBehind = sets.logs !== null && generation > sets.logs.last
    if (isBehind || (inSets !== null && isSameLog(identity, inSets))) return false
    throw ofAnotherHistory(path, generation)
  }
  await continuing(files, path, { before: last, generation })
  return true
}

/** What a log says it is, by its header; null when that is damaged. Errors: those of the file system. */
export async function identityOf(files: FileOperations, path: string): Promise<LogIdentity | null> {
  const file = await files.open(path, 'read')
  try {
    const bytes = new Uint8Array(LOG_HEADER_BYTES)
    const length = await files.read(file, wholeOf(bytes), 0)
    if (length < LOG_HEADER_BYTES) return null
    const read = readIdentity(bytes)
    return read.verdict === 'read' ? read.identity : null
  } finally {
    await files.close(file)
  }
}

async function namesIn(files: FileOperations, directory: string): Promise<string[]> {
  if ((await files.lookUp(directory)) === null) return []
  const names: string[] = []
  for await (const chunk of files.walkDirectory(directory)) names.push(...chunk.map(({ name }) => name))
  return names
}

function present(names: readonly string[], name: string): string | null {
  return names.find((found) => found.toLowerCase() === name.toLowerCase()) ?? null
}

function inLogs(names: readonly (string | null)[]): string[] {
  return names.filter((name) => name !== null).map((name) => `logs/${name}`)
}

async function refuseOdd(files: FileOperations, path: string): Promise<void> {
  const facts = await files.lookUp(path)
  if (facts === null || facts.kind === 'regular') return
  throw new ReplicationError({
    code: 'FILE_NOT_REGULAR',
    message: `${path} has the name of a log, and is a ${facts.kind}`,
    hint: 'Move it away; nothing but regular files is moved or read as a log.',
    fields: { path, kind: facts.kind },
  })
}

function ofAnotherHistory(path: string, generation: Generation): ReplicationError {
  return cannotRollForward(`${path} is a log ${formatGeneration(generation)} that they do not have: of another history`)
}

function cannotRollForward(why: string): ReplicationError {
  return new ReplicationError({
    code: 'BACKUP_REJECTED',
    message: `the logs that are here do not continue those of the sets: ${why}`,
    hint: 'Restore to the state of the sets with --point-in-time; the logs are moved aside then, none is deleted. Nothing was changed.',
  })
}
