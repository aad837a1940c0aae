import { resolve } from 'node:path'
import { type CommandUnknownOpts, Option } from '@commander-js/extra-typings'
import { ReplicationError } from '../../engine/error.ts'
import type { BackupJobDocument } from '../../transport/management-backup-documents.ts'
import type { BackupOrder } from '../../transport/management-backups.ts'
import type { ApiConnection } from '../api-connection.ts'
import { backupLine, backupLines, backupTable, readBackup, readBackups } from '../backup/format-backup.ts'
import type { Act, CommandContext } from '../cli-context.ts'
import { writeJson, writeLines } from '../cli-io.ts'
import { parseSize } from '../format-size.ts'
import { parseDuration } from '../format-time.ts'
import { type Side, storageGroupArgument, withConnection } from '../management.ts'
import { pauseUntil } from '../pause-until.ts'

/** How often a backup is looked at, in milliseconds: often enough for a line that counts. */
const LOOK_MS = 200

const SCOPES = {
  full: 'the database and the logs that it needs; what the backup has may go from the disk',
  incremental: 'the logs since the last full or incremental backup of the same method; they may go then',
  differential: 'the logs since the last full or incremental backup of the same method; nothing goes',
  copy: 'the database and the logs that it needs; nothing goes, and no other backup builds on it',
} as const

interface TakeOptions {
  readonly of: string
  readonly method: string
  readonly to: string
  readonly rate?: number | undefined
  readonly freeze?: number | undefined
}

/** `ccr backup full|incremental|differential|copy`, `ccr backup list` and `ccr backup give-up`. */
export function addBackupTakers(backup: CommandUnknownOpts, act: Act): void {
  for (const [scope, what] of Object.entries(SCOPES)) {
    backup
      .command(scope)
      .description(what)
      .argument('<storage-group>', 'the storage group')
      .addOption(new Option('--of <copy>', 'which copy').choices(['active', 'passive']).default('active'))
      .addOption(
        new Option('--method <method>', 'page by page while the store runs, or a snapshot for which it stands still')
          .choices(['streaming', 'vss'])
          .default('vss'),
      )
      .requiredOption('--to <directory>', 'a directory of the node that is absent or empty; it becomes the backup set')
      .addOption(new Option('--rate <size>', 'copy at most so much in a second, as 25M').argParser(parseSize))
      .addOption(
        new Option('--freeze <duration>', 'how long a snapshot may keep the copy frozen (default: 60s)').argParser(
          parseDuration,
        ),
      )
      .addHelpText(
        'after',
        `\nThe node writes the set; ccr verify DIRECTORY checks it, ccr restore SG --from DIRECTORY puts it back.\n\nExamples:\n  ccr backup ${scope} SG1 --to /backup/monday\n  ccr backup ${scope} SG1 --of passive --to /backup/monday --server http://127.0.0.1:7702`,
      )
      .action((name, options) => act((context) => take(context, orderOf(scope, name, options))))
  }
  backup
    .command('list')
    .description('the backups that a node takes, and the last ones that it took')
    .action(() => act(list))
  backup
    .command('give-up')
    .description('give up a backup that a node takes; nothing is truncated, and its directory is emptied')
    .argument('<id>', 'its number, as ccr backup list shows it')
    .action((id) => act((context) => giveUp(context, id)))
}

function orderOf(scope: string, name: string, options: TakeOptions): BackupOrder {
  return {
    storageGroup: storageGroupArgument(name),
    of: options.of as BackupOrder['of'], // one of the choices of the option
    scope: scope as BackupOrder['scope'], // a key of the table above
    method: options.method as BackupOrder['method'], // one of the choices of the option
    directory: resolve(options.to),
    bytesPerSecond: options.rate ?? null,
    freezeMs: options.freeze ?? null,
  }
}

async function take(context: CommandContext, order: BackupOrder): Promise<number> {
  const { io, globals } = context
  const { freezeMs, ...rest } = order
  const side: Side = order.of === 'active' ? 'share' : 'copy'
  return await withConnection(context, side, async (node) => {
    const body = { ...rest, ...(freezeMs === null ? {} : { freezeMs }) }
    const begun = readBackup(await node.json('POST', '/api/v1/backups', body))
    const ended = await watch(context, node, begun)
    if (ended.error !== null) throw ReplicationError.fromJSON(ended.error)
    if (globals.json === true) writeJson(io.stdout, ended)
    else writeLines(io.stdout, backupLines(ended))
    return 0
  })
}

/** Looks until the backup is over. Whoever interrupts it means the backup, not only the looking. */
async function watch(
  { io }: CommandContext,
  node: ApiConnection,
  begun: BackupJobDocument,
): Promise<BackupJobDocument> {
  const path = `/api/v1/backups/${begun.id}`
  const erase = (): void => {
    if (io.stderr.isTerminal) io.stderr.write('\r\u001b[K')
  }
  try {
    for (let job = begun; ; job = readBackup(await node.json('GET', path))) {
      if (job.phase === 'completed' || job.phase === 'failed') return job
      if (io.stderr.isTerminal) io.stderr.write(`\r\u001b[K${backupLine(job)}`)
      await pauseUntil(LOOK_MS, io.signal)
    }
  } catch (error) {
    if (io.signal.aborted) await node.lastWord(`${path}/give-up`)
    throw error
  } finally {
    erase()
  }
}

async function list(context: CommandContext): Promise<number> {
  const { io, globals } = context
  const backups = await withConnection(context, 'share', async (node) =>
    readBackups(await node.json('GET', '/api/v1/backups')),
  )
  if (globals.json === true) writeJson(io.stdout, { backups })
  else if (backups.length === 0) writeLines(io.stderr, ['This node has taken no backup since it was started.'])
  else writeLines(io.stdout, backupTable(backups))
  return 0
}

async function giveUp(context: CommandContext, id: string): Promise<number> {
  const { io, globals } = context
  const path = `/api/v1/backups/${encodeURIComponent(id)}/give-up`
  const job = await withConnection(context, 'share', async (node) => readBackup(await node.json('POST', path, {})))
  if (globals.json === true) writeJson(io.stdout, job)
  else writeLines(io.stdout, [backupLine(job)])
  return 0
}
