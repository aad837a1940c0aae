import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import type { Act, CommandContext } from '../cli-context.ts'
import { writeJson, writeLines } from '../cli-io.ts'

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
    .action((paths) => act((context) => dumpLogs(context, paths)))
}

async function dumpLogs({ io, globals }: CommandContext, paths: readonly string[]): Promise<number> {
  const { dumpLog } = await import('../dump-log.ts')
  const logs: object[] = []
  let damaged = false
  for (const path of paths) {
    const dumped = await dumpLog(path)
    damaged ||= dumped.fault !== ''
    if (globals.json === true) logs.push(dumped.document)
    else writeLines(io.stdout, [...dumped.lines, ''])
  }
  if (globals.json === true) writeJson(io.stdout, { logs })
  return damaged ? CHECK_FAILED : 0
}
