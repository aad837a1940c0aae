// Goal: SIGKILL at any moment, on either side or both, loses no acknowledged log and lets no unfinished one in.
// Method: the built programs under a steady stream of logs and backup marks, killed at random moments; after each kill an auditor
// that reads files only. CCR_KILL_ROUNDS sets the number of rounds, CCR_KILL_SEED the choices.
import { describe, expect, it } from 'vitest'
import { runKillRounds } from '../../bench/soak/kill-rounds.ts'

const ROUNDS = Number(process.env['CCR_KILL_ROUNDS'] ?? 50)
const SEED = Number(process.env['CCR_KILL_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
/** Pairs that are killed side by side: most of a round is the start of a process, which keeps less than one core busy. */
const PAIRS = 3

describe('source and copy', () => {
  it(`survive ${ROUNDS} kills at random moments (CCR_KILL_SEED=${SEED})`, {
    timeout: 60_000 + ROUNDS * 10_000,
  }, async () => {
    const rounds = Math.ceil(ROUNDS / PAIRS)
    const tell = (text: string): void => console.log(text)

    const outcomes = await Promise.all(
      Array.from({ length: PAIRS }, (_, index) => runKillRounds({ rounds, seed: SEED + index, tell })),
    )

    expect(outcomes.flatMap((outcome) => outcome.faults)).toEqual([])
    for (const outcome of outcomes) {
      expect(outcome.acknowledged).toBe(outcome.logs)
      // A run in which nothing was ever truncated would prove nothing about truncation.
      expect(outcome.truncated).toBeGreaterThan(0)
    }
  })
})
