/** A change that is refused, with ESE's number. Nothing was written for it. */
export interface Refused {
  readonly kind: 'refused'
  readonly reason: 'write-conflict' | 'duplicate-key' | 'not-found' | 'too-long'
  readonly error: number
}

/** Another transaction has the message. */
export const WRITE_CONFLICT: Refused = { kind: 'refused', reason: 'write-conflict', error: -1102 }
/** There is a message of this number. */
export const DUPLICATE_KEY: Refused = { kind: 'refused', reason: 'duplicate-key', error: -1605 }
/** There is no such message in this mailbox. */
export const NOT_FOUND: Refused = { kind: 'refused', reason: 'not-found', error: -1601 }
/** The message is longer than any may be. */
export const TOO_LONG: Refused = { kind: 'refused', reason: 'too-long', error: -1026 }
