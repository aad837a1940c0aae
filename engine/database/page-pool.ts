import type { LogPosition } from './log-position.ts'
import type { Page } from './page.ts'

/**
 * The pages of one database that are in memory, as those see them who change pages. A page that was found stays where it is
 * until the operation has ended.
 */
export interface PagePool {
  /** The page with this number, or null: it must be read first. */
  find(number: number): Page | null
  /**
   * A page that is about to be made new, whatever lies on disk under its number; its bytes are whatever they are. Null when
   * no memory is free for it: pages must be written first.
   */
  make(number: number): Page | null
  /** The page was changed by the record at `position`. Called once for each page that a record changed. */
  changed(number: number, position: LogPosition): void
}
