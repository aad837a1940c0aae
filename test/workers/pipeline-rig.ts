import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beginStream, type LogStream, nextInStream } from '../../engine/database/log-stream.ts'
import { logTimeAt } from '../../engine/database/log-time.ts'
import { composeLog } from '../../engine/database/log-writer.ts'
import type { Announcement, CopiedLog } from '../../engine/fact.ts'
import { asGeneration, type GenerationRange } from '../../engine/generation.ts'
import { eseLogName, type LogFormat } from '../../engine/log-format.ts'
import type { ClientTimeouts } from '../../transport/log-stream-subscription.ts'
import type { CopyCommand, CopyEvent, ShareCommand, ShareReport } from '../../workers/messages.ts'
import { startCopyWorker, startShareWorker, type WorkerHandle } from '../../workers/pool.ts'

/** A format whose names are their numbers: `00000042.log`. */
export const NUMBERED: LogFormat = { kind: 'numbered', pattern: '(?<decimal>\\d{8})\\.log' }
/** The format of the composed logs. */
export const ESE: LogFormat = { kind: 'ese', baseName: 'E00' }
/** The share and the copy of every rig. */
export const SHARE = 'SG1'
export const COPY_ID = '0123456789abcdef0123456789abcdef'
/** 2026-01-01, when the logs of the rigs were closed. */
export const CLOSED_MS: number = Date.UTC(2026, 0, 1)

/** Something that collects messages, and lets a test wait for one. */
class Inbox<Message> {
  readonly all: Message[] = []
  #waiting: { readonly isThere: (message: Message) => boolean; readonly resolve: (message: Message) => void }[] = []

  /** Takes a message in. */
  readonly put = (message: Message): void => {
    this.all.push(message)
    const met = this.#waiting.filter(({ isThere }) => isThere(message))
    this.#waiting = this.#waiting.filter((waiter) => !met.includes(waiter))
    for (const { resolve } of met) resolve(message)
  }

  /** The first message of that kind, there already or to come. */
  first<Kind extends Message>(isThere: (message: Message) => message is Kind): Promise<Kind>
  first(isThere: (message: Message) => boolean): Promise<Message>
  first(isThere: (message: Message) => boolean): Promise<Message> {
    const known = this.all.find(isThere)
    return known === undefined ? this.next(isThere) : Promise.resolve(known)
  }

  /** The next message of that kind from now on. */
  next(isThere: (message: Message) => boolean): Promise<Message> {
    return new Promise((resolve) => {
      this.#waiting.push({ isThere, resolve })
    })
  }
}

/** Whether a message is of a kind; for {@link Inbox.first}. */
export function ofKind<Message extends { readonly kind: string }, Kind extends Message['kind']>(kind: Kind) {
  return (message: Message): message is Extract<Message, { readonly kind: Kind }> => message.kind === kind
}

/** An announcement of the logs 1 to `last`. */
export function announcing(last: number): Announcement {
  const none = asGeneration(0)
  const highest = asGeneration(last)
  const lowest = asGeneration(last === 0 ? 0 : 1)
  return {
    lowest,
    closedThrough: highest,
    generated: highest,
    missing: none,
    truncatedBelow: none,
    stream: 0,
    logTimeMs: CLOSED_MS,
  }
}

/** A range of generations. */
export function range(first: number, last: number): GenerationRange {
  return { first: asGeneration(first), last: asGeneration(last) }
}

/** Bytes that do not compress and are the same each time. */
export function noise(length: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(length)
  const words = new Uint32Array(bytes.buffer, 0, length >>> 2)
  let state = seed | 1
  for (let at = 0; at < words.length; at++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    words[at] = state ^ (state >>> 13)
  }
  return bytes
}

/** The logs 1 to `count` of one ESE stream. */
export function eseLogs(count: number): Uint8Array[] {
  const createTime = logTimeAt(CLOSED_MS)
  let stream: LogStream = beginStream({ random: 42, createTime, computer: '' })
  return Array.from({ length: count }, (_, index) => {
    if (index > 0) stream = nextInStream(stream, logTimeAt(CLOSED_MS + index * 1000))
    return composeLog({ ...stream, seed: index })
  })
}

/** A source and a copy with their directories. What a test starts is closed by {@link close}. */
export class PipelineRig {
  readonly root: string = mkdtempSync(join(tmpdir(), 'ccr-pipeline-'))
  readonly source: string = join(this.root, 'source')
  readonly logs: string = join(this.root, 'copy')
  readonly inspector: string = join(this.root, 'copy/inspector')
  readonly reports = new Inbox<ShareReport>()
  readonly events = new Inbox<CopyEvent>()
  readonly crashes: string[] = []
  share: WorkerHandle<ShareCommand> | null = null
  copy: WorkerHandle<CopyCommand> | null = null
  readonly format: LogFormat

  constructor(format: LogFormat) {
    this.format = format
    mkdirSync(this.source)
    mkdirSync(this.inspector, { recursive: true })
  }

  /** The name of a log in this rig's format. */
  nameOf(generation: number): string {
    return this.format.kind === 'ese'
      ? eseLogName(this.format.baseName, asGeneration(generation))
      : `${String(generation).padStart(8, '0')}.log`
  }

  /** Puts a closed log into the source's directory. */
  writeLog(generation: number, bytes: Uint8Array): void {
    const path = join(this.source, this.nameOf(generation))
    writeFileSync(path, bytes)
    utimesSync(path, CLOSED_MS / 1000, CLOSED_MS / 1000)
  }

  /** Starts a source that takes every copy in; answers its port. */
  async startShare(): Promise<number> {
    const share = startShareWorker({
      listen: { host: '127.0.0.1', port: 0 },
      onReport: (report) => {
        this.reports.put(report)
        if (report.kind === 'copy-subscribed')
          share.send({ kind: 'accept-copy', share: report.share, copyId: report.copyId })
      },
      onCrash: (fault) => this.crashes.push(fault.message),
    })
    this.share = share
    share.send({
      kind: 'open-share',
      shared: { share: SHARE, directory: this.source, format: this.format, store: 'external' },
    })
    return (await this.reports.first(ofKind('listening'))).port
  }

  announce(last: number): void {
    this.share?.send({ kind: 'announce', share: SHARE, announcement: announcing(last) })
  }

  /** Starts a copy of the source that listens at `port`. */
  startCopy(port: number, timeouts: Partial<ClientTimeouts> = {}): void {
    this.copy = startCopyWorker({
      timeouts,
      onEvent: (event) => this.events.put(event),
      onCrash: (fault) => this.crashes.push(fault.message),
    })
    this.copy.send({
      kind: 'open-copy',
      kept: {
        copy: 1,
        sourceUrl: `http://127.0.0.1:${port}/shares/${SHARE}`,
        copyId: COPY_ID,
        label: 'rig',
        logsDirectory: this.logs,
        inspectorDirectory: this.inspector,
        format: null,
      },
    })
  }

  /** Orders logs; answers what became of each, in ascending order. */
  async copyLogs(session: number, first: number, last: number): Promise<(CopiedLog | string)[]> {
    const results = new Map<number, CopiedLog | string>()
    const done = this.events.next((event) => {
      if (event.kind === 'log-copied' && event.session === session) results.set(event.log.generation, event.log)
      if (event.kind === 'copy-failed' && event.session === session)
        results.set(event.generation, `${event.fault.code}: ${event.fault.message}`)
      return results.size === last - first + 1
    })
    this.copy?.send({ kind: 'copy-logs', copy: 1, session, range: range(first, last) })
    await done
    return [...results].sort(([a], [b]) => a - b).map(([, result]) => result)
  }

  /** Publishes what was copied; answers how that ended. */
  async inspectLogs(session: number, logs: readonly CopiedLog[]): Promise<CopyEvent> {
    const done = this.events.next((event) => event.kind === 'logs-inspected' || event.kind === 'inspection-failed')
    this.copy?.send({ kind: 'inspect-logs', copy: 1, session, logs })
    return done
  }

  /** The bytes of a published log. */
  published(generation: number): Uint8Array {
    return readFileSync(join(this.logs, this.nameOf(generation)))
  }

  /** What lies in `inspector/`. */
  arriving(): string[] {
    return readdirSync(this.inspector)
  }

  async close(): Promise<void> {
    await this.copy?.close()
    await this.share?.close()
    rmSync(this.root, { recursive: true, force: true })
    if (this.crashes.length > 0) throw new Error(`a worker died: ${this.crashes.join('; ')}`)
  }
}

/** The logs among results; fails for those that were not copied. */
export function copiedOf(results: readonly (CopiedLog | string)[]): CopiedLog[] {
  return results.map((result) => {
    if (typeof result === 'string') throw new Error(result)
    return result
  })
}
