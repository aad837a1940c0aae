import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { ReplicationError } from '../../engine/error.ts'
import type { StandbyOptions } from '../../engine/replication/standby-lag.ts'
import type { CopyStatusDocument } from '../../transport/management-documents.ts'
import { type Act, type CommandContext, settingsFor } from '../cli-context.ts'
import { type CliIo, writeJson, writeLines } from '../cli-io.ts'
import { SETTINGS, type Settings } from '../config.ts'
import type { CopyService } from '../copy-service.ts'
import { progressLine } from '../progress-line.ts'

interface CopyOptions {
  readonly once?: true | undefined
  readonly replay?: true | undefined
  readonly scr?: true | undefined
  readonly replayLag?: string | undefined
  readonly truncationLag?: string | undefined
  readonly name?: string | undefined
  readonly label?: string | undefined
  readonly manage?: string | undefined
  readonly rate?: string | undefined
  readonly release?: string | undefined
  readonly logLevel?: string | undefined
  readonly untilStdinEnds?: true | undefined
}

/** `ccr copy`. */
export function addCopyCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('copy')
    .description('the holding side of one copy: fetch closed logs, inspect them, keep them')
    .argument('<source-url>', 'what ccr share prints: http://HOST:PORT/shares/SG1')
    .argument('<store>', 'directory of the copy; made when it does not exist')
    .option('--once', 'catch up with what is closed now, then end')
    .option(
      '--replay',
      'redo the logs into a database, also where the source does not say that a mailbox store wrote them',
    )
    .option('--scr', 'make it a standby target, which stays behind on purpose (copy.kind scr)')
    .option('--replay-lag <duration>', 'how old a log is when a standby target replays it (copy.replayLag)')
    .option('--truncation-lag <duration>', 'how long it keeps what it has replayed (copy.truncationLag)')
    .option('--rate <rate>', 'fetch at most so much in a second, as 25M, off or a timetable (copy.rate)')
    .option('--release <release>', 'whose status it has, sp1 or rtm (copy.release)')
    .option('--name <storage-group>', 'refuse a source of another name')
    .option('--label <text>', 'what the source calls this copy; host name and path when absent')
    .option('--manage <host:port>', 'where people and tools ask (copy.manage); none with --once unless given')
    .option('--log-level <level>', 'error, warn, info or debug (log.level)')
    .option('--until-stdin-ends', 'end also when standard input is closed: for who starts it as a child')
    .addHelpText(
      'after',
      '\nFrom its first connection on the source keeps every log that this copy has not inspected, also while it is away;\nccr disable sends it away for good. A suspended copy stays suspended when it is started again.\n\nA copy of a mailbox store has a database and replays into it; a copy of any other source keeps logs only, unless --replay says otherwise,\nfrom then on and for good. Only ESE logs of format 7 are replayed, from log 1 on or into a database that is there. Without log 1 and a\ndatabase the copy is Failed and has to be seeded; so is one whose database another program created, since its logs lack the first pages.\n\nA standby target replays a log when it is as old as the replay lag and 50 logs below the newest, whichever comes second. Kind and lags are\nfixed when the store is made; to change them, disable the copy and enrol a new one.\n\nExamples:\n  ccr copy http://127.0.0.1:7700/shares/SG1 /copies/SG1\n  ccr copy http://127.0.0.1:7700/shares/SG1 /copies/SG1 --scr --replay-lag 1.00:00:00 --truncation-lag 0.00:30:00\n  ccr copy http://127.0.0.1:7700/shares/SG1 /copies/SG1 --once --json',
    )
    .action((sourceUrl, store, options) => act((context) => copy(context, { sourceUrl, store }, options)))
}

interface CopyPlace {
  readonly sourceUrl: string
  readonly store: string
}

async function copy(context: CommandContext, place: CopyPlace, options: CopyOptions): Promise<number> {
  const settings = await settingsFor(context, {
    'copy.manage': options.manage,
    'copy.rate': options.rate,
    'copy.release': options.release,
    'copy.kind': options.scr === true ? 'scr' : undefined,
    'copy.replayLag': options.replayLag,
    'copy.truncationLag': options.truncationLag,
    'log.level': options.logLevel,
  })
  refuseLagAlone(settings, options)
  const service = await startService(context, { place, options, settings })
  try {
    return options.once === true ? await catchUp(context, service) : await serve(context, { service, place, options })
  } finally {
    await service.close()
  }
}

async function startService(
  { io }: CommandContext,
  wanted: { readonly place: CopyPlace; readonly options: CopyOptions; readonly settings: Settings },
): Promise<CopyService> {
  const { place, options, settings } = wanted
  const { parseListenAddress } = await import('../../transport/loopback.ts')
  const { foregroundLog } = await import('../service-process.ts')
  const { startCopyService } = await import('../copy-service.ts')
  const once = options.once === true
  return await startCopyService({
    ...place,
    once,
    ...(options.replay === undefined ? {} : { replay: true }),
    ...(settings['copy.kind'] === 'scr' ? { standby: lagsIn(settings) } : {}),
    ...(options.name === undefined ? {} : { name: options.name }),
    ...(options.label === undefined ? {} : { label: options.label }),
    ...(once && options.manage === undefined ? {} : { manage: parseListenAddress(settings['copy.manage']) }),
    workers: settings['copy.workers'],
    cacheBytes: settings['copy.cache'],
    seedRate: settings['seed.rate'],
    rate: settings['copy.rate'],
    release: settings['copy.release'],
    eventBytesMax: settings['events.size'],
    log: foregroundLog(once ? quieter(settings) : settings['log.level'], io),
  })
}

function lagsIn(settings: Settings): StandbyOptions {
  return { replayLagMs: settings['copy.replayLag'], truncationLagMs: settings['copy.truncationLag'] }
}

/** A lag that nobody keeps would be missed only when it is needed. */
function refuseLagAlone(settings: Settings, { replayLag, truncationLag }: CopyOptions): void {
  if (settings['copy.kind'] === 'scr' || (replayLag === undefined && truncationLag === undefined)) return
  throw new ReplicationError({
    code: 'USAGE',
    message: 'only a standby target has a lag',
    hint: 'Add --scr, or leave the lags out.',
  })
}

/** A command that ends by itself tells only what went wrong, unless somebody asked for more. */
function quieter(settings: Settings): Settings['log.level'] {
  const level = settings['log.level']
  return level === SETTINGS['log.level'].default ? 'warn' : level
}

async function catchUp({ io, globals }: CommandContext, service: CopyService): Promise<number> {
  const status = await watched(io, service, service.whenCaughtUp(io.signal))
  if (globals.json === true) writeJson(io.stdout, status)
  else {
    const { StorageGroupName, LowestLog, LastLogInspected, LastLogReplayed } = status
    const held = LastLogInspected === 0 ? 'no log yet' : `logs ${LowestLog} to ${LastLogInspected}`
    const done = LastLogReplayed > 0 ? `all inspected, replayed through ${LastLogReplayed}` : 'all inspected'
    writeLines(io.stdout, [`${StorageGroupName}: caught up; the copy holds ${held}, ${done}`])
  }
  return 0
}

/** How often the line is written anew, in milliseconds. */
const PROGRESS_MS = 200

/** Counts the logs while the catching up runs. */
async function watched(
  io: CliIo,
  service: CopyService,
  caughtUp: Promise<CopyStatusDocument>,
): Promise<CopyStatusDocument> {
  const { show, end } = progressLine(io.stderr, 'logs')
  const before = service.status().LastLogInspected
  const look = (): void => {
    const { LastLogInspected, LastLogGenerated } = service.status()
    show(LastLogInspected - before, Math.max(LastLogGenerated, LastLogInspected) - before)
  }
  const timer = setInterval(look, PROGRESS_MS)
  try {
    return await caughtUp
  } finally {
    clearInterval(timer)
    end()
  }
}

async function serve(
  { io, globals }: CommandContext,
  running: { readonly service: CopyService; readonly place: CopyPlace; readonly options: CopyOptions },
): Promise<number> {
  const { service, place, options } = running
  const { tellStarted, endOf, whenAborted } = await import('../service-process.ts')
  const { name, managementUrl } = service
  tellStarted(io, globals.json === true, {
    document: { service: 'copy', name, ...place, managementUrl },
    lines: [`${name}: copying ${place.sourceUrl} to ${place.store}`, `  management ${managementUrl}`],
  })
  await whenAborted(endOf(io, options.untilStdinEnds === true))
  return 0
}
