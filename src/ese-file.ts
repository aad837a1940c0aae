import { type FileHandle, open, stat } from 'node:fs/promises'
import { extname } from 'node:path'
import { DATABASE_HEADERS_BYTES_MAX } from '../engine/database/database-header-copies.ts'
import { type EseFileKind, kindOfEseFile } from '../engine/database/file-kind.ts'
import { ReplicationError } from '../engine/error.ts'
import { unreadable } from './log-set.ts'

/** The beginning of a file of the engine. */
export interface EseFileHead {
  readonly kind: EseFileKind
  /** Long enough for the header and its copy, whatever the page size; all of the file when that is shorter. */
  readonly bytes: Uint8Array
  readonly fileBytes: number
}

/** How each kind is called in a message. */
const KIND_WORDS: Readonly<Record<EseFileKind, string>> = {
  log: 'a log',
  checkpoint: 'a checkpoint',
  database: 'a database',
}

/** Asked only where the content says nothing: such a file is damaged, and the name tells what it should have been. */
const KIND_OF_EXTENSION: Readonly<Record<string, EseFileKind>> = {
  '.log': 'log',
  '.chk': 'checkpoint',
  '.edb': 'database',
}

/** Runs `use` with a regular file open for reading, and closes it. Errors: `READ_FAILED`, `FILE_NOT_REGULAR`. */
export async function withFile<Result>(path: string, use: (file: FileHandle) => Promise<Result>): Promise<Result> {
  await refuseOddFile(path)
  const file = await open(path).catch((cause: unknown) => Promise.reject(unreadable(path, cause)))
  try {
    return await use(file)
  } finally {
    await file.close()
  }
}

/** Reads the beginning of a file and tells what it is. Errors: `READ_FAILED`, `FILE_NOT_REGULAR`, `FILE_UNKNOWN`. */
export async function readEseFileHead(path: string): Promise<EseFileHead> {
  return await withFile(path, async (file) => {
    const fileBytes = (await file.stat()).size
    const bytes = await readAt(file, { path, position: 0, length: DATABASE_HEADERS_BYTES_MAX })
    const kind = kindOfEseFile(bytes, fileBytes) ?? KIND_OF_EXTENSION[extname(path).toLowerCase()]
    if (kind === undefined) throw unknown(path)
    return { kind, bytes, fileBytes }
  })
}

/** The same for a command that shows files of one kind: another kind is `FILE_UNKNOWN` with the command for it. */
export async function readHeadOf(path: string, wanted: EseFileKind): Promise<EseFileHead> {
  const head = await readEseFileHead(path)
  if (head.kind === wanted) return head
  throw new ReplicationError({
    code: 'FILE_UNKNOWN',
    message: `${path} is ${KIND_WORDS[head.kind]}, not ${KIND_WORDS[wanted]}`,
    hint: `Run ccr dump ${head.kind} ${path}.`,
    fields: { path, kind: head.kind },
  })
}

/** Reads up to `length` bytes at `position`; fewer where the file ends. Errors: `READ_FAILED`. */
export async function readAt(
  file: FileHandle,
  of: { readonly path: string; readonly position: number; readonly length: number },
): Promise<Uint8Array> {
  const bytes = new Uint8Array(of.length)
  let done = 0
  while (done < of.length) {
    const { bytesRead } = await file
      .read(bytes, done, of.length - done, of.position + done)
      .catch((cause: unknown) => Promise.reject(unreadable(of.path, cause)))
    if (bytesRead === 0) break
    done += bytesRead
  }
  return bytes.subarray(0, done)
}

/** The opening of a pipe would wait for its other end. */
async function refuseOddFile(path: string): Promise<void> {
  const facts = await stat(path).catch((cause: unknown) => Promise.reject(unreadable(path, cause)))
  if (facts.isFile()) return
  throw new ReplicationError({
    code: 'FILE_NOT_REGULAR',
    message: `${path} is ${facts.isDirectory() ? 'a directory' : 'no regular file'}`,
    hint: 'Give the files themselves.',
    fields: { path },
  })
}

function unknown(path: string): ReplicationError {
  return new ReplicationError({
    code: 'FILE_UNKNOWN',
    message: `${path} is neither a log, nor a checkpoint, nor a database of the ESE engine`,
    hint: 'Give files such as E000000002A.log, E00.chk or priv1.edb; what they are is read from their headers.',
    fields: { path },
  })
}
