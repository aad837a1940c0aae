import { type LogBytes, openLogBytes } from './log-bytes.ts'
import { openPage, PAGE_BYTES } from './page.ts'
import { checkPage } from './page-check.ts'
import { correctPage, verifyPage } from './page-seal.ts'
import { holdsRemains } from './page-zeroing.ts'

/** What a look at a page that lies in a file shows. */
export type PageLook =
  | { readonly page: number; readonly kind: 'clean' }
  /** Never written: all zero. */
  | { readonly page: number; readonly kind: 'empty' }
  /** Sound, and it holds what it does not use any more. */
  | { readonly page: number; readonly kind: 'remains' }
  | {
      readonly page: number
      readonly kind: 'correctable'
      /** The turned bits, ascending, counted from bit 0 of the page's first byte. */
      readonly bits: readonly number[]
      /** The page with these bits turned back, in memory of its own. */
      readonly sound: Uint8Array
    }
  | { readonly page: number; readonly kind: 'bad'; readonly detail: string }

/**
 * Looks at pages that were read from a database.
 *
 * @param first the number of the first of them
 * @param bytes whole pages, on a multiple of 16 in their memory; read only
 */
export function lookAtPages(first: number, bytes: Uint8Array): PageLook[] {
  const pages = openLogBytes(bytes)
  return Array.from({ length: bytes.byteLength / PAGE_BYTES }, (_, index) => lookAt(pages, index, first + index))
}

function lookAt(pages: LogBytes, index: number, page: number): PageLook {
  const lo = index * PAGE_BYTES
  const verdict = verifyPage(pages, lo, { bytes: PAGE_BYTES, number: page })
  switch (verdict.verdict) {
    case 'empty':
      return { page, kind: 'empty' }
    case 'bad':
      return { page, kind: 'bad', detail: verdict.detail }
    case 'correctable': {
      const sound = openLogBytes(pages.bytes.slice(lo, lo + PAGE_BYTES))
      correctPage(sound, 0, verdict.bits)
      return { page, kind: 'correctable', bits: verdict.bits, sound: sound.bytes }
    }
    case 'sound': {
      const own = openPage(pages.bytes.subarray(lo, lo + PAGE_BYTES))
      return { page, kind: checkPage(own) === null && holdsRemains(own) ? 'remains' : 'clean' }
    }
  }
}
