import { setImmediate } from 'node:timers/promises'
import type { Fault } from '../engine/fact.ts'
import type { Generation } from '../engine/generation.ts'
import type { ReplayCommand, ReplayEvent } from './messages.ts'
import type { ReplayedDatabase } from './replayed-database.ts'

type Wish = Extract<ReplayCommand, { readonly kind: 'digest-pages' }>

/** Digests of one copy that may be wanted at the same time: each holds replay up while it is answered. */
const WISHES_MAX = 4

/** Who wants the digests of a copy's pages, and at the end of which log. */
export class PageDigests {
  readonly #copy: number
  readonly #tell: (event: ReplayEvent) => void
  #wishes: Wish[] = []

  constructor(copy: number, tell: (event: ReplayEvent) => void) {
    this.#copy = copy
    this.#tell = tell
  }

  /** Notes a wish; refuses it when there are too many. */
  want(wish: Wish): void {
    this.#wishes.push(wish)
    if (this.#wishes.length <= WISHES_MAX) return
    this.#refuse([wish], { code: 'STATE_REFUSED', message: `${WISHES_MAX} comparisons of this copy wait already` })
  }

  /** The digests are not wanted any more; nothing further is told of them. */
  cancel(request: number): void {
    this.#wishes = this.#wishes.filter((wish) => wish.request !== request)
  }

  /** Whether somebody wants them at the end of this log. */
  isWantedAt(through: Generation): boolean {
    return this.#wishes.some((wish) => wish.through === through)
  }

  /** What is replayed cannot be taken back: digests at the end of an earlier log do not exist any more. */
  refuseBelow(through: Generation): void {
    const late = this.#wishes.filter((wish) => wish.through < through)
    this.#refuse(late, { code: 'STATE_REFUSED', message: `the copy has replayed log ${through} already` })
  }

  /** Nobody gets any. */
  refuseAll(fault: Fault): void {
    this.#refuse(this.#wishes, fault)
  }

  /** Tells the digests to all who want them at the end of this log. What stops it is told by whoever stops it. */
  async answer(
    through: Generation,
    { database, isStopped }: { readonly database: ReplayedDatabase; readonly isStopped: () => boolean },
  ): Promise<void> {
    const asked = this.#wishes.filter((wish) => wish.through === through)
    for await (const digests of database.digests()) {
      if (isStopped() || !this.isWantedAt(through)) return
      this.#tellAll(asked, digests)
      await setImmediate() // other copies have their turn, and a stop is noticed
    }
    this.#tellAll(asked, [])
    this.#wishes = this.#wishes.filter((wish) => !asked.includes(wish))
  }

  #tellAll(asked: readonly Wish[], digests: Extract<ReplayEvent, { kind: 'pages-digested' }>['digests']): void {
    for (const wish of asked)
      if (this.#wishes.includes(wish))
        this.#tell({ kind: 'pages-digested', copy: this.#copy, request: wish.request, digests })
  }

  #refuse(wishes: readonly Wish[], fault: Fault): void {
    this.#wishes = this.#wishes.filter((wish) => !wishes.includes(wish))
    for (const { request } of wishes) this.#tell({ kind: 'digest-refused', copy: this.#copy, request, fault })
  }
}
