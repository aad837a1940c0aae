// Goal: whatever is killed while a backup runs, no log goes that neither a set nor the passive has, no session stays, and what the sets
// and the logs that are left come to has every acknowledged message.
// Method: two nodes and a load as processes; SIGKILL of one node, or of the command, at a random moment of a backup of random kind; a rule
// that knows manifests and headers only judges the disks. CCR_BACKUP_KILL_ROUNDS sets the number of rounds, CCR_KILL_SEED the choices.
import { describe, expect, it } from 'vitest'
import { faultsOfTruncation, runBackupKills } from '../../bench/soak/backup-rounds.ts'

/** Five to six seconds each where nobody else is at work. */
const ROUNDS = Number(process.env['CCR_BACKUP_KILL_ROUNDS'] ?? 5)
const SEED = Number(process.env['CCR_KILL_SEED'] ?? Math.floor(Math.random() * 2 ** 31))

describe('a cluster whose backups are killed', () => {
  it(`loses nothing, and is restored with all that was acknowledged (${ROUNDS} rounds, CCR_KILL_SEED=${SEED})`, {
    timeout: 120_000 + ROUNDS * 20_000,
  }, async () => {
    const outcome = await runBackupKills({ rounds: ROUNDS, seed: SEED, tell: () => undefined })

    expect(outcome).toMatchObject({ faults: [] })
    expect(outcome.messages).toBeGreaterThan(100)
    expect(outcome.truncated).toBeGreaterThan(0)
  })
})

describe('the rule that judges the disks', () => {
  const sound = { logs: [5, 6, 7], backedUpThrough: 4, required: { active: 6, passive: 5 } }

  it('lets go what sets have and no database needs', () => {
    expect(faultsOfTruncation(sound)).toEqual([])
    expect(faultsOfTruncation({ ...sound, required: { active: null, passive: null } })).toEqual([])
  })

  it.each([
    ['a log in no set', { ...sound, backedUpThrough: 3 }, 'the sets end with 3'],
    ['a log that the active needs', { ...sound, required: { active: 4, passive: 5 } }, 'the active needs 4'],
    ['a log that the passive needs', { ...sound, required: { active: 6, passive: 2 } }, 'the passive needs 2'],
    ['a log between two others', { ...sound, logs: [5, 7] }, 'a gap in 5 7'],
  ])('misses %s', (_, disks, fault) => {
    expect(faultsOfTruncation(disks)).toEqual([expect.stringContaining(fault)])
  })
})
