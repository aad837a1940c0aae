import { anySignal } from './any-signal.ts'
import { type CliIo, writeJson, writeLines } from './cli-io.ts'
import type { Settings } from './config.ts'
import { type ServiceLog, serviceLog } from './service-log.ts'

/** The log of a service that runs in the foreground: JSON lines on stderr, since stdout is for data. */
export function foregroundLog(level: Settings['log.level'], io: CliIo): ServiceLog {
  return serviceLog(level, { write: (line) => io.stderr.write(line) })
}

/** Tells, once, where a service that has started can be reached: lines for people, or one document for machines. */
export function tellStarted(io: CliIo, json: boolean, started: { document: object; lines: readonly string[] }): void {
  if (json) writeJson(io.stdout, started.document)
  else writeLines(io.stdout, started.lines)
}

/**
 * A signal that fires when the command is to end: at a signal of the system, and with `untilStdinEnds` also when whoever started
 * the command closes its standard input or dies.
 */
export function endOf(io: CliIo, untilStdinEnds: boolean): AbortSignal {
  if (!untilStdinEnds) return io.signal
  const ended = new AbortController()
  process.stdin.once('close', () => ended.abort('stdin'))
  process.stdin.once('end', () => ended.abort('stdin'))
  process.stdin.resume()
  const end = anySignal([io.signal, ended.signal])
  // An open standard input would keep the process alive when everything else has ended.
  end.addEventListener('abort', () => process.stdin.destroy(), { once: true })
  return end
}

/** Resolves when a signal fires. */
export function whenAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
