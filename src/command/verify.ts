import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { ReplicationError } from '../../engine/error.ts'
import type { Act, CommandContext } from '../cli-context.ts'
import { type CliIo, writeJson, writeLines } from '../cli-io.ts'
import type { LogFiles } from '../log-set.ts'
import type { VerifiedSet } from '../verify-logs.ts'

/** The exit code of a check that failed. */
const CHECK_FAILED = 3

/** `ccr verify`, also `eseutil /k`. */
export function addVerifyCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('verify')
    .description('check header and checksums of ESE logs, and that each continues the one before it (eseutil /k)')
    .argument('<path...>', 'log files, or directories with the logs of one or more streams')
    .option('--base-name <name>', 'only the logs of this base name, for example E00')
    .addHelpText(
      'after',
      '\nEnds with exit code 3 when a log is damaged, misnamed or missing between others.\n\nExamples:\n  ccr verify /store/logs\n  ccr verify E000000002A.log --json\n  ccr eseutil /k E00',
    )
    .action((paths, options) => act((context) => verify(context, paths, options.baseName)))
}

async function verify({ io, globals }: CommandContext, paths: readonly string[], baseName?: string): Promise<number> {
  const { findLogSets } = await import('../log-set.ts')
  const sets: LogFiles[] = []
  for (const path of paths) sets.push(...(await findLogSets(path, baseName)))
  if (sets.length === 0) throw nothingFound(paths)
  const { verifySets } = await import('../verify-logs.ts')
  const verified = await verifySets(sets, { signal: io.signal, onProgress: progressTo(io) })
  if (globals.json === true) writeJson(io.stdout, documentOf(verified))
  else for (const set of verified) writeLines(io.stdout, [...set.lines, ''])
  return verified.some((set) => set.damaged) ? CHECK_FAILED : 0
}

function documentOf(verified: readonly VerifiedSet[]): object {
  return {
    sound: verified.every((set) => !set.damaged),
    sets: verified.map(({ baseName, damaged, missing, logs }) => ({ baseName, sound: !damaged, missing, logs })),
  }
}

/** A line that counts, where somebody watches and waits. */
function progressTo({ stderr }: CliIo): (done: number, total: number) => void {
  if (!stderr.isTerminal) return () => {}
  return (done, total) => stderr.write(done === total ? '\r\u001b[K' : `\r${done} of ${total} logs`)
}

function nothingFound(paths: readonly string[]): ReplicationError {
  return new ReplicationError({
    code: 'LOG_MISSING',
    message: `no ESE log in ${paths.join(', ')}`,
    hint: 'Logs are named E00 + 8 or 5 hexadecimal digits + .log; give their directory or the files themselves.',
  })
}
