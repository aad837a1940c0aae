import { type CommandUnknownOpts, Option } from '@commander-js/extra-typings'
import { anySignal } from '../any-signal.ts'
import { type Act, type CommandContext, settingsFor } from '../cli-context.ts'
import { type CliIo, writeJson, writeLines } from '../cli-io.ts'
import { parseRateOf } from '../format-size.ts'
import { parseDuration } from '../format-time.ts'
import { liveBlock } from '../live-block.ts'
import type { UpMoment } from '../up/view.ts'

interface UpCommandOptions {
  readonly for?: number | undefined
  readonly rate: number
  readonly data?: string | undefined
}

/** Some logs a second, and little enough for any disk. */
const RATE_DEFAULT = 100
/** The exit code of a check that failed. */
const CHECK_FAILED = 3

/** `ccr up`, which `npm start` runs. */
export function addUpCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('up')
    .description(
      'see it work: a store under a mail load on one node, and on another a copy that replays it (npm start)',
    )
    .option('--for <duration>', 'end by itself after this time, with a summary', parseDuration)
    .addOption(
      new Option('--rate <rate>', 'messages delivered, read, replaced or deleted each second')
        .argParser((text: string) => parseRateOf('messages', text))
        .default(RATE_DEFAULT, '100/s'),
    )
    .option('--data <directory>', 'where the files are kept; a temporary directory, removed at the end, when absent')
    .addHelpText(
      'after',
      '\nAt the end every message that was acknowledged is read back, and both databases are compared page by page; the exit code is 3\nwhen anything is missing or differs. Old logs are marked as backed up and truncated on both sides as it goes, so at most about\n100 MiB of them stay on each.\n\nExamples:\n  ccr up\n  ccr up --for 20s --rate 400/s\n  ccr up --data /var/tmp/ccr',
    )
    .action((options) => act((context) => up(context, options)))
}

async function up(context: CommandContext, options: UpCommandOptions): Promise<number> {
  const { io, globals } = context
  const json = globals.json === true
  const settings = await settingsFor(context)
  const { runUp } = await import('../up/up.ts')
  const { introLines, isWhole, summaryLines } = await import('../up/view.ts')
  const over = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const summary = await runUp({
    io,
    settings,
    rate: options.rate,
    data: options.data ?? null,
    signal: anySignal([io.signal, over.signal]),
    onPlaces: (places) => {
      if (json) writeJson(io.stdout, { places })
      else writeLines(io.stdout, introLines(places))
      // The time counts from when both nodes are there.
      if (options.for !== undefined) timer = setTimeout(() => over.abort('time is over'), options.for)
    },
    onMoment: await momentWriter(io, json),
  })
  clearTimeout(timer)
  const whole = isWhole(summary)
  if (json) writeJson(io.stdout, { summary: { ...summary, whole } })
  else writeLines(io.stdout, summaryLines(summary))
  return whole ? 0 : CHECK_FAILED
}

async function momentWriter(io: CliIo, json: boolean): Promise<(moment: UpMoment) => void> {
  const { momentBlock, momentLine } = await import('../up/view.ts')
  if (json) return (moment) => writeJson(io.stdout, { moment })
  const block = liveBlock(io.stdout)
  return (moment) => block.show(io.stdout.isTerminal ? momentBlock(moment) : [momentLine(moment)])
}
