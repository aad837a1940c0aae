import type { TextSink } from './cli-io.ts'

/** A line that counts, where somebody watches and waits; elsewhere nothing is written. */
export interface ProgressLine {
  /** Shows `123 of 2000 logs`; takes the line away when everything is done. */
  readonly show: (done: number, total: number) => void
  /** Takes the line away. */
  readonly end: () => void
}

const ERASE_LINE = '\r\u001b[K'

/** Makes a line that counts `what`, in the plural. */
export function progressLine(sink: TextSink, what: string): ProgressLine {
  const write = (text: string): void => {
    if (sink.isTerminal) sink.write(text)
  }
  const end = (): void => write(ERASE_LINE)
  return {
    end,
    show: (done, total) => (done === total ? end() : write(`\r${done} of ${total} ${what}`)),
  }
}
