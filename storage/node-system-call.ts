import type fs from 'node:fs'
import type { ReplicationError } from '../engine/error.ts'
import { errnoOf, type FileOperation, fileError } from './file-error.ts'
import type { FileFacts, FileKind } from './file-operations.ts'

/** Node's usual callback. */
export type Callback<T> = (error: NodeJS.ErrnoException | null, value: T) => void

/** One system call in its two forms; which one runs is the caller's choice. */
export interface SystemCall<T> {
  readonly operation: FileOperation
  readonly path: string
  readonly sync: () => T
  readonly pooled: (done: Callback<T>) => void
}

/** Makes a short call in one of the two forms. */
export type ShortCall = <T>(call: SystemCall<T>) => Promise<T>

/** Through libuv's pool. */
export function pooledCall<T>(call: SystemCall<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    call.pooled((cause, value) => {
      if (cause === null || cause === undefined) resolve(value)
      else reject(failed(call, cause))
    })
  })
}

/** Synchronously. */
export async function inlineCall<T>(call: SystemCall<T>): Promise<T> {
  try {
    return call.sync()
  } catch (cause) {
    throw failed(call, cause)
  }
}

function failed(call: { operation: FileOperation; path: string }, cause: unknown): ReplicationError {
  return fileError({ operation: call.operation, path: call.path, errno: errnoOf(cause), cause })
}

/** A call that answers nothing. */
export interface SilentCall {
  readonly operation: FileOperation
  readonly path: string
  readonly sync: () => void
  readonly pooled: (done: (error: NodeJS.ErrnoException | null) => void) => void
}

/** Makes a call that answers nothing. */
export function silentCall(short: ShortCall, call: SilentCall): Promise<void> {
  return short({ ...call, pooled: (done) => call.pooled((error) => done(error, undefined)) })
}

/** A call that moves or syncs data: always through the pool, so that several files are in flight. */
export function pooledOnly<T = void>(
  operation: FileOperation,
  path: string,
  pooled: (done: Callback<T>) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    pooled((cause, value) => {
      if (cause === null || cause === undefined) resolve(value)
      else reject(failed({ operation, path }, cause))
    })
  })
}

/** Our facts of Node's. */
export function factsFrom(stats: fs.Stats): FileFacts {
  return {
    kind: kindOf(stats),
    sizeBytes: stats.size,
    modifiedMs: stats.mtimeMs,
    inode: stats.ino,
    device: stats.dev,
    names: stats.nlink,
  }
}

/** The kind of a directory entry or file. */
export function kindOf(entry: fs.Stats | fs.Dirent): FileKind {
  if (entry.isFile()) return 'regular'
  if (entry.isDirectory()) return 'directory'
  if (entry.isSymbolicLink()) return 'symlink'
  return entry.isFIFO() ? 'fifo' : 'other'
}
