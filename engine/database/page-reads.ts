import type { PageCache } from './page-cache.ts'
import { readPage } from './page-reading.ts'
import type { PageImage } from './store-order.ts'

/** A page in which bits were turned back when it was read. */
export interface CorrectedPage {
  readonly page: number
  /** Ascending, counted from bit 0 of the page's first byte. */
  readonly bits: readonly number[]
}

/** So many are remembered until somebody asks: a disk that turns more bits is told of by the pages that are bad. */
const CORRECTED_MAX = 1000

/**
 * The pages that operations of a store need and the file has: which of them are being read, and what came of it. A page in which a bit
 * was turned back is written to the file again.
 *
 * A class, since it follows reads that are under way.
 */
export class PageReads {
  readonly #cache: PageCache
  readonly #underWay = new Set<number>()
  readonly #bad = new Map<number, string>()
  #corrected: CorrectedPage[] = []

  constructor(cache: PageCache) {
    this.#cache = cache
  }

  /** Pages that were found bad, and why. */
  get bad(): ReadonlyMap<number, string> {
    return this.#bad
  }

  /** A page is needed: true when it has to be read, false while that is under way. */
  need(number: number): boolean {
    const isNew = !this.#underWay.has(number)
    this.#underWay.add(number)
    return isNew
  }

  /** These pages are about to be written: what is being read of them may be neither as it was nor as it will be. */
  written(pages: readonly PageImage[]): void {
    for (const { number } of pages) this.#underWay.delete(number)
  }

  /**
   * Takes in a page, unless it was written meanwhile or there is no room: then who needs it asks again.
   *
   * @returns whether a bit was turned back in it, so that it is to be written again
   */
  arrived(number: number, bytes: Uint8Array): boolean {
    if (!this.#underWay.delete(number)) return false
    const page = readPage(number, bytes)
    if (page.reading === 'bad') {
      this.#bad.set(number, page.detail)
      return false
    }
    const isIn = this.#cache.admit(number, page.bytes)
    if (!isIn || page.corrected.length === 0) return false
    if (this.#corrected.length < CORRECTED_MAX) this.#corrected.push({ page: number, bits: page.corrected })
    return this.#cache.rewrite(number)
  }

  /** The pages that were corrected since the last call. */
  takeCorrected(): readonly CorrectedPage[] {
    const corrected = this.#corrected
    this.#corrected = []
    return corrected
  }
}
