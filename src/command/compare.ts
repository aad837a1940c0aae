import { type CommandUnknownOpts, Option } from '@commander-js/extra-typings'
import { formatPageDifference } from '../../engine/database/page-digest.ts'
import type { Act, CommandContext } from '../cli-context.ts'
import { writeJson, writeLines } from '../cli-io.ts'
import { parseDuration } from '../format-time.ts'
import { connectionOptions, namedServer, storageGroupArgument } from '../management.ts'
import { progressLine } from '../progress-line.ts'

interface CompareOptions {
  readonly active?: string | undefined
  readonly copy?: string | undefined
  readonly patience: number
}

/** The exit code of a check that failed. */
const CHECK_FAILED = 3
const PATIENCE_MS = 300_000

/** `ccr compare`. */
export function addCompareCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('compare')
    .description('compare the database of a store with that of its copy, page by page, at the end of one log')
    .argument('<storage-group>', 'the storage group')
    .option('--active <url>', 'management address of the node with the store (default: --server, or share.manage)')
    .option('--copy <url>', 'management address of the node with the copy (default: copy.manage)')
    .addOption(
      new Option('--patience <duration>', 'how long the copy may take to replay up to that log')
        .argParser(parseDuration)
        .default(PATIENCE_MS, '5m'),
    )
    .addHelpText(
      'after',
      '\nThe store closes its log for it and goes on working: each page is digested before it changes. The copy digests its pages when it has replayed that log, and replays on then. Compared are the dbtime and a hash of all bytes but the checksum.\nEnds with exit code 3 when a page differs.\n\nExamples:\n  ccr compare SG1\n  ccr compare SG1 --active http://127.0.0.1:7701 --copy http://127.0.0.1:7702 --json',
    )
    .action((name, options) => act((context) => compare(context, storageGroupArgument(name), options)))
}

async function compare(context: CommandContext, storageGroup: string, options: CompareOptions): Promise<number> {
  const { io, globals } = context
  const { compareDatabases } = await import('../compare/comparing.ts')
  const active = await connectionOptions(context, 'share', options.active ?? namedServer(context))
  const copy = await connectionOptions(context, 'copy', options.copy ?? null)
  const { show, end } = progressLine(io.stderr, 'pages')
  const wanted = { storageGroup, active, copy, patienceMs: options.patience, signal: io.signal, onPages: show }
  const { through, pages, differing, first } = await compareDatabases(wanted).finally(end)
  if (globals.json === true) {
    const equal = differing === 0
    writeJson(io.stdout, {
      storageGroup,
      active: active.server,
      copy: copy.server,
      through,
      equal,
      pages,
      differing,
      first,
    })
  } else if (first === null)
    writeLines(io.stdout, [`${storageGroup}: ${pages} pages are equal at the end of log ${through}`])
  else
    writeLines(io.stdout, [
      `${storageGroup}: ${differing} of ${pages} pages differ at the end of log ${through}`,
      `  ${formatPageDifference(first)}`,
    ])
  return differing === 0 ? 0 : CHECK_FAILED
}
