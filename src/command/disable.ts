import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { ReplicationError } from '../../engine/error.ts'
import type { ShareDocument } from '../api-answer.ts'
import type { Act, CommandContext } from '../cli-context.ts'
import { writeJson, writeLines } from '../cli-io.ts'
import { storageGroupArgument, withManagement } from '../management.ts'

/** `ccr disable`, also Disable-StorageGroupCopy. */
export function addDisableCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('disable')
    .description('send a copy away for good: it no longer holds truncation on the source (Disable-StorageGroupCopy)')
    .argument('<storage-group>', 'the storage group')
    .requiredOption(
      '--copy <id>',
      'the copy: its id, the beginning of it, or its label, as ccr explain truncation tells',
    )
    .addHelpText(
      'after',
      '\nThe files of the copy stay where they are. A copy that was disabled is refused when it comes again.\n\nExamples:\n  ccr disable SG1 --copy 6f1e0c\n  ccr Disable-StorageGroupCopy -Identity SG1 -StandbyMachine node2:/store',
    )
    .action((name, options) => act((context) => disable(context, name, options.copy)))
}

async function disable(context: CommandContext, name: string, written: string): Promise<number> {
  const storageGroup = storageGroupArgument(name)
  const { io, globals } = context
  return await withManagement(context, 'share', async (client) => {
    const copyId = copyNamed(await client.share(storageGroup), written)
    const { state, remark } = await client.disableCopy(storageGroup, copyId)
    if (globals.json === true) writeJson(io.stdout, { share: state, remark })
    else {
      writeLines(io.stdout, [`${storageGroup}: copy ${copyId} no longer holds truncation`])
      if (remark !== '') writeLines(io.stderr, [remark])
    }
    return 0
  })
}

/** The one copy that is meant. A text that could mean two is refused: what is disabled stays so. */
function copyNamed(share: ShareDocument, written: string): string {
  const meant = share.copies.filter(
    ({ copyId, label }) => copyId.startsWith(written.toLowerCase()) || label === written,
  )
  const [only] = meant
  if (only !== undefined && meant.length === 1) return only.copyId
  // A whole id is passed on: the source may have disabled it already, and then says so itself.
  if (/^[0-9a-f]{32}$/i.test(written)) return written.toLowerCase()
  const known = share.copies.map(({ copyId, label }) => `${copyId} (${label})`).join(', ')
  throw new ReplicationError({
    code: 'USAGE',
    message: `${JSON.stringify(written)} names ${meant.length === 0 ? 'no copy' : `${meant.length} copies`} of ${share.name}`,
    hint: known === '' ? 'No copy is enrolled, so none holds truncation.' : `Give the id of one of: ${known}.`,
  })
}
