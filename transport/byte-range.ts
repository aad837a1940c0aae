/** Bytes `[lo, hi)` of a log, or the word that no byte of it was asked for in a way we can serve. */
export type ByteRange = { readonly lo: number; readonly hi: number } | 'unsatisfiable'

/**
 * Reads a `Range` header for a body of `sizeBytes`. Null means that the whole body is to be sent: the header is absent, or
 * in another unit than bytes, which RFC 9110 says to ignore. Several ranges, and what is not of the grammar, are answered as
 * unsatisfiable: nobody who resumes a log needs them, and many small ranges are an old way to exhaust a server.
 */
export function parseByteRange(header: string | undefined, sizeBytes: number): ByteRange | null {
  if (header === undefined || !/^bytes\s*=/i.test(header)) return null
  const parts = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(header)
  const [, from = '', to = ''] = parts ?? []
  if (parts === null || (from === '' && to === '')) return 'unsatisfiable'
  if (from === '') return lastBytes(Number(to), sizeBytes)
  const lo = Number(from)
  const hi = to === '' ? sizeBytes : Math.min(Number(to) + 1, sizeBytes)
  return lo < hi ? { lo, hi } : 'unsatisfiable'
}

/** `bytes=-500`: the last 500. */
function lastBytes(count: number, sizeBytes: number): ByteRange {
  return count > 0 && sizeBytes > 0 ? { lo: Math.max(0, sizeBytes - count), hi: sizeBytes } : 'unsatisfiable'
}
