import { setTimeout } from 'node:timers/promises'
import type { DatabaseHeader } from '../engine/database/database-header.ts'
import {
  DATABASE_ERROR_OF,
  DATABASE_HEADERS_BYTES_MAX,
  readDatabaseHeader,
} from '../engine/database/database-header-copies.ts'
import { openLogBytes } from '../engine/database/log-bytes.ts'
import type { SoundPages } from '../engine/database/page-seal.ts'
import {
  hasDamagedPages,
  type PageFinding,
  type PageTally,
  startPageTally,
  tallyPages,
} from '../engine/database/page-tally.ts'
import { ReplicationError } from '../engine/error.ts'
import { type CheckedContent, type CheckingParts, FilePass, type LookAtPiece, type ReadPiece } from './checked-file.ts'

/** How a database is read. */
export interface DatabaseReading {
  readonly from: string
  /** Where it is copied to; null to verify it only. */
  readonly to: string | null
  /**
   * `whole`: nobody writes it; a trailer of a backup may stand at its end. `in-use`: a store writes it meanwhile, so a page that does not
   * verify is read again.
   */
  readonly state: 'whole' | 'in-use'
  /** Whether damaged pages are counted instead of thrown. */
  readonly isTolerant?: boolean
  /** Before a page in use is read again, in milliseconds; {@link AGAIN_MS} without it. */
  readonly againMs?: number
}

/** A database that was read from its beginning to its end. */
export interface CheckedDatabase extends CheckedContent {
  readonly header: DatabaseHeader
  readonly pages: PageTally
}

/** How often a page that is in use is read before it counts as damaged. Source: the engine's own backups try again for as long. */
const READS_MAX = 5
/** A write of some pages is over by then, in milliseconds; each further wait is twice as long. */
const AGAIN_MS = 20
/** Pages that the length of a file that grows does not tell: so no page is taken for the trailer at its end. */
const GROWING_BYTES = Number.MAX_SAFE_INTEGER

/** Reads a whole database that nobody writes. Errors: `PAGE_REJECTED`, `DATABASE_REJECTED`, and those of the file system. */
export async function checkDatabase(parts: CheckingParts, reading: DatabaseReading): Promise<CheckedDatabase> {
  const pass = await DatabasePass.open(parts, reading)
  await pass.readOn()
  return await pass.finish(null)
}

/** A reading of a database that may grow meanwhile. A call that fails has ended it. */
export class DatabasePass {
  readonly #reading: DatabaseReading
  readonly #pass: FilePass
  readonly #look: PageLook

  private constructor(reading: DatabaseReading, pass: FilePass, look: PageLook) {
    this.#reading = reading
    this.#pass = pass
    this.#look = look
  }

  /** Opens the files. Errors: those of the file system. */
  static async open(parts: CheckingParts, reading: DatabaseReading): Promise<DatabasePass> {
    const look = new PageLook(reading, parts.slab.soundPages)
    const pass = await FilePass.open(parts, reading, (piece, again) => look.look(piece, again))
    look.fileBytes = reading.state === 'whole' ? await pass.sizeBytes() : GROWING_BYTES
    return new DatabasePass(reading, pass, look)
  }

  /** A pass whose ends are opened already: `open` makes it, with what looks at its pieces. */
  static over(
    { slab }: Pick<CheckingParts, 'slab'>,
    reading: DatabaseReading,
    open: (look: LookAtPiece) => FilePass,
  ): DatabasePass {
    const look = new PageLook(reading, slab.soundPages)
    return new DatabasePass(
      reading,
      open((piece, again) => look.look(piece, again)),
      look,
    )
  }

  /** Reads to the end of the file, wherever that is by then. Errors: `PAGE_REJECTED`, `DATABASE_REJECTED`, and those of the file system. */
  async readOn(): Promise<void> {
    try {
      for (;;) {
        const sizeBytes = await this.#pass.sizeBytes()
        // The last page of a file that grows may not be whole yet.
        const end = this.#reading.state === 'whole' ? sizeBytes : this.#look.wholePages(sizeBytes)
        if (end <= this.#pass.positionBytes) return
        await this.#pass.readTo(end)
      }
    } catch (error) {
      await this.abandon()
      throw error
    }
  }

  /**
   * Puts behind what was read what `trailer` makes of its header, if anything, and makes the copy durable. What a file in use has grown by
   * since is left out: it was written behind the log that was closed for the backup, or the logs bring it.
   */
  async finish(trailer: ((header: DatabaseHeader) => Uint8Array) | null): Promise<CheckedDatabase> {
    try {
      const { header, pages } = this.#look.ended(this.#pass.positionBytes)
      if (trailer !== null) await this.#pass.append(trailer(header))
      return { header, pages, ...(await this.#pass.finish()) }
    } catch (error) {
      await this.abandon()
      throw error
    }
  }

  /** Closes the file, and removes the copy. */
  abandon(): Promise<void> {
    return this.#pass.abandon()
  }
}

/** Verifies headers and pages as they come. */
class PageLook {
  /** As long as the file is, for the trailer at its end. */
  fileBytes = GROWING_BYTES
  readonly #reading: DatabaseReading
  readonly #soundPages: SoundPages | null
  #header: DatabaseHeader | null = null
  #tally: PageTally | null = null

  constructor(reading: DatabaseReading, soundPages: SoundPages | null) {
    this.#reading = reading
    this.#soundPages = soundPages
  }

  async look(piece: ReadPiece, again: () => Promise<void>): Promise<void> {
    const readAgain = this.#readAgain(again)
    const header = this.#header ?? (await this.#lookAtHeader(piece, readAgain))
    const { pageBytes } = header
    const before = this.#tally ?? startPageTally(pageBytes, this.fileBytes)
    const lo = Math.max(piece.position, 2 * pageBytes) - piece.position
    const pages = openLogBytes(piece.slot.bytes.subarray(lo, piece.length))
    const tally = (): PageTally => tallyPages(before, pages, this.#soundPages)
    let now = tally()
    while (damagedPages(now) > damagedPages(before) && (await readAgain())) now = tally()
    if (damagedPages(now) > damagedPages(before) && this.#reading.isTolerant !== true)
      throw badPage(this.#reading, now.findings[before.findings.length])
    this.#tally = now
  }

  wholePages(sizeBytes: number): number {
    const pageBytes = this.#header?.pageBytes ?? DATABASE_HEADERS_BYTES_MAX / 2
    return this.#header === null && sizeBytes < pageBytes ? sizeBytes : sizeBytes - (sizeBytes % pageBytes)
  }

  /** Errors: `DATABASE_REJECTED` for a file that ends within a page, or before its first one. */
  ended(sizeBytes: number): { readonly header: DatabaseHeader; readonly pages: PageTally } {
    const [header, pages] = [this.#header, this.#tally]
    if (header === null || pages === null) throw badHeader(this.#reading, 'it is empty', -1206)
    const rest = sizeBytes % header.pageBytes
    if (rest > 0) throw badHeader(this.#reading, `${rest} bytes behind its last page are no whole page`, -1206)
    return { header, pages }
  }

  async #lookAtHeader(piece: ReadPiece, readAgain: () => Promise<boolean>): Promise<DatabaseHeader> {
    for (;;) {
      const read = readDatabaseHeader(piece.slot.bytes.subarray(0, Math.min(piece.length, DATABASE_HEADERS_BYTES_MAX)))
      const isWhole = read.verdict === 'read' && read.other !== 'damaged'
      if (!isWhole && (await readAgain())) continue
      if (read.verdict === 'rejected')
        throw badHeader(this.#reading, read.rejection.detail, DATABASE_ERROR_OF[read.rejection.reason])
      if (!isWhole) throw badHeader(this.#reading, 'one of the two copies of its header is damaged', -1206)
      this.#header = read.header
      return read.header
    }
  }

  /** Waits a little longer each time; answers false when that was often enough. */
  #readAgain(again: () => Promise<void>): () => Promise<boolean> {
    const { state, againMs = AGAIN_MS } = this.#reading
    let reads = 1
    return async () => {
      if (state === 'whole' || reads >= READS_MAX) return false
      await setTimeout(againMs * 2 ** (reads - 1))
      reads += 1
      await again()
      return true
    }
  }
}

function damagedPages(tally: PageTally): number {
  return hasDamagedPages(tally) ? tally.bad + tally.correctable + tally.wrongNumber : 0
}

function badPage({ from, state }: DatabaseReading, finding: PageFinding | undefined): ReplicationError {
  const page = finding?.page ?? 0
  const what =
    finding?.kind === 'correctable'
      ? `bits are turned (${finding.bits.join(', ')})`
      : (finding?.detail ?? 'it is damaged')
  const reads = state === 'in-use' ? `, read ${READS_MAX} times` : ''
  return new ReplicationError({
    code: 'PAGE_REJECTED',
    message: `page ${page} of ${from} fails verification (-1018)${reads}: ${what}`,
    hint: 'Check the disk, and look at the database with ccr verify. A passive copy has the page whole; turned bits are put right by online maintenance.',
    fields: { path: from, page, eseError: -1018 },
  })
}

function badHeader({ from }: DatabaseReading, detail: string, eseError: number): ReplicationError {
  return new ReplicationError({
    code: 'DATABASE_REJECTED',
    message: `${from} is no whole database (${eseError}): ${detail}`,
    hint: 'Look at it with ccr dump database.',
    fields: { path: from, eseError },
  })
}
