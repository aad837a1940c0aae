import { type CommandUnknownOpts, Option } from '@commander-js/extra-typings'
import { ReplicationError } from '../../engine/error.ts'
import type { LogFormat } from '../../engine/log-format.ts'
import { type Act, type CommandContext, settingsFor } from '../cli-context.ts'
import type { CliIo } from '../cli-io.ts'
import type { Settings } from '../config.ts'
import type { ShareService } from '../share-service.ts'

interface ShareOptions {
  readonly name: string
  readonly format: 'ese' | 'numbered'
  readonly baseName?: string | undefined
  readonly pattern?: string | undefined
  readonly listen?: string | undefined
  readonly manage?: string | undefined
  readonly state?: string | undefined
  readonly copiesExpected?: string | undefined
  readonly passiveGate?: string | undefined
  readonly logLevel?: string | undefined
  readonly untilStdinEnds?: true | undefined
}

/** The base name of the first storage group of every Exchange server. */
const BASE_NAME_DEFAULT = 'E00'

/** `ccr share`. */
export function addShareCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('share')
    .description('the source side of one log directory: watch, announce, serve, truncate')
    .argument('<logs>', 'the directory in which logs are closed by rename')
    .option('--name <storage-group>', 'name of the storage group', 'SG1')
    .addOption(
      new Option('--format <format>', 'how the logs are named and verified')
        .choices(['ese', 'numbered'] as const)
        .default('ese' as const),
    )
    .option('--base-name <name>', 'ese: the three characters before the number; found out when absent, else E00')
    .option(
      '--pattern <pattern>',
      'numbered: postgresql, or a regular expression with one group (?<hex>…) or (?<decimal>…)',
    )
    .option('--listen <host:port>', 'where copies connect (share.listen)')
    .option('--manage <host:port>', 'where people and tools ask (share.manage)')
    .option('--state <directory>', 'where marks, enrolments and events are kept; .ccr in the log directory when absent')
    .option('--copies-expected <count>', 'truncate nothing before so many copies came (truncation.copiesExpected)')
    .option(
      '--passive-gate <word>',
      'replayed or inspected: when a copy with a database releases a log (truncation.passiveGate)',
    )
    .option('--log-level <level>', 'error, warn, info or debug (log.level)')
    .option('--until-stdin-ends', 'end also when standard input is closed: for who starts it as a child')
    .addHelpText(
      'after',
      "\nExamples:\n  ccr share /exchange/SG1/logs\n  ccr share /archive --name PG --format numbered --pattern postgresql\n  ccr share /binlogs --format numbered --pattern 'bin\\.(?<decimal>\\d+)'",
    )
    .action((logs, options) => act((context) => share(context, logs, options)))
}

async function share(context: CommandContext, logs: string, options: ShareOptions): Promise<number> {
  const settings = await settingsFor(context, {
    'share.listen': options.listen,
    'share.manage': options.manage,
    'truncation.copiesExpected': options.copiesExpected,
    'truncation.passiveGate': options.passiveGate,
    'log.level': options.logLevel,
  })
  const format = await formatOf(logs, options)
  const { tellStarted, endOf, whenAborted } = await import('../service-process.ts')
  const { io, globals } = context
  const service = await startService({ logs, name: options.name, format, state: options.state }, settings, io)
  const { name, url, managementUrl } = service
  tellStarted(io, globals.json === true, {
    document: { service: 'share', name, logs, format, url, managementUrl },
    lines: [`${name}: sharing ${logs}`, `  copies connect to ${url}`, `  management       ${managementUrl}`],
  })
  await whenAborted(endOf(io, options.untilStdinEnds === true))
  await service.close()
  return 0
}

interface SharedPlace {
  readonly logs: string
  readonly name: string
  readonly format: LogFormat
  readonly state: string | undefined
}

async function startService({ state, ...place }: SharedPlace, settings: Settings, io: CliIo): Promise<ShareService> {
  const { parseListenAddress } = await import('../../transport/loopback.ts')
  const { foregroundLog } = await import('../service-process.ts')
  const { startShareService } = await import('../share-service.ts')
  return await startShareService({
    ...place,
    listen: parseListenAddress(settings['share.listen']),
    manage: parseListenAddress(settings['share.manage']),
    ...(state === undefined ? {} : { state }),
    copiesExpected: settings['truncation.copiesExpected'],
    passiveGate: settings['truncation.passiveGate'],
    scanIntervalMs: settings['share.scanInterval'],
    eventBytesMax: settings['events.size'],
    log: foregroundLog(settings['log.level'], io),
  })
}

async function formatOf(logs: string, { format, baseName, pattern }: ShareOptions): Promise<LogFormat> {
  if (format === 'numbered') {
    if (pattern === undefined || baseName !== undefined)
      throw usage(
        'a numbered format needs --pattern, and takes no --base-name',
        'Write --pattern postgresql, or a regular expression.',
      )
    return { kind: 'numbered', pattern }
  }
  if (pattern !== undefined) throw usage('--pattern belongs to --format numbered', 'Add --format numbered.')
  return { kind: 'ese', baseName: baseName ?? (await onlyBaseName(logs)) ?? BASE_NAME_DEFAULT }
}

/** The base name of the logs that lie in the directory, when all of them have the same. */
async function onlyBaseName(logs: string): Promise<string | null> {
  const { baseNamesIn } = await import('../log-set.ts')
  const names = await baseNamesIn(logs)
  return names.length === 1 ? (names[0] ?? null) : null
}

function usage(message: string, hint: string): ReplicationError {
  return new ReplicationError({ code: 'USAGE', message, hint })
}
