import { setTimeout } from 'node:timers/promises'
import { withoutCurrent } from '../engine/database/backup-slot.ts'
import { type DatabaseHeader, writeDatabaseHeader } from '../engine/database/database-header.ts'
import { DATABASE_HEADERS_BYTES_MAX, readDatabaseHeader } from '../engine/database/database-header-copies.ts'
import { PAGE_BYTES } from '../engine/database/page.ts'
import { sameSignature } from '../engine/database/redo-mark.ts'
import { ReplicationError } from '../engine/error.ts'
import { asGeneration, type Generation, type GenerationRange, NO_GENERATION } from '../engine/generation.ts'
import { type FileOperations, type OpenFile, wholeOf } from '../storage/file-operations.ts'
import { NewFile } from '../storage/new-file.ts'
import type { SeedClient } from '../transport/seed-client.ts'
import { type CheckedDatabase, DatabasePass } from './checked-database.ts'
import { type CheckingParts, FilePass, type PieceSource, type ReadPiece } from './checked-file.ts'

/** A database that is read from a source for a copy. */
export interface SeedReading {
  readonly client: SeedClient
  /** Path of the file that it is read into. What it has already, of a seed that was cut off, is verified and gone on from. */
  readonly to: string
  /** For messages: `the database of SG1 at http://…`. */
  readonly named: string
  readonly signal: AbortSignal
}

/** What a seed has read. */
export interface SeedRead extends CheckedDatabase {
  /** How much of it was there before. */
  readonly resumedBytes: number
}

/** Pieces asked for at a time: they cover a link of 8 MiB in flight. */
const PIECES_AHEAD = 8
/** How often a piece is asked for before the seed is cut off, and the wait before each further time, in milliseconds. */
const TRIES_MAX = 6
const TRY_AGAIN_MS = 100
/**
 * The end of what is there is not believed: a crash may have left it torn. At most so much is read again.
 */
const TAIL_BYTES = 1_048_576
/** The header and its shadow, a page each. */
const HEADERS_BYTES = 2 * PAGE_BYTES

/**
 * Reads a whole database from its source, each page verified; a page that does not verify is asked for again, since the store may be
 * writing it. What was read stays in the file whatever happens, so that another reading goes on from there.
 *
 * Errors: `PAGE_REJECTED`, `DATABASE_REJECTED`, `STATE_REFUSED` when the source does not know the seed, `NODE_UNREACHABLE`, `TRANSFER_TIMEOUT`,
 * `WIRE_PROTOCOL`, and those of the file system.
 */
export async function readSeed(parts: CheckingParts, reading: SeedReading): Promise<SeedRead> {
  const present = await usablePart(parts.files, reading)
  const trusted = (present?.sizeBytes ?? 0) - TAIL_BYTES
  // Both copies of the header are looked at in one piece.
  const writtenBytes = trusted < HEADERS_BYTES ? 0 : trusted - (trusted % PAGE_BYTES)
  const to = await openPartial(parts.files, reading.to, present !== null)
  const local = writtenBytes === 0 ? null : await parts.files.open(reading.to, 'read')
  const header = present?.header ?? null
  const source = new SeedSource({ reading, to, local, writtenBytes, header, files: parts.files })
  const open = { from: reading.named, to: reading.to, state: 'in-use' } as const
  const pass = DatabasePass.over(
    parts,
    open,
    (look) => new FilePass(parts, { from: source, to, ahead: PIECES_AHEAD, hashes: false }, look),
  )
  await pass.readOn()
  return { ...(await pass.finish(null)), resumedBytes: writtenBytes }
}

/** What a seed that was cut off has left. */
interface Part {
  readonly sizeBytes: number
  readonly header: DatabaseHeader
}

/** What is there of this very database; anything else goes. */
async function usablePart(files: FileOperations, { client, to, signal }: SeedReading): Promise<Part | null> {
  const present = await files.lookUp(to)
  if (present === null) return null
  const remote = new Uint8Array(DATABASE_HEADERS_BYTES_MAX)
  const { fileBytes } = await client.read({ position: 0, length: remote.length, into: remote }, signal)
  const [here, there] = [readDatabaseHeader(await startOf(files, to)), readDatabaseHeader(remote)]
  if (
    here.verdict === 'read' &&
    there.verdict === 'read' &&
    // What is written over it would leave its end.
    present.sizeBytes <= fileBytes &&
    here.header.backups.currentFull.firstGeneration > 0 &&
    sameSignature(here.header.signature, there.header.signature) &&
    sameSignature(here.header.logSignature, there.header.logSignature)
  )
    return { sizeBytes: present.sizeBytes, header: here.header }
  await files.unlink(to)
  return null
}

/** The first log that the pages need which are there of a seed that was cut off; 0 where there are none that could be gone on from. */
export async function firstOfPart(files: FileOperations, path: string): Promise<Generation> {
  const facts = await files.lookUp(path)
  if (facts === null || facts.names !== 1) return NO_GENERATION
  const read = readDatabaseHeader(await startOf(files, path))
  return read.verdict === 'read' ? asGeneration(read.header.backups.currentFull.firstGeneration) : NO_GENERATION
}

async function startOf(files: FileOperations, path: string): Promise<Uint8Array> {
  const file = await files.open(path, 'read')
  try {
    const start = new Uint8Array(DATABASE_HEADERS_BYTES_MAX)
    return start.subarray(0, await files.read(file, wholeOf(start), 0))
  } finally {
    await files.close(file)
  }
}

/** Whether any of it is there or not: one of a seed that was cut off goes on through the page cache. */
async function openPartial(files: FileOperations, path: string, isThere: boolean): Promise<NewFile> {
  if (isThere) return await NewFile.goOn(files, path)
  return await NewFile.create(files, { path, isAligned: true, isOnePiece: false, isKept: true })
}

interface SeedSourceParts {
  readonly reading: SeedReading
  readonly to: NewFile
  readonly local: OpenFile | null
  readonly writtenBytes: number
  /** That of the file. Null where it has none. */
  readonly header: DatabaseHeader | null
  readonly files: FileOperations
}

/** What is there already from the file, and everything else from the source. */
class SeedSource implements PieceSource {
  readonly writtenBytes: number
  readonly #parts: SeedSourceParts
  /** Places of pieces that were read from the file, and not believed when they are wanted again. */
  readonly #believed = new Set<number>()

  constructor(parts: SeedSourceParts) {
    this.#parts = parts
    this.writtenBytes = parts.writtenBytes
  }

  get path(): string {
    return this.#parts.reading.named
  }

  /** The smaller of two answers: no checksum protects it, and nobody would find what is not there. */
  async sizeBytes(): Promise<number> {
    const { client, signal } = this.#parts.reading
    const ask = (): Promise<number> => this.#tried(() => client.sizeBytes(signal))
    return Math.min(await ask(), await ask())
  }

  async fill(piece: ReadPiece): Promise<number> {
    if (piece.position >= this.writtenBytes) return await this.#fetch(piece)
    if (await this.#fillFromFile(piece)) return piece.length
    const count = await this.#fetch(piece)
    if (piece.position === 0) this.#keepHeader(piece)
    await this.#parts.to.write({ bytes: piece.slot.bytes, offset: 0, length: count }, piece.position)
    return count
  }

  async close(): Promise<void> {
    const { local, files, reading } = this.#parts
    reading.client.close()
    if (local !== null) await files.close(local)
  }

  /** The pages behind this piece are those of before: the header goes on saying which logs they need. */
  #keepHeader({ slot }: ReadPiece): void {
    const { header } = this.#parts
    if (header === null) return
    for (const at of [0, header.pageBytes]) writeDatabaseHeader(slot.bytes.subarray(at, at + header.pageBytes), header)
  }

  /** Once for each piece, and none with a page of zeros: a crash leaves such, and so does a database now and then. */
  async #fillFromFile({ slot, position, length }: ReadPiece): Promise<boolean> {
    const { local, files } = this.#parts
    if (local === null || this.#believed.has(position)) return false
    this.#believed.add(position)
    const count = await files.read(local, { bytes: slot.bytes, offset: 0, length }, position)
    if (count < length) return false
    for (let lo = 0; lo < length; lo += PAGE_BYTES)
      if (slot.bytes.subarray(lo, lo + 8).every((byte) => byte === 0)) return false
    return true
  }

  #fetch({ slot, position, length }: ReadPiece): Promise<number> {
    const { reading } = this.#parts
    return this.#tried(async () => {
      const { bytes } = await reading.client.read({ position, length, into: slot.bytes }, reading.signal)
      return bytes
    })
  }

  /** What a link does to a piece is over soon, or the seed is cut off. */
  async #tried<T>(ask: () => Promise<T>): Promise<T> {
    const { signal } = this.#parts.reading
    for (let tries = 1; ; tries += 1) {
      try {
        return await ask()
      } catch (error) {
        if (signal.aborted || tries === TRIES_MAX || !isOfLink(error)) throw error
        await setTimeout(TRY_AGAIN_MS * 2 ** (tries - 1), undefined, { signal }).catch(() => undefined) // the next try says why
      }
    }
  }
}

function isOfLink(error: unknown): boolean {
  return (
    error instanceof ReplicationError && ['NODE_UNREACHABLE', 'TRANSFER_TIMEOUT', 'WIRE_PROTOCOL'].includes(error.code)
  )
}

/** What the source closed behind the last page of a seed. */
export interface SeedEnd {
  readonly last: Generation
  /** As in the header of that log. */
  readonly createTime: string
}

/**
 * Makes an ordinary database of one that was read: its header requires all logs of which any page may have changes, from the first that the
 * source needed when the first page was read to the one that was closed behind the last. The redo of the copy is then the same as after a
 * crash. Durable when it resolves. Errors: `DATABASE_REJECTED`, and those of the file system.
 */
export async function endSeed(files: FileOperations, path: string, end: SeedEnd): Promise<GenerationRange> {
  const file = await files.open(path, 'extend')
  try {
    const read = readDatabaseHeader(await startOf(files, path))
    if (read.verdict === 'rejected') throw noHeader(path, read.rejection.detail)
    const header = endedHeader(read.header, end)
    if (header === null) throw noHeader(path, 'it was not begun as a seed')
    const bytes = new Uint8Array(header.pageBytes)
    writeDatabaseHeader(bytes, header)
    await files.write(file, wholeOf(bytes), 0)
    await files.write(file, wholeOf(bytes), header.pageBytes)
    await files.datasync(file)
    const { minRequired, maxRequired } = header.required
    return { first: asGeneration(minRequired), last: asGeneration(maxRequired) }
  } finally {
    await files.close(file)
  }
}

/** Null for a header that no session of the source has marked. */
function endedHeader(header: DatabaseHeader, { last, createTime }: SeedEnd): DatabaseHeader | null {
  const { required, backups } = header
  const first = backups.currentFull.firstGeneration
  if (first === 0 || first > last) return null
  const isNewest = last >= required.maxCommitted
  return {
    ...header,
    backups: withoutCurrent(backups),
    required: {
      minRequired: asGeneration(Math.min(first, required.minRequired)),
      maxRequired: asGeneration(Math.max(last, required.maxRequired)),
      maxCommitted: asGeneration(Math.max(last, required.maxCommitted)),
      committedCreateTime: isNewest ? createTime : required.committedCreateTime,
    },
  }
}

function noHeader(path: string, detail: string): ReplicationError {
  return new ReplicationError({
    code: 'DATABASE_REJECTED',
    message: `${path} cannot be put into its place: ${detail}`,
    hint: 'Remove it and seed the copy anew.',
    fields: { path },
  })
}
