import { formatBackupSlot } from './database-dump.ts'
import { DATABASE_ERROR_OF, type DatabaseHeaderVerdict, faultOfDatabaseHeader } from './database-header-copies.ts'
import { FINDINGS_MAX, hasDamagedPages, type PageFinding, type PageTally } from './page-tally.ts'

/** What a look over a whole database found. */
export interface DatabaseCheck {
  readonly header: DatabaseHeaderVerdict
  /** Null where no header says how large a page is. */
  readonly pages: PageTally | null
  /** Bytes behind the last whole page; a sound file has none. */
  readonly restBytes: number
}

/** Of the pages that a file begins with; eseutil counts them too, and numbers them so. */
const HEADER_PAGES = 2
const FIRST_COPY = 'page -1 (header)'
const SHADOW = 'page 0 (header)'

/** Whether something is wrong. A shadow that is only older is not: a crash came between the two writes, or one is under way. */
export function isDatabaseDamaged({ header, pages, restBytes }: DatabaseCheck): boolean {
  if (header.verdict === 'rejected' || pages === null) return true
  return (
    restBytes > 0 ||
    header.other === 'damaged' ||
    faultOfDatabaseHeader(header.header) !== null ||
    hasDamagedPages(pages)
  )
}

/**
 * The lines that `eseutil /k <file>` prints of a database: what is damaged, then the counts. eseutil sums pages of a wrong number
 * up under the damaged ones; here they are told apart, and the page that lies there is named.
 */
export function dumpDatabaseCheck(path: string, check: DatabaseCheck): string[] {
  const { header, pages } = check
  const faults = [
    ...headerFaults(header),
    ...(pages === null ? [] : pageFaults(pages)),
    ...(check.restBytes === 0 ? [] : [`ERROR: ${check.restBytes} bytes behind the last page are no whole page.`]),
  ]
  return [
    `        Database: ${path}`,
    '',
    ...(faults.length === 0 ? [] : [...faults, '']),
    ...(pages === null ? [] : countLines(pages)),
    ...(isDatabaseDamaged(check) ? [] : ['', 'No damaged pages were found.']),
  ]
}

function headerFaults(header: DatabaseHeaderVerdict): string[] {
  if (header.verdict === 'rejected') {
    const { reason, detail } = header.rejection
    return [`ERROR: header damaged (unusable): ${detail}. Error ${DATABASE_ERROR_OF[reason]}.`]
  }
  const fault = faultOfDatabaseHeader(header.header)
  return [
    ...(header.other === 'damaged'
      ? [`ERROR: ${header.copy === 'first' ? SHADOW : FIRST_COPY} checksum failed. The other copy is whole.`]
      : []),
    ...(header.other === 'older' ? [`WARNING: ${SHADOW} is another one than ${FIRST_COPY}, which counts.`] : []),
    ...(fault === null ? [] : [`ERROR: ${FIRST_COPY}: ${fault}. Error ${DATABASE_ERROR_OF['bad-field']}.`]),
  ]
}

function pageFaults(pages: PageTally): string[] {
  const unnamed = pages.bad + pages.correctable + pages.wrongNumber - pages.findings.length
  return [
    ...pages.findings.map(findingLine),
    ...(unnamed === 0 ? [] : [`${unnamed} more after the first ${FINDINGS_MAX} are not named`]),
  ]
}

function findingLine({ page, kind, bits, detail }: PageFinding): string {
  if (kind === 'bad') return `ERROR: page ${page} checksum failed: ${detail}. Error -1018.`
  if (kind === 'wrong-number') return `ERROR: page ${page} has a wrong page number: ${detail}. Error -1018.`
  const named = bits.length === 1 ? 'bit' : 'bits'
  return `WARNING: page ${page} checksum verification failed but the corruption ( ${named} ${bits.join(', ')} ) can be corrected`
}

function countLines(pages: PageTally): string[] {
  return [
    `${pages.seen + HEADER_PAGES} pages seen`,
    `${pages.bad} bad checksums`,
    `${pages.correctable} correctable checksums`,
    `${pages.empty} uninitialized pages`,
    `${pages.wrongNumber} wrong page numbers`,
    `0x${BigInt(pages.highestDbtime).toString(16)} highest dbtime (pgno 0x${pages.highestPage.toString(16)})`,
    ...(pages.trailer === null
      ? []
      : [
          '',
          `Page ${pages.seen} is the trailer of a streaming backup:`,
          ...formatBackupSlot(pages.trailer.backup, ''),
        ]),
  ]
}
