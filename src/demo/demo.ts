import { once } from 'node:events'
import { mkdirSync, mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { LOG_BYTES_2007 } from '../../engine/database/prepared-log.ts'
import { ReplicationError } from '../../engine/error.ts'
import { parseListenAddress } from '../../transport/loopback.ts'
import { anySignal } from '../any-signal.ts'
import { ApiClient } from '../api-client.ts'
import type { CliIo } from '../cli-io.ts'
import type { Settings } from '../config.ts'
import { type LogWriter, openLogWriter } from '../log-writer.ts'
import { writeAtRate } from '../write-at-rate.ts'
import { type ChildService, startChild } from './child-service.ts'
import { CopyCheck } from './copy-check.ts'
import { type DemoMoment, type DemoPlaces, type DemoSummary, numberIn } from './view.ts'

/** How a demonstration is run. */
export interface DemoOptions {
  readonly io: CliIo
  readonly settings: Settings
  /** Logs per second. */
  readonly rate: number
  /** Null: a temporary directory, removed at the end. */
  readonly data: string | null
  /** When the writer is to stop: at a signal, or when the time is over. */
  readonly signal: AbortSignal
  readonly onPlaces: (places: DemoPlaces) => void
  /** Called about once a second. */
  readonly onMoment: (moment: DemoMoment) => void
}

const STORAGE_GROUP = 'SG1'
/** A person reads a line a second. */
const MOMENT_MS = 1000
/** Logs that stay on both sides, so that there is something to look at; everything older is marked as backed up: 200 MiB. */
const LOGS_KEPT = 200
/** Logs that may wait for the copy before the writer waits too, so that a suspension forgotten overnight fills no disk: 1 GiB. */
const LOGS_WAITING_MAX = 1024
/** How long the copy may take for what is left when the writer has stopped. */
const CATCH_UP_MS = 30_000
const POLL_MS = 20

/**
 * Runs the main job in front of somebody: two services in processes of their own, and a writer in this one. What the services say
 * of themselves is checked against the files of both sides.
 */
export async function runDemo(options: DemoOptions): Promise<DemoSummary> {
  const data = options.data === null ? mkdtempSync(join(tmpdir(), 'ccr-demo-')) : resolve(options.data)
  const closing: (() => Promise<void>)[] = []
  if (options.data === null) closing.push(() => rm(data, { recursive: true, force: true }))
  try {
    const demo = await startDemo(options, data, closing)
    return await demo.run()
  } finally {
    // In reverse order: the writer, the copy, the source, and the files under them at the end.
    for (const close of closing.reverse()) await close()
  }
}

async function startDemo(options: DemoOptions, data: string, closing: (() => Promise<void>)[]): Promise<Demo> {
  const sourceLogs = join(data, 'active', STORAGE_GROUP, 'logs')
  const store = join(data, 'passive', STORAGE_GROUP)
  const logs = ['active', 'passive'].map((side) => join(data, side, 'service.log'))
  for (const directory of [sourceLogs, join(data, 'passive')]) mkdirSync(directory, { recursive: true })
  const { share, copy } = await startServices(options, { sourceLogs, store, logs }, closing)
  options.onPlaces({
    data,
    temporary: options.data === null,
    sourceLogs,
    store,
    shareUrl: share.started.url,
    shareManagement: share.started.managementUrl,
    copyManagement: copy.started.managementUrl,
    logs,
  })
  const writer = await openLogWriter({ directory: sourceLogs, baseName: 'E00', seed: null, nowMs: Date.now })
  const check = new CopyCheck({ sourceLogs, copyLogs: join(store, 'logs') })
  closing.push(async () => check.close())
  return new Demo({ options, share, copy, writer, check })
}

async function startServices(
  { settings, io }: DemoOptions,
  places: { readonly sourceLogs: string; readonly store: string; readonly logs: readonly string[] },
  closing: (() => Promise<void>)[],
): Promise<Pick<DemoParts, 'share' | 'copy'>> {
  const [shareLog = '', copyLog = ''] = places.logs
  const start = async (line: readonly string[], logPath: string): Promise<ChildService> => {
    const child = await startChild({ line, logPath, env: io.env })
    closing.push(child.stop)
    return child
  }
  const listen = ['--listen', await freeAddress(settings['share.listen'])]
  const shareManage = ['--manage', await freeAddress(settings['share.manage'])]
  const share = await start(['share', places.sourceLogs, '--name', STORAGE_GROUP, ...listen, ...shareManage], shareLog)
  const copyManage = ['--manage', await freeAddress(settings['copy.manage'])]
  const copy = await start(['copy', share.started.url, places.store, ...copyManage], copyLog)
  return { share, copy }
}

interface DemoParts {
  readonly options: DemoOptions
  readonly share: ChildService
  readonly copy: ChildService
  readonly writer: LogWriter
  readonly check: CopyCheck
}

/** The running part of a demonstration: writes, looks, marks, tells. */
class Demo {
  readonly #parts: DemoParts
  readonly #source: ApiClient
  readonly #passive: ApiClient
  readonly #startedMs = performance.now()
  readonly #looking = new AbortController()
  #written = 0
  #lastWritten = 0
  #inspected = 0
  #lowest = 0
  #marked = 0
  #waiting = ''
  #status: DemoMoment['status'] = null

  constructor(parts: DemoParts) {
    this.#parts = parts
    const client = (server: string): ApiClient =>
      new ApiClient({ server, timeoutMs: CATCH_UP_MS, signal: this.#looking.signal })
    this.#source = client(parts.share.started.managementUrl)
    this.#passive = client(parts.copy.started.managementUrl)
    this.#lastWritten = parts.writer.generation - 1
  }

  async run(): Promise<DemoSummary> {
    const { writer, check, options, share, copy } = this.#parts
    // A service that ends by itself ends the demonstration: nothing would move any more.
    const stop = new AbortController()
    const stopped = Promise.race([share.ended, copy.ended]).then(() => stop.abort('service ended'))
    const looking = this.#look()
    try {
      await writeAtRate(writer, {
        rate: options.rate,
        count: Number.POSITIVE_INFINITY,
        signal: anySignal([options.signal, stop.signal]),
        admit: () => this.#admit(),
        onClosed: (log) => {
          this.#written += 1
          this.#lastWritten = log.generation
          check.logClosed(log)
        },
      })
      const elapsedMs = performance.now() - this.#startedMs
      await writer.close()
      await Promise.race([this.#catchUp(), stopped])
      return this.#summary(elapsedMs)
    } finally {
      this.#looking.abort('over')
      await looking
      await Promise.all([this.#source.close(), this.#passive.close()])
    }
  }

  /** Waits while too much is on the way, for example because somebody has suspended the copy. */
  async #admit(): Promise<void> {
    while (this.#lastWritten - this.#inspected >= LOGS_WAITING_MAX && !this.#parts.options.signal.aborted) {
      this.#waiting = `${LOGS_WAITING_MAX} logs are not copied yet`
      await delay(POLL_MS)
    }
    this.#waiting = ''
  }

  /** Looks at both services again and again until it is over, and tells once a second. */
  async #look(): Promise<void> {
    const { signal } = this.#looking
    // What lay there before counts as copied before: the rate is that of this run.
    let told = { atMs: this.#startedMs, written: 0, inspected: this.#lastWritten }
    while (!signal.aborted) {
      await this.#glance().catch((error: unknown) => {
        // A service that is gone is shown as such; whether that matters is said at the end.
        if (!(error instanceof ReplicationError) && !signal.aborted) throw error
        this.#status = null
      })
      const nowMs = performance.now()
      if (nowMs - told.atMs >= MOMENT_MS && !signal.aborted) {
        this.#tell(told, nowMs)
        told = { atMs: nowMs, written: this.#written, inspected: this.#inspected }
      }
      await delay(POLL_MS * 5, undefined, { signal }).catch(() => undefined)
    }
  }

  async #glance(): Promise<void> {
    const { check } = this.#parts
    const status = await this.#passive.copy(STORAGE_GROUP)
    this.#status = status
    this.#inspected = numberIn(status, 'LastLogInspected')
    if (status['Suspend'] === true) check.forgetAwaited()
    else check.measure()
    await check.compareThrough(this.#inspected)
    await this.#markBackup(check.result.verifiedThrough - LOGS_KEPT)
    this.#lowest = numberIn(await this.#source.share(STORAGE_GROUP), 'lowest')
  }

  /** Tells the source that older logs are backed up, a bundle at a time, so that both sides truncate. */
  async #markBackup(through: number): Promise<void> {
    if (through < this.#marked + LOGS_KEPT / 4) return
    await this.#source.markBackup(STORAGE_GROUP, through)
    this.#marked = through
  }

  #tell(before: { readonly atMs: number; readonly written: number; readonly inspected: number }, nowMs: number): void {
    const seconds = (nowMs - before.atMs) / 1000
    const { check, options } = this.#parts
    const copied = Math.max(0, this.#inspected - before.inspected)
    options.onMoment({
      elapsedMs: nowMs - this.#startedMs,
      written: this.#written,
      lastWritten: this.#lastWritten,
      logsPerSecond: (this.#written - before.written) / seconds,
      bytesPerSecond: (copied * LOG_BYTES_2007) / seconds,
      status: this.#status,
      lowest: this.#lowest,
      check: check.result,
      latency: check.latency,
      waiting: this.#waiting,
    })
  }

  /** Waits until the copy has what was written and all of it was compared. A suspended copy is not waited for. */
  async #catchUp(): Promise<void> {
    const { check } = this.#parts
    const deadlineMs = performance.now() + CATCH_UP_MS
    while (check.result.verifiedThrough < this.#lastWritten && this.#written > 0 && performance.now() < deadlineMs) {
      if (this.#status?.['Suspend'] === true) return
      await delay(POLL_MS)
    }
  }

  #summary(elapsedMs: number): DemoSummary {
    const { check } = this.#parts
    return {
      elapsedMs,
      written: this.#written,
      lastWritten: this.#lastWritten,
      inspectedThrough: this.#inspected,
      bytes: this.#written * LOG_BYTES_2007,
      check: check.result,
      latency: check.latency,
      summaryCopyStatus: this.#status?.SummaryCopyStatus ?? 'ServiceDown',
    }
  }
}

/** The address itself, or any free port on the same host when somebody listens there already. */
async function freeAddress(text: string): Promise<string> {
  const { host, port } = parseListenAddress(text)
  const probe = createServer()
  try {
    probe.listen({ host, port, exclusive: true })
    await once(probe, 'listening')
    return text
  } catch {
    return `${host.includes(':') ? `[${host}]` : host}:0`
  } finally {
    await new Promise((closed) => probe.close(closed))
  }
}
