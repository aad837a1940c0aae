import { stat } from 'node:fs/promises'
import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { ReplicationError } from '../../engine/error.ts'
import type { Act, CommandContext } from '../cli-context.ts'
import { type CliIo, writeJson, writeLines } from '../cli-io.ts'
import type { EseFileHead } from '../ese-file.ts'
import type { LogFiles } from '../log-set.ts'
import type { VerifiedFile } from '../verify-database.ts'
import type { VerifiedSet } from '../verify-logs.ts'

/** The exit code of a check that failed. */
const CHECK_FAILED = 3

/** `ccr verify`, also `eseutil /k`. */
export function addVerifyCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('verify')
    .description('check the checksums of ESE logs, databases and checkpoints, and the chain of logs (eseutil /k)')
    .argument('<path...>', 'logs, databases or checkpoints, or directories with the logs of one or more streams')
    .option('--base-name <name>', 'of a directory, only the logs of this base name, for example E00')
    .addHelpText(
      'after',
      '\nWhat a file is, its header says. Of a log everything is checked, and that it continues the one before it; of a database both headers and every page; of a checkpoint both copies.\nEnds with exit code 3 when something is damaged, or a log is misnamed or missing between others. Pages are named by their number, and where only one bit is turned, that bit.\n\nExamples:\n  ccr verify /store/logs\n  ccr verify E000000002A.log --json\n  ccr verify priv1.edb E00.chk\n  ccr eseutil /k E00',
    )
    .action((paths, options) => act((context) => verify(context, paths, options.baseName)))
}

/** What the paths of a line are. */
interface Found {
  readonly sets: LogFiles[]
  readonly databases: { readonly path: string; readonly head: EseFileHead }[]
  readonly checkpoints: { readonly path: string; readonly head: EseFileHead }[]
}

async function verify({ io, globals }: CommandContext, paths: readonly string[], baseName?: string): Promise<number> {
  const found = await find(paths, baseName)
  const { verifySets } = await import('../verify-logs.ts')
  const sets = await verifySets(found.sets, { signal: io.signal, onProgress: progressTo(io, 'logs') })
  const databases = await verifyDatabases(found, io)
  const { verifyCheckpoint } = await import('../verify-checkpoint.ts')
  const checkpoints = found.checkpoints.map(({ path, head }) => verifyCheckpoint(path, head.bytes))
  const files = [...databases, ...checkpoints]
  const damaged = [...sets, ...files].some((one) => one.damaged)
  if (globals.json === true) writeJson(io.stdout, { sound: !damaged, ...documentOf(sets, databases, checkpoints) })
  else for (const one of [...sets, ...files]) writeLines(io.stdout, [...one.lines, ''])
  return damaged ? CHECK_FAILED : 0
}

async function find(paths: readonly string[], baseName?: string): Promise<Found> {
  const { findLogSets } = await import('../log-set.ts')
  const { readEseFileHead } = await import('../ese-file.ts')
  const found: Found = { sets: [], databases: [], checkpoints: [] }
  for (const path of paths) {
    const isDirectory = await stat(path).then(
      (facts) => facts.isDirectory(),
      () => false, // why it cannot be looked at is told by who reads it
    )
    const head = isDirectory ? null : await readEseFileHead(path)
    if (head === null || head.kind === 'log') found.sets.push(...(await findLogSets(path, baseName)))
    else if (head.kind === 'database') found.databases.push({ path, head })
    else found.checkpoints.push({ path, head })
  }
  if (found.sets.length + found.databases.length + found.checkpoints.length === 0) throw nothingFound(paths)
  return found
}

async function verifyDatabases({ databases }: Found, io: CliIo): Promise<VerifiedFile[]> {
  const { verifyDatabase } = await import('../verify-database.ts')
  const verified: VerifiedFile[] = []
  for (const { path, head } of databases)
    verified.push(await verifyDatabase(path, head, { signal: io.signal, onProgress: progressTo(io, 'pages') }))
  return verified
}

function documentOf(
  sets: readonly VerifiedSet[],
  databases: readonly VerifiedFile[],
  checkpoints: readonly VerifiedFile[],
): object {
  return {
    sets: sets.map(({ baseName, damaged, missing, logs }) => ({ baseName, sound: !damaged, missing, logs })),
    databases: databases.map(({ document }) => document),
    checkpoints: checkpoints.map(({ document }) => document),
  }
}

/** A line that counts, where somebody watches and waits. */
function progressTo({ stderr }: CliIo, what: string): (done: number, total: number) => void {
  if (!stderr.isTerminal) return () => {}
  return (done, total) => stderr.write(done === total ? '\r\u001b[K' : `\r${done} of ${total} ${what}`)
}

function nothingFound(paths: readonly string[]): ReplicationError {
  return new ReplicationError({
    code: 'LOG_MISSING',
    message: `no ESE log in ${paths.join(', ')}`,
    hint: 'Logs are named E00 + 8 or 5 hexadecimal digits + .log; give their directory or the files themselves. A database or a checkpoint is given as a file.',
  })
}
