import { resolve } from 'node:path'
import { type CommandUnknownOpts, Option } from '@commander-js/extra-typings'
import { ReplicationError } from '../../engine/error.ts'
import type { SeedDocument } from '../../transport/management-seed-documents.ts'
import type { ApiConnection } from '../api-connection.ts'
import type { Act, CommandContext } from '../cli-context.ts'
import { writeJson, writeLines } from '../cli-io.ts'
import { parseSize } from '../format-size.ts'
import { storageGroupArgument, withConnection } from '../management.ts'
import { pauseUntil } from '../pause-until.ts'
import { parseRateSetting } from '../rate-setting.ts'
import {
  planLines,
  rateLine,
  readPlan,
  readRate,
  readSeed,
  readSeeds,
  seedLine,
  seedLines,
  seedTable,
} from '../seed/format-seed.ts'

/** How often a seed is looked at, in milliseconds. */
const LOOK_MS = 200
/** The answers that PowerShell offers. */
const CHOICES = '[Y] Yes [A] Yes to All [N] No [L] No to All [S] Suspend [?] Help (default is "Y"): '
/** The warning when a copy stays suspended. Source: seen in the field. */
const STILL_SUSPENDED =
  "Replication for storage group '%1' is still suspended. If needed, you can use the Resume-StorageGroupCopy cmdlet in the Exchange Management Shell to resume replication."

interface SeedOptions {
  readonly deleteExistingFiles?: true | undefined
  readonly manualResume?: true | undefined
  readonly force?: true | undefined
  readonly targetPath?: string | undefined
  readonly dataHostNames?: string | undefined
  readonly standbyMachine?: string | undefined
  readonly whatIf?: true | undefined
  readonly link?: number | undefined
  readonly rate?: string | undefined
  readonly profile: string
}

/** `ccr seed`, also Update-StorageGroupCopy. */
export function addSeedCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('seed')
    .description(
      'replace the database of a suspended copy by that of its source, which goes on; run it where the copy is',
    )
    .argument('[storage-group]', 'the storage group; without it the seeds of the node are listed')
    .option(
      '--delete-existing-files',
      'remove the logs that the copy has; files of no storage group are left, and refused',
    )
    .option('--manual-resume', 'leave the copy suspended afterwards')
    .option('--force', 'ask nothing')
    .option(
      '--target-path <directory>',
      'put the database into this directory of the node, and leave the copy as it is',
    )
    .option(
      '--data-host-names <hosts>',
      'one or two hosts that the data comes over, as HOST or HOST:PORT, separated by a comma',
    )
    .option('--standby-machine <name>', 'name of the node, to be sure that it is the right one')
    .option('--rate <rate>', 'from now on all seeds of the node take so much together, as 25M, off or a timetable')
    .option('--what-if', 'say what would be done, how long it would take and what would go; do nothing')
    .addOption(
      new Option(
        '--link <size>',
        'for --what-if: what the link carries in a second, as 100M (else it is measured)',
      ).argParser(parseSize),
    )
    .addOption(
      new Option(
        '--profile <version>',
        'whose rules --delete-existing-files follows: RTM removes database and checkpoint too',
      )
        .choices(['sp1', 'rtm'])
        .default('sp1'),
    )
    .option('--give-up <id>', 'give up a seed that is under way; what was read is kept for the next one')
    .addHelpText(
      'after',
      '\nThe copy is resumed when its database is in place, and fetches the logs that it needs. A seed that is cut off goes on where it was when the same command is run again.\n\nExamples:\n  ccr suspend SG1 && ccr seed SG1 --delete-existing-files\n  ccr seed SG1 --what-if --link 10M\n  ccr seed SG1 --rate "08:00,5M 19:00,off"',
    )
    .action((name, options) => act((context) => seedVerb(context, name, options)))
}

/** `ccr seed-rate`. */
export function addSeedRateCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('seed-rate')
    .description('show or change what all seeds of a node take together in a second, also while they run')
    .argument('[rate]', 'a rate such as 25M, off, or a timetable of the day such as "08:00,5M 19:00,off"')
    .addHelpText('after', '\nExamples:\n  ccr seed-rate 25M\n  ccr seed-rate "08:00,5M 19:00,off"\n  ccr seed-rate off')
    .action((rate) => act((context) => seedRate(context, rate)))
}

async function seedVerb(
  context: CommandContext,
  name: string | undefined,
  options: SeedOptions & { giveUp?: string | undefined },
): Promise<number> {
  if (options.giveUp !== undefined) return await giveUp(context, options.giveUp)
  if (name === undefined) return await list(context)
  return await seed(context, storageGroupArgument(name), options)
}

async function seed(context: CommandContext, storageGroup: string, options: SeedOptions): Promise<number> {
  const { io, globals } = context
  return await withConnection(context, 'copy', async (node) => {
    const order = bodyOf(storageGroup, options)
    const rate = options.rate === undefined ? null : settingOf(options.rate)
    // A link is measured for those who want to know it: a slow one would be kept busy by that for a while.
    const wanted = { linkBytesPerSecond: options.link ?? null, measures: options.whatIf === true, rate }
    const planned = { ...order, deleteCheckpoint: options.force ?? false, ...wanted }
    const plan = readPlan(await node.json('POST', '/api/v1/seeds/plan', planned))
    refuseOtherMachine(options.standbyMachine, plan.node)
    if (options.whatIf === true) {
      if (globals.json === true) writeJson(io.stdout, plan)
      else writeLines(io.stdout, planLines(plan))
      return 0
    }
    const deleteCheckpoint = options.force === true || (await confirmed(context, plan.prompts))
    if (rate !== null) await node.json('POST', '/api/v1/seed-rate', { setting: rate })
    const begun = readSeed(await node.json('POST', '/api/v1/seeds', { ...order, deleteCheckpoint }))
    const ended = await watch(context, node, begun)
    if (ended.error !== null) throw ReplicationError.fromJSON(ended.error)
    if (globals.json === true) writeJson(io.stdout, ended)
    else writeLines(io.stdout, seedLines(ended))
    if (!ended.resumed)
      writeLines(io.stderr, [`WARNING: ${STILL_SUSPENDED.replace('%1', `${plan.node}\\${storageGroup}`)}`])
    return 0
  })
}

function bodyOf(storageGroup: string, options: SeedOptions): Readonly<Record<string, unknown>> {
  const { targetPath, dataHostNames } = options
  return {
    storageGroup,
    deleteExistingFiles: options.deleteExistingFiles ?? false,
    manualResume: options.manualResume ?? false,
    profile: options.profile,
    ...(targetPath === undefined ? {} : { targetPath: resolve(targetPath) }),
    ...(dataHostNames === undefined ? {} : { dataHosts: dataHostNames.split(',').map((host) => host.trim()) }),
  }
}

/** A setting that the node takes. Errors: `USAGE`, before anything is asked of it. */
function settingOf(written: string): string {
  parseRateSetting(written)
  return written
}

/** Whoever cannot be asked has confirmed nothing, and the node says so. */
async function confirmed({ io }: CommandContext, prompts: readonly string[]): Promise<boolean> {
  if (prompts.length === 0) return true
  if (io.ask === undefined) return false
  for (const prompt of prompts) {
    const answer = await io.ask(`\nConfirm\n${prompt}\n${CHOICES}`)
    if (!/^\s*(y|yes|a)?\s*$/i.test(answer)) throw declined()
  }
  return true
}

function declined(): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: 'the seed was not confirmed',
    hint: 'Nothing was changed. Answer Yes, or give --force.',
  })
}

function refuseOtherMachine(wanted: string | undefined, found: string): void {
  if (wanted === undefined || wanted.toLowerCase() === found.toLowerCase()) return
  throw new ReplicationError({
    code: 'USAGE',
    message: `this node is ${found}, not ${wanted}`,
    hint: 'A copy is seeded by the node that keeps it: give its address with --server.',
  })
}

/** Looks until the seed is over. Whoever interrupts it means the seed, not only the looking; what was read is kept. */
async function watch({ io }: CommandContext, node: ApiConnection, begun: SeedDocument): Promise<SeedDocument> {
  const path = `/api/v1/seeds/${begun.id}`
  try {
    for (let seed = begun; ; seed = readSeed(await node.json('GET', path))) {
      if (seed.phase === 'completed' || seed.phase === 'failed') return seed
      if (io.stderr.isTerminal)
        io.stderr.write(`\r\u001b[K${seedLine(seed).slice(0, Math.max(1, io.stderr.columns - 1))}`)
      await pauseUntil(LOOK_MS, io.signal)
    }
  } catch (error) {
    if (io.signal.aborted) await node.lastWord(`${path}/give-up`)
    throw error
  } finally {
    if (io.stderr.isTerminal) io.stderr.write('\r\u001b[K')
  }
}

async function list(context: CommandContext): Promise<number> {
  const { io, globals } = context
  const seeds = await withConnection(context, 'copy', async (node) =>
    readSeeds(await node.json('GET', '/api/v1/seeds')),
  )
  if (globals.json === true) writeJson(io.stdout, { seeds })
  else if (seeds.length === 0) writeLines(io.stderr, ['This node has seeded no copy since it was started.'])
  else writeLines(io.stdout, seedTable(seeds))
  return 0
}

async function giveUp(context: CommandContext, id: string): Promise<number> {
  const { io, globals } = context
  const path = `/api/v1/seeds/${encodeURIComponent(id)}/give-up`
  const told = await withConnection(context, 'copy', async (node) => readSeed(await node.json('POST', path, {})))
  if (globals.json === true) writeJson(io.stdout, told)
  else writeLines(io.stdout, [seedLine(told)])
  return 0
}

async function seedRate(context: CommandContext, rate: string | undefined): Promise<number> {
  const { io, globals } = context
  const setting = rate === undefined ? null : settingOf(rate)
  const told = await withConnection(context, 'copy', async (node) =>
    readRate(
      setting === null
        ? await node.json('GET', '/api/v1/seed-rate')
        : await node.json('POST', '/api/v1/seed-rate', { setting }),
    ),
  )
  if (globals.json === true) writeJson(io.stdout, told)
  else writeLines(io.stdout, [rateLine(told)])
  return 0
}
