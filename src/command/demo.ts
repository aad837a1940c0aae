import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { Option } from '@commander-js/extra-typings'
import { anySignal } from '../any-signal.ts'
import { type Act, type CommandContext, settingsFor } from '../cli-context.ts'
import { type CliIo, writeJson, writeLines } from '../cli-io.ts'
import type { DemoMoment } from '../demo/view.ts'
import { parseLogRate } from '../format-size.ts'
import { parseDuration } from '../format-time.ts'
import { liveBlock } from '../live-block.ts'

interface DemoCommandOptions {
  readonly for?: number | undefined
  readonly rate: number
  readonly data?: string | undefined
}

/** Enough to see it move, little enough for any disk: 20 MiB/s. */
const RATE_DEFAULT = 20
/** The exit code of a check that failed. */
const CHECK_FAILED = 3

/** `ccr demo`, which `npm start` runs. */
export function addDemoCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('demo')
    .description(
      'see it work: a store under load, a source and a copy in two processes, checked byte for byte (npm start)',
    )
    .option('--for <duration>', 'end by itself after this time, with a summary', parseDuration)
    .addOption(
      new Option('--rate <rate>', 'logs of 1 MiB closed each second')
        .argParser(parseLogRate)
        .default(RATE_DEFAULT, '20/s'),
    )
    .option('--data <directory>', 'where the files are kept; a temporary directory, removed at the end, when absent')
    .addHelpText(
      'after',
      '\nEnds with exit code 3 when the copy is not whole. Old logs are marked as backed up and truncated on both sides as it goes,\nso at most about 200 MiB stay on each.\n\nExamples:\n  ccr demo\n  ccr demo --for 20s --rate 50/s',
    )
    .action((options) => act((context) => demo(context, options)))
}

async function demo(context: CommandContext, options: DemoCommandOptions): Promise<number> {
  const { io, globals } = context
  const json = globals.json === true
  const settings = await settingsFor(context)
  const { runDemo } = await import('../demo/demo.ts')
  const { introLines, isWhole, summaryLines } = await import('../demo/view.ts')
  const over = new AbortController()
  let timer: NodeJS.Timeout | undefined
  const summary = await runDemo({
    io,
    settings,
    rate: options.rate,
    data: options.data ?? null,
    signal: anySignal([io.signal, over.signal]),
    onPlaces: (places) => {
      if (json) writeJson(io.stdout, { places })
      else writeLines(io.stdout, introLines(places))
      // The time counts from when logs begin to move.
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

async function momentWriter(io: CliIo, json: boolean): Promise<(moment: DemoMoment) => void> {
  const { momentBlock, momentLine } = await import('../demo/view.ts')
  if (json) return (moment) => writeJson(io.stdout, { moment })
  const block = liveBlock(io.stdout)
  return (moment) => block.show(io.stdout.isTerminal ? momentBlock(moment) : [momentLine(moment)])
}
