import { type BackupTrailer, readBackupTrailer } from './backup-trailer.ts'
import { readDbtime } from './dbtime.ts'
import type { LogBytes } from './log-bytes.ts'
import { PAGE_BYTES } from './page.ts'
import { type PageVerdict, type SoundPages, verifyPage } from './page-seal.ts'

/** What is wrong with one page. */
export interface PageFinding {
  readonly page: number
  /** `wrong-number`: it is sound, but it is another page of this file. */
  readonly kind: 'bad' | 'correctable' | 'wrong-number'
  /** The bits that the checksum would turn back, ascending; none unless `correctable`. */
  readonly bits: readonly number[]
  /** For an operator; `''` where the bits say it all. */
  readonly detail: string
}

/** What the pages of a database came to, as far as they were looked at. */
export interface PageTally {
  readonly pageBytes: number
  /** Whole pages of the file behind its two headers, the trailer of a backup counted. */
  readonly filePages: number
  /** How many of them were looked at. */
  readonly seen: number
  readonly bad: number
  readonly correctable: number
  readonly empty: number
  readonly wrongNumber: number
  /** The highest dbtime of a sound page, and which page has it; 0 and 0 before there is one. */
  readonly highestDbtime: number
  readonly highestPage: number
  /** The trailer of a streaming backup, where the file ends with one. */
  readonly trailer: BackupTrailer | null
  /** The first {@link FINDINGS_MAX} pages with something wrong, ascending. */
  readonly findings: readonly PageFinding[]
}

/** How many pages are named. A database with more is not mended page by page, and its counts stay exact. */
export const FINDINGS_MAX = 1000

const SOUND: PageVerdict = { verdict: 'sound' }

/** Where a page keeps the dbtime of its last change. */
const DBTIME_OFFSET = 8

/**
 * A tally of no page yet.
 *
 * @param fileBytes the length of the whole file; an incomplete page at its end is left out
 */
export function startPageTally(pageBytes: number, fileBytes: number): PageTally {
  return {
    pageBytes,
    filePages: Math.max(0, Math.floor(fileBytes / pageBytes) - 2),
    seen: 0,
    bad: 0,
    correctable: 0,
    empty: 0,
    wrongNumber: 0,
    highestDbtime: 0,
    highestPage: 0,
    trailer: null,
    findings: [],
  }
}

/**
 * Verifies the pages that follow those seen so far.
 *
 * @param chunk whole pages, the first of which is page `tally.seen + 1`; they are read only
 * @param soundPages the faster look for sound ones, where the owner of the memory has one
 */
export function tallyPages(tally: PageTally, chunk: LogBytes, soundPages: SoundPages | null = null): PageTally {
  const { pageBytes } = tally
  const sums: Sums = { ...tally, findings: [...tally.findings] }
  const wide = pageBytes === PAGE_BYTES ? soundPages : null
  let soundTo = 0
  for (let lo = 0; lo + pageBytes <= chunk.bytes.byteLength; lo += pageBytes) {
    sums.seen += 1
    if (wide !== null && lo >= soundTo) soundTo = lo + wide(chunk.bytes.subarray(lo), sums.seen) * pageBytes
    const verdict = lo < soundTo ? SOUND : verifyPage(chunk, lo, { bytes: pageBytes, number: sums.seen })
    // Only the last page of a file can be a trailer, and one that is has the checksum of a header.
    if (verdict.verdict === 'bad' && sums.seen === tally.filePages)
      sums.trailer = readBackupTrailer(chunk, lo, pageBytes)
    if (sums.trailer === null) count(sums, verdict)
    if (verdict.verdict === 'sound' || verdict.verdict === 'correctable') countDbtime(sums, chunk.view, lo)
  }
  return sums
}

/** Whether something is wrong with a page: a correctable one counts, as somebody should look at its disk. */
export function hasDamagedPages({ bad, correctable, wrongNumber }: PageTally): boolean {
  return bad + correctable + wrongNumber > 0
}

/** A tally that is being added to. */
type Sums = { -readonly [Field in keyof PageTally]: PageTally[Field] } & { findings: PageFinding[] }

function count(sums: Sums, verdict: PageVerdict): void {
  if (verdict.verdict === 'sound') return
  if (verdict.verdict === 'empty') {
    sums.empty += 1
    return
  }
  const finding = findingOf(sums, verdict)
  if (finding.kind === 'correctable') sums.correctable += 1
  else if (finding.kind === 'bad') sums.bad += 1
  else sums.wrongNumber += 1
  if (sums.findings.length < FINDINGS_MAX) sums.findings.push(finding)
}

function findingOf(sums: Sums, verdict: Extract<PageVerdict, { verdict: 'bad' | 'correctable' }>): PageFinding {
  const page = sums.seen
  if (verdict.verdict === 'correctable') return { page, kind: 'correctable', bits: verdict.bits, detail: '' }
  const { ownNumber, detail } = verdict
  // A number that the file does not have comes from damage to the checksum itself.
  const astray = ownNumber !== null && ownNumber >= 1 && ownNumber <= sums.filePages
  return { page, kind: astray ? 'wrong-number' : 'bad', bits: [], detail }
}

function countDbtime(sums: Sums, view: DataView, lo: number): void {
  const dbtime = readDbtime(view, lo + DBTIME_OFFSET)
  if (dbtime <= sums.highestDbtime) return
  sums.highestDbtime = dbtime
  sums.highestPage = sums.seen
}
