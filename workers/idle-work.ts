import type { Work } from '../engine/database/work.ts'

/**
 * Work on a store that nobody waits for: it is done piece by piece while no session works. A piece is short, some pages of work, since
 * whoever comes waits for it; between two pieces whatever came meanwhile is served.
 */
export interface IdleWork {
  /** What it is called in messages. */
  readonly name: string
  /** The next piece; null when there is none now. Asked when the store falls idle, and about once a second. */
  readonly next: () => Work<void> | null
  /** Whether it cannot wait until the store falls idle, since what waits grows without bound: its pieces take turns with the sessions. */
  readonly isUrgent: () => boolean
}
