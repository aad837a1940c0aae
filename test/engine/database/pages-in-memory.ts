import type { LogPosition } from '../../../engine/database/log-position.ts'
import { openPage, type Page } from '../../../engine/database/page.ts'
import type { PagePool } from '../../../engine/database/page-pool.ts'

/** A pool over pages that lie in this map as they would on a disk; a page that was never touched is made of zeros when it is read. */
export class PagesInMemory implements PagePool {
  readonly pages = new Map<number, Page>()
  /** Each call of `changed`, in order. */
  readonly changes: { readonly page: number; readonly position: LogPosition }[] = []
  readonly #pageBytes: number

  constructor(pageBytes: number, pages: readonly number[] = []) {
    this.#pageBytes = pageBytes
    for (const page of pages) this.read(page)
  }

  /** What the owner of a pool does when a page is needed. */
  read(number: number): Page {
    const page = this.pages.get(number) ?? openPage(new Uint8Array(this.#pageBytes))
    this.pages.set(number, page)
    return page
  }

  find(number: number): Page | null {
    return this.pages.get(number) ?? null
  }

  make(number: number): Page | null {
    return this.read(number)
  }

  changed(page: number, position: LogPosition): void {
    this.changes.push({ page, position })
  }
}
