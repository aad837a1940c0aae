/** Decides everything that is left to chance in a turn of a load. */
export interface Draw {
  /** A whole number from 0 to below `bound`. */
  readonly below: (bound: number) => number
}

/** 2³² ÷ the golden ratio, made odd: keeps neighbouring numbers apart. */
const SPREAD = 0x9e3779b1

/**
 * The chance of one turn: the same numbers lead to the same draws, whatever was drawn before, so that a load that is continued
 * needs no state of a generator.
 */
export function drawOf(...numbers: readonly number[]): Draw {
  let state = numbers.reduce((hash, number) => mixed(hash ^ Math.imul(number + 1, SPREAD)), SPREAD)
  return {
    below: (bound) => {
      state = (state + SPREAD) | 0
      // The upper bits of a product of 53: no bound up to 2^21 is favoured by more than one in a thousand.
      return Math.floor(((mixed(state) >>> 0) / 2 ** 32) * bound)
    },
  }
}

/** The seed of the content that an operation writes: another one for each number of a mailbox, 32 bits. */
export function contentSeed(seed: number, mailbox: number, number: number): number {
  // Both steps lead different numbers to different ones, so two operations of a mailbox never write the same.
  return mixed(number ^ mixed(Math.imul(seed + 1, SPREAD) ^ mailbox)) >>> 0
}

/** The finalizer of MurmurHash3, which leads each number of 32 bits to another one. Source: Appleby, MurmurHash3, 2011. */
function mixed(word: number): number {
  let hash = word ^ (word >>> 16)
  hash = Math.imul(hash, 0x85ebca6b)
  hash ^= hash >>> 13
  hash = Math.imul(hash, 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
