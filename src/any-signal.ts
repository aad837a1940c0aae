/**
 * A signal that fires with the first of several, for as long as the process lives. `AbortSignal.any` of Node 20 keeps what it
 * made from an `AbortSignal.timeout` only weakly: after a garbage collection it never fires (measured on 20.20).
 */
export function anySignal(signals: readonly AbortSignal[]): AbortSignal {
  const first = new AbortController()
  for (const signal of signals) {
    if (signal.aborted) first.abort(signal.reason)
    else signal.addEventListener('abort', () => first.abort(signal.reason), { once: true })
  }
  return first.signal
}
