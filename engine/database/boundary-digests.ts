import { assert } from '../assert.ts'
import type { ChangeWriter } from './change-writer.ts'
import { digestPage, type PageDigest } from './page-digest.ts'
import { lookUpSpace } from './space.ts'
import { untilMade, type Work } from './work.ts'

/**
 * The digests of all pages of a database as they were at one moment, although its pages go on changing: each page is digested
 * before the first operation that comes to it, or when its turn has come, whichever is earlier.
 *
 * A class, since it owns what was digested and not yet taken: 100 bytes for each page that is used before its turn.
 */
export class BoundaryDigests {
  readonly #noted = new Map<number, PageDigest | null>()
  #next = 1
  #lastPage: number | null = null

  /** An operation comes to a page, and has not changed it yet. Null for a page that it makes: there was none at that moment. */
  note(page: number, bytes: Uint8Array | null): void {
    if (page < this.#next || this.#noted.has(page)) return
    this.#noted.set(page, bytes === null ? null : digestPage(page, bytes))
  }

  /**
   * The next digests in ascending order, of `pages` pages at most; null behind the last. It comes to pages as every operation
   * does, so {@link note} is called for each of them.
   */
  *take(writer: ChangeWriter, pages: number): Work<readonly PageDigest[] | null> {
    // Pages that were taken since that moment are among these: of them it is noted that there was none.
    this.#lastPage ??= (yield* lookUpSpace(writer)).lastPage
    if (this.#next > this.#lastPage) return null
    const end = Math.min(this.#next + pages, this.#lastPage + 1)
    const digests: PageDigest[] = []
    for (; this.#next < end; this.#next++) {
      const page = this.#next
      if (!this.#noted.has(page)) yield* untilMade(() => writer.find(page))
      const digest = this.#noted.get(page)
      assert(digest !== undefined, 'who comes to a page notes it')
      this.#noted.delete(page)
      if (digest !== null) digests.push(digest)
    }
    return digests
  }
}
