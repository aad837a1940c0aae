import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, type FSWatcher, watch } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pause } from './command.ts'
import type { FedLog, FeedOrder } from './log-feeder.ts'

/** One stream that is fed: its logs wait in `staging`, are renamed into `source` and shall arrive in `arrived`. */
export interface FedStream {
  readonly group: string
  readonly staging: string
  readonly source: string
  readonly arrived: string
  readonly names: readonly string[]
}

/** Tells when logs of a storage group have become durable and inspected, all up to a place; `atNs` as the feeder's. */
export interface InspectedReport {
  readonly group: string
  readonly through: number
  readonly atNs: string
}

/** Somebody who gives reports, the earliest first. Without one a log has arrived when its name is there. */
export type Reporter = (listener: (report: InspectedReport) => void) => void

/** Delays in milliseconds from the rename to the arrival. */
export interface LatencyRun {
  readonly delaysMs: readonly number[]
  /** Logs that did not arrive in time. */
  readonly lost: number
}

/** After the last rename: what is not there by then is counted as lost. */
const GRACE_MS = 20_000
/** A watch may lose events: a look at everything that is still awaited. Far above the delays that are to be measured. */
const LOOK_AGAIN_MS = 500

/**
 * Closes the logs of all streams in turn, `perSecond` in all, and takes the time until each has arrived: by its final name in
 * the target directory, or, where there is a reporter, at the time that it gives.
 */
export async function runLatency(
  streams: readonly FedStream[],
  perSecond: number,
  reporter: Reporter | null,
): Promise<LatencyRun> {
  const order = orderOf(streams)
  const arrivals = new Arrivals(streams)
  if (reporter === null) arrivals.watchNames()
  else reporter((report) => arrivals.take(report))
  const feeder = fork(fileURLToPath(new URL('./log-feeder.js', feederBase())), { serialization: 'advanced' })
  const renamed = await feedAll(feeder, { logs: order.map(({ log }) => log), perSecond })
  await arrivals.settle(order.length)
  arrivals.close()
  feeder.send('end')
  await once(feeder, 'exit')
  const delaysMs: number[] = []
  for (const { index, atNs } of renamed) {
    const fed = order[index]
    const arrivedNs = fed === undefined ? undefined : arrivals.times.get(fed.key)
    if (arrivedNs !== undefined) delaysMs.push(Number(arrivedNs - BigInt(atNs)) / 1e6)
  }
  return { delaysMs, lost: order.length - delaysMs.length }
}

/** The feeder is always the built one: a plain file that a process of its own can load. */
function feederBase(): string {
  return import.meta.url.replace('/dist/bench/', '/bench/').replace('/bench/', '/dist/bench/')
}

interface Fed {
  readonly key: string
  readonly log: FeedOrder['logs'][number]
}

/** First logs of all streams, then their second ones, and so on: the load is spread as evenly as it can be. */
function orderOf(streams: readonly FedStream[]): Fed[] {
  const longest = Math.max(...streams.map((stream) => stream.names.length))
  return Array.from({ length: longest }, (_, index) =>
    streams.flatMap((stream) => {
      const name = stream.names[index]
      if (name === undefined) return []
      const log = { from: join(stream.staging, name), to: join(stream.source, name) }
      return [{ key: keyOf(stream.group, index), log }]
    }),
  ).flat()
}

function keyOf(group: string, place: number): string {
  return `${group}/${place}`
}

async function feedAll(feeder: ChildProcess, order: FeedOrder): Promise<FedLog[]> {
  const renamed: FedLog[] = []
  const done = new Promise<void>((resolve, reject) => {
    feeder.on('message', (message) => {
      if (message === 'done') resolve()
      else renamed.push(...(message as FedLog[])) // the feeder sends nothing else
    })
    feeder.once('exit', (code) => reject(new Error(`the feeder ended (${code})`)))
  })
  feeder.send(order)
  await done
  feeder.removeAllListeners('exit')
  return renamed
}

/** When each log has arrived. */
class Arrivals {
  /** By key, in nanoseconds of the monotonic clock. */
  readonly times = new Map<string, bigint>()
  readonly #streams: readonly FedStream[]
  readonly #watchers: FSWatcher[] = []
  /** Logs of a storage group that were reported so far. */
  readonly #reported = new Map<string, number>()

  constructor(streams: readonly FedStream[]) {
    this.#streams = streams
  }

  /** Takes the time at which each name appears in its target directory. */
  watchNames(): void {
    for (const stream of this.#streams) {
      const places = new Map(stream.names.map((name, index) => [name, index]))
      const watcher = watch(stream.arrived, (_event, name) => {
        const place = places.get(String(name))
        if (place !== undefined) this.#note(stream.group, place, process.hrtime.bigint())
      })
      this.#watchers.push(watcher)
    }
  }

  take({ group, through, atNs }: InspectedReport): void {
    for (let place = this.#reported.get(group) ?? 0; place < through; place++) this.#note(group, place, BigInt(atNs))
    this.#reported.set(group, through)
  }

  async settle(expected: number): Promise<void> {
    const deadline = performance.now() + GRACE_MS
    while (this.times.size < expected && performance.now() < deadline) {
      await pause(LOOK_AGAIN_MS)
      if (this.#watchers.length > 0) this.#lookAgain()
    }
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close()
  }

  #lookAgain(): void {
    for (const { group, names, arrived } of this.#streams)
      names.forEach((name, place) => {
        const known = this.times.has(keyOf(group, place))
        if (!known && existsSync(join(arrived, name))) this.#note(group, place, process.hrtime.bigint())
      })
  }

  #note(group: string, place: number, atNs: bigint): void {
    const key = keyOf(group, place)
    if (!this.times.has(key)) this.times.set(key, atNs)
  }
}
