import type { PageCache } from './page-cache.ts'

/** Below a fourth of free memory pages are written although the checkpoint does not need it. */
const SCARCE_PART = 4
/** Below an eighth, but at least this many pages, the waypoint is pushed on by rolls. Twelve: a split of a root and the way to it. */
const PRESSED_PART = 8
const PRESSED_PAGES_MIN = 12

/** Whether pages are to be written for the sake of memory. */
export function isMemoryScarce({ freeable, capacity }: Pick<PageCache, 'freeable' | 'capacity'>): boolean {
  return freeable < capacity / SCARCE_PART
}

/** Whether memory is so full of changes that those which wait for the waypoint are helped on. */
export function isMemoryPressed({ freeable, capacity }: Pick<PageCache, 'freeable' | 'capacity'>): boolean {
  return freeable < Math.max(PRESSED_PAGES_MIN, capacity / PRESSED_PART)
}
