/** One figure over several runs. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

/** The value below which `per` percent of the sorted values lie: nearest rank. NaN for no values. */
export function percentile(values: readonly number[], per: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  const rank = Math.ceil((sorted.length * per) / 100)
  return sorted[Math.max(0, rank - 1)] ?? Number.NaN
}

/** Median (the mean of the two middle ones for an even count), least and most. NaN for no values. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  const high = sorted[Math.floor(middle)] ?? Number.NaN
  const low = sorted[Math.ceil(middle) - 1] ?? Number.NaN
  return { median: (low + high) / 2, min: sorted[0] ?? Number.NaN, max: sorted[sorted.length - 1] ?? Number.NaN }
}

/**
 * Ratios of two contenders round by round: what they share in a round (the machine's mood) cancels. Rounds that only one of
 * them has are left out.
 */
export function ratiosByRound(ours: readonly number[], peers: readonly number[]): number[] {
  return ours.slice(0, peers.length).map((value, round) => value / (peers[round] ?? Number.NaN))
}
