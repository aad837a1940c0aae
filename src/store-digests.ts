import type { PageDigest } from '../engine/database/page-digest.ts'
import type { Generation } from '../engine/generation.ts'
import type { StoreInstance } from './store-instance.ts'

/**
 * The digests of all pages of a store at the end of this log, in pieces; the store closes it for that and goes on working. Errors:
 * `STATE_REFUSED`, `PAGE_REJECTED`, `STORE_UNAVAILABLE`, the signal's reason.
 */
export async function* digestsOfStore(
  store: StoreInstance,
  through: Generation,
  signal: AbortSignal,
): AsyncGenerator<readonly PageDigest[]> {
  await store.ask({ ask: 'begin-digest', through })
  try {
    for (;;) {
      signal.throwIfAborted()
      const digests = await store.ask({ ask: 'next-digests' })
      if (digests === null) return
      yield digests
    }
  } finally {
    // A store that has ended has forgotten it by itself.
    await store.ask({ ask: 'end-digest' }).catch(() => undefined)
  }
}
