import { type CommandUnknownOpts, Option } from '@commander-js/extra-typings'
import { ReplicationError } from '../../engine/error.ts'
import type { EventDocument } from '../api-answer.ts'
import type { ApiClient } from '../api-client.ts'
import type { Act, CommandContext } from '../cli-context.ts'
import { type TextSink, writeJson, writeLines } from '../cli-io.ts'
import { storageGroupArgument, withManagement } from '../management.ts'

interface EventsOptions {
  readonly follow?: true | undefined
  readonly id?: number | undefined
  readonly level?: 'information' | 'warning' | 'error' | undefined
  readonly source?: string | undefined
  readonly storageGroup?: string | undefined
  readonly newest: number
}

/** The most events of one answer; more than a person reads, and what the service keeps in memory. */
const NEWEST_MAX = 1000
const LEVEL_WIDTH = 'information'.length
const SOURCE_WIDTH = 'MSExchangeRepl'.length

/** `ccr events`, also Get-EventLog. */
export function addEventsCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('events')
    .description('the event log of a service, with Exchange’s event ids (Get-EventLog)')
    .option('--follow', 'go on with events as they are raised, until Ctrl-C')
    .option('--id <number>', 'only events of this id', (text) => wholeNumber(text, 65_535))
    .addOption(
      new Option('--level <level>', 'only events of this level').choices(['information', 'warning', 'error'] as const),
    )
    .option('--source <name>', 'only events of this source: MSExchangeRepl or ESE')
    .option('--storage-group <name>', 'only events of this storage group', storageGroupArgument)
    .option('--newest <count>', 'look at this many of the newest events', (text) => wholeNumber(text, NEWEST_MAX), 100)
    .addHelpText(
      'after',
      '\nThe event log of the copy by default; for that of the source: --server http://127.0.0.1:7701\n\nExamples:\n  ccr events --follow\n  ccr events --id 2075 --level error --json\n  ccr Get-EventLog -LogName Application -Newest 20 -EntryType Error',
    )
    .action((options) => act((context) => showEvents(context, options)))
}

async function showEvents(context: CommandContext, options: EventsOptions): Promise<number> {
  const { io, globals } = context
  return await withManagement(context, 'copy', async (client) => {
    const { storageGroup, newest } = options
    const past = await client.events({ limit: newest, storageGroup })
    const wanted = past.filter((event) => isWanted(event, options))
    // One document, unless there is no end to it.
    if (globals.json === true && options.follow !== true) writeJson(io.stdout, { events: wanted })
    else for (const event of wanted) writeEvent(io.stdout, event, globals.json === true)
    if (options.follow === true) await follow(context, client, { options, after: past.at(-1)?.sequence ?? 0 })
    return 0
  })
}

async function follow(
  { io, globals }: CommandContext,
  client: ApiClient,
  from: { readonly options: EventsOptions; readonly after: number },
): Promise<void> {
  const { options, after } = from
  for await (const event of client.followEvents({ after, storageGroup: options.storageGroup })) {
    if (isWanted(event, options)) writeEvent(io.stdout, event, globals.json === true)
  }
}

function isWanted(event: EventDocument, { id, level, source }: EventsOptions): boolean {
  return (
    (id === undefined || event.id === id) &&
    (level === undefined || event.level === level) &&
    (source === undefined || event.source.toLowerCase() === source.toLowerCase())
  )
}

function writeEvent(sink: TextSink, event: EventDocument, json: boolean): void {
  if (json) writeJson(sink, event)
  else {
    const { time, level, source, id, text } = event
    writeLines(sink, [
      `${time} ${level.padEnd(LEVEL_WIDTH)} ${source.padEnd(SOURCE_WIDTH)} ${String(id).padStart(4)} ${text}`,
    ])
  }
}

function wholeNumber(text: string, most: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0
  if (value >= 1 && value <= most) return value
  throw new ReplicationError({
    code: 'USAGE',
    message: `${JSON.stringify(text)} is no number from 1 to ${most}`,
    hint: 'Write a whole number, for example 20.',
  })
}
