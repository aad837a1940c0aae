import type { SourceFact } from '../engine/fact.ts'
import type { Refusal } from '../engine/order.ts'
import type { World } from './world.ts'

/** How a question ended. `lost`: nobody knows whether it was heard. */
export interface SeedAnswers {
  readonly done: () => void
  readonly refused: (refusal: Refusal) => void
  readonly lost: () => void
}

/** A fact without its time, member by member of the union. */
type Untimed<Fact> = Fact extends unknown ? Omit<Fact, 'nowMs'> : never

/** One way, in milliseconds, at least, and between two looks for an answer. */
const ASK_MS = 1
const LOOK_MS = 1

/** What the service of a copy says to its source during a seed: requests of their own, beside the connection over which logs are announced. */
export class SeedLine {
  readonly #world: World
  readonly #copyId: string
  /** Plans something that does not happen when the seed is over by then. */
  readonly #later: (delayMs: number, next: () => void) => void

  constructor(world: World, copyId: string, later: (delayMs: number, next: () => void) => void) {
    this.#world = world
    this.#copyId = copyId
    this.#later = later
  }

  /** Whether a request gets through. */
  get isReachable(): boolean {
    const { source, links } = this.#world
    return source.isUp && links.find(({ copyId }) => copyId === this.#copyId)?.isPartitioned === false
  }

  /** Whether the source can be asked about this session: one of before its restart may have the number of somebody else's now. */
  isAlive(id: number): boolean {
    const { session } = this.#world.source.state
    return this.isReachable && session?.id === id && session.request.seed?.copyId === this.#copyId
  }

  /** Says something that needs no answer. */
  tell(fact: Untimed<SourceFact>): void {
    const { source, core } = this.#world
    source.notice({ ...fact, nowMs: core.nowMs } as SourceFact) // what was an Omit of one member is that member again
  }

  /** Asks; an answer that does not come because the source is gone is lost. */
  ask(put: (requestId: number) => Untimed<SourceFact>, then: SeedAnswers): void {
    const { core, oracle } = this.#world
    this.#later(core.delay(ASK_MS), () => {
      if (!this.isReachable) {
        then.lost()
        return
      }
      const requestId = oracle.operatorAsks({ kind: 'backup' })
      this.tell(put(requestId))
      this.#awaitFromSource(requestId, then)
    })
  }

  /** Waits for an answer of the copy itself, which is one process with the seed. */
  awaitOfCopy(requestId: number, then: Omit<SeedAnswers, 'lost'>): void {
    if (!this.#isAnswered(requestId, then)) this.#later(LOOK_MS, () => this.awaitOfCopy(requestId, then))
  }

  #awaitFromSource(requestId: number, then: SeedAnswers): void {
    if (this.#isAnswered(requestId, then)) return
    if (this.isReachable) this.#later(LOOK_MS, () => this.#awaitFromSource(requestId, then))
    else then.lost()
  }

  #isAnswered(requestId: number, { done, refused }: Omit<SeedAnswers, 'lost'>): boolean {
    const answered = this.#world.oracle.answers.get(requestId)
    if (answered === undefined) return false
    const { refusal } = answered.answer
    if (refusal === null) done()
    else refused(refusal)
    return true
  }
}
