import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { shapeOf } from '../api-answer.ts'
import type { Act, CommandContext } from '../cli-context.ts'
import { writeJson, writeLines } from '../cli-io.ts'
import { storageGroupArgument, withConnection } from '../management.ts'

/** `ccr dismount`, also Dismount-Database. */
export function addDismountCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('dismount')
    .description('stop a mailbox store in order; it stays so until it is mounted (Dismount-Database)')
    .argument('<storage-group>', 'the storage group')
    .addHelpText(
      'after',
      '\nA dismounted store stays so when its service is started again. Its logs are served to the copies as before. While a backup of it is under way it is refused (-505, for one of the passive -617).\n\nExamples:\n  ccr dismount SG1\n  ccr Dismount-Database -Identity SG1',
    )
    .action((name) => act((context) => change(context, name, 'dismount')))
}

/** `ccr mount`, also Mount-Database. */
export function addMountCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('mount')
    .description('start a dismounted mailbox store; returns when it takes requests (Mount-Database)')
    .argument('<storage-group>', 'the storage group')
    .addHelpText(
      'after',
      '\nA store that cannot be started stays dismounted, and the error says why. Mounting a mounted store is no error.\n\nExamples:\n  ccr mount SG1\n  ccr Mount-Database SG1',
    )
    .action((name) => act((context) => change(context, name, 'mount')))
}

async function change(context: CommandContext, name: string, verb: 'mount' | 'dismount'): Promise<number> {
  const storageGroup = storageGroupArgument(name)
  const path = `/api/v1/stores/${encodeURIComponent(storageGroup)}/${verb}`
  const answer = await withConnection(context, 'share', (node) => node.json('POST', path, {}))
  const store = shapeOf(answer, 'a store', { storageGroup: 'string', state: 'string' })
  if (context.globals.json === true) writeJson(context.io.stdout, store)
  else writeLines(context.io.stdout, [`${store['storageGroup']}: ${store['state']}`])
  return 0
}
