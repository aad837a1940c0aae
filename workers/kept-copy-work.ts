import { ReplicationError } from '../engine/error.ts'
import type { Announcement, CopiedLog, CopyReport, Fault } from '../engine/fact.ts'
import type { Generation, GenerationRange } from '../engine/generation.ts'
import { type LogFormat, type LogNameParser, logNameParser } from '../engine/log-format.ts'
import { arrivalsIn } from '../storage/durable-file.ts'
import { type FileOperations, pathIn } from '../storage/file-operations.ts'
import type { Subscription, SubscriptionPorts } from '../transport/log-stream-subscription.ts'
import { wireFault } from '../transport/wire.ts'
import type { LogHead, ShareOffer } from '../transport/wire-frame.ts'
import { CopyIntake, type LandingLog } from './copy-intake.ts'
import { LogForesight } from './log-foresight.ts'
import { isNameOf } from './log-inspection.ts'
import { type KeptLog, LogKeeper, refuseHead } from './log-keeper.ts'
import { LogPublishing } from './log-publishing.ts'
import type { CopyEvent, KeptCopy } from './messages.ts'
import type { RoomRation } from './room-ration.ts'
import type { Slab } from './slab.ts'

/** What a copy shares with the others of its worker. */
export interface CopyWorkParts {
  readonly slab: Slab
  readonly ration: RoomRation
  readonly files: FileOperations
  readonly nextAttempt: () => string
  readonly tell: (event: CopyEvent) => void
}

/** Connects a copy with its source; answers the subscription. */
export type Subscribe = (ports: SubscriptionPorts) => Subscription

/** What is known once the source has said how its logs are named. */
interface Stream {
  readonly format: LogFormat
  readonly parse: LogNameParser
  readonly keeper: LogKeeper
}

/** One copy in the worker that fetches for it. */
export class KeptCopyWork implements SubscriptionPorts {
  readonly #kept: KeptCopy
  readonly #parts: CopyWorkParts
  readonly #intake: CopyIntake
  readonly #foresight: LogForesight
  readonly #publishing: LogPublishing
  readonly #subscription: Subscription
  #stream: Stream | null = null
  /** Counts stops: what began before the latest one is told to nobody. */
  #epoch = 0
  /** What touches the store and is not the keeper's. */
  readonly #touching = new Set<Promise<void>>()
  #ended: (() => void) | null = null

  constructor(kept: KeptCopy, parts: CopyWorkParts, subscribe: Subscribe) {
    this.#kept = kept
    this.#parts = parts
    this.#publishing = new LogPublishing(kept, parts.files)
    this.#intake = new CopyIntake({
      ration: parts.ration,
      ask: (requests, pieces) => this.#subscription.ask(requests, pieces),
      cancel: () => this.#subscription.cancel(),
      begin: (head) => this.#begin(head),
      failed: (session, generation, fault) => this.#failed(session, generation, fault),
    })
    this.#foresight = new LogForesight({
      want: (session, range) => this.#want(session, range),
      isIdle: () => this.#intake.isIdle,
      tell: (outcome) => parts.tell(outcome),
      drop: (log) => this.#drop(log),
    })
    this.#subscription = subscribe(this)
  }

  /** Fetches logs; each ends in `log-copied` or `copy-failed`. */
  copyLogs(session: number, range: GenerationRange): void {
    this.#foresight.order(session, range)
  }

  /** Publishes logs; ends in `logs-inspected` or `inspection-failed`. */
  inspectLogs(session: number, logs: readonly CopiedLog[]): void {
    this.#track(this.#publish(session, logs))
  }

  report(report: CopyReport): void {
    this.#subscription.report(report)
  }

  /** Gives everything up, tells nobody, and resolves when nothing touches the store any more. */
  async quiesce(): Promise<void> {
    this.#epoch += 1
    this.#foresight.forget()
    this.#intake.stop()
    await Promise.all([this.#stream?.keeper.idle(), ...this.#touching])
  }

  /** Gives everything up; tells `copying-stopped` when nothing touches the store any more. */
  async stop(): Promise<void> {
    await this.quiesce()
    this.#publishing.reopen()
    this.#parts.tell({ kind: 'copying-stopped', copy: this.#kept.copy })
  }

  /** Ends the copy; resolves when its store and its slots are free. */
  async close(): Promise<void> {
    await this.quiesce()
    await new Promise<void>((resolve) => {
      this.#ended = resolve
      this.#subscription.end()
    })
  }

  subscribed({ format, store, announcement }: ShareOffer): boolean {
    const fault = this.#faultOfFormat(format)
    if (fault !== null) {
      this.#tellRefused(fault)
      return false
    }
    this.#parts.tell({ kind: 'source-connected', copy: this.#kept.copy, format, store })
    if (announcement !== null) this.announced(announcement)
    this.#intake.connect()
    return true
  }

  lost(fault: Fault, retryInMs: number): void {
    this.#parts.tell({ kind: 'source-lost', copy: this.#kept.copy, fault, retryInMs })
    this.#lose(fault)
  }

  refused(fault: Fault): void {
    this.#tellRefused(fault)
  }

  announced(announcement: Announcement): void {
    this.#parts.tell({ kind: 'logs-announced', copy: this.#kept.copy, announcement })
    this.#foresight.announced(announcement)
  }

  logBegun(head: LogHead): void {
    this.#intake.logBegun(head)
  }

  openPiece(length: number): Uint8Array {
    return this.#intake.openPiece(length)
  }

  closePiece(length: number): void {
    this.#intake.closePiece(length)
  }

  logEnded(checksum: bigint): void {
    this.#intake.logEnded(checksum)
  }

  logUnavailable(log: { session: number; generation: Generation; fault: Fault }): void {
    this.#intake.logUnavailable(log)
  }

  cancelled(): void {
    if (this.#ended === null) this.#intake.cancelled()
    else {
      this.#intake.lose({ code: 'INTERNAL', message: 'the copy is closed' })
      this.#ended()
    }
  }

  expectsLogs(): boolean {
    return this.#intake.expectsLogs
  }

  #tellRefused(fault: Fault): void {
    this.#parts.tell({ kind: 'source-refused', copy: this.#kept.copy, fault })
    this.#lose(fault)
  }

  #want(session: number, range: GenerationRange): void {
    this.#intake.want(session, range)
    if (!this.#intake.connected)
      this.#lose({ code: 'NODE_UNREACHABLE', message: 'there is no connection to the source' })
  }

  #lose(fault: Fault): void {
    this.#foresight.lost()
    this.#intake.lose(fault)
  }

  /** Nobody knows of the log: whether it can be removed is no news. */
  #drop({ arrivingName }: CopiedLog): void {
    const { inspectorDirectory } = this.#kept
    this.#track(this.#parts.files.unlink(pathIn(inspectorDirectory, arrivingName)).catch(() => undefined))
  }

  #track(work: Promise<void>): void {
    this.#touching.add(work)
    void work.finally(() => this.#touching.delete(work))
  }

  /** The pattern of a numbered format comes from the source and is hostile until it was taken in. */
  #faultOfFormat(format: LogFormat): Fault | null {
    const expected = this.#stream?.format ?? this.#kept.format
    if (expected !== null && !isSameFormat(expected, format))
      return { code: 'STREAM_MISMATCH', message: `the source shares ${told(format)}, not ${told(expected)}` }
    try {
      this.#stream ??= this.#streamOf(format, logNameParser(format))
      return null
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw error
      return { code: error.code, message: error.message }
    }
  }

  #streamOf(format: LogFormat, parse: LogNameParser): Stream {
    const { slab, files, nextAttempt } = this.#parts
    const arrivals = arrivalsIn(this.#kept.inspectorDirectory, files)
    const release = this.#intake.release.bind(this.#intake)
    return { format, parse, keeper: new LogKeeper({ slab, files, nextAttempt, format, parse, arrivals, release }) }
  }

  #begin(head: LogHead): LandingLog | null {
    const stream = this.#stream
    if (stream === null) throw wireFault('a log before the subscription')
    const fault = this.#faultOfHead(head, stream)
    if (fault !== null) {
      this.#failed(head.session, head.generation, fault)
      return null
    }
    const epoch = this.#epoch
    return stream.keeper.begin(head, (kept) => {
      if (epoch === this.#epoch) this.#settle(head, kept)
    })
  }

  #faultOfHead(head: LogHead, stream: Stream): Fault | null {
    if (isNameOf(head.name, head.generation, stream.parse)) return refuseHead(head, stream.format)
    const message = `the source calls log ${head.generation} ${JSON.stringify(head.name)}, which is no name of it`
    return { code: 'LOG_REJECTED', message }
  }

  #settle(head: LogHead, kept: KeptLog): void {
    const { copy } = this.#kept
    const { session } = head
    if (kept.kind === 'failed') this.#failed(session, head.generation, kept.fault)
    else this.#foresight.ended({ kind: 'log-copied', copy, session, log: kept.log, bytes: kept.bytes })
  }

  #failed(session: number, generation: Generation, fault: Fault): void {
    this.#foresight.ended({ kind: 'copy-failed', copy: this.#kept.copy, session, generation, fault })
  }

  async #publish(session: number, logs: readonly CopiedLog[]): Promise<void> {
    const { copy } = this.#kept
    const epoch = this.#epoch
    const first = logs[0]
    const last = logs.at(-1)
    if (first === undefined || last === undefined) return
    let event: CopyEvent
    try {
      await this.#publishing.publish(logs)
      event = { kind: 'logs-inspected', copy, session, range: { first: first.generation, last: last.generation } }
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw error
      event = { kind: 'inspection-failed', copy, session, fault: { code: error.code, message: error.message } }
    }
    if (epoch === this.#epoch) this.#parts.tell(event)
  }
}

function isSameFormat(a: LogFormat, b: LogFormat): boolean {
  if (a.kind === 'ese') return b.kind === 'ese' && a.baseName.toLowerCase() === b.baseName.toLowerCase()
  return b.kind === 'numbered' && a.pattern === b.pattern
}

function told(format: LogFormat): string {
  return format.kind === 'ese' ? `ese:${format.baseName}` : `numbered:${format.pattern}`
}
