import { randomUUID } from 'node:crypto'
import fs from 'node:fs'
import net from 'node:net'
import { hostname } from 'node:os'
import lockfile from 'proper-lockfile'
import { ReplicationError } from '../engine/error.ts'
import { replaceDurably } from './durable-file.ts'
import { errnoOf, fileError } from './file-error.ts'
import { type FileOperations, pathIn, wholeOf } from './file-operations.ts'

/** What {@link lockStore} needs. */
export interface StoreLockOptions {
  readonly root: string
  readonly files: FileOperations
  /** Called when the lock was lost: another process may use the store from now on, so this one must stop at once. */
  readonly onLost: (error: ReplicationError) => void
}

/** The right of one process to use a store. */
export interface StoreLock {
  /** Gives the store free. May be called twice. */
  release(): Promise<void>
}

/**
 * Takes the lock of a store: a directory whose time of modification its owner renews (proper-lockfile), and a note of who that
 * is. A lock of a process that no longer lives is taken over at once, so that a restart after a kill waits for nothing; one of a
 * process that cannot be looked up (another host or container) only after its renewal has stopped for {@link STALE_MS}.
 *
 * Errors: `STORE_LOCKED` (`already in use by process <pid>`), and those of the file system.
 */
export async function lockStore(options: StoreLockOptions): Promise<StoreLock> {
  const turn = await takeTurn(options)
  try {
    await removeLockOfDead(options)
    const lock = releaseOnce(await acquire(options))
    await writeNote(options).catch(async (error) => {
      await lock.release()
      throw error
    })
    return lock
  } finally {
    turn.close()
  }
}

/** A renewal this late means a dead or frozen owner. */
const STALE_MS = 10_000
const LOCK_NAME = 'store.lock'
const NOTE_NAME = 'store.lock.json'
/** A note is about 150 bytes. */
const NOTE_BYTES_MAX = 4096

/** Who holds a lock. A process id is reused in time, so its start is part of it; `place` is where both have a meaning. */
interface Owner {
  readonly pid: number
  /** Clock ticks since boot, from /proc; `''` where that is not to be had. */
  readonly started: string
  readonly place: string
}

function releaseOnce(release: () => Promise<void>): StoreLock {
  let released: Promise<void> | null = null
  return {
    release: () => {
      // Lost locks cannot be released; whoever lost one was told.
      released ??= release().catch(() => undefined)
      return released
    },
  }
}

async function acquire(options: StoreLockOptions): Promise<() => Promise<void>> {
  const { root } = options
  try {
    return await lockfile.lock(root, {
      lockfilePath: pathIn(root, LOCK_NAME),
      stale: STALE_MS,
      onCompromised: (cause) => options.onLost(lost(root, cause)),
    })
  } catch (cause) {
    if (errnoOf(cause) !== 'ELOCKED') throw cannotLock(root, cause)
    const owner = await readNote(options)
    throw locked(root, owner === null ? 'another process' : `process ${owner.pid}${elsewhere(owner)}`)
  }
}

/**
 * Only one process at a time looks at a lock and takes it. Otherwise two that find the same dead owner could each remove "the
 * dead lock", the second one removing the lock that the first has just made. The turn is an abstract socket, which the
 * kernel frees when its process dies; elsewhere than on Linux there is none, and the renewal finds a double taking.
 */
async function takeTurn({ root, files }: StoreLockOptions): Promise<{ close(): void }> {
  const facts = await files.lookUp(root)
  if (facts === null) throw fileError({ operation: 'read directory', path: root, errno: 'ENOENT' })
  if (process.platform !== 'linux') return { close: () => undefined }
  const server = net.createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(errnoOf(cause) === 'EADDRINUSE' ? locked(root, 'another process') : cause))
    server.listen(`\0ccr-store-${facts.device}-${facts.inode}`, resolve)
  })
  return server
}

async function removeLockOfDead(options: StoreLockOptions): Promise<void> {
  const owner = await readNote(options)
  if (owner === null || owner.place !== placeOfThisProcess()) return
  if (startOf(owner.pid) === owner.started && isAlive(owner.pid)) return
  try {
    fs.rmdirSync(pathIn(options.root, LOCK_NAME))
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOENT') throw cannotLock(options.root, cause)
  }
}

async function readNote({ root, files }: StoreLockOptions): Promise<Owner | null> {
  const path = pathIn(root, NOTE_NAME)
  if ((await files.lookUp(path)) === null) return null
  const file = await files.open(path, 'read')
  try {
    const bytes = new Uint8Array(NOTE_BYTES_MAX)
    const length = await files.read(file, wholeOf(bytes), 0)
    return ownerIn(Buffer.from(bytes.buffer, 0, length).toString('utf8'))
  } finally {
    await files.close(file)
  }
}

function ownerIn(text: string): Owner | null {
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value !== 'object' || value === null) return null
    const { pid, started, place } = value as Record<string, unknown> // a JSON object has string keys
    if (typeof pid !== 'number' || typeof started !== 'string' || typeof place !== 'string') return null
    return Number.isSafeInteger(pid) && pid > 0 ? { pid, started, place } : null
  } catch {
    return null // no JSON: nobody is known, so the renewal alone decides
  }
}

async function writeNote({ root, files }: StoreLockOptions): Promise<void> {
  const owner: Owner = { pid: process.pid, started: startOf(process.pid), place: placeOfThisProcess() }
  const bytes = Buffer.from(`${JSON.stringify(owner)}\n`)
  await replaceDurably(files, { directory: root, name: NOTE_NAME, attemptId: randomUUID(), bytes })
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (cause) {
    return errnoOf(cause) === 'EPERM' // it lives, under another user
  }
}

/** Field 22 of /proc/<pid>/stat; the name in field 2 may hold blanks and brackets, so the count starts behind it. */
function startOf(pid: number): string {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return '' // not Linux, or no such process: isAlive decides
  }
}

/** Host, boot and process namespace: outside of it a process id says nothing. */
function placeOfThisProcess(): string {
  try {
    const boot = fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return `${hostname()} ${boot} ${fs.readlinkSync('/proc/self/ns/pid')}`
  } catch {
    return hostname()
  }
}

function elsewhere(owner: Owner): string {
  return owner.place === placeOfThisProcess() ? '' : ` on ${owner.place.split(' ')[0]}`
}

function locked(root: string, who: string): ReplicationError {
  return new ReplicationError({
    code: 'STORE_LOCKED',
    message: `${root} is already in use by ${who}`,
    hint: 'Stop that process first, or give this copy another directory.',
    fields: { path: root },
  })
}

function lost(root: string, cause: Error): ReplicationError {
  return new ReplicationError({
    code: 'STORE_LOCKED',
    message: `the lock of ${root} was lost: ${cause.message}`,
    hint: 'Restart the copy when no other process uses the directory; was this process frozen for a while?',
    cause,
    fields: { path: root },
  })
}

function cannotLock(root: string, cause: unknown): ReplicationError {
  return new ReplicationError({
    code: 'DIRECTORY_NOT_WRITABLE',
    message: `cannot lock ${root}: ${errnoOf(cause)}`,
    hint: 'Give the user that runs this process the right to write there, and check that the directory exists.',
    cause,
    fields: { path: root, errno: errnoOf(cause) },
  })
}
