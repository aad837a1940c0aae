import type { CopyTruncationDocument, HeldDocument, TruncationDocument } from './api-answer.ts'
import { fittedColumns, formatTable } from './format-table.ts'

/**
 * Why each closed log is still on the source, in words: what lies there, how far truncation may go, and for each run of logs
 * the rules that hold it with what would release it.
 */
export function truncationLines(explanation: TruncationDocument): string[] {
  const { storageGroup, closed, backedUpThrough, truncatableThrough, held, lastFailure } = explanation
  if (closed === null) return [`${storageGroup}: no closed log is on the source`]
  return [
    `${storageGroup}: closed logs ${named(closed.first)} to ${named(closed.last)} are on the source`,
    `backed up through ${named(backedUpThrough)}; may be truncated through ${named(truncatableThrough)}`,
    '',
    ...heldTable(held),
    '',
    ...held.flatMap(heldLines),
    ...(lastFailure === '' ? [] : [`the last deletion failed: ${lastFailure}`]),
  ]
}

/** One log in one sentence, for a ticket: why it is still there, or why it is not. */
export function truncationSentence(explanation: TruncationDocument, generation: number): string {
  const { storageGroup, closed, truncatedBelow, held } = explanation
  const log = `Log ${hexadecimal(generation)} of ${storageGroup}`
  if (closed !== null && generation > closed.last) return `${log} is not closed yet, so that nothing truncates it.`
  const run = held.find(({ range }) => range.first <= generation && generation <= range.last)
  if (run === undefined)
    return generation < Number(truncatedBelow)
      ? `${log} was truncated: it was backed up, and processed by every copy.`
      : `${log} is not on the source.`
  if (run.reasons.length === 0) return `${log} may go and is being deleted.`
  return `${log} was not truncated because ${run.reasons.map(({ why }) => why).join('; and ')}.`
}

const HEADERS = ['Logs', 'Count', 'Held by'] as const

/** Runs of logs with the rules that hold them. */
function heldTable(held: readonly HeldDocument[]): string[] {
  const rows = held.map(({ range, reasons }) => [
    range.first === range.last ? hexadecimal(range.first) : `${hexadecimal(range.first)} to ${hexadecimal(range.last)}`,
    String(range.last - range.first + 1),
    [...new Set(reasons.map(({ rule }) => rule))].join(', ') || 'nothing',
  ])
  return formatTable(fittedColumns(HEADERS, rows), rows)
}

/** The same on the side of a copy. */
export function copyTruncationLines(explanation: CopyTruncationDocument): string[] {
  const { storageGroup, logs, truncatedBelow, truncatableThrough, held } = explanation
  if (logs === null) return [`${storageGroup}: no log is on the copy`]
  return [
    `${storageGroup}: logs ${named(logs.first)} to ${named(logs.last)} are on the copy`,
    `truncated on the source below ${named(truncatedBelow)}; may be truncated here through ${named(truncatableThrough)}`,
    '',
    ...heldTable(held),
    '',
    ...held.flatMap(heldLines),
  ]
}

function heldLines({ range, reasons }: HeldDocument): string[] {
  const logs = range.first === range.last ? named(range.first) : `${named(range.first)} to ${named(range.last)}`
  if (reasons.length === 0) return [`${logs}: may go, and is being deleted`]
  return [
    `${logs}: held, because`,
    ...reasons.flatMap(({ why, release }) => [`  - ${why}`, `    released by ${release}`]),
  ]
}

/** Both ways of writing a generation: `0000002A (42)`; people find the file by one and count with the other. */
function named(generation: number): string {
  if (generation === 0) return 'none'
  return `${hexadecimal(generation)} (${generation})`
}

function hexadecimal(generation: number): string {
  return generation.toString(16).toUpperCase().padStart(8, '0')
}
