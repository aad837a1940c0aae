import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { ReplicationError } from '../../engine/error.ts'
import type { Act, CommandContext } from '../cli-context.ts'
import { type CliIo, writeJson, writeLines } from '../cli-io.ts'
import type { EseFileHead } from '../ese-file.ts'
import type { LogFiles } from '../log-set.ts'
import { progressLine } from '../progress-line.ts'
import type { VerifiedFile } from '../verify-database.ts'
import type { VerifiedSet } from '../verify-logs.ts'

/** The exit code of a check that failed. */
const CHECK_FAILED = 3

/** `ccr verify`, also `eseutil /k`. */
export function addVerifyCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('verify')
    .description(
      'check the checksums of ESE logs, databases, checkpoints and backup sets, and the chain of logs (eseutil /k)',
    )
    .argument(
      '<path...>',
      'logs, databases or checkpoints, directories with the logs of one or more streams, or backup sets',
    )
    .option('--base-name <name>', 'of a directory, only the logs of this base name, for example E00')
    .addHelpText(
      'after',
      '\nWhat a file is, its header says. Of a log everything is checked, and that it continues the one before it; of a database both headers and every page; of a checkpoint both copies. A directory with a manifest.json is a backup set: every file is held against it too, and the logs that its database needs must be there.\nEnds with exit code 3 when something is damaged, or a log is misnamed or missing between others. Pages are named by their number, and where only one bit is turned, that bit.\n\nExamples:\n  ccr verify /store/logs\n  ccr verify E000000002A.log --json\n  ccr verify priv1.edb E00.chk\n  ccr verify /backups/monday\n  ccr eseutil /k E00',
    )
    .action((paths, options) => act((context) => verify(context, paths, options.baseName)))
}

/** What the paths of a line are. */
interface Found {
  readonly backups: string[]
  readonly sets: LogFiles[]
  readonly databases: { readonly path: string; readonly head: EseFileHead }[]
  readonly checkpoints: { readonly path: string; readonly head: EseFileHead }[]
}

async function verify({ io, globals }: CommandContext, paths: readonly string[], baseName?: string): Promise<number> {
  const found = await find(paths, baseName)
  const { verifySets } = await import('../verify-logs.ts')
  const sets = await verifySets(found.sets, { signal: io.signal, onProgress: progressLine(io.stderr, 'logs').show })
  const databases = await verifyDatabases(found, io)
  const { verifyCheckpoint } = await import('../verify-checkpoint.ts')
  const checkpoints = found.checkpoints.map(({ path, head }) => verifyCheckpoint(path, head.bytes))
  const backups = await verifyBackups(found, io)
  const files = [...databases, ...checkpoints, ...backups]
  const damaged = [...sets, ...files].some((one) => one.damaged)
  if (globals.json === true)
    writeJson(io.stdout, { sound: !damaged, ...documentOf({ sets, databases, checkpoints, backups }) })
  else for (const one of [...sets, ...files]) writeLines(io.stdout, [...one.lines, ''])
  return damaged ? CHECK_FAILED : 0
}

async function find(paths: readonly string[], baseName?: string): Promise<Found> {
  const { findLogSets } = await import('../log-set.ts')
  const { readEseFileHead } = await import('../ese-file.ts')
  const found: Found = { backups: [], sets: [], databases: [], checkpoints: [] }
  for (const path of paths) {
    const isDirectory = await stat(path).then(
      (facts) => facts.isDirectory(),
      () => false, // why it cannot be looked at is told by who reads it
    )
    const head = isDirectory ? null : await readEseFileHead(path)
    if (isDirectory && (await isBackupSet(path))) found.backups.push(path)
    else if (head === null || head.kind === 'log') found.sets.push(...(await findLogSets(path, baseName)))
    else if (head.kind === 'database') found.databases.push({ path, head })
    else found.checkpoints.push({ path, head })
  }
  if (Object.values(found).every((kind) => kind.length === 0)) throw nothingFound(paths)
  return found
}

/** Whole or not: it has a manifest. */
async function isBackupSet(directory: string): Promise<boolean> {
  return await stat(join(directory, 'manifest.json')).then(
    () => true,
    () => false, // why it cannot be looked at is told by who reads it
  )
}

async function verifyDatabases({ databases }: Found, io: CliIo): Promise<VerifiedFile[]> {
  const { verifyDatabase } = await import('../verify-database.ts')
  const verified: VerifiedFile[] = []
  for (const { path, head } of databases)
    verified.push(
      await verifyDatabase(path, head, { signal: io.signal, onProgress: progressLine(io.stderr, 'pages').show }),
    )
  return verified
}

async function verifyBackups({ backups }: Found, io: CliIo): Promise<readonly VerifiedFile[]> {
  if (backups.length === 0) return []
  const { verifyBackupSets } = await import('../verify-set.ts')
  const progress = progressLine(io.stderr, 'bytes')
  try {
    return await verifyBackupSets(backups, { signal: io.signal, onProgress: progress.show })
  } finally {
    progress.end()
  }
}

function documentOf(of: {
  readonly sets: readonly VerifiedSet[]
  readonly databases: readonly VerifiedFile[]
  readonly checkpoints: readonly VerifiedFile[]
  readonly backups: readonly VerifiedFile[]
}): object {
  const { sets, databases, checkpoints, backups } = of
  return {
    sets: sets.map(({ baseName, damaged, missing, logs }) => ({ baseName, sound: !damaged, missing, logs })),
    databases: databases.map(({ document }) => document),
    checkpoints: checkpoints.map(({ document }) => document),
    backups: backups.map(({ document }) => document),
  }
}

function nothingFound(paths: readonly string[]): ReplicationError {
  return new ReplicationError({
    code: 'LOG_MISSING',
    message: `no ESE log in ${paths.join(', ')}`,
    hint: 'Logs are named E00 + 8 or 5 hexadecimal digits + .log; give their directory or the files themselves. A database or a checkpoint is given as a file.',
  })
}
