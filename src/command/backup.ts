import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import type { Act, CommandContext } from '../cli-context.ts'
import { writeJson, writeLines } from '../cli-io.ts'
import { truncationLines } from '../format-truncation.ts'
import { parseGeneration } from '../generation-argument.ts'
import { storageGroupArgument, withManagement } from '../management.ts'
import { addBackupAdopt } from './backup-adopt.ts'
import { addBackupTakers } from './backup-take.ts'

/** `ccr backup`. */
export function addBackupCommand(program: CommandUnknownOpts, act: Act): void {
  const backup = program
    .command('backup')
    .description('back up the active or the passive copy into a directory, or tell the source what was backed up')
  addBackupTakers(backup, act)
  addBackupAdopt(backup, act)
  backup
    .command('mark')
    .description(
      'another product has backed the logs up through a generation: what may go, goes, at once or as the copies catch up',
    )
    .argument('<storage-group>', 'the storage group')
    .requiredOption(
      '--through <generation>',
      'the last log backed up: 42, 0x2A, or eight digits as in its name, 0000002A',
    )
    .addHelpText(
      'after',
      '\nA number of eight digits is read as hexadecimal when it begins with 0 or has a letter, as log names do;\neight plain digits such as 10000000 are refused: write 0x10000000, or the decimal number.\n\nExamples:\n  ccr backup mark SG1 --through 42\n  ccr backup mark SG1 --through 0x2A\n  ccr backup mark SG1 --through 0000002A',
    )
    .action((name, options) => act((context) => mark(context, name, options.through)))
}

async function mark(context: CommandContext, name: string, written: string): Promise<number> {
  const storageGroup = storageGroupArgument(name)
  const through = parseGeneration(written)
  const { io, globals } = context
  const done = await withManagement(context, 'share', (client) => client.markBackup(storageGroup, through))
  if (globals.json === true) writeJson(io.stdout, { explanation: done.state, remark: done.remark })
  else {
    writeLines(io.stdout, truncationLines(done.state))
    if (done.remark !== '') writeLines(io.stderr, [done.remark])
  }
  return 0
}
