import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import type { StatusDocument } from '../api-answer.ts'
import type { ApiClient, Done } from '../api-client.ts'
import type { Act, CommandContext } from '../cli-context.ts'
import { writeJson, writeLines } from '../cli-io.ts'
import { storageGroupArgument, withManagement } from '../management.ts'

/** `ccr suspend`, also Suspend-StorageGroupCopy. */
export function addSuspendCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('suspend')
    .description(
      'stop copying and replay; returns when it is durable and no more I/O touches the copy (Suspend-StorageGroupCopy)',
    )
    .argument('<storage-group>', 'the storage group')
    .option('--suspend-comment, --comment <text>', 'why; shown in the status until the copy is resumed')
    .addHelpText(
      'after',
      '\nSuspending a suspended copy is no error. Until it is resumed the source keeps every log it has not processed.\n\nExamples:\n  ccr suspend SG1 --comment "new disk"\n  ccr Suspend-StorageGroupCopy -Identity SG1 -SuspendComment "new disk"',
    )
    .action((name, options) =>
      act((context) =>
        change(context, name, (client, storageGroup) => client.suspend(storageGroup, options.comment ?? null)),
      ),
    )
}

/** `ccr resume`, also Resume-StorageGroupCopy. */
export function addResumeCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('resume')
    .description('check the copy and go on copying (Resume-StorageGroupCopy)')
    .argument('<storage-group>', 'the storage group')
    .addHelpText(
      'after',
      '\nSuspend and resume is also the way to have a failed copy checked again once the cause is gone.\n\nExamples:\n  ccr resume SG1\n  ccr Resume-StorageGroupCopy SG1',
    )
    .action((name) => act((context) => change(context, name, (client, storageGroup) => client.resume(storageGroup))))
}

type Request = (client: ApiClient, storageGroup: string) => Promise<Done<StatusDocument>>

async function change(context: CommandContext, name: string, request: Request): Promise<number> {
  const storageGroup = storageGroupArgument(name)
  const { state, remark } = await withManagement(context, 'copy', (client) => request(client, storageGroup))
  const { io, globals } = context
  if (globals.json === true) writeJson(io.stdout, { status: state, remark })
  else {
    const comment = state['SuspendComment']
    const because = typeof comment === 'string' && comment !== '' ? ` (${comment})` : ''
    writeLines(io.stdout, [`${state.StorageGroupName}: ${state.SummaryCopyStatus}${because}`])
    if (remark !== '') writeLines(io.stderr, [remark])
  }
  return 0
}
