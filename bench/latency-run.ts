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

/** How it is known that logs are more than present. */
export interface Observer {
  /** Asked when a stream's target directory has changed: how many of its logs, from the first on, are there for good? */
  reached(stream: FedStream): Promise<number>
}

/** Delays in milliseconds from the rename to the moment at which the observer knew. */
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
 * the target directory, or, where there is an observer, until that counts it.
 */
export async function runLatency(
  streams: readonly FedStream[],
  perSecond: number,
  observer: Observer | null,
): Promise<LatencyRun> {
  const order = orderOf(streams)
  const arrivals = new Arrivals(streams, observer)
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
      return [{ key: keyOf(stream, index), log }]
    }),
  ).flat()
}

function keyOf(stream: FedStream, index: number): string {
  return `${stream.group}/${index}`
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

/** Watches the target directories, and asks the observer as soon as one of them changes. */
class Arrivals {
  /** When each log was known to be there, in nanoseconds of the monotonic clock. */
  readonly times = new Map<string, bigint>()
  readonly #observer: Observer | null
  readonly #streams: readonly FedStream[]
  readonly #watchers: FSWatcher[]
  /** Logs of a stream that the observer counts, and those whose names were seen. */
  readonly #reached = new Map<FedStream, number>()
  readonly #seen = new Map<FedStream, number>()
  readonly #asking = new Set<FedStream>()

  constructor(streams: readonly FedStream[], observer: Observer | null) {
    this.#observer = observer
    this.#streams = streams
    this.#watchers = streams.map((stream) => {
      const places = new Map(stream.names.map((name, index) => [name, index]))
      return watch(stream.arrived, (_event, name) => {
        const place = places.get(String(name))
        if (place !== undefined) this.#saw(stream, place)
      })
    })
  }

  async settle(expected: number): Promise<void> {
    const deadline = performance.now() + GRACE_MS
    while (this.times.size < expected && performance.now() < deadline) {
      await pause(LOOK_AGAIN_MS)
      for (const stream of this.#streams) await this.#lookAgain(stream)
    }
  }

  close(): void {
    for (const watcher of this.#watchers) watcher.close()
  }

  #saw(stream: FedStream, place: number): void {
    if (this.#observer === null) this.#note(stream, place)
    else {
      this.#seen.set(stream, Math.max(place + 1, this.#seen.get(stream) ?? 0))
      void this.#ask(stream, this.#observer)
    }
  }

  #lookAgain(stream: FedStream): Promise<void> {
    if (this.#observer !== null) return this.#ask(stream, this.#observer)
    stream.names.forEach((name, place) => {
      if (!this.times.has(keyOf(stream, place)) && existsSync(join(stream.arrived, name))) this.#note(stream, place)
    })
    return Promise.resolve()
  }

  /** Asks again as long as a name was seen that the observer does not count yet. */
  async #ask(stream: FedStream, observer: Observer): Promise<void> {
    if (this.#asking.has(stream)) return
    this.#asking.add(stream)
    try {
      do {
        const reached = await observer.reached(stream)
        for (let place = this.#reached.get(stream) ?? 0; place < reached; place++) this.#note(stream, place)
        this.#reached.set(stream, reached)
      } while ((this.#reached.get(stream) ?? 0) < (this.#seen.get(stream) ?? 0))
    } finally {
      this.#asking.delete(stream)
    }
  }

  #note(stream: FedStream, place: number): void {
    const key = keyOf(stream, place)
    if (!this.times.has(key)) this.times.set(key, process.hrtime.bigint())
  }
}
