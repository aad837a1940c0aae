import { type DestinationStream, destination, type Logger, pino } from 'pino'
import type { Trace } from './order-runner.ts'

/**
 * What a service writes its log with. One JSON object per line: the message is constant, the values are fields. `info` is
 * what an operator would act on, `debug` what a developer would; at `debug` each fact and each order is a line under its
 * own name, so the log is the trace.
 */
export type ServiceLog = Pick<
  Logger,
  'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'isLevelEnabled' | 'child' | 'level'
>

/** How grave a line must be to be written. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent'

/**
 * Makes the log of a process.
 *
 * @param stream where lines go; standard error by default, since standard output belongs to data
 */
export function serviceLog(level: LogLevel, stream?: DestinationStream): ServiceLog {
  return pino(
    // A host name and a process number on each line repeat what the collector of the lines knows.
    { level, base: null, timestamp: () => `,"t":"${new Date().toISOString()}"`, errorKey: 'error' },
    // Synchronous: the last line before a crash is the one that is wanted.
    stream ?? destination({ dest: 2, sync: true }),
  )
}

/** Writes each fact and order of one storage group at level `debug`; null where nobody would read them. */
export function traceTo(log: ServiceLog, storageGroup: string): Trace | null {
  if (!log.isLevelEnabled('debug')) return null
  return (what, { kind, ...fields }) => log.debug({ storageGroup, [what]: kind, ...fields }, what)
}
