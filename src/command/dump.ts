import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import type { Act, CommandContext } from '../cli-context.ts'
import { writeJson, writeLines } from '../cli-io.ts'
import type { DumpedFile } from '../dump-log.ts'

/** The exit code of a check that failed. */
const CHECK_FAILED = 3

/** `ccr dump`. */
export function addDumpCommand(program: CommandUnknownOpts, act: Act): void {
  const dump = program.command('dump').description('show what is written in files of the ESE engine')
  dump
    .command('log')
    .description('the header of ESE logs, as eseutil /ml shows it')
    .argument('<file...>', 'log files')
    .addHelpText(
      'after',
      '\nA log whose body is damaged is shown as well, with its fault, and ends with exit code 3.\n\nExamples:\n  ccr dump log E000000002A.log\n  ccr eseutil /ml E000000002A.log',
    )
    .action((paths) => act((context) => dumpFiles(context, paths, 'logs')))
  dump
    .command('checkpoint')
    .description('the checkpoint of a stream, as eseutil /mk shows it')
    .argument('<file...>', 'checkpoint files')
    .addHelpText(
      'after',
      '\nThe first of its two copies that is whole is shown; a damaged one ends with exit code 3.\n\nExamples:\n  ccr dump checkpoint E00.chk\n  ccr eseutil /mk E00.chk',
    )
    .action((paths) => act((context) => dumpFiles(context, paths, 'checkpoints')))
  dump
    .command('database')
    .description('the header of databases, as eseutil /mh shows it')
    .argument('<file...>', 'database files')
    .addHelpText(
      'after',
      '\nThe first of its two copies that is whole is shown; a damaged one ends with exit code 3. The pages are checked by ccr verify.\n\nExamples:\n  ccr dump database priv1.edb --json\n  ccr eseutil /mh priv1.edb',
    )
    .action((paths) => act((context) => dumpFiles(context, paths, 'databases')))
}

/** What is shown, as its member of the JSON document is called. */
type Shown = 'logs' | 'checkpoints' | 'databases'

async function dumpFiles({ io, globals }: CommandContext, paths: readonly string[], shown: Shown): Promise<number> {
  const dump = await dumperOf(shown)
  const documents: object[] = []
  let damaged = false
  for (const path of paths) {
    const dumped = await dump(path)
    damaged ||= dumped.fault !== ''
    if (globals.json === true) documents.push(dumped.document)
    else writeLines(io.stdout, [...dumped.lines, ''])
  }
  if (globals.json === true) writeJson(io.stdout, { [shown]: documents })
  return damaged ? CHECK_FAILED : 0
}

/** Only what a line needs is loaded. */
async function dumperOf(shown: Shown): Promise<(path: string) => Promise<DumpedFile>> {
  switch (shown) {
    case 'logs':
      return (await import('../dump-log.ts')).dumpLog
    case 'checkpoints':
      return (await import('../dump-checkpoint.ts')).dumpCheckpointFile
    case 'databases':
      return (await import('../dump-database.ts')).dumpDatabase
  }
}
