// Goal: the toy world is no decoration; each bug that somebody plants in the rules or in the store is caught, in every run.
// Method: change the rules by one bug at a time and play seeds until a promise breaks; the sound rules break none in as many.
import { describe, expect, it } from 'vitest'
import { WORLD_KINDS } from '../../sim/fault.ts'
import { ENGINE_RULES } from '../../sim/rules.ts'
import { runSeed } from '../../sim/run-world.ts'
import { PLANTED_BACKUP_BUGS } from './planted-backup-bugs.ts'
import { PLANTED_BUGS } from './planted-bugs.ts'
import { PLANTED_MOVE_BUGS } from './planted-move-bugs.ts'
import { PLANTED_REPLAY_BUGS } from './planted-replay-bugs.ts'
import { PLANTED_RESTORE_BUGS } from './planted-restore-bugs.ts'
import { PLANTED_SEED_BUGS } from './planted-seed-bugs.ts'
import { PLANTED_STANDBY_BUGS } from './planted-standby-bugs.ts'

/** The rarest bug shows in one of 20 seeds (measured over 200), so that 300 miss it once in some 10^6 runs. */
const SEEDS_MAX = 300
/** Another range of seeds for every run of the pipeline. */
const FIRST_SEED = Number(process.env['SIM_SEED'] ?? 1)

describe('a planted bug is caught', () => {
  for (const [name, rules] of Object.entries(PLANTED_BUGS)) {
    it(name, () => {
      let seed = FIRST_SEED
      while (seed < FIRST_SEED + SEEDS_MAX && runSeed(seed, { rules }).violation === null) seed++

      expect(seed).toBeLessThan(FIRST_SEED + SEEDS_MAX)
    })
  }

  for (const [name, rules] of Object.entries(PLANTED_BACKUP_BUGS)) {
    it(`where backups are taken: ${name}`, () => {
      let seed = FIRST_SEED
      while (seed < FIRST_SEED + SEEDS_MAX && runSeed(seed, { rules, kind: 'backups' }).violation === null) seed++

      expect(seed).toBeLessThan(FIRST_SEED + SEEDS_MAX)
    })
  }

  for (const [name, rules] of Object.entries(PLANTED_REPLAY_BUGS)) {
    it(`where copies have databases: ${name}`, () => {
      let seed = FIRST_SEED
      while (seed < FIRST_SEED + SEEDS_MAX && runSeed(seed, { rules, kind: 'databases' }).violation === null) seed++

      expect(seed).toBeLessThan(FIRST_SEED + SEEDS_MAX)
    })
  }

  for (const [name, rules] of Object.entries(PLANTED_STANDBY_BUGS)) {
    it(`where copies are standby targets: ${name}`, () => {
      let seed = FIRST_SEED
      while (seed < FIRST_SEED + SEEDS_MAX && runSeed(seed, { rules, kind: 'standby' }).violation === null) seed++

      expect(seed).toBeLessThan(FIRST_SEED + SEEDS_MAX)
    })
  }

  for (const [name, rules] of Object.entries(PLANTED_RESTORE_BUGS)) {
    it(`where the source is restored: ${name}`, () => {
      let seed = FIRST_SEED
      while (seed < FIRST_SEED + SEEDS_MAX && runSeed(seed, { rules, kind: 'restores' }).violation === null) seed++

      expect(seed).toBeLessThan(FIRST_SEED + SEEDS_MAX)
    })
  }

  for (const [name, rules] of Object.entries(PLANTED_SEED_BUGS)) {
    it(`where copies are seeded: ${name}`, () => {
      let seed = FIRST_SEED
      while (seed < FIRST_SEED + SEEDS_MAX && runSeed(seed, { rules, kind: 'seeds' }).violation === null) seed++

      expect(seed).toBeLessThan(FIRST_SEED + SEEDS_MAX)
    })
  }

  for (const [name, rules] of Object.entries(PLANTED_MOVE_BUGS)) {
    it(`where nodes change their roles: ${name}`, () => {
      let seed = FIRST_SEED
      while (seed < FIRST_SEED + SEEDS_MAX && runSeed(seed, { rules, kind: 'moves' }).violation === null) seed++

      expect(seed).toBeLessThan(FIRST_SEED + SEEDS_MAX)
    })
  }

  it.each(WORLD_KINDS)('and the sound rules are not accused, in worlds of %s', (kind) => {
    const rules = ENGINE_RULES
    const accused = Array.from({ length: 60 }, (_, index) => runSeed(FIRST_SEED + index, { rules, kind }))

    expect(accused.filter(({ violation }) => violation !== null)).toEqual([])
  })
})
