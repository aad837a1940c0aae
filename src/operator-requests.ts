import { ReplicationError } from '../engine/error.ts'
import type { AnswerOrder } from '../engine/order.ts'

/** An operator's requests that were put to an instance as facts and wait for its `answer-operator`. */
export class OperatorRequests {
  readonly #waiting = new Map<number, Waiting>()
  #lastId = 0

  /**
   * Puts a request. `put` gets the number that its answer will carry.
   *
   * @returns the remark that came with the answer, `''` for none. Rejects with the refusal.
   */
  put(put: (requestId: number) => void): Promise<string> {
    if (this.#waiting.size >= REQUESTS_MAX) return Promise.reject(tooMany())
    this.#lastId += 1
    const requestId = this.#lastId
    return new Promise((resolve, reject) => {
      this.#waiting.set(requestId, { resolve, reject })
      put(requestId)
    })
  }

  /** Gives the instance's answer to the one who asked. An answer to a request that was failed before is dropped. */
  answer(order: AnswerOrder): void {
    const waiting = this.#waiting.get(order.requestId)
    this.#waiting.delete(order.requestId)
    if (order.refusal === null) {
      waiting?.resolve(order.remark)
      return
    }
    const { eseError, ...parts } = order.refusal
    waiting?.reject(new ReplicationError({ ...parts, ...(eseError === undefined ? {} : { fields: { eseError } }) }))
  }

  /** Refuses all that wait: the instance cannot make anything durable, or it is going away. */
  failAll(error: ReplicationError): void {
    const all = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const waiting of all) waiting.reject(error)
  }
}

interface Waiting {
  readonly resolve: (remark: string) => void
  readonly reject: (error: ReplicationError) => void
}

/** Requests that may wait for one instance. Operators ask by hand; more than this is a script gone wild. */
const REQUESTS_MAX = 64

function tooMany(): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `${REQUESTS_MAX} requests already wait for this storage group`,
    hint: 'Wait until the earlier ones are answered; see the event log if they never are.',
  })
}
