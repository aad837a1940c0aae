// Goal: a mailbox store that is killed at any boundary keeps what it said, and a new process takes it over and goes on at once.
// Method: real processes that carry out scripted orders, stand still at a failpoint and are killed; an auditor that reads files only.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  auditGoingOn,
  auditMailboxStore,
  killVictim,
  runStoreVictim,
  VICTIM_STOPS,
} from '../../bench/soak/store-cut.ts'
import { DATABASE_SCRIPT, LOG_SCRIPT } from '../../bench/soak/store-script.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import { lockStore } from '../../storage/store-lock.ts'

describe('a mailbox store', () => {
  let directory: string

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'ccr-store-kill-'))
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  it.each(VICTIM_STOPS)('killed at $failpoint keeps its promises and goes on', async ({ failpoint, count }) => {
    const root = join(directory, failpoint)

    const victim = await runStoreVictim({ root, failpoint, count })
    await killVictim(victim)

    expect(victim.stopped).toBe('reached')
    expect(await auditMailboxStore(root, victim)).toEqual([])
    expect(await auditGoingOn(root, victim)).toEqual([])
  })

  it('is refused to a second process while the first one lives', async () => {
    const root = join(directory, 'locked')
    const victim = await runStoreVictim({ root, failpoint: 'write-log.after' })

    const refusal = await lockStore({
      root,
      files: nodeFileOperations({ shortCalls: 'inline' }),
      onLost: () => undefined,
    }).catch((error: unknown) => error)

    await killVictim(victim)
    expect(refusal).toMatchObject({
      code: 'STORE_LOCKED',
      message: expect.stringContaining(`process ${victim.child.pid}`),
    })
  })

  it('that was not stopped has carried out everything', async () => {
    const root = join(directory, 'whole')

    const victim = await runStoreVictim({ root })
    await killVictim(victim)

    expect(victim).toMatchObject({ stopped: 'done', log: LOG_SCRIPT.length, database: DATABASE_SCRIPT.length })
    expect(await auditMailboxStore(root, victim)).toEqual([])
  })
})
