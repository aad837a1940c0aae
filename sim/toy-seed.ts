import type { Fault } from '../engine/fact.ts'
import { type Generation, lowerOf, NO_GENERATION } from '../engine/generation.ts'
import type { Refusal } from '../engine/order.ts'
import { whyNotSeeded } from '../engine/replication/seeding.ts'
import type { CopyNode } from './copy-node.ts'
import { unreachable } from './link.ts'
import { type SeedWishes, whyFilesRefuse } from './seed-findings.ts'
import { SeedLine } from './seed-line.ts'
import { imageThrough, type SeedImage, withPage } from './seed-pages.ts'
import type { NOTED_SEED_SITUATIONS } from './seed-situations.ts'
import type { World } from './world.ts'

/** A seed as somebody asks for it. */
export interface SeedRequest extends SeedWishes {
  readonly copy: CopyNode
  /** The copy stays suspended. */
  readonly manualResume: boolean
  /** `held` reads its pages and goes on when it is released; `aborted` is given up when it has read them. */
  readonly ending: 'completed' | 'aborted' | 'held'
}

/** Pages that the database of a toy active has, which are read one after the other. */
const PAGES = 6
/** Shortest times, in milliseconds: a page, a rename with its syncs, an unlink, and how much longer at most a page takes. */
const PAGE_MS = 5
const PAGE_MS_SPREAD = 250
const RENAME_MS = 1
const UNLINK_MS = 1
/** How often the service looks whether its copy is quiet, in milliseconds. */
const LOOK_MS = 1
/** As long as it waits for the header of the log behind the seed, and between two looks, in milliseconds. */
const LAST_LOG_MS_MAX = 35_000
const LAST_LOG_LOOK_MS = 200
/** As long as the source keeps its logs for a copy that does not come to them, in milliseconds. */
const LET_GO_MS_MAX = 30_000
/** How often the service says that the seed goes on, in milliseconds. */
const CONTINUE_MS = 10_000
/** First and longest wait after the source was lost, in milliseconds; doubles. */
const RETRY_MS_MIN = 250
const RETRY_MS_MAX = 10_000
/** ESE's number for logs that are gone. */
const LOGS_GONE = -569

const LOST = unreachable('the source of the seed cannot be reached')
const FORGOTTEN: Fault = { code: 'STATE_REFUSED', message: 'the source has forgotten the seed' }
const GIVEN_UP: Fault = { code: 'STATE_REFUSED', message: 'the seed was given up' }

/** The session that a seed has at its source, and the stream of logs that its pages are of. */
interface Session {
  readonly id: number
  readonly stream: number
}

/**
 * One seed of a copy from its beginning to its end, as the service of the copy does it: it asks the source for a session, reads the pages of
 * the active while that goes on writing, closes the log behind them, puts the database into its place in one step, and lets the copy go
 * on. A source that is lost is waited for; the end of the copy's process is the end of the seed.
 */
export class ToySeed {
  readonly request: SeedRequest
  /** What became of it, in words; `''` while it goes on. */
  outcome = ''
  /** Why it did not begin, or what of the source ended it; null for neither. */
  refusal: Refusal | null = null
  isHeld = false
  readonly #world: World
  readonly #line: SeedLine
  #session: Session | null = null
  #isGivenUp = false
  #isCleared = false
  /** Whether a page was read since it began. */
  #hasRead = false
  /** The new database lies in its place: nobody gives the seed up any more. */
  #isPublished = false
  /** Whether the files of the copy are its own. */
  #hasFiles = false
  #failures = 0

  constructor(world: World, request: SeedRequest) {
    this.#world = world
    this.request = request
    this.#line = new SeedLine(world, request.copy.copyId, (delayMs, next) => this.#later(delayMs, next))
  }

  get isOver(): boolean {
    return this.outcome !== ''
  }

  /** Begins it, unless the copy or what lies in its folder does not allow that. */
  begin(): void {
    const { core, oracle } = this.#world
    const { copy } = this.request
    const refusal = whyNotSeeded(copy.state) ?? whyFilesRefuse(copy.disk, this.request)
    if (refusal !== null) {
      this.#refused(refusal)
      return
    }
    const requestId = oracle.operatorAsks({ kind: 'seed', copyId: copy.copyId })
    copy.notice({ kind: 'operator-began-seed', nowMs: core.nowMs, requestId })
    this.#line.awaitOfCopy(requestId, { done: () => this.#begins(), refused: (why) => this.#refused(why) })
  }

  /** Gives it up, soon. */
  giveUp(): void {
    this.#isGivenUp = true
    this.#goOn()
  }

  /** Goes on with a seed that is held. */
  release(): void {
    this.#goOn()
  }

  /** The process of the copy has ended, and the seed with it. */
  abandon(): void {
    if (this.#hasFiles) this.#note('a seed ends with the process of its copy')
    this.#over('the copy has ended')
  }

  #begins(): void {
    this.#hasFiles = true
    this.#beginSession()
  }

  #goOn(): void {
    if (!this.isHeld) return
    this.isHeld = false
    this.#later(0, () => this.#close())
  }

  /** The pages of before count where the copy still knows their stream. */
  #beginSession(): void {
    const { source } = this.#world
    const { copyId, disk, state } = this.request.copy
    const from = disk.partial?.stream === state.announcement.stream ? disk.partial.low : NO_GENERATION
    const request = { scope: 'copy', method: 'streaming', surrogate: null, seed: { copyId, from } } as const
    this.#line.ask((requestId) => ({ kind: 'backup-asked', requestId, request }), {
      done: () => {
        const { session, stream } = source.state
        if (session?.request.seed?.copyId !== copyId) this.#failed(FORGOTTEN)
        else this.#begun({ id: session.id, stream }, { from, pinnedFrom: session.pinnedFrom })
      },
      refused: (refusal) => this.#notBegun(refusal),
      lost: () => this.#failed(LOST),
    })
  }

  #notBegun(refusal: Refusal): void {
    const { disk } = this.request.copy
    if (refusal.eseError === LOGS_GONE && disk.partial !== null) {
      disk.partial = null
      this.#later(0, () => this.#beginSession())
      return
    }
    this.refusal = refusal
    this.#fail({ code: 'STATE_REFUSED', message: refusal.message })
  }

  #begun(session: Session, { from, pinnedFrom }: { readonly from: Generation; readonly pinnedFrom: Generation }): void {
    const { core, oracle, source } = this.#world
    const { copy } = this.request
    const { disk } = copy
    this.#session = session
    const isOther = disk.partial !== null && disk.partial.stream !== session.stream
    if (isOther && this.#hasRead) this.#note('the source was restored in the middle of a seed')
    // Nobody has kept the logs that pages need which were not told of.
    if (isOther || from === NO_GENERATION) disk.partial = null
    if (disk.partial !== null) this.#note('a seed that was cut off goes on')
    oracle.backups.begun(session.id, disk.partial?.low ?? source.disk.required ?? pinnedFrom)
    this.#continueLater(session)
    const pinned = from === NO_GENERATION ? pinnedFrom : lowerOf(pinnedFrom, from)
    copy.notice({ kind: 'seed-pinned', nowMs: core.nowMs, from: pinned })
    this.#whenIdle(() => {
      oracle.seedPinned(copy, pinned)
      this.#clear()
    })
  }

  /** The lowest log first, so that what is left after a crash is a run. */
  #clear(): void {
    const { copy, deleteExistingFiles } = this.request
    const { disk } = copy
    if (this.#failsAtDisk()) return
    const victim = deleteExistingFiles && !this.#isCleared ? disk.logs.sortedNames()[0] : undefined
    if (victim !== undefined) {
      disk.logs.unlink(victim)
      this.#later(UNLINK_MS, () => this.#clear())
      return
    }
    disk.logs.sync()
    disk.forgetBefore(deleteExistingFiles && !this.#isCleared)
    this.#isCleared = true
    this.#readNext()
  }

  /** A page as it is just now; the header is read with the first one. */
  #readNext(): void {
    const { choices } = this.#world.core
    this.#later(PAGE_MS + choices.below(PAGE_MS_SPREAD), () => {
      if (this.#failsAtDisk()) return
      if (this.#session !== null && this.#line.isAlive(this.#session.id)) this.#read(this.#session)
      else this.#failed(this.#line.isReachable ? FORGOTTEN : LOST)
    })
  }

  #read({ stream }: Session): void {
    const { source, leftOut } = this.#world
    const { disk } = this.request.copy
    const partial = withPage(disk.partial, { stream, required: source.disk.required ?? NO_GENERATION })
    disk.partial = partial
    this.#hasRead = true
    this.#failures = 0
    if (leftOut.has('seed-aside')) disk.database?.bringHalf(partial.low)
    if (partial.pages < PAGES) this.#readNext()
    else if (this.request.ending === 'aborted') this.#fail(GIVEN_UP)
    else if (this.request.ending === 'held') this.isHeld = true
    else this.#close()
  }

  /** No page is read any more: everything through the log that is closed now is what the database needs. */
  #close(): void {
    const { source, core, oracle } = this.#world
    const id = this.#session?.id ?? 0
    if (!this.#line.isAlive(id)) {
      this.#failed(this.#line.isReachable ? FORGOTTEN : LOST)
      return
    }
    this.#line.ask((requestId) => ({ kind: 'backup-logs-wanted', requestId, session: id }), {
      done: () => {
        const { session } = source.state
        const { partial } = this.request.copy.disk
        if (session?.id !== id || session.range === null || partial === null) this.#failed(FORGOTTEN)
        else this.#readLastLog(imageThrough(session.range.last, partial, oracle.truth), core.nowMs + LAST_LOG_MS_MAX)
      },
      refused: ({ message }) => this.#failed({ code: 'STATE_REFUSED', message }),
      lost: () => this.#failed(LOST),
    })
  }

  #readLastLog(image: SeedImage, untilMs: number): void {
    const { core, source } = this.#world
    const { log, fault } = this.#line.isReachable ? source.serve(image.high) : { log: null, fault: LOST }
    if (log?.identity.generation === image.high) this.#later(core.delay(RENAME_MS), () => this.#publish(image))
    else if (fault === null)
      this.#fail({ code: 'LOG_REJECTED', message: 'the log behind the seed is none of its stream' })
    else if (fault === LOST || core.nowMs >= untilMs) this.#failed(fault)
    else this.#later(LAST_LOG_LOOK_MS, () => this.#readLastLog(image, untilMs))
  }

  #publish(image: SeedImage): void {
    const { core, oracle } = this.#world
    const { copy } = this.request
    if (this.#failsAtDisk()) return
    copy.disk.database?.bringSeed(image)
    copy.disk.partial = null
    this.#isPublished = true
    oracle.seedPublished(copy, image)
    this.#later(core.delay(RENAME_MS), () => this.#complete(image))
  }

  #complete({ low, high }: SeedImage): void {
    const { core, oracle } = this.#world
    const { copy, manualResume } = this.request
    const { stream } = this.#session ?? { stream: 0 }
    this.#releaseFiles()
    if (!manualResume) oracle.operatorAsks({ kind: 'resume', copyId: copy.copyId })
    const required = { first: low, last: high }
    copy.notice({ kind: 'seed-completed', nowMs: core.nowMs, required, stream, resumes: !manualResume })
    this.#whenIdle(() => this.#letGo(high, core.nowMs + LET_GO_MS_MAX))
  }

  /** The source keeps its logs until the copy has those that its database needs. */
  #letGo(last: Generation, untilMs: number): void {
    const { core } = this.#world
    const { state } = this.request.copy
    if (state.inspected < last && state.suspension === null && core.nowMs < untilMs) {
      this.#later(LAST_LOG_LOOK_MS, () => this.#letGo(last, untilMs))
      return
    }
    this.#endSession('completed', '')
    this.#over('completed')
  }

  /** What passes by itself is waited for once something was read, and a session that the source has forgotten is begun again. */
  #failed(fault: Fault): void {
    const isForgotten = this.#session !== null && fault.code === 'STATE_REFUSED'
    if (!isForgotten && !(this.#hasRead && fault.code === 'NODE_UNREACHABLE')) {
      this.#fail(fault)
      return
    }
    this.#note('a seed waits for its source')
    this.#endSession('aborted', 'it goes on in another session')
    const waitMs = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(this.#failures++, 8))
    this.#later(waitMs, () => this.#beginSession())
  }

  #fail(fault: Fault): void {
    const { copy } = this.request
    this.#releaseFiles()
    copy.notice({ kind: 'seed-ended', nowMs: this.#world.core.nowMs, fault })
    this.#endSession('aborted', fault.message)
    this.#over(fault.message)
  }

  #refused(refusal: Refusal): void {
    this.refusal = refusal
    this.#over(`refused: ${refusal.message}`)
  }

  #over(outcome: string): void {
    if (this.isOver) return
    this.outcome = outcome
    this.isHeld = false
    this.#releaseFiles()
  }

  #releaseFiles(): void {
    if (this.#hasFiles) this.#world.oracle.seeds.over(this.request.copy.copyId)
    this.#hasFiles = false
  }

  /** A source that is away forgets the seed by itself. */
  #endSession(outcome: 'completed' | 'aborted', reason: string): void {
    const session = this.#session
    this.#session = null
    if (session === null || !this.#line.isAlive(session.id)) return
    const requestId = this.#world.oracle.operatorAsks({ kind: 'backup' })
    this.#line.tell({ kind: 'backup-ended', requestId, session: session.id, outcome, logsRead: true, reason })
  }

  #continueLater(session: Session): void {
    this.#world.core.after(CONTINUE_MS, () => {
      if (this.#session !== session || this.isOver) return
      if (this.#line.isAlive(session.id)) this.#line.tell({ kind: 'backup-continued', session: session.id })
      this.#continueLater(session)
    })
  }

  #note(situation: (typeof NOTED_SEED_SITUATIONS)[number]): void {
    this.#world.core.seen.add(situation)
  }

  #failsAtDisk(): boolean {
    const { copy } = this.request
    const fault = copy.disk.writeFault
    if (fault !== null) this.#fail(fault)
    else this.#world.oracle.seeds.touches(copy)
    return fault !== null
  }

  /** Goes on when everything that the copy was told to do is done. */
  #whenIdle(next: () => void): void {
    if (this.request.copy.isIdle) next()
    else this.#later(LOOK_MS, () => this.#whenIdle(next))
  }

  #later(delayMs: number, next: () => void): void {
    this.#world.core.after(delayMs, () => {
      if (this.isOver) return
      if (this.#isGivenUp && !this.#isPublished) this.#fail(GIVEN_UP)
      else next()
    })
  }
}
