import { unreachable } from '../engine/assert.ts'
import type { ChangeWriter } from '../engine/database/change-writer.ts'
import { comparePositions, type LogPosition } from '../engine/database/log-position.ts'
import type { Outcome, SessionScript } from '../engine/database/mailbox-session.ts'
import type { StoreEngine } from '../engine/database/store-engine.ts'
import type { StoreFact } from '../engine/database/store-order.ts'
import { advance } from '../engine/database/store-progress.ts'
import type { StoreWork } from '../engine/database/store-start.ts'
import type { Work } from '../engine/database/work.ts'
import type { IdleWork } from './idle-work.ts'

/** What a {@link StoreLoop} works with. */
export interface StoreLoopParts {
  readonly store: StoreEngine
  readonly writer: ChangeWriter
  /** Gives bundles to the lanes of the files. */
  readonly give: (work: StoreWork) => void
  /** Reads a page; the fact `page-read` brings it. */
  readonly fetchPage: (page: number) => void
  /** A page was found damaged: told once for each. */
  readonly onBadPage: (page: number, detail: string) => void
  /** What else is to be looked at after each step: the engine has taken in a fact, or given orders. */
  readonly onStepped: () => void
}

/** A script under way: a session's, or a piece of idle work. */
interface Job {
  readonly script: SessionScript<unknown>
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
  /** The operation that it is at. */
  work: Work<unknown>
}

/** Something that waits for a state of the store. */
interface Condition {
  readonly holds: () => boolean
  readonly act: () => void
  readonly reject: (error: unknown) => void
}

interface Commit {
  readonly end: LogPosition
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** The longest turn, in milliseconds: then messages and the disk are looked at. An operation that is longer ends first. */
const TURN_MS_MAX = 4

/**
 * Lets many sessions work on one store, in turns: each makes an operation, or goes on with one as far as it comes, then the next one
 * has its turn. Whoever lacks a page waits for it; a page that several want is read once. What lacks memory or the disk goes on
 * with the next fact. Commits of one turn share a flush, and so do all that come while one is under way.
 *
 * It owns the order in which things happen in a store, and nothing of what they are.
 */
export class StoreLoop {
  readonly #parts: StoreLoopParts
  #ready: Job[] = []
  #lackRoom: Job[] = []
  readonly #awaitPage = new Map<number, Job[]>()
  /** Ascending by `end`. */
  #commits: Commit[] = []
  #conditions: Condition[] = []
  #idleWork: readonly IdleWork[] = []
  /** The piece of idle work that is under way. */
  #idling: Promise<void> | null = null
  readonly #badPages = new Set<number>()
  #jobs = 0
  #isScheduled = false
  #failure: { readonly error: unknown } | null = null

  constructor(parts: StoreLoopParts) {
    this.#parts = parts
  }

  /** Runs a script to its end. Rejects when the store ends before. */
  run<Result>(script: SessionScript<Result>): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) return reject(this.#failure.error)
      const begun = script.next({ state: 'done', answer: null }) // what it goes on with first is not looked at
      if (begun.done === true) return resolve(begun.value)
      this.#jobs += 1
      // The script of a job answers what its own promise resolves with.
      const job = { script, resolve: resolve as (result: unknown) => void, reject, work: begun.value }
      this.#ready.push(job)
      this.#schedule()
    })
  }

  /** Resolves when everything before `end` survives every crash, for which a flush has been requested. */
  durable(end: LogPosition): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) return reject(this.#failure.error)
      if (comparePositions(this.#parts.store.durable, end) >= 0) return resolve()
      this.#commits.push({ end, resolve, reject })
      this.#commits.sort((a, b) => comparePositions(a.end, b.end))
    })
  }

  /** Acts at once when the condition holds, between two operations; resolves with what that gave. */
  when<Result>(holds: () => boolean, act: () => Result): Promise<Result> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) return reject(this.#failure.error)
      this.#conditions.push({ holds, act: () => resolve(act()), reject })
      this.#schedule()
    })
  }

  /** The work that is done while no session works. Resolves when nothing of other idle work is under way any more. */
  idleWith(work: readonly IdleWork[]): Promise<void> {
    this.#idleWork = work
    this.#schedule()
    return this.#idling ?? Promise.resolve()
  }

  /** Takes in what happened. */
  take(fact: StoreFact): void {
    if (this.#failure !== null) return
    this.#parts.store.take(fact)
    if (fact.fact === 'page-read') this.#pageRead(fact.number)
    else this.#ready.push(...this.#lackRoom.splice(0))
    this.#collect()
    if (this.#ready.length > 0 || fact.fact === 'clock-ticked') this.#schedule()
  }

  /** What was held up may go on, although nothing has happened that a fact would tell of. */
  goOn(): void {
    if (this.#failure !== null) return
    this.#ready.push(...this.#lackRoom.splice(0))
    this.#collect()
    this.#schedule()
  }

  /** The store has ended: whoever waits gets the error, and so does whoever comes. */
  fail(error: unknown): void {
    if (this.#failure !== null) return
    this.#failure = { error }
    const waiting = [...this.#ready, ...this.#lackRoom, ...[...this.#awaitPage.values()].flat()]
    for (const { reject } of [...waiting, ...this.#commits, ...this.#conditions]) reject(error)
    this.#ready = []
    this.#lackRoom = []
    this.#awaitPage.clear()
    this.#commits = []
    this.#conditions = []
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => this.#turn())
  }

  #turn(): void {
    this.#isScheduled = false
    const until = performance.now() + TURN_MS_MAX
    for (let job = this.#ready.shift(); job !== undefined; job = this.#ready.shift()) {
      this.#goOn(job)
      if (performance.now() >= until) break
    }
    if (this.#failure !== null) return
    this.#collect()
    this.#idle()
    if (this.#ready.length > 0) this.#schedule()
  }

  /** Goes on with a job until its operation is done or held up. */
  #goOn(job: Job): void {
    const { store, writer } = this.#parts
    const progress = advance(store, writer, job.work)
    switch (progress.state) {
      case 'done':
        this.#proceed(job, progress)
        break
      case 'bad-page':
        this.#tellBadPage(progress.page, progress.detail)
        job.work.return(undefined)
        this.#proceed(job, progress)
        break
      case 'page':
        this.#lackPage(job, progress.page)
        break
      case 'room':
        this.#lackRoom.push(job)
        break
      default:
        unreachable(progress)
    }
  }

  #proceed(job: Job, outcome: Outcome<unknown>): void {
    const next = job.script.next(outcome)
    if (next.done !== true) {
      job.work = next.value
      this.#ready.push(job)
      return
    }
    this.#jobs -= 1
    job.resolve(next.value)
  }

  #lackPage(job: Job, page: number): void {
    const waiting = this.#awaitPage.get(page)
    if (waiting === undefined) this.#awaitPage.set(page, [job])
    else waiting.push(job)
    if (this.#parts.store.needPage(page)) this.#parts.fetchPage(page)
  }

  /** A page for which there was no memory is asked for again when there may be some. */
  #pageRead(page: number): void {
    const waiting = this.#awaitPage.get(page) ?? []
    this.#awaitPage.delete(page)
    const { store } = this.#parts
    const isKnown = store.cache.find(page) !== null || store.badPages.has(page)
    const to = isKnown ? this.#ready : this.#lackRoom
    to.push(...waiting)
  }

  /** Gives out what is due, and tells whoever waited for it. What that does may make more due. */
  #collect(): void {
    for (let acted = true; acted; ) {
      this.#parts.give(this.#parts.store.work())
      this.#tellCommits()
      acted = this.#actOnConditions()
    }
    this.#parts.onStepped()
  }

  #tellCommits(): void {
    const { durable } = this.#parts.store
    for (let [first] = this.#commits; first !== undefined; [first] = this.#commits) {
      if (comparePositions(durable, first.end) < 0) return
      this.#commits.shift()
      first.resolve()
    }
  }

  #actOnConditions(): boolean {
    const due = this.#conditions.find(({ holds }) => holds())
    if (due === undefined) return false
    this.#conditions = this.#conditions.filter((condition) => condition !== due)
    due.act()
    return true
  }

  /** Begins the next piece of idle work, unless one is under way or sessions work; what is urgent does not wait for them. */
  #idle(): void {
    if (this.#idling !== null) return
    const isBusy = this.#jobs > 0
    for (const work of this.#idleWork) {
      const piece = isBusy && !work.isUrgent() ? null : work.next()
      if (piece === null) continue
      const ended = (outcome: Outcome<unknown>): void => {
        this.#idling = null
        // It would come to the same page again, and is left alone until the next start.
        if (outcome.state === 'bad-page') this.#idleWork = this.#idleWork.filter((other) => other !== work)
        this.#schedule()
      }
      // A store that ends in the middle has told why already.
      this.#idling = this.run(idleScript(piece)).then(ended, () => undefined)
      return
    }
  }

  #tellBadPage(page: number, detail: string): void {
    if (this.#badPages.has(page)) return
    this.#badPages.add(page)
    this.#parts.onBadPage(page, detail)
  }
}

function* idleScript(piece: Work<void>): SessionScript<Outcome<unknown>> {
  return yield piece
}
