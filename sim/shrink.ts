/** The fewest runs that make a list shorter worth reading; a run takes a few milliseconds. */
const TRIALS_MAX = 600

/**
 * Makes a list of choices calmer while it still fails: cuts the end off, then puts 0, which is calm, in the place of ever
 * smaller blocks. What remains are the choices that the failure needs.
 *
 * @param fails whether a list still fails in the same way
 */
export function shrinkChoices(made: readonly number[], fails: (list: readonly number[]) => boolean): readonly number[] {
  let trials = 0
  const isWorse = (list: readonly number[]): boolean => trials++ < TRIALS_MAX && fails(list)
  let best = cutEnd(made, isWorse)
  for (let block = Math.ceil(best.length / 2); block >= 1 && trials < TRIALS_MAX; block = Math.floor(block / 2))
    best = calmBlocks(best, block, isWorse)
  return withoutCalmEnd(best)
}

/** The choices that are not calm, by their place in the list: what a person reads. */
export function describeChoices(list: readonly number[]): string {
  const loud = list.flatMap((choice, at) => (choice === 0 ? [] : [`${at}:${choice}`]))
  return `${loud.length} of ${list.length} choices are not calm: ${loud.join(' ')}`
}

function cutEnd(list: readonly number[], fails: (list: readonly number[]) => boolean): readonly number[] {
  let shortest = list
  for (let cut = Math.ceil(list.length / 2); cut >= 1; cut = Math.floor(cut / 2)) {
    const shorter = shortest.slice(0, Math.max(0, shortest.length - cut))
    if (fails(shorter)) shortest = shorter
  }
  return shortest
}

function calmBlocks(
  list: readonly number[],
  block: number,
  fails: (list: readonly number[]) => boolean,
): readonly number[] {
  let best = list
  for (let from = 0; from < best.length; from += block) {
    const isCalm = best.slice(from, from + block).every((choice) => choice === 0)
    if (isCalm) continue
    const calmer = best.map((choice, at) => (at >= from && at < from + block ? 0 : choice))
    if (fails(calmer)) best = calmer
  }
  return best
}

function withoutCalmEnd(list: readonly number[]): readonly number[] {
  return list.slice(0, list.findLastIndex((choice) => choice !== 0) + 1)
}
