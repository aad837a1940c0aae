import { type CommandUnknownOpts, Option } from '@commander-js/extra-typings'
import { MESSAGE_BYTES_MAX } from '../../engine/database/store-layout.ts'
import { ReplicationError } from '../../engine/error.ts'
import { LOAD_BYTES_LEAST, type ProfileName } from '../../engine/load/load-profile.ts'
import { LOAD_SEED_MAX, MAILBOXES_MAX } from '../../engine/load/message-number.ts'
import type { Act, CommandContext } from '../cli-context.ts'
import { parseRateOf, parseSize } from '../format-size.ts'
import { parseDuration } from '../format-time.ts'
import { storageGroupArgument } from '../management.ts'
import { wholeBetween } from '../whole-argument.ts'

/** What `ccr load` was told. */
export interface LoadOptions {
  readonly rate: number
  readonly fullSpeed?: true | undefined
  readonly for: number
  readonly count: number
  readonly clients?: number | undefined
  readonly batch: number
  readonly mailboxes?: number | undefined
  readonly profile: ProfileName
  readonly size?: SizeRange | undefined
  readonly seed?: number | undefined
  readonly ledger?: string | undefined
  readonly check?: true | undefined
  readonly patience: number
}

/** Sizes of messages, in bytes, both included. */
interface SizeRange {
  readonly least: number
  readonly most: number
}

const RATE_DEFAULT = 50
const PATIENCE_MS = 300_000
/** As many transactions as one write of the log carries at ease. */
const BATCH_DEFAULT = 8
const BATCH_MAX = 8
/** A management listener takes 64 connections, and somebody else may want to look. */
const CLIENTS_MAX = 48

/** `ccr load`. */
export function addLoadCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('load')
    .description('a mail load on a store: deliver, read, replace and delete messages; or check what became of one')
    .argument('<storage-group>', 'the storage group, whose store must be active where --server points to')
    .addOption(rateOption())
    .addOption(new Option('--full-speed', 'as fast as the store answers').conflicts('rate'))
    .addOption(
      new Option('--for <duration>', 'end after this time: 30s, 5m')
        .argParser(parseDuration)
        .default(Number.POSITIVE_INFINITY, 'no end'),
    )
    .addOption(
      new Option('--count <number>', 'end after so many messages')
        .argParser((text: string) => whole(text, Number.MAX_SAFE_INTEGER))
        .default(Number.POSITIVE_INFINITY, 'no end'),
    )
    .option('--clients <number>', `clients at work at the same time, up to ${CLIENTS_MAX} (default: 16)`, (text) =>
      whole(text, CLIENTS_MAX),
    )
    .addOption(
      new Option('--batch <number>', `transactions of one request, up to ${BATCH_MAX}`)
        .argParser((text: string) => whole(text, BATCH_MAX))
        .default(BATCH_DEFAULT),
    )
    .option('--mailboxes <number>', 'mailboxes, from 1 on (default: 100, or those of the ledger)', (text) =>
      whole(text, MAILBOXES_MAX),
    )
    .addOption(
      new Option('--profile <profile>', 'the mix of work and the sizes of messages: means 20, 51 and 67 KiB')
        .choices(['light', 'average', 'heavy'] as const)
        .default('average' as const),
    )
    .option('--size <range>', 'sizes of messages in place of those of the profile: 4K, or 1K..100K', parseSizeRange)
    .option('--seed <number>', 'decides names, sizes and contents; random when absent, or that of the ledger', (text) =>
      wholeBetween(0, LOAD_SEED_MAX, text),
    )
    .option(
      '--ledger <file>',
      'write down durably what is sent and what was acknowledged; go on with it when it is there',
    )
    .option('--check', 'send nothing: read all back and compare it with --ledger')
    .addOption(patienceOption())
    .addHelpText('after', HELP_AFTER)
    .action((name, options) => act((context) => load(context, storageGroupArgument(name), options)))
}

function rateOption() {
  return new Option('--rate <rate>', 'messages delivered, read, replaced or deleted each second: 50/s, 90/m')
    .argParser((text: string) => parseRateOf('messages', text))
    .default(RATE_DEFAULT, '50/s')
}

function patienceOption() {
  return new Option('--patience <duration>', 'how long a store that goes away is waited for')
    .argParser(parseDuration)
    .default(PATIENCE_MS, '5m')
}

const HELP_AFTER = `
A store that goes away is waited for. What it had not answered is in doubt from then on: it is there as a whole or not at all.
Without --ledger a load of a seed goes on behind the messages that the store has of it, and leaves those alone.
Ends with exit code 3 when the store gives back other messages than it acknowledged.

Examples:
  ccr load SG1 --rate 200/s
  ccr load SG1 --full-speed --for 30s --size 4K --ledger sg1.ledger
  ccr load SG1 --check --ledger sg1.ledger`

async function load(context: CommandContext, storageGroup: string, options: LoadOptions): Promise<number> {
  if (options.check === true && options.ledger === undefined)
    throw usage('--check needs --ledger', 'Give the ledger that the load was run with: --check --ledger FILE.')
  const { checkLoad, driveLoad } = await import('../load/load-command.ts')
  return options.check === true
    ? await checkLoad(context, storageGroup, options)
    : await driveLoad(context, storageGroup, options)
}

function whole(text: string, most: number): number {
  return wholeBetween(1, most, text)
}

function parseSizeRange(text: string): SizeRange {
  const [first = '', second, ...more] = text.split('..')
  const least = parseSize(first)
  const most = second === undefined ? least : parseSize(second)
  if (more.length === 0 && least <= most && least >= LOAD_BYTES_LEAST && most <= MESSAGE_BYTES_MAX)
    return { least, most }
  throw usage(
    `${JSON.stringify(text)} is no range of sizes from ${LOAD_BYTES_LEAST} bytes to 1M`,
    'Write one size, or two with .. between them and the smaller one first, for example 1K..100K.',
  )
}

function usage(message: string, hint: string): ReplicationError {
  return new ReplicationError({ code: 'USAGE', message, hint })
}
