import type { FileHandle } from 'node:fs/promises'
import { type DatabaseCheck, dumpDatabaseCheck, isDatabaseDamaged } from '../engine/database/database-check.ts'
import { readDatabaseHeader } from '../engine/database/database-header-copies.ts'
import { openLogBytes } from '../engine/database/log-bytes.ts'
import { formatLogPosition } from '../engine/database/log-position.ts'
import { type PageTally, startPageTally, tallyPages } from '../engine/database/page-tally.ts'
import { type EseFileHead, readAt, withFile } from './ese-file.ts'
import { unreadable } from './log-set.ts'

/** What came of a file that is no log. */
export interface VerifiedFile {
  /** As eseutil prints it. */
  readonly lines: readonly string[]
  /** The same for machines. */
  readonly document: object
  readonly damaged: boolean
}

/** How the work is watched and stopped. */
export interface VerifyDatabaseWork {
  readonly signal: AbortSignal
  /** In pages. */
  readonly onProgress: (done: number, total: number) => void
}

/** Bytes read at a time: whole pages of every size, and few enough calls that the disk is what counts. */
const CHUNK_BYTES = 1_048_576

/** Verifies both headers and every page of a database. Errors: `READ_FAILED`. */
export async function verifyDatabase(path: string, head: EseFileHead, work: VerifyDatabaseWork): Promise<VerifiedFile> {
  const header = readDatabaseHeader(head.bytes)
  if (header.verdict === 'rejected') return verified(path, { header, pages: null, restBytes: 0 })
  const { pageBytes } = header.header
  const start = startPageTally(pageBytes, head.fileBytes)
  const pages = await withFile(path, (file) => tallyFile({ file, path, start, work }))
  return verified(path, { header, pages, restBytes: head.fileBytes % pageBytes })
}

async function tallyFile(of: {
  readonly file: FileHandle
  readonly path: string
  readonly start: PageTally
  readonly work: VerifyDatabaseWork
}): Promise<PageTally> {
  const { file, path, start, work } = of
  const { pageBytes, filePages } = start
  let tally = start
  while (tally.seen < filePages) {
    work.signal.throwIfAborted()
    const length = Math.min(CHUNK_BYTES, (filePages - tally.seen) * pageBytes)
    const bytes = await readAt(file, { path, position: (tally.seen + 2) * pageBytes, length })
    if (bytes.byteLength < length) throw unreadable(path, 'it became shorter while it was read')
    tally = tallyPages(tally, openLogBytes(bytes))
    work.onProgress(tally.seen, filePages)
  }
  return tally
}

function verified(path: string, check: DatabaseCheck): VerifiedFile {
  const damaged = isDatabaseDamaged(check)
  return { lines: dumpDatabaseCheck(path, check), document: documentOf(path, check, damaged), damaged }
}

function documentOf(path: string, { header, pages, restBytes }: DatabaseCheck, damaged: boolean): object {
  if (header.verdict === 'rejected' || pages === null) {
    const fault = header.verdict === 'rejected' ? header.rejection : null
    return { path, sound: false, reason: fault?.reason ?? '', detail: fault?.detail ?? '' }
  }
  const { seen, bad, correctable, empty, wrongNumber, findings, trailer } = pages
  return {
    path,
    sound: !damaged,
    headerCopy: header.copy,
    otherHeaderCopy: header.other,
    pageBytes: pages.pageBytes,
    pages: seen,
    bad,
    correctable,
    empty,
    wrongNumber,
    restBytes,
    highestDbtime: pages.highestDbtime,
    findings,
    trailer:
      trailer === null
        ? null
        : {
            firstGeneration: trailer.backup.firstGeneration,
            lastGeneration: trailer.backup.lastGeneration,
            mark: formatLogPosition(trailer.backup.mark),
          },
  }
}
