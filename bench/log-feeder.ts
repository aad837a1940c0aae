/**
 * A process of its own that closes prepared logs at a steady rate: each is renamed from its staging directory into the watched
 * one at its own tick, whatever happened to the one before. Started with `fork`; it tells the time of each rename.
 */
import { renameSync } from 'node:fs'
import { basename } from 'node:path'

/** What the feeder is told: it closes `logs` in their order. */
export interface FeedOrder {
  readonly logs: readonly { readonly from: string; readonly to: string }[]
  readonly perSecond: number
}

/** What the feeder tells of each log: its place in the order, and when the rename began (monotonic clock of the machine). */
export interface FedLog {
  readonly index: number
  readonly atNs: string
}

/** Reports are sent in groups: one message for each log would wake the observer when it has to look at something else. */
const REPORT_MS = 250

function feed(order: FeedOrder): void {
  const startedNs = process.hrtime.bigint()
  const intervalNs = BigInt(Math.round(1e9 / order.perSecond))
  let index = 0
  let unsent: FedLog[] = []
  const reporter = setInterval(() => {
    process.send?.(unsent)
    unsent = []
    if (index === order.logs.length) {
      clearInterval(reporter)
      process.send?.('done')
    }
  }, REPORT_MS)
  const tick = (): void => {
    while (index < order.logs.length && process.hrtime.bigint() >= startedNs + BigInt(index) * intervalNs) {
      const log = order.logs[index]
      if (log === undefined) return
      const atNs = process.hrtime.bigint()
      renameSync(log.from, log.to)
      unsent.push({ index, atNs: atNs.toString() })
      index += 1
    }
    if (index < order.logs.length) setTimeout(tick, delayMs(startedNs + BigInt(index) * intervalNs))
  }
  tick()
}

function delayMs(dueNs: bigint): number {
  return Math.max(0, Number(dueNs - process.hrtime.bigint()) / 1e6)
}

if (process.send !== undefined && basename(process.argv[1] ?? '').startsWith('log-feeder'))
  process.once('message', (order) => {
    // The only sender is the bench, in `latency-run.ts`.
    feed(order as FeedOrder)
    process.once('message', () => process.exit(0))
  })
