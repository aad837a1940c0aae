import { setTimeout as delay } from 'node:timers/promises'
import { type CommandUnknownOpts, Option } from '@commander-js/extra-typings'
import { ReplicationError } from '../../engine/error.ts'
import type { StatusDocument } from '../api-answer.ts'
import type { ApiClient } from '../api-client.ts'
import type { Act, CommandContext } from '../cli-context.ts'
import { reportError } from '../cli-error.ts'
import { writeJson, writeLines } from '../cli-io.ts'
import { statusList, statusTable } from '../format-status.ts'
import { parseDuration } from '../format-time.ts'
import { liveBlock } from '../live-block.ts'
import { storageGroupArgument, withManagement } from '../management.ts'

interface StatusOptions {
  readonly format: 'table' | 'list'
  readonly watch?: true | undefined
  readonly interval: number
}

/** A person sees it move, and the service hardly notices. */
const WATCH_MS = 1000

/** `ccr status`, also Get-StorageGroupCopyStatus. */
export function addStatusCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('status')
    .description('how each copy stands: summary, queues and the last inspected log (Get-StorageGroupCopyStatus)')
    .argument('[storage-group]', 'one storage group; all of the service when absent')
    .addOption(
      new Option('--format <format>', 'table, or list with every field of | fl')
        .choices(['table', 'list'] as const)
        .default('table' as const),
    )
    .option('--watch', 'show it again and again until Ctrl-C')
    .addOption(
      new Option('--interval <duration>', 'time between two looks of --watch')
        .argParser(parseDuration)
        .default(WATCH_MS, '1s'),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  ccr status\n  ccr status SG1 --format list\n  ccr status --watch --json | jq .copies[0].CopyQueueLength\n  ccr Get-StorageGroupCopyStatus -Identity SG1',
    )
    .action((name, options) => act((context) => showStatus(context, name, options)))
}

async function showStatus(context: CommandContext, name: string | undefined, options: StatusOptions): Promise<number> {
  const storageGroup = name === undefined ? undefined : storageGroupArgument(name)
  const show = printer(context, storageGroup, options)
  return await withManagement(context, 'copy', async (client) => {
    show(await copiesOf(client, storageGroup))
    while (options.watch === true) {
      await delay(options.interval, undefined, { signal: context.io.signal })
      await copiesOf(client, storageGroup).then(show, (error: unknown) => {
        // A service that is being restarted comes back: a watcher says so and looks again.
        if (!(error instanceof ReplicationError) || !error.retriable) throw error
        reportError(error, context.io, context.globals.json === true)
      })
    }
    return 0
  })
}

async function copiesOf(client: ApiClient, storageGroup: string | undefined): Promise<StatusDocument[]> {
  return storageGroup === undefined ? await client.copies() : [await client.copy(storageGroup)]
}

function printer(
  { io, globals }: CommandContext,
  storageGroup: string | undefined,
  options: StatusOptions,
): (copies: readonly StatusDocument[]) => void {
  if (globals.json === true)
    return (copies) => writeJson(io.stdout, storageGroup === undefined ? { copies } : copies[0])
  const block = liveBlock(io.stdout)
  return (copies) => {
    const lines = options.format === 'list' ? statusList(copies) : statusTable(copies, io.stdout.columns)
    if (copies.length === 0) writeLines(io.stderr, ['This service holds no copy.'])
    else if (options.watch === true) block.show(lines)
    else writeLines(io.stdout, lines)
  }
}
