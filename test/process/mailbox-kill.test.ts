// Goal: a mailbox store that is killed under load, wherever it stands, has what it acknowledged, and nothing by half.
// Method: processes that run the whole store with clients that each know what they were told; killed at a boundary, or at a moment of chance.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { auditKilledStore, killMailboxStore, MAILBOX_STOPS } from '../../bench/soak/mailbox-kill.ts'
import { STORE_FAILPOINTS } from '../../storage/store-failpoint.ts'

/** Lives of one store, each of which begins with the recovery of the one before. */
const LIVES = 4
/** Acknowledgements that a life comes to, at most, before it is killed. */
const ACKNOWLEDGEMENTS_MAX = 300

describe('a mailbox store under load', () => {
  let directory: string

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'ccr-mailbox-kill-'))
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  it.each(MAILBOX_STOPS)('killed at $failpoint has all that it acknowledged, and nothing by half', async (stop) => {
    const root = join(directory, stop.failpoint)

    const victim = await killMailboxStore({ root, ...stop })

    expect(victim.stopped).toBe('reached')
    expect((await auditKilledStore(root, victim, stop.circularLogging)).faults).toEqual([])
  })

  it(`killed ${LIVES} times, also while it recovers, goes on each time where it was`, async () => {
    const root = join(directory, 'lives')
    let rounds: readonly number[] | undefined
    for (let life = 0; life < LIVES; life++) {
      const acknowledgements = 1 + Math.floor(Math.random() * ACKNOWLEDGEMENTS_MAX)
      const failpoint = STORE_FAILPOINTS[Math.floor(Math.random() * STORE_FAILPOINTS.length)] ?? ''
      const told = `${failpoint} or ${acknowledgements} acknowledgements`

      const killed = await killMailboxStore({ root, acknowledgements, ...(rounds && { rounds }) })
      // The next process finds a dirty store, and comes to some boundary of its recovery and its stop, or to none.
      const recovering = await killMailboxStore({ root, failpoint, works: false })
      const audit = await auditKilledStore(root, killed)

      expect(killed.stopped, told).toBe('enough')
      expect(recovering.stopped, told).toMatch(/^(reached|done)$/)
      expect(audit.faults, told).toEqual([])
      rounds = audit.rounds
    }
  })
})
