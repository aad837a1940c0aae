import { resolve } from 'node:path'
import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { ReplicationError } from '../../engine/error.ts'
import type { RestoreDocument } from '../../transport/management-backup-documents.ts'
import { shapeOf } from '../api-answer.ts'
import type { Act, CommandContext } from '../cli-context.ts'
import { type CliIo, writeJson, writeLines } from '../cli-io.ts'
import { formatSize } from '../format-size.ts'
import { storageGroupArgument, withConnection } from '../management.ts'
import { pauseUntil } from '../pause-until.ts'

interface RestoreOptions {
  readonly from: readonly string[]
  readonly pointInTime?: true | undefined
}

/** How often a restore is looked at, in milliseconds. */
const LOOK_MS = 200

/** `ccr restore`. */
export function addRestoreCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('restore')
    .description('put a backup back into the active copy, whose database is dismounted')
    .argument('<storage-group>', 'the storage group')
    .requiredOption(
      '--from <directory...>',
      'backup sets of the node: a full or copy one, then its incremental ones in order, or one differential one',
    )
    .option('--point-in-time', 'leave out the logs that are there and continue those of the sets')
    .addHelpText(
      'after',
      '\nEverything is verified before anything is changed; what is replaced lies in replaced-… in the folder of the storage group afterwards. Logs that continue the backup are redone at the next mount, unless --point-in-time is given.\n\nWhere the store goes back to an earlier moment, its copies have to look at it anew: remove the files of the passive, ccr mount SG, ccr suspend SG, ccr resume SG.\n\nExamples:\n  ccr dismount SG1 && ccr restore SG1 --from /backup/monday && ccr mount SG1\n  ccr restore SG1 --from /backup/monday /backup/tuesday /backup/wednesday --point-in-time',
    )
    .action((name, options) => act((context) => restore(context, storageGroupArgument(name), options)))
}

async function restore(context: CommandContext, storageGroup: string, options: RestoreOptions): Promise<number> {
  const { io, globals } = context
  const path = `/api/v1/stores/${encodeURIComponent(storageGroup)}/restore`
  const sets = options.from.map((directory) => resolve(directory))
  const ended = await withConnection(context, 'share', async (node) => {
    let told = readRestore(await node.json('POST', path, { sets, pointInTime: options.pointInTime ?? false }))
    while (told.phase === 'restoring') {
      await pauseUntil(LOOK_MS, io.signal)
      told = readRestore(await node.json('GET', path))
      showProgress(io, told)
    }
    return told
  })
  if (ended.error !== null) throw ReplicationError.fromJSON(ended.error)
  if (globals.json === true) writeJson(io.stdout, ended)
  else writeLines(io.stdout, linesOf(ended))
  return 0
}

function readRestore(value: unknown): RestoreDocument {
  const shape = { storageGroup: 'string', phase: 'string', doneBytes: 'number', elapsedMs: 'number' } as const
  return shapeOf(value, 'a restore', shape) as unknown as RestoreDocument // what else it has is shown and not relied on
}

function showProgress({ stderr }: CliIo, { phase, doneBytes, totalBytes, elapsedMs }: RestoreDocument): void {
  if (!stderr.isTerminal) return
  const rate = formatSize(Math.round((doneBytes / Math.max(1, elapsedMs)) * 1_000))
  const line = phase === 'restoring' ? `${formatSize(doneBytes)} of ${formatSize(totalBytes)}, ${rate}/s` : ''
  stderr.write(`\r\u001b[K${line}`)
}

function linesOf(told: RestoreDocument): string[] {
  const { storageGroup, sets, logs, rolledForward, replaced, wentBack, elapsedMs } = told
  return [
    `${storageGroup}: ${sets.length === 1 ? 'the backup is' : `${sets.length} backups are`} put back, in ${(elapsedMs / 1_000).toFixed(1)} s`,
    logs === null ? '  without logs' : `  logs ${logs.first} to ${logs.last} of the backup`,
    ...(rolledForward === null
      ? []
      : [`  and logs ${rolledForward.first} to ${rolledForward.last}, which continue it`]),
    ...(replaced === null ? [] : [`  what was there lies in ${replaced}`]),
    `  next: ccr mount ${storageGroup}`,
    ...(wentBack
      ? [
          `  then, at the copy, whose files are of a later time: ccr suspend ${storageGroup}, remove the files in its folders logs and database, ccr resume ${storageGroup}`,
        ]
      : []),
  ]
}
