import type { PageDigest } from '../engine/database/page-digest.ts'
import { ReplicationError } from '../engine/error.ts'
import type { Fault } from '../engine/fact.ts'
import type { Generation } from '../engine/generation.ts'
import type { ReplayEvent } from '../workers/messages.ts'
import type { Replayer } from './replay-work.ts'

type DigestEvent = Extract<ReplayEvent, { readonly kind: 'pages-digested' | 'digest-refused' }>

/** What came of one request and was not taken yet. */
interface Incoming {
  readonly events: DigestEvent[]
  wake: () => void
}

/** Asks the replayer of a copy for the digests of its pages. */
export class PageDigestRequests {
  readonly #copy: number
  readonly #replayer: Replayer
  readonly #incoming = new Map<number, Incoming>()
  #last = 0

  constructor(copy: number, replayer: Replayer) {
    this.#copy = copy
    this.#replayer = replayer
  }

  /**
   * The digests of all pages at the end of this log, ascending, in pieces; replay is held up meanwhile. Waits until the copy has
   * come there. Errors: `STATE_REFUSED` when the copy is beyond it, or its replay stops; the signal's reason.
   */
  async *ask(through: Generation, signal: AbortSignal): AsyncGenerator<readonly PageDigest[]> {
    const request = ++this.#last
    const incoming: Incoming = { events: [], wake: () => {} }
    const wake = (): void => incoming.wake()
    this.#incoming.set(request, incoming)
    signal.addEventListener('abort', wake)
    try {
      if (!this.#replayer.post({ kind: 'digest-pages', copy: this.#copy, request, through })) throw refused(NOT_RUNNING)
      for (;;) {
        const event = await next(incoming, signal)
        if (event.kind === 'digest-refused') throw refused(event.fault)
        if (event.digests.length === 0) return
        yield event.digests
      }
    } finally {
      signal.removeEventListener('abort', wake)
      this.#incoming.delete(request)
      this.#replayer.post({ kind: 'cancel-digest', copy: this.#copy, request })
    }
  }

  /** What the replayer tells of a request; one that is not wanted any more is passed over. */
  take(event: DigestEvent): void {
    const incoming = this.#incoming.get(event.request)
    incoming?.events.push(event)
    incoming?.wake()
  }

  /** The replayer is gone with every request. */
  lost(fault: Fault): void {
    for (const request of this.#incoming.keys()) this.take({ kind: 'digest-refused', copy: this.#copy, request, fault })
  }
}

const NOT_RUNNING: Fault = { code: 'STATE_REFUSED', message: 'nothing is replayed into this copy now' }

async function next(incoming: Incoming, signal: AbortSignal): Promise<DigestEvent> {
  for (;;) {
    signal.throwIfAborted()
    const event = incoming.events.shift()
    if (event !== undefined) return event
    await new Promise<void>((resolve) => {
      incoming.wake = resolve
    })
  }
}

function refused({ code, message }: Fault): ReplicationError {
  return new ReplicationError({
    code,
    message: `the pages of the copy cannot be compared: ${message}`,
    hint: 'Compare again; look at "ccr status" and "ccr events" when it fails again.',
  })
}
