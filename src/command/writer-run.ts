import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { ReplicationError } from '../../engine/error.ts'
import type { WriterDocument } from '../../transport/management-writer-documents.ts'
import type { WriterName } from '../../transport/management-writers.ts'
import { abortAfterAll, type WriterClient, withWriters } from '../backup/writer-client.ts'
import { runWithFiles } from '../backup/writer-tool.ts'
import type { Act, CommandContext } from '../cli-context.ts'
import { writeJson, writeLines } from '../cli-io.ts'
import { freezeOf, freezeOption, nameOf, ofOption, scopeOption } from './writer-options.ts'

interface WriterRun {
  readonly name: WriterName
  readonly scope: string
  readonly freezeMs: unknown
  readonly afterThaw: boolean
  readonly command: readonly string[]
}

/** `ccr writer run`. */
export function addWriterRun(writer: CommandUnknownOpts, act: Act): void {
  writer
    .command('run')
    .description('prepare and freeze, run a command that copies the files, thaw, and say success if it ended with 0')
    .argument('<storage-group>', 'the storage group')
    .argument('<command...>', 'the command, behind --')
    .addOption(scopeOption())
    .addOption(ofOption())
    .addOption(freezeOption())
    .option('--after-thaw', 'run the command after the thaw: logs stay as they are, a database does not')
    .addHelpText('after', HELP)
    .action((name, command, { scope, of, freeze, afterThaw }) =>
      act((context) =>
        run(context, { name: nameOf(name, of), scope, freezeMs: freeze, afterThaw: afterThaw === true, command }),
      ),
    )
}

const HELP = `
The command has these in its environment; paths are those of the node, so it runs on the same machine:
  CCR_DATABASE, CCR_CHECKPOINT   the files; empty where logs only are taken (incremental, differential)
  CCR_LOGS                       the directory of the logs
  CCR_LOG_FIRST, CCR_LOG_LAST    names of the first and last log to take; empty for none
  CCR_FILE_LIST                  a file with all paths to take, one a line
  CCR_STORAGE_GROUP, CCR_SCOPE, CCR_OF

A command that fails, Ctrl-C and a freeze that ends too early abort the backup: nothing is recorded and nothing truncated. Exit codes: 0 the backup is
complete, 1 the command failed, 6 the writer refused, 130 Ctrl-C.

Examples:
  ccr writer run SG1 -- sh -c 'tar -cf /backup/sg1.tar -P -T "$CCR_FILE_LIST"'
  ccr writer run SG1 --scope incremental --after-thaw -- labs/backup/tar.sh /backup/tuesday.tar`

async function run(context: CommandContext, wanted: WriterRun): Promise<number> {
  if (wanted.afterThaw && (wanted.scope === 'full' || wanted.scope === 'copy')) throw databaseChanges(wanted.scope)
  const { io, globals } = context
  const { name, scope, freezeMs } = wanted
  // An interruption ends the command, and then the backup is given up: no call to the writer is cut short, whose outcome nobody would know.
  const unhurried = { ...context, io: { ...io, signal: new AbortController().signal } }
  const writer = await withWriters(unhurried, name.of, async (writers) => {
    await writers.call(name, 'prepare', { scope, ...freezeOf(freezeMs) })
    try {
      return await taken(context, wanted, writers)
    } catch (error) {
      if (!(await abortAfterAll(writers, name))) writeLines(io.stderr, [notGivenUp(name)])
      throw error
    }
  })
  if (writer.phase !== 'idle') throw successLost(name)
  if (globals.json === true) writeJson(io.stdout, writer)
  // Its standard output is that of the command.
  else writeLines(io.stderr, [`${name.storageGroup}: the ${scope} backup of the ${name.of} is complete`])
  return 0
}

async function taken(context: CommandContext, wanted: WriterRun, writers: WriterClient): Promise<WriterDocument> {
  const { name, command, afterThaw } = wanted
  const { io } = context
  const tool = { context, command }
  io.signal.throwIfAborted()
  const frozen = await writers.call(name, 'freeze')
  if (!afterThaw) await runWithFiles(tool, frozen)
  io.signal.throwIfAborted()
  await writers.call(name, 'thaw')
  if (afterThaw) await runWithFiles(tool, frozen)
  io.signal.throwIfAborted()
  return await writers.call(name, 'post', { outcome: 'success' })
}

function notGivenUp({ storageGroup, of }: WriterName): string {
  return `The writer could not be told that the backup is given up. See ccr writer list, and: ccr writer abort ${storageGroup} --of ${of}`
}

function databaseChanges(scope: string): ReplicationError {
  return new ReplicationError({
    code: 'USAGE',
    message: `a ${scope} backup has a database, which changes after the thaw`,
    hint: 'Leave --after-thaw out, or let the command take a snapshot of the disk while the copy is frozen: ccr writer freeze, thaw, post.',
  })
}

function successLost({ storageGroup, of }: WriterName): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `the success of the backup of ${storageGroup} has not come to its writer, which waits for it`,
    hint: `Say it again: ccr writer post ${storageGroup} --of ${of}; or give the backup up: ccr writer abort ${storageGroup} --of ${of}.`,
    fields: { storageGroup },
  })
}
