import { formatLogPosition } from './log-position.ts'
import { FINDINGS_MAX, type PageFinding, type PageTally } from './page-tally.ts'

/** Of the pages that a file begins with; eseutil counts them too. */
const HEADER_PAGES = 2

/**
 * The lines that `eseutil /k <file>` prints of the pages of a database: each that is damaged, then the counts. eseutil sums pages of
 * a wrong number up under the damaged ones; here they are told apart, and the page that lies there is named.
 */
export function dumpPageTally(tally: PageTally): string[] {
  const named = tally.findings.map(findingLine)
  const unnamed = tally.bad + tally.correctable + tally.wrongNumber - tally.findings.length
  return [
    ...named,
    ...(unnamed === 0 ? [] : [`${unnamed} more after the first ${FINDINGS_MAX} are not named`]),
    ...(named.length === 0 ? [] : ['']),
    `${tally.seen + HEADER_PAGES} pages seen`,
    `${tally.bad} bad checksums`,
    `${tally.correctable} correctable checksums`,
    `${tally.empty} uninitialized pages`,
    `${tally.wrongNumber} wrong page numbers`,
    `0x${BigInt(tally.highestDbtime).toString(16)} highest dbtime (pgno 0x${tally.highestPage.toString(16)})`,
    ...trailerLines(tally),
  ]
}

function findingLine({ page, kind, bits, detail }: PageFinding): string {
  if (kind === 'bad') return `ERROR: page ${page} checksum failed: ${detail}. Error -1018.`
  if (kind === 'wrong-number') return `ERROR: page ${page} has a wrong page number: ${detail}. Error -1018.`
  const named = bits.length === 1 ? 'bit' : 'bits'
  return `WARNING: page ${page} checksum verification failed but the corruption ( ${named} ${bits.join(', ')} ) can be corrected`
}

function trailerLines({ trailer, seen }: PageTally): string[] {
  if (trailer === null) return []
  const { firstGeneration, lastGeneration, mark } = trailer.backup
  return [
    `page ${seen} is the trailer of a streaming backup: logs ${firstGeneration}-${lastGeneration}, mark ${formatLogPosition(mark)}`,
  ]
}
