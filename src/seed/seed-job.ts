import { readIdentity } from '../../engine/database/log-file.ts'
import { LOG_HEADER_BYTES } from '../../engine/database/log-header.ts'
import { ReplicationError } from '../../engine/error.ts'
import { type Generation, type GenerationRange, lowerOf, NO_GENERATION } from '../../engine/generation.ts'
import { lookAt, type ProgressRate, remainingMs, startProgress } from '../../engine/link/progress-rate.ts'
import { asReplicationError } from '../../storage/file-error.ts'
import type { FileOperations } from '../../storage/file-operations.ts'
import { beginPartial, refuseTooSmall, type SeedPlaces, seedPlaces } from '../../storage/seed-folder.ts'
import type { StoreNames } from '../../storage/store-places.ts'
import type { LogShareClient } from '../../transport/log-share-client.ts'
import type { SeedDocument, SeedPhase } from '../../transport/management-seed-documents.ts'
import type { SeedOrder } from '../../transport/management-seeds.ts'
import type { SourceUrl } from '../../transport/source-url.ts'
import type { SurrogateAnswer, SurrogateAsk } from '../../transport/surrogate-backup.ts'
import { firstOfPart } from '../../workers/seed-reading.ts'
import type { SharedRate } from '../../workers/shared-rate.ts'
import { BackupThread } from '../backup/backup-thread.ts'
import { type Clock, pause } from '../clock.ts'
import type { CopyInstance } from '../copy-instance.ts'
import { storeNamesOf } from '../copy-seeding.ts'
import { faultOf } from '../copy-work.ts'
import { dataSource, refuseSeed } from './seed-checks.ts'
import { givenUp, noLastLog, notMet } from './seed-faults.ts'

/** What a {@link SeedJob} works with. */
export interface SeedJobParts {
  readonly id: number
  readonly order: SeedOrder
  readonly copy: CopyInstance
  /** Closed by its owner. */
  readonly client: LogShareClient
  readonly files: FileOperations
  /** That of all seeds of the process. */
  readonly rate: SharedRate
  readonly clock: Clock
  /** Name of the node. */
  readonly node: string
}

/** Between two words to the source that the seed goes on, in milliseconds; it waits for a minute. */
const CONTINUE_MS = 10_000
/** The first wait after the source was lost, and the longest, in milliseconds. */
const RETRY_MS = 250
const RETRY_MS_MAX = 10_000
/** A source that is away for so long without a byte has ended the seed, in milliseconds. What was read stays. */
const AWAY_MS_MAX = 3_600_000
/** How long the log behind the seed may take to be announced, in milliseconds: the source looks at its directory at least so often. */
const LAST_LOG_MS_MAX = 35_000
const LAST_LOG_LOOK_MS = 20
/** How long the source is asked to keep its logs for a copy that was resumed and does not come to them, in milliseconds. */
const LET_GO_MS_MAX = 30_000

/** Faults of the way to the source, and of a source that is just starting: they are over one day. */
const PASSING = [
  'NODE_UNREACHABLE',
  'TRANSFER_TIMEOUT',
  'WIRE_PROTOCOL',
  'STORE_UNAVAILABLE',
  'STORE_BUSY',
  'SHARE_UNKNOWN',
]
/** ESE's number for logs that are gone. */
const LOGS_GONE = -569

interface Session {
  readonly id: number
  readonly stream: number
  readonly places: SeedPlaces
}

/**
 * One seed from its beginning to its end. It asks the source for a session, has a thread read the database in it, puts that into its place
 * and lets the copy go on. A source that is lost meanwhile is waited for, and the seed goes on with what it has, in another session if
 * need be; what cannot be mended ends it, and leaves the copy suspended, with what was read kept for the next one.
 */
export class SeedJob {
  readonly #parts: SeedJobParts
  readonly #names: StoreNames
  readonly #giveUp = new AbortController()
  readonly #begunMs: number
  #phase: SeedPhase = 'beginning'
  #error: ReplicationError | null = null
  #remark = ''
  /** Why what was there before was of no use; `''` where it was, or nothing was. */
  #whyAnew = ''
  #session: Session | null = null
  #path = ''
  #doneBytes = 0
  #totalBytes = 0
  #resumedBytes = 0
  /** Of what is read: what lay there when the session began. */
  #presentBytes = 0
  #progress: ProgressRate
  #required: GenerationRange | null = null
  #resumed = false
  #isCleared = false
  #endedMs: number | null = null
  #cancelContinue: () => void = () => undefined
  #tellBegun: (error: ReplicationError | null) => void = () => undefined
  readonly #begun = new Promise<ReplicationError | null>((resolve) => {
    this.#tellBegun = resolve
  })

  /** Errors: `STATE_REFUSED` for a copy that has not met its source. */
  constructor(parts: SeedJobParts) {
    const names = storeNamesOf(parts.copy)
    if (names === null) throw notMet(parts.copy.name)
    this.#parts = parts
    this.#names = names
    this.#begunMs = parts.clock.nowMs()
    this.#progress = startProgress(0, this.#begunMs)
    this.#path = seedPlaces(names, parts.order.targetPath, 0).database
  }

  get isOver(): boolean {
    return this.#phase === 'completed' || this.#phase === 'failed'
  }

  /** How it stands. */
  get document(): SeedDocument {
    const { id, copy, node, clock } = this.#parts
    const isReading = this.#phase === 'database'
    const rest = isReading ? remainingMs(this.#progress, this.#totalBytes) : null
    const share = this.#totalBytes === 0 ? 0 : this.#doneBytes / this.#totalBytes
    return {
      id,
      storageGroup: copy.name,
      node,
      source: copy.source.href,
      path: this.#path,
      phase: this.#phase,
      doneBytes: this.#doneBytes,
      totalBytes: this.#totalBytes,
      resumedBytes: this.#resumedBytes,
      percent: this.#phase === 'completed' ? 100 : Math.floor(share * 1_000) / 10,
      bytesPerSecond: isReading ? this.#progress.bytesPerSecond : null,
      remainingMs: rest === null ? null : Math.round(rest),
      elapsedMs: (this.#endedMs ?? clock.nowMs()) - this.#begunMs,
      begun: new Date(this.#begunMs).toISOString(),
      remark: this.#remark,
      required: this.#required,
      resumed: this.#resumed,
      error: this.#error?.toJSON() ?? null,
    }
  }

  /** Resolves when the source has let it begin. Rejects when it did not come so far. */
  async whenBegun(): Promise<void> {
    const error = await this.#begun
    if (error !== null) throw error
  }

  /** Gives it up; it ends soon after that. */
  giveUp(): void {
    this.#giveUp.abort(givenUp(this.#parts.copy.name))
  }

  /** Seeds the copy; resolves when it is over, whatever came of it. */
  async run(): Promise<void> {
    const { copy, clock, files, order } = this.#parts
    try {
      await refuseSeed(copy, { names: this.#names, files }, order)
      await copy.seeding.begin()
      try {
        await this.#seed()
      } catch (error) {
        copy.seeding.end(faultOf(error))
        throw error
      }
      await this.#letGo()
      this.#phase = 'completed'
    } catch (error) {
      this.#error = asReplicationError(error)
      await this.#endSession('aborted', this.#error.message)
      this.#phase = 'failed'
    } finally {
      this.#cancelContinue()
      this.#endedMs = clock.nowMs()
      this.#tellBegun(this.#error)
    }
  }

  async #seed(): Promise<void> {
    const thread = await BackupThread.start()
    try {
      const { session, required } = await this.#read(thread)
      await this.#publish(session, required)
    } finally {
      await thread.close()
    }
  }

  /** Until every page is here, in as many sessions as that takes. */
  async #read(thread: BackupThread): Promise<{ readonly session: Session; readonly required: GenerationRange }> {
    const { clock } = this.#parts
    let awaySinceMs = clock.nowMs()
    for (let failures = 0; ; failures += 1) {
      const before = this.#doneBytes
      try {
        const session = await this.#beginSession()
        await this.#readPages(thread, session)
        return { session, required: await this.#close(thread, session) }
      } catch (error) {
        if (this.#doneBytes > before) {
          awaySinceMs = clock.nowMs()
          failures = 0
        }
        await this.#waitAfter(error, { failures, awayMs: clock.nowMs() - awaySinceMs })
      }
    }
  }

  async #beginSession(): Promise<Session> {
    const { copy, order, files, clock } = this.#parts
    const guess = seedPlaces(this.#names, order.targetPath, copy.state.announcement.stream)
    const from = await firstOfPart(files, guess.partial)
    const answer = await this.#say({ ask: 'begin-seed', copyId: copy.copyId, from })
    const { session: id, stream = 0, pinnedFrom = NO_GENERATION, bytes = 0 } = answer
    const places = seedPlaces(this.#names, order.targetPath, stream)
    // Pages of a stream that nobody thought of need logs that nobody was asked to keep.
    const isOther = places.partial !== guess.partial
    if (isOther && (await firstOfPart(files, places.partial)) !== NO_GENERATION) await files.unlink(places.partial)
    const session: Session = { id, stream, places }
    this.#session = session
    this.#continueLater(id)
    const presentBytes = await beginPartial(files, places)
    await refuseTooSmall(files, { directory: places.seeding, neededBytes: bytes - presentBytes })
    await copy.seeding.pin(from === NO_GENERATION ? pinnedFrom : lowerOf(pinnedFrom, from))
    await this.#clear()
    this.#presentBytes = presentBytes
    this.#totalBytes = bytes
    this.#progress = startProgress(this.#doneBytes, clock.nowMs())
    this.#remark = this.#whyAnew
    this.#tellBegun(null)
    return session
  }

  /** What is in the way goes when the source is there, and room for the database. */
  async #clear(): Promise<void> {
    const { copy, order } = this.#parts
    if (this.#isCleared || order.targetPath !== null) return
    const { deleteExistingFiles: logs, profile } = order
    await copy.seeding.clear(this.#names, { checkpoint: true, logs, database: logs && profile === 'rtm' })
    this.#isCleared = true
  }

  async #readPages(thread: BackupThread, { id, places }: Session): Promise<void> {
    const { copy, client, order, rate, clock } = this.#parts
    this.#phase = 'database'
    const source: SourceUrl = await dataSource(client, copy.source, order.dataHosts)
    const onProgress = (doneBytes: number, totalBytes: number): void => {
      this.#doneBytes = doneBytes
      this.#totalBytes = Math.max(this.#totalBytes, totalBytes)
      // What is only verified says nothing of the link.
      const isThere = doneBytes <= this.#presentBytes
      this.#progress = isThere
        ? startProgress(doneBytes, clock.nowMs())
        : lookAt(this.#progress, doneBytes, clock.nowMs())
    }
    const query = {
      ask: 'read-seed',
      sourceUrl: source.href,
      session: id,
      to: places.partial,
      rate: rate.memory,
    } as const
    const read = await thread.ask(query, { signal: this.#giveUp.signal, onProgress })
    this.#resumedBytes = read.resumedBytes
    this.#doneBytes = this.#totalBytes = read.bytes
  }

  /** No page is read any more: the log is closed, and everything up to it is what the database needs. */
  async #close(thread: BackupThread, { id, places }: Session): Promise<GenerationRange> {
    this.#phase = 'finishing'
    const { closed = NO_GENERATION } = await this.#say({
      ask: 'close-log',
      copyId: this.#parts.copy.copyId,
      session: id,
    })
    const createTime = await this.#createTimeOf(closed)
    return await thread.ask({ ask: 'end-seed', path: places.partial, last: closed, createTime })
  }

  /** By its header. The source announces it soon after it was closed. */
  async #createTimeOf(generation: Generation): Promise<string> {
    const { copy, client, clock } = this.#parts
    const untilMs = clock.nowMs() + LAST_LOG_MS_MAX
    for (;;) {
      try {
        const start = await client.readLogStart(
          copy.source,
          { generation, bytes: LOG_HEADER_BYTES },
          this.#giveUp.signal,
        )
        const read = readIdentity(start)
        if (read.verdict === 'read' && read.identity.generation === generation) return read.identity.createTime
        throw noLastLog(copy.name, generation)
      } catch (error) {
        if (!isCode(error, ['LOG_MISSING']) || clock.nowMs() > untilMs) throw error
        await pause(clock, LAST_LOG_LOOK_MS, this.#giveUp.signal)
      }
    }
  }

  async #publish({ places, stream }: Session, required: GenerationRange): Promise<void> {
    const { copy, order } = this.#parts
    await copy.seeding.publish(this.#names, places)
    this.#required = required
    if (order.targetPath !== null) {
      copy.seeding.end(null)
      return
    }
    const resumes = !order.manualResume
    await copy.seeding.complete({ required, stream, resumes })
    this.#resumed = resumes
  }

  /** The source keeps its logs until the copy has those that its database needs, or does not come to them. */
  async #letGo(): Promise<void> {
    const { copy, clock } = this.#parts
    const last = this.#required?.last ?? NO_GENERATION
    const isThere = (): boolean => copy.state.inspected >= last || copy.state.suspension !== null
    const untilMs = clock.nowMs() + LET_GO_MS_MAX
    while (this.#resumed && !isThere() && clock.nowMs() < untilMs && !this.#giveUp.signal.aborted)
      await pause(clock, LAST_LOG_LOOK_MS, this.#giveUp.signal)
    await this.#endSession('completed', '')
  }

  /** Never rejects: a source that is away forgets the seed by itself. */
  async #endSession(outcome: 'completed' | 'aborted', reason: string): Promise<void> {
    this.#cancelContinue()
    const session = this.#session
    if (session === null) return
    this.#session = null
    const { client, copy } = this.#parts
    const ask = { ask: 'end', copyId: copy.copyId, session: session.id, outcome, reason: reason.slice(0, 500) } as const
    await client.askBackup(copy.source, ask, new AbortController().signal).catch(asReplicationError)
  }

  async #waitAfter(error: unknown, { failures, awayMs }: { failures: number; awayMs: number }): Promise<void> {
    const { copy, clock, files, order } = this.#parts
    if (this.#giveUp.signal.aborted) throw this.#giveUp.signal.reason
    const hadSession = this.#session !== null
    if (isCode(error, ['STATE_REFUSED']) && Number((error as ReplicationError).fields['eseError']) === LOGS_GONE) {
      // What was read before is of no use: it needs logs that nobody has.
      const { partial } = seedPlaces(this.#names, order.targetPath, copy.state.announcement.stream)
      this.#whyAnew = `it began anew: ${(error as ReplicationError).message}`
      this.#doneBytes = 0
      await files.unlink(partial)
      return
    }
    const isForgotten = hadSession && isCode(error, ['STATE_REFUSED'])
    const mayPass = isForgotten || (this.#doneBytes > 0 && isCode(error, PASSING))
    if (!mayPass || awayMs > AWAY_MS_MAX) throw error
    await this.#endSession('aborted', 'it goes on in another session')
    this.#phase = 'waiting'
    this.#remark = (error as ReplicationError).message
    await pause(clock, Math.min(RETRY_MS_MAX, RETRY_MS * 2 ** failures), this.#giveUp.signal)
    if (this.#giveUp.signal.aborted) throw this.#giveUp.signal.reason
  }

  #continueLater(session: number): void {
    this.#cancelContinue()
    this.#cancelContinue = this.#parts.clock.wakeAfter(CONTINUE_MS, () => {
      this.#continueLater(session)
      // Whether it has heard of it, the next piece tells.
      this.#say({ ask: 'continue', copyId: this.#parts.copy.copyId, session }).catch(asReplicationError)
    })
  }

  #say(ask: SurrogateAsk): Promise<SurrogateAnswer> {
    const { client, copy } = this.#parts
    return client.askBackup(copy.source, ask, this.#giveUp.signal)
  }
}

function isCode(error: unknown, codes: readonly string[]): error is ReplicationError {
  return error instanceof ReplicationError && codes.includes(error.code)
}
