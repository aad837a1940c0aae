import { assert } from '../assert.ts'

/** What a message consists of: `messageContent` makes the bytes of it. */
export interface Content {
  /** In bytes. */
  readonly size: number
  /** 32 bits. */
  readonly seed: number
}

/** A message that was acknowledged and that nothing is under way for. */
export interface LiveMessage extends Content {
  readonly id: number
}

/** The acknowledged messages of one mailbox, as far as nothing is under way for them. */
export class MailboxLedger {
  /** The number of the next operation, from 1 on. */
  nextNumber = 1
  readonly #messages: LiveMessage[] = []
  readonly #places = new Map<number, number>()

  /** In no order that matters, but always in the same after the same calls. */
  get messages(): readonly LiveMessage[] {
    return this.#messages
  }

  /** The message, or null where it is not there or something is under way for it. */
  find(id: number): LiveMessage | null {
    const place = this.#places.get(id)
    return place === undefined ? null : (this.#messages[place] ?? null)
  }

  add(message: LiveMessage): void {
    assert(!this.#places.has(message.id), 'a message is in a mailbox once')
    this.#places.set(message.id, this.#messages.length)
    this.#messages.push(message)
  }

  /** Takes a message out that is there. The last one takes its place, so that it costs the same in a full mailbox. */
  take(id: number): LiveMessage {
    const place = this.#places.get(id)
    const last = this.#messages.pop()
    assert(place !== undefined && last !== undefined, 'the message is in the mailbox')
    this.#places.delete(id)
    if (last.id === id) return last
    const taken = this.#messages[place]
    assert(taken !== undefined, 'a place that is kept is one of the list')
    this.#messages[place] = last
    this.#places.set(last.id, place)
    return taken
  }
}
