// Goal: a node that is killed while a copy is seeded leaves a suspended copy with a whole database, and the same command ends well.
// Method: two nodes under load, of which one is ended with SIGKILL when a random share of each seed has come. CCR_SEED_KILL_ROUNDS sets the number of
// rounds, CCR_KILL_SEED the choices; `npm run soak -- --only seeds` does many.
import { describe, expect, it } from 'vitest'
import { runSeedKills } from '../../bench/soak/seed-rounds.ts'

const ROUNDS = Number(process.env['CCR_SEED_KILL_ROUNDS'] ?? 2)
const SEED = Number(process.env['CCR_KILL_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

describe('a seed whose node is killed', () => {
  it(`is done again, and both databases are equal (${ROUNDS} rounds, CCR_KILL_SEED=${SEED})`, {
    timeout: 120_000 + ROUNDS * 60_000,
  }, async () => {
    const { story, met, faults } = await runSeedKills({ rounds: ROUNDS, seed: SEED, tell: () => undefined })

    expect({ faults, story }).toMatchObject({ faults: [] })
    expect({ met, story }).not.toMatchObject({ met: 0 })
  })
})
