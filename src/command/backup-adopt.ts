import { resolve } from 'node:path'
import { type CommandUnknownOpts, Option } from '@commander-js/extra-typings'
import { readDatabaseHeader } from '../../engine/database/database-header-copies.ts'
import { ReplicationError } from '../../engine/error.ts'
import type { BackupManifest } from '../../storage/backup-manifest.ts'
import { type AdoptedFiles, findAdopted } from '../backup/adopted-files.ts'
import { BackupThread } from '../backup/backup-thread.ts'
import type { Act, CommandContext } from '../cli-context.ts'
import { writeJson, writeLines } from '../cli-io.ts'
import { readHeadOf } from '../ese-file.ts'
import { storageGroupArgument } from '../management.ts'
import { VERSION } from '../version.ts'

interface Adoption {
  readonly from: string
  readonly to: string
  readonly storageGroup: string
  readonly scope: BackupManifest['scope']
  readonly copy: 'active' | 'passive'
}

/** `ccr backup adopt`. */
export function addBackupAdopt(backup: CommandUnknownOpts, act: Act): void {
  backup
    .command('adopt')
    .description('make a backup set of the files that another tool has copied and extracted; every byte is verified')
    .argument('<directory>', 'where the tool has extracted its backup; it stays as it is')
    .requiredOption('--storage-group <name>', 'the storage group that was backed up')
    .requiredOption('--to <directory>', 'a directory that is absent or empty; it becomes the backup set')
    .addOption(
      new Option('--scope <scope>', 'what the tool has backed up')
        .choices(['full', 'incremental', 'differential', 'copy'] as const)
        .default('full'),
    )
    .addOption(
      new Option('--of <copy>', 'which copy it has backed up')
        .choices(['active', 'passive'] as const)
        .default('active'),
    )
    .addHelpText(
      'after',
      '\nThe files are found by their names, wherever they lie below the directory: one database and its checkpoint, and the logs. Where the file system can share blocks, nothing is copied twice.\n\nExample:\n  mkdir out && tar -xf sg1.tar -C out && ccr backup adopt out --storage-group SG1 --to set && ccr restore SG1 --from set',
    )
    .action((directory, { storageGroup, to, scope, of }) =>
      act((context) =>
        adopt(context, {
          from: resolve(directory),
          to: resolve(to),
          storageGroup: storageGroupArgument(storageGroup),
          scope,
          copy: of,
        }),
      ),
    )
}

async function adopt({ io, globals }: CommandContext, adoption: Adoption): Promise<number> {
  const { from, to, scope, storageGroup } = adoption
  const files = await findAdopted(from)
  const hasDatabase = scope === 'full' || scope === 'copy'
  if (hasDatabase !== (files.database !== null)) throw otherScope(adoption, hasDatabase)
  await refuseLostLogs(files)
  const thread = await BackupThread.start()
  try {
    const manifest = await writeSet(thread, { adoption, files, signal: io.signal })
    const { logs, required } = manifest
    if (globals.json === true) writeJson(io.stdout, { directory: to, ...manifest })
    else
      writeLines(io.stdout, [
        `${to} is a ${scope} backup set of ${storageGroup}, with logs ${logs?.first} to ${logs?.last}${required === null ? '' : `; its database needs ${required.first} to ${required.last}`}`,
      ])
    return 0
  } finally {
    await thread.close() // what was written without a manifest goes
  }
}

interface SetToWrite {
  readonly adoption: Adoption
  readonly files: AdoptedFiles
  readonly signal: AbortSignal
}

async function writeSet(thread: BackupThread, { adoption, files, signal }: SetToWrite): Promise<BackupManifest> {
  const { to, storageGroup, scope, copy } = adoption
  const { database, checkpoint, logs, baseName, range } = files
  const begunMs = Date.now()
  const watch = { signal }
  await thread.ask({ ask: 'begin-set', directory: to }, watch)
  if (checkpoint !== null && database !== null) await thread.ask({ ask: 'copy-checkpoint', path: checkpoint }, watch)
  if (database !== null) await thread.ask({ ask: 'copy-database', path: database, mode: 'snapshot' }, watch)
  await thread.ask({ ask: 'copy-logs', directory: logs, baseName, range }, watch)
  const description = {
    storageGroup,
    baseName,
    scope,
    method: 'vss' as const,
    of: { copy, node: '' },
    product: VERSION,
    closed: range.last,
    mark: null,
    buildsOn: null,
    begunMs,
    endedMs: Date.now(),
  }
  return await thread.ask({ ask: 'finish-set', description }, watch)
}

/** A log that the database needs is missed when the set is made; one that it has changes of, and does not need, only by this. */
async function refuseLostLogs({ database, range }: AdoptedFiles): Promise<void> {
  if (database === null) return
  const read = readDatabaseHeader((await readHeadOf(database, 'database')).bytes)
  if (read.verdict !== 'read' || read.header.required.maxCommitted <= range.last) return
  throw new ReplicationError({
    code: 'BACKUP_REJECTED',
    message: `the logs end with ${range.last}, and its database has changes through log ${read.header.required.maxCommitted}`,
    hint: 'Extract all logs of the backup. A database without its last logs would lose what was committed.',
    fields: { path: database },
  })
}

function otherScope({ from, scope }: Adoption, hasDatabase: boolean): ReplicationError {
  return new ReplicationError({
    code: 'BACKUP_REJECTED',
    message: `${from} has ${hasDatabase ? 'no' : 'a'} database (.edb), and a backup of scope ${scope} has ${hasDatabase ? 'one' : 'logs only'}`,
    hint: 'Say with --scope what the tool has backed up.',
    fields: { path: from },
  })
}
