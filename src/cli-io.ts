/** Somewhere to write text to. */
export interface TextSink {
  readonly write: (text: string) => void
  /** Whether a person watches: only then are lines redrawn and coloured. */
  readonly isTerminal: boolean
  /** Width in characters; 80 where nobody watches. */
  readonly columns: number
}

/** Everything a command touches besides files and the network; a test gives its own. */
export interface CliIo {
  /** Data only. */
  readonly stdout: TextSink
  /** Everything else: errors, hints, progress, remarks. */
  readonly stderr: TextSink
  readonly env: Readonly<Record<string, string | undefined>>
  /** Asks the person who watches, who answers with a line; absent where nobody could answer. */
  readonly ask?: (question: string) => Promise<string>
  /** Fires when the command is to end; its reason is the name of the signal, `SIGINT` or `SIGTERM`. */
  readonly signal: AbortSignal
}

/** What stands in for the width where nobody watches. */
const COLUMNS_UNWATCHED = 80

/** The process itself: its streams, its environment, and a signal that its caller fires. */
export function processIo(signal: AbortSignal): CliIo {
  const isAnswered = process.stdin.isTTY === true && process.stderr.isTTY === true
  const io = { stdout: sinkOf(process.stdout), stderr: sinkOf(process.stderr), env: process.env, signal }
  return isAnswered ? { ...io, ask: (question) => askTerminal(question, signal) } : io
}

/** Writes lines, each with its end. */
export function writeLines(sink: TextSink, lines: readonly string[]): void {
  if (lines.length > 0) sink.write(`${lines.join('\n')}\n`)
}

/** Writes one JSON document on one line. */
export function writeJson(sink: TextSink, document: unknown): void {
  sink.write(`${JSON.stringify(document)}\n`)
}

/** Whether a sink may be coloured: somebody watches and NO_COLOR does not forbid it. Source: no-color.org. */
export function mayColour(sink: TextSink, env: CliIo['env']): boolean {
  return sink.isTerminal && (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb'
}

async function askTerminal(question: string, signal: AbortSignal): Promise<string> {
  const { createInterface } = await import('node:readline/promises')
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await terminal.question(question, { signal })
  } finally {
    terminal.close()
  }
}

function sinkOf(stream: NodeJS.WriteStream): TextSink {
  return {
    write: (text) => {
      stream.write(text)
    },
    isTerminal: stream.isTTY === true,
    // Read at each use: a person may widen the window while a table is redrawn.
    get columns() {
      return stream.columns ?? COLUMNS_UNWATCHED
    },
  }
}
