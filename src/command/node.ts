import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { ReplicationError } from '../../engine/error.ts'
import { type Act, type CommandContext, settingsFor } from '../cli-context.ts'

interface NodeOptions {
  readonly name: string
  readonly logLevel?: string | undefined
  readonly untilStdinEnds?: true | undefined
}

/** `ccr node`. */
export function addNodeCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('node')
    .description(
      'one node of a cluster in the foreground: the stores that are active on it, and the copies that it keeps',
    )
    .requiredOption('--name <node>', 'which of the nodes of the configuration file this is')
    .option('--log-level <level>', 'error, warn, info or debug (log.level)')
    .option('--until-stdin-ends', 'end also when standard input is closed: for who starts it as a child')
    .addHelpText(
      'after',
      '\nThe configuration file says which nodes and storage groups there are:\n\n  nodes:\n    node1: { data: /data/node1, listen: 127.0.0.1:7700, manage: 127.0.0.1:7701 }\n    node2: { data: /data/node2, listen: 127.0.0.1:7710, manage: 127.0.0.1:7702 }\n  storageGroups:\n    SG1: { active: node1, copies: [node2] }\n\nExample:\n  ccr node --config ccr.yaml --name node1',
    )
    .action((options) => act((context) => node(context, options)))
}

async function node(context: CommandContext, options: NodeOptions): Promise<number> {
  const { io, globals } = context
  const path = globals.config ?? io.env['CCR_CONFIG']
  if (path === undefined || path === '')
    throw new ReplicationError({
      code: 'USAGE',
      message: 'a node needs a configuration file that says which nodes there are',
      hint: 'Write --config FILE; ccr node --help shows what is in it, and ccr up makes one by itself.',
    })
  const settings = await settingsFor(context, { 'log.level': options.logLevel })
  const { readClusterFile } = await import('../cluster-file.ts')
  const cluster = readClusterFile(path)
  const { tellStarted, endOf, whenAborted, foregroundLog } = await import('../service-process.ts')
  const { startNodeService } = await import('../node-service.ts')
  const log = foregroundLog(settings['log.level'], io)
  const service = await startNodeService({ cluster, name: options.name, settings, log })
  const { name, managementUrl, shares, copies } = service
  tellStarted(io, globals.json === true, {
    document: { service: 'node', name, managementUrl, shares, copies },
    lines: [
      `${name}: management ${managementUrl}`,
      ...shares.map(({ storageGroup, url }) => `  ${storageGroup} is active here; copies connect to ${url}`),
      ...copies.map((storageGroup) => `  ${storageGroup} has a copy here`),
    ],
  })
  await whenAborted(endOf(io, options.untilStdinEnds === true))
  await service.close()
  return 0
}
