/**
 * The only source of free decisions in the toy world: what a run does not decide by rules, it asks here. Two runs that get the
 * same answers are the same run, to the last event.
 */
export interface Choices {
  /** A whole number in `[0, bound)`; `bound` is at least 1. 0 is calm: no fault, the shortest delay. */
  below(bound: number): number
}

/** Thousandths: the unit of all probabilities here, so that no run depends on how a machine rounds. */
export const PER_MILLE = 1000

/**
 * Random choices from a seed: Bob Jenkins' small fast counting generator (sfc32), integers only, so that every machine draws
 * the same. Good for swarm and soak.
 *
 * @param seed any number in `[0, 2^32)`; what is above is cut off
 */
export function seededChoices(seed: number): Choices {
  let a = seed >>> 0
  let b = (seed ^ 0x9e3779b9) >>> 0
  let c = 0x243f6a88
  let counter = 1
  const draw = (): number => {
    const sum = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = ((c << 21) | (c >>> 11)) + sum
    return sum >>> 0
  }
  // Twelve rounds spread neighbouring seeds apart; before that seeds 1 and 2 would begin alike.
  for (let round = 0; round < 12; round++) draw()
  // The bias of the remainder is below 2^-22 for bounds up to 1,000.
  return { below: (bound) => draw() % bound }
}

/**
 * Choices from a list, then calm for ever: a property test shrinks the list, and with it the schedule. Numbers outside a
 * bound are folded into it.
 */
export function listedChoices(list: readonly number[]): Choices {
  let next = 0
  return { below: (bound) => (list[next++] ?? 0) % bound }
}

/** Choices that are written down as they are made, so that a seeded run can be replayed and shrunk as a list. */
export interface RecordedChoices extends Choices {
  /** What was answered so far, in order. */
  readonly made: readonly number[]
}

/** Passes choices on and writes them down. */
export function recordedChoices(choices: Choices): RecordedChoices {
  const made: number[] = []
  return {
    made,
    below: (bound) => {
      const choice = choices.below(bound)
      made.push(choice)
      return choice
    },
  }
}

/** Walks every combination of choices, one run after the other. */
export interface EveryChoice extends Choices {
  /** Turns to the next combination; false when all were seen. Call it after each run. */
  advance(): boolean
  /** How many combinations were begun, the present one included. */
  readonly runs: number
}

/**
 * An odometer over all choices of a small world, depth first: the last choice turns fastest. A bound above `branchesMax` is
 * a probability rather than a set of ways, so only its two ends are walked: 0, and `bound - 1` (the fault strikes).
 */
export function everyChoice(branchesMax = 4): EveryChoice {
  const digits: { value: number; readonly ways: number }[] = []
  let at = 0
  let runs = 1
  return {
    get runs() {
      return runs
    },
    below: (bound) => {
      if (bound === 1) return 0
      const isProbability = bound > branchesMax
      if (at === digits.length) digits.push({ value: 0, ways: isProbability ? 2 : bound })
      const value = digits[at++]?.value ?? 0
      return isProbability && value === 1 ? bound - 1 : value
    },
    advance: () => {
      at = 0
      for (let digit = digits.pop(); digit !== undefined; digit = digits.pop()) {
        if (digit.value + 1 === digit.ways) continue
        digits.push({ value: digit.value + 1, ways: digit.ways })
        runs++
        return true
      }
      return false
    },
  }
}
