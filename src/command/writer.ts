import { type CommandUnknownOpts, Option } from '@commander-js/extra-typings'
import type { WriterDocument } from '../../transport/management-writer-documents.ts'
import type { WriterName } from '../../transport/management-writers.ts'
import { writerLines } from '../backup/format-writer.ts'
import { withWriters } from '../backup/writer-client.ts'
import type { Act, CommandContext } from '../cli-context.ts'
import { writeJson, writeLines } from '../cli-io.ts'
import { freezeOf, freezeOption, nameOf, ofOption, scopeOption } from './writer-options.ts'
import { addWriterRun } from './writer-run.ts'

const STEPS = {
  freeze: 'let the copy stand still for a bounded time, and say which files to take',
  thaw: 'let the copy go on; refused where it had gone on by itself, and what was taken is of no use',
  abort: 'give the backup up, whose tool may have died; nothing is truncated',
} as const

/** `ccr writer`: for other people's backup tools, and those who test them. */
export function addWriterCommand(program: CommandUnknownOpts, act: Act): void {
  const writer = program
    .command('writer')
    .description('let another backup tool take the backup: prepare, freeze, thaw, post, or a script around them')
  writer
    .command('list')
    .description('the writers of a node, as vssadmin list writers shows them, and the files of their databases')
    .action(() => act(list))
  writer
    .command('prepare')
    .description('begin a backup')
    .argument('<storage-group>', 'the storage group')
    .addOption(scopeOption())
    .addOption(ofOption())
    .addOption(freezeOption())
    .action((name, { scope, of, freeze }) =>
      act((context) => call(context, nameOf(name, of), ['prepare', { scope, ...freezeOf(freeze) }])),
    )
  for (const [step, what] of Object.entries(STEPS))
    writer
      .command(step)
      .description(what)
      .argument('<storage-group>', 'the storage group')
      .addOption(ofOption())
      .action((name, { of }) => act((context) => call(context, nameOf(name, of), [step])))
  addPost(writer, act)
  addWriterRun(writer, act)
  addProvoke(writer, act)
}

function addPost(writer: CommandUnknownOpts, act: Act): void {
  writer
    .command('post')
    .description('say how the backup ended: after success it is recorded, and logs may go')
    .argument('<storage-group>', 'the storage group')
    .addOption(new Option('--outcome <outcome>', 'how it ended').choices(['success', 'failure']).default('success'))
    .addOption(ofOption())
    .action((name, { of, outcome }) => act((context) => call(context, nameOf(name, of), ['post', { outcome }])))
}

function addProvoke(writer: CommandUnknownOpts, act: Act): void {
  writer
    .command('provoke')
    .description('have the next backup of a tool fail, once, as real ones do')
    .argument('<storage-group>', 'the storage group')
    .addArgument(
      writer
        .createArgument('<failure>', 'which failure; none for none')
        .choices(['vote-no', 'freeze-timeout', 'no-thaw', 'lose-post', 'none']),
    )
    .addOption(ofOption())
    .addHelpText(
      'after',
      '\nvote-no: the writer refuses the snapshot (state 8). freeze-timeout: the copy does not stand still long enough (9, error -2402). no-thaw: the thaw comes too late (10, -2402). lose-post: the success is lost; the writer waits, and refuses other backups, until the word comes again, or abort.\n\nExample:\n  ccr writer provoke SG1 no-thaw && ./nightly-backup.sh; ccr writer list',
    )
    .action((name, failure, { of }) =>
      act((context) => call(context, nameOf(name, of), ['provoke', { failure: failure === 'none' ? null : failure }])),
    )
}

async function list(context: CommandContext): Promise<number> {
  const { io, globals } = context
  const writers = await withWriters(context, 'active', (node) => node.list())
  if (globals.json === true) writeJson(io.stdout, { writers })
  else if (writers.length === 0) writeLines(io.stderr, ['This node has no database that is mounted or replayed.'])
  else for (const writer of writers) writeLines(io.stdout, [...writerLines(writer), ''])
  return 0
}

async function call(
  context: CommandContext,
  name: WriterName,
  [step, body = {}]: readonly [string, object?],
): Promise<number> {
  tell(context, await withWriters(context, name.of, (writers) => writers.call(name, step, body)))
  return 0
}

function tell({ io, globals }: CommandContext, writer: WriterDocument): void {
  if (globals.json === true) writeJson(io.stdout, writer)
  else writeLines(io.stdout, writerLines(writer))
}
