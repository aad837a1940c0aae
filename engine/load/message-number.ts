import { assert } from '../assert.ts'

/** The most mailboxes of one load, and the stride of names: with 1,000 messages each, a ledger of them fills half a GB of memory. */
export const MAILBOXES_MAX = 4096
/** The largest seed: 16 bits, which with numbers and mailboxes fill the 53 bits of a name. */
export const LOAD_SEED_MAX = 0xffff
/** Numbers that one mailbox has for one seed: at one operation each second they last for a year. */
export const NUMBERS_MAX: number = 2 ** 25

const NAMES_PER_SEED = NUMBERS_MAX * MAILBOXES_MAX

/** Which message of which load a name stands for. */
export interface NumberedMessage {
  /** The seed of the load, 0 to {@link LOAD_SEED_MAX}. */
  readonly seed: number
  /** 1 to {@link MAILBOXES_MAX}. */
  readonly mailbox: number
  /** Counts the operations of this mailbox, from 1 on. */
  readonly number: number
}

/**
 * The name (`id`) of a message, a whole number below 2^53: no two loads of different seeds, no two mailboxes and no two
 * operations share one, and those of a seed lie together.
 */
export function messageId({ seed, mailbox, number }: NumberedMessage): number {
  assert(seed >= 0 && seed <= LOAD_SEED_MAX, 'a seed of a load has 16 bits')
  assert(mailbox >= 1 && mailbox <= MAILBOXES_MAX, 'a load has a bounded number of mailboxes')
  assert(number >= 1 && number < NUMBERS_MAX, 'a mailbox has a bounded number of operations')
  return seed * NAMES_PER_SEED + number * MAILBOXES_MAX + mailbox - 1
}

/** What a name stands for; `mailbox` is the one it was made for. */
export function numberedMessage(id: number): NumberedMessage {
  const inSeed = id % NAMES_PER_SEED
  return {
    seed: Math.floor(id / NAMES_PER_SEED),
    mailbox: (inSeed % MAILBOXES_MAX) + 1,
    number: Math.floor(inSeed / MAILBOXES_MAX),
  }
}

/** The names of a seed, `[lo, hi)`. */
export function namesOf(seed: number): { readonly lo: number; readonly hi: number } {
  return { lo: seed * NAMES_PER_SEED, hi: (seed + 1) * NAMES_PER_SEED }
}
