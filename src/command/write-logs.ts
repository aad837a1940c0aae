import { type CommandUnknownOpts, Option } from '@commander-js/extra-typings'
import { ReplicationError } from '../../engine/error.ts'
import type { Act, CommandContext } from '../cli-context.ts'
import { writeJson, writeLines } from '../cli-io.ts'
import { parseLogRate } from '../format-size.ts'

interface WriteOptions {
  readonly rate: number
  readonly count: number
  readonly seed?: number | undefined
  readonly baseName: string
}

/** What is written where nobody says: about the busiest of the storage groups that people ran in 2007. */
const RATE_DEFAULT = 20
const SEED_MAX = 2 ** 32 - 1

/** `ccr write-logs`. */
export function addWriteLogsCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('write-logs')
    .description('write a valid ESE log stream into a directory; each log is closed by rename, as a store closes it')
    .argument('<directory>', 'made when it does not exist; a stream that lies there is continued')
    .addOption(
      new Option('--rate <rate>', 'logs of 1 MiB closed each second: 20/s, 90/m, or max')
        .argParser(rateOption)
        .default(RATE_DEFAULT, '20/s'),
    )
    .addOption(
      new Option('--count <number>', 'end after so many logs')
        .argParser((text: string) => whole(text, Number.MAX_SAFE_INTEGER))
        .default(Number.POSITIVE_INFINITY, 'no end'),
    )
    .option('--seed <number>', 'decides the content of the logs; random when absent', (text) => whole(text, SEED_MAX))
    .option('--base-name <name>', 'the three letters or digits that every name begins with', 'E00')
    .addHelpText(
      'after',
      '\nThe current log (E00.log) stays open until it is full. Logs are not synced to disk.\n\nExamples:\n  ccr write-logs /tmp/logs --rate 20/s\n  ccr write-logs /tmp/logs --rate max --count 2000 --seed 7',
    )
    .action((directory, options) => act((context) => writeLogs(context, directory, options)))
}

async function writeLogs({ io, globals }: CommandContext, directory: string, options: WriteOptions): Promise<number> {
  const { openLogWriter } = await import('../log-writer.ts')
  const { writeAtRate } = await import('../write-at-rate.ts')
  const { baseName, seed = null, rate, count } = options
  const writer = await openLogWriter({ directory, baseName, seed, nowMs: Date.now })
  const first = writer.generation
  let closed = 0
  const report = (name: string): void => {
    closed += 1
    if (io.stderr.isTerminal) io.stderr.write(`\r${name} closed, ${closed} in all\u001b[K`)
  }
  try {
    await writeAtRate(writer, { rate, count, signal: io.signal, onClosed: ({ name }) => report(name) })
  } finally {
    await writer.close()
    if (io.stderr.isTerminal && closed > 0) io.stderr.write('\n')
  }
  const last = closed === 0 ? null : writer.generation - 1
  if (globals.json === true)
    writeJson(io.stdout, { directory, baseName, closed, first: last === null ? null : first, last })
  else
    writeLines(io.stdout, [
      closed === 0 ? 'no log was closed' : `${closed} logs closed: generations ${first} to ${last}`,
    ])
  return 0
}

function rateOption(text: string): number {
  return text === 'max' ? Number.POSITIVE_INFINITY : parseLogRate(text)
}

function whole(text: string, most: number): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (value <= most) return value
  throw new ReplicationError({
    code: 'USAGE',
    message: `${JSON.stringify(text)} is no whole number up to ${most}`,
    hint: 'Write a whole number, for example 7.',
  })
}
