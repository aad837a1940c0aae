import type { CopyTruncationDocument, HeldDocument, TruncationDocument } from './api-answer.ts'

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
    ...held.flatMap(heldLines),
    ...(lastFailure === '' ? [] : [`the last deletion failed: ${lastFailure}`]),
  ]
}

/** The same on the side of a copy. */
export function copyTruncationLines(explanation: CopyTruncationDocument): string[] {
  const { storageGroup, logs, truncatedBelow, truncatableThrough, held } = explanation
  if (logs === null) return [`${storageGroup}: no log is on the copy`]
  return [
    `${storageGroup}: logs ${named(logs.first)} to ${named(logs.last)} are on the copy`,
    `truncated on the source below ${named(truncatedBelow)}; may be truncated here through ${named(truncatableThrough)}`,
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
  return `${generation.toString(16).toUpperCase().padStart(8, '0')} (${generation})`
}
