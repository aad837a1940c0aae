/**
 * The active node of one storage group as a process of its own: a mailbox store whose logs are shared. Started with its plan as JSON;
 * whoever started it ends it by a signal.
 */
import { spawn } from 'node:child_process'
import { basename } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startMailboxService } from '../../src/mailbox-service.ts'
import { serviceLog } from '../../src/service-log.ts'
import type { MailboxSettings } from '../../workers/mailbox-start.ts'
import { type Service, serviceOf } from '../product.ts'

/** Where a node is. */
export interface MailboxNodePlan {
  /** The folder of the storage group. */
  readonly root: string
  readonly listenPort: number
  readonly managePort: number
  readonly settings?: Partial<MailboxSettings>
}

const PROGRAM = fileURLToPath(new URL('../../dist/bench/soak/mailbox-node.js', import.meta.url)).replace(
  '/dist/dist/',
  '/dist/',
)
const HOST = '127.0.0.1'

/** Starts a node named SG1, and does not wait for it. */
export function spawnMailboxNode(plan: MailboxNodePlan): Service {
  const child = spawn(process.execPath, [PROGRAM, JSON.stringify(plan)], { stdio: ['ignore', 'pipe', 'pipe'] })
  return serviceOf(child, plan.managePort)
}

async function run({ root, listenPort, managePort, settings = {} }: MailboxNodePlan): Promise<void> {
  const service = await startMailboxService({
    name: 'SG1',
    mailbox: { root, settings },
    listen: { host: HOST, port: listenPort },
    manage: { host: HOST, port: managePort },
    log: serviceLog('warn'),
    scanIntervalMs: 1_000,
  })
  process.once('SIGTERM', () => void service.close())
}

if (basename(process.argv[1] ?? '') === 'mailbox-node.js')
  await run(JSON.parse(process.argv[2] ?? '') as MailboxNodePlan) // what spawnMailboxNode wrote
