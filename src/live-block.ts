import type { TextSink } from './cli-io.ts'

/** Lines that change in place where somebody watches, and follow each other where nobody does. */
export interface LiveBlock {
  /** Shows these lines in place of the ones shown before. */
  readonly show: (lines: readonly string[]) => void
}

/** Up by so many lines and erase to the end of the screen. */
const redrawFrom = (lines: number): string => `\u001b[${lines}A\u001b[J`

/** Makes a block on a terminal that is redrawn in place; lines are cut at the width, or the count of lines would be wrong. */
export function liveBlock(sink: TextSink): LiveBlock {
  let shown = 0
  return {
    show: (lines) => {
      const fitting = sink.isTerminal ? lines.map((line) => line.slice(0, Math.max(1, sink.columns - 1))) : lines
      const erase = sink.isTerminal && shown > 0 ? redrawFrom(shown) : ''
      sink.write(`${erase}${fitting.join('\n')}\n`)
      shown = lines.length
    },
  }
}
