import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { logTimeAt } from '../engine/database/log-time.ts'
import { composeLog } from '../engine/database/log-writer.ts'
import { LOG_BYTES_2007 } from '../engine/database/prepared-log.ts'
import type { Announcement, CopiedLog } from '../engine/fact.ts'
import { asGeneration, type Generation } from '../engine/generation.ts'
import { eseLogName, type LogFormat } from '../engine/log-format.ts'
import type { CopyEvent } from '../workers/messages.ts'
import { startCopyWorker, startShareWorker } from '../workers/pool.ts'

/** One side of the pipeline, in a process of its own: what the coordinator asks of it. */
export type PipelineJob =
  | { readonly role: 'share'; readonly directory: string; readonly logs: number; readonly slots: number }
  | {
      readonly role: 'copy'
      readonly port: number
      readonly store: string
      readonly logs: number
      readonly window: number
      readonly slots: number
    }

/** Asks the share side to close logs one by one at a steady rate. */
export interface WriteJob {
  readonly first: number
  readonly count: number
  readonly perSecond: number
}

/** What a child tells the coordinator. Times are milliseconds of the system's monotonic clock, the same in all processes. */
export type PipelineNews =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'started'; readonly atMs: number }
  | { readonly kind: 'inspected'; readonly last: number; readonly atMs: number }
  | { readonly kind: 'renamed'; readonly generation: number; readonly atMs: number }
  | { readonly kind: 'done'; readonly userSeconds: number; readonly systemSeconds: number; readonly rssMb: number }
  | { readonly kind: 'failed'; readonly message: string }

const FORMAT: LogFormat = { kind: 'ese', baseName: 'E00' }
const SHARE = 'SG1'

/** The name of a log of the bench. */
export function benchLogName(generation: number): string {
  return eseLogName('E00', asGeneration(generation))
}

/** Runs in the child: serves the coordinator's job until it says `end`. */
export function runPipelineChild(): void {
  process.once('message', (job: PipelineJob) => {
    if (job.role === 'share') runShare(job)
    else runCopy(job)
  })
}

function tell(news: PipelineNews): void {
  process.send?.(news)
}

function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

function announcementOf(last: number): Announcement {
  const highest = asGeneration(last)
  const none = asGeneration(0)
  const lowest = asGeneration(last > 0 ? 1 : 0)
  return {
    lowest,
    closedThrough: highest,
    generated: highest,
    missing: none,
    truncatedBelow: none,
    logTimeMs: 0,
    stream: 0,
  }
}

function endWith(close: () => Promise<void>): void {
  const before = process.cpuUsage()
  process.on('message', (message: unknown) => {
    if (message !== 'end') return
    const { user, system } = process.cpuUsage(before)
    // The highest so far, in KiB: what the process needed, not what it holds at the moment.
    const rssMb = process.resourceUsage().maxRSS / 1024
    tell({ kind: 'done', userSeconds: user / 1e6, systemSeconds: system / 1e6, rssMb })
    void close().then(() => process.disconnect())
  })
}

function runShare(job: Extract<PipelineJob, { role: 'share' }>): void {
  const worker = startShareWorker({
    listen: { host: '127.0.0.1', port: 0 },
    slots: job.slots,
    onReport: (report) => {
      if (report.kind === 'listening') {
        endWith(() => worker.close())
        tell({ kind: 'listening', port: report.port })
      }
      if (report.kind === 'copy-subscribed') worker.send({ ...report, kind: 'accept-copy' })
    },
    onCrash: ({ message }) => tell({ kind: 'failed', message }),
  })
  const announce = (last: number): void =>
    worker.send({ kind: 'announce', share: SHARE, announcement: announcementOf(last) })
  worker.send({
    kind: 'open-share',
    shared: { share: SHARE, directory: job.directory, format: FORMAT, store: 'external' },
  })
  announce(job.logs)
  process.on('message', (message: unknown) => {
    if (typeof message === 'object' && message !== null && 'perSecond' in message)
      // The coordinator sends nothing else that has a rate.
      void writeAtRate(message as WriteJob, job.directory, announce)
  })
}

async function writeAtRate(job: WriteJob, directory: string, announce: (last: number) => void): Promise<void> {
  const begun = nowMs()
  const createTime = logTimeAt(1_790_000_000_000)
  const target = new Uint8Array(LOG_BYTES_2007)
  for (let index = 0; index < job.count; index++) {
    await sleep(Math.max(0, begun + (index * 1000) / job.perSecond - nowMs()))
    const generation = job.first + index
    const stream = { generation: asGeneration(generation), createTime, previousCreateTime: createTime }
    const signature = { random: 7, createTime, computer: '' }
    const temporary = join(directory, 'E00tmp.log')
    // Synced, as a store does: dirty pages of the source would otherwise be written by the copy's own directory sync.
    writeFileSync(temporary, composeLog({ ...stream, signature, seed: generation, target }), { flush: true })
    renameSync(temporary, join(directory, benchLogName(generation)))
    const atMs = nowMs()
    announce(generation)
    tell({ kind: 'renamed', generation, atMs })
  }
}

function runCopy(job: Extract<PipelineJob, { role: 'copy' }>): void {
  const driver = new Driver(job)
  const worker = startCopyWorker({
    slots: job.slots,
    onEvent: (event) => {
      if (event.kind === 'source-connected') endWith(() => worker.close())
      driver.take(event, worker.send)
    },
    onCrash: ({ message }) => tell({ kind: 'failed', message }),
  })
  worker.send({
    kind: 'open-copy',
    kept: {
      copy: 1,
      sourceUrl: `http://127.0.0.1:${job.port}/shares/${SHARE}`,
      copyId: 'b'.repeat(32),
      label: 'bench',
      logsDirectory: job.store,
      inspectorDirectory: join(job.store, 'inspector'),
      format: null,
    },
  })
}

type Send = ReturnType<typeof startCopyWorker>['send']

/** The least that a main thread must do: keeps the window full and publishes whatever is contiguous. */
class Driver {
  readonly #window: number
  readonly #arrived = new Map<Generation, CopiedLog>()
  #closedThrough = 0
  #asked = 0
  #ordered = 0
  #inspected = 0
  #inspecting = false

  constructor(job: { readonly window: number }) {
    this.#window = job.window
  }

  take(event: CopyEvent, send: Send): void {
    if (event.kind === 'logs-announced') {
      if (this.#asked === 0) tell({ kind: 'started', atMs: nowMs() })
      this.#closedThrough = event.announcement.closedThrough
    } else if (event.kind === 'log-copied' && event.log.rejection === null)
      this.#arrived.set(event.log.generation, event.log)
    else if (event.kind === 'logs-inspected') {
      this.#inspecting = false
      this.#inspected = event.range.last
      tell({ kind: 'inspected', last: this.#inspected, atMs: nowMs() })
    } else if (event.kind !== 'source-connected' && event.kind !== 'stopped')
      tell({ kind: 'failed', message: JSON.stringify(event) })
    this.#inspect(send)
    this.#ask(send)
  }

  #inspect(send: Send): void {
    if (this.#inspecting) return
    const logs: CopiedLog[] = []
    for (;;) {
      const log = this.#arrived.get(asGeneration(this.#ordered + 1))
      if (log === undefined) break
      this.#arrived.delete(log.generation)
      this.#ordered = log.generation
      logs.push(log)
    }
    if (logs.length === 0) return
    this.#inspecting = true
    send({ kind: 'inspect-logs', copy: 1, session: 1, logs })
  }

  #ask(send: Send): void {
    const last = Math.min(this.#inspected + this.#window, this.#closedThrough)
    if (last <= this.#asked) return
    const range = { first: asGeneration(this.#asked + 1), last: asGeneration(last) }
    this.#asked = last
    send({ kind: 'copy-logs', copy: 1, session: 1, range })
  }
}

if (process.argv[2] === 'child') runPipelineChild()
