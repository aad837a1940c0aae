/**
 * A process with many storage groups on one side: the hosts that `ccr share` and `ccr copy` are made of, each of which takes any
 * number of them. Started with the path of a plan in JSON.
 */
import { readFileSync } from 'node:fs'
import { basename } from 'node:path'
import type { LogFormat } from '../engine/log-format.ts'
import { systemClock } from '../src/clock.ts'
import { CopyHost } from '../src/copy-host.ts'
import type { CopyInstance } from '../src/copy-instance.ts'
import { crashTo } from '../src/crash.ts'
import { type EventLog, openEventLog } from '../src/event-log.ts'
import { systemRandom } from '../src/fresh-id.ts'
import { startManagement } from '../src/management-server.ts'
import { serviceLog } from '../src/service-log.ts'
import { ShareHost } from '../src/share-host.ts'
import type { WorkerLine } from '../src/supervised-worker.ts'
import { startCopyWorker, startShareWorker } from '../src/worker-tasks.ts'
import type { ShareCommand } from '../workers/messages.ts'
import type { InspectedReport } from './latency-run.ts'

/** What the process keeps: sources or copies. */
export type HostPlan =
  | {
      readonly role: 'share'
      readonly listenPort: number
      readonly managePort: number
      readonly format: LogFormat
      readonly shares: readonly { readonly name: string; readonly logs: string; readonly state: string }[]
      /** A database that may be read as that of the first share, in session 1; absent for none. */
      readonly seed?: string
    }
  | {
      readonly role: 'copy'
      readonly managePort: number
      readonly copies: readonly { readonly sourceUrl: string; readonly store: string }[]
    }

const HOST = '127.0.0.1'
const log = serviceLog('warn')
const clock = systemClock()

async function hostShares(plan: Extract<HostPlan, { role: 'share' }>, events: EventLog): Promise<void> {
  let line: WorkerLine<ShareCommand> | null = null
  const host = new ShareHost({
    listen: { host: HOST, port: plan.listenPort },
    events,
    log,
    clock,
    random: systemRandom,
    startWorker: (listen) => async (onReport) => {
      line = await startShareWorker(listen)(onReport)
      return line
    },
    onCrash: crashTo(log),
  })
  // One lock over all of them is the way of a process with many; nobody else is in a work directory of the bench.
  for (const share of plan.shares) await host.add({ ...share, format: plan.format, copiesExpected: 1, lock: false })
  await host.start()
  openSeed(line, plan)
  await manage(plan.managePort, { shares: host.port, ready: () => host.isReady, events, metrics: host.metrics })
}

/** What a node does when a copy of it asks for a seed. */
function openSeed(line: WorkerLine<ShareCommand> | null, { shares, seed }: Extract<HostPlan, { role: 'share' }>): void {
  const [first] = shares
  if (seed === undefined || first === undefined) return
  line?.post({ kind: 'open-seed', share: first.name, session: 1, database: seed })
}

async function hostCopies(plan: Extract<HostPlan, { role: 'copy' }>, events: EventLog): Promise<void> {
  const host = new CopyHost({
    events,
    log,
    clock,
    random: systemRandom,
    workers: 1,
    startWorker: startCopyWorker,
    onCrash: crashTo(log),
  })
  await host.start()
  for (const copy of plan.copies) reportInspected(await host.add({ ...copy, lock: false }))
  await manage(plan.managePort, { copies: host.port, ready: () => host.isReady, events, metrics: host.metrics })
}

/** Reports go out in groups, with their own times: a message for each log would be part of what is measured. */
const REPORT_MS = 250
let unsent: InspectedReport[] = []

/** Takes the time of each step in which more logs have become inspected. */
function reportInspected(copy: CopyInstance): void {
  if (process.send === undefined) return
  let through = 0
  const look = (state: { readonly inspected: number }): null => {
    if (state.inspected > through) {
      through = state.inspected
      unsent.push({ group: copy.name, through, atNs: process.hrtime.bigint().toString() })
    }
    return null
  }
  void copy.until(look, new AbortController().signal)
}

async function manage(
  port: number,
  parts: Omit<Parameters<typeof startManagement>[0], 'listen' | 'log'>,
): Promise<void> {
  await startManagement({ ...parts, listen: { host: HOST, port }, log })
}

if (basename(process.argv[1] ?? '').startsWith('host-process')) {
  // The file is written by product-pair.ts, which has the type.
  const plan = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as HostPlan
  const events = await openEventLog({ directory: null, clock, log })
  // Measurements end it by a signal; nothing of it is kept.
  process.once('SIGTERM', () => process.exit(0))
  setInterval(() => {
    if (unsent.length > 0) process.send?.(unsent)
    unsent = []
  }, REPORT_MS)
  await (plan.role === 'share' ? hostShares(plan, events) : hostCopies(plan, events))
}
