import { type ErrorDocument, ReplicationError } from '../engine/error.ts'
import type { SurrogateAnswer, SurrogateAsk } from '../transport/surrogate-backup.ts'

interface Waiting {
  readonly resolve: (answer: SurrogateAnswer) => void
  readonly reject: (error: ReplicationError) => void
}

/** Questions that may wait for the main thread at a time: each share has one backup, and somebody may knock wrongly. */
const QUESTIONS_MAX = 64

/** What the nodes of copies ask about backups, on its way through the share worker to the main thread and back. */
export class BackupQuestions {
  readonly #put: (question: { readonly share: string; readonly request: number; readonly ask: SurrogateAsk }) => void
  readonly #waiting = new Map<number, Waiting>()
  #last = 0

  constructor(
    put: (question: { readonly share: string; readonly request: number; readonly ask: SurrogateAsk }) => void,
  ) {
    this.#put = put
  }

  /** Errors: `STORE_BUSY`, and whatever the main thread refuses with. */
  ask(share: string, ask: SurrogateAsk): Promise<SurrogateAnswer> {
    if (this.#waiting.size >= QUESTIONS_MAX) return Promise.reject(tooMany())
    this.#last += 1
    const request = this.#last
    return new Promise((resolve, reject) => {
      this.#waiting.set(request, { resolve, reject })
      this.#put({ share, request, ask })
    })
  }

  answered(request: number, answer: SurrogateAnswer): void {
    this.#take(request)?.resolve(answer)
  }

  refused(request: number, error: ErrorDocument): void {
    this.#take(request)?.reject(ReplicationError.fromJSON(error))
  }

  #take(request: number): Waiting | undefined {
    const waiting = this.#waiting.get(request)
    this.#waiting.delete(request)
    return waiting
  }
}

function tooMany(): ReplicationError {
  return new ReplicationError({
    code: 'STORE_BUSY',
    message: `${QUESTIONS_MAX} requests about backups wait already`,
    hint: 'Ask again later.',
  })
}
