/**
 * The known word that somebody most likely meant, or null when none is near: at most a third of the letters (and at least one)
 * may differ by being missing, added, changed or swapped with a neighbour. Case does not matter.
 */
export function nearestWord(word: string, known: readonly string[]): string | null {
  const limit = Math.max(1, Math.floor(word.length / 3))
  let nearest: string | null = null
  let nearestEdits = limit + 1
  for (const candidate of known) {
    const edits = editsBetween(word.toLowerCase(), candidate.toLowerCase())
    if (edits >= nearestEdits) continue
    nearest = candidate
    nearestEdits = edits
  }
  return nearest
}

/** The optimal string alignment distance of two words. */
function editsBetween(a: string, b: string): number {
  let beforePrevious: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, column) => column)
  for (let row = 1; row <= a.length; row += 1) {
    const current = [row]
    for (let column = 1; column <= b.length; column += 1) {
      const changed = at(previous, column - 1) + (a[row - 1] === b[column - 1] ? 0 : 1)
      let edits = Math.min(at(previous, column) + 1, at(current, column - 1) + 1, changed)
      const swapped = row > 1 && column > 1 && a[row - 1] === b[column - 2] && a[row - 2] === b[column - 1]
      if (swapped) edits = Math.min(edits, at(beforePrevious, column - 2) + 1)
      current.push(edits)
    }
    beforePrevious = previous
    previous = current
  }
  return at(previous, b.length)
}

function at(edits: readonly number[], index: number): number {
  return edits[index] ?? Number.POSITIVE_INFINITY
}
