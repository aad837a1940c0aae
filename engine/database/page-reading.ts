import { type LogBytes, openLogBytes } from './log-bytes.ts'
import { PAGE_BYTES } from './page.ts'
import { correctPage, verifyPage } from './page-seal.ts'

/** What came of a page that was read from the file: its bytes, and which bits were turned back in them; or why it is bad. */
export type PageReading =
  | { readonly reading: 'sound'; readonly bytes: Uint8Array; readonly corrected: readonly number[] }
  | { readonly reading: 'bad'; readonly detail: string }

const NO_BITS: readonly number[] = []

/**
 * Verifies a page that was read. One that was never written is all zero, and taken as it is: what is done with it shows whether
 * it may be.
 *
 * @param bytes one page; a bit may be turned back in it
 */
export function readPage(number: number, bytes: Uint8Array): PageReading {
  const page: LogBytes = openLogBytes(bytes)
  const verdict = verifyPage(page, 0, { bytes: PAGE_BYTES, number })
  if (verdict.verdict === 'bad') return { reading: 'bad', detail: `page ${number}: ${verdict.detail}` }
  const corrected = verdict.verdict === 'correctable' ? verdict.bits : NO_BITS
  correctPage(page, 0, corrected)
  return { reading: 'sound', bytes: page.bytes, corrected }
}
