// Goal: whatever moment the power fails at, each page of a store's database is old, new, or torn with a whole image of it that recovery puts back.
// Method: as for its logs: the power is cut at every call with every kind of loss, and the script itself says what was promised.
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { judgeDatabase, type StoreContents } from '../../bench/soak/store-oracle.ts'
import { CREATE, DATABASE_SCRIPT, databaseHeader } from '../../bench/soak/store-script.ts'
import { readDatabaseHeader } from '../../engine/database/database-header-copies.ts'
import type { DatabaseOrder } from '../../engine/database/store-order.ts'
import { CrashDisk } from './crash-disk.ts'
import { operationsOver } from './crash-disk-operations.ts'
import { FATES, POLICIES, type Variant } from './power-cuts.ts'
import { StoreRig, storeOn } from './store-rig.ts'

interface DatabaseRun {
  readonly disk: CrashDisk
  readonly steps: number
  readonly ended: number
}

async function playDatabase(
  disk: CrashDisk,
  script: readonly DatabaseOrder[],
  plan: { readonly crashAt?: number; readonly variant?: Variant } = {},
): Promise<DatabaseRun> {
  const model = operationsOver(disk, plan.crashAt === undefined ? {} : { crashAt: plan.crashAt })
  let ended = 0
  const rig = await StoreRig.open(plan.variant?.(model) ?? model).catch(() => null)
  while (rig !== null && ended < script.length && (await rig.database(script[ended] ?? CREATE))) ended++
  await rig?.store.close().catch(() => undefined) // a dead process cannot close its files either
  return { disk, steps: model.steps(), ended }
}

/** As {@link searchLogs}. */
async function searchDatabase(variant: Variant = (files) => files): Promise<string | null> {
  const { steps } = await playDatabase(new CrashDisk(), DATABASE_SCRIPT, { variant })
  for (let crashAt = 1; crashAt <= steps; crashAt++) {
    const run = await playDatabase(new CrashDisk(), DATABASE_SCRIPT, { crashAt, variant })
    for (const policy of POLICIES)
      for (const choose of FATES) {
        const [fault] = judgeDatabase(await storeOn(run.disk.afterPowerCut(policy, choose())), run.ended)
        if (fault !== undefined) return `cut at ${crashAt} in ${DATABASE_SCRIPT[run.ended]?.order}: ${fault}`
      }
  }
  return null
}

/** What recovery reads of the database, its files by their digests. */
function readOf({ database, saved, logs }: StoreContents): unknown {
  const digestOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
  const files = [database, logs.get('E00.chk')].map((bytes) => (bytes ? digestOf(bytes) : null))
  return { files, saved: [...saved.values()].map(({ bytes, ...image }) => ({ ...image, bytes: digestOf(bytes) })) }
}

/** The sync of one file is left out. */
function unsynced(end: string): Variant {
  return (files) => ({
    ...files,
    datasync: (file) => (file.path.endsWith(end) ? Promise.resolve() : files.datasync(file)),
  })
}

describe('the database of a store', () => {
  it('has each page old, new, or torn with a whole image of it, wherever the power fails', {
    timeout: 180_000,
  }, async () => {
    expect((await playDatabase(new CrashDisk(), DATABASE_SCRIPT)).ended).toBe(DATABASE_SCRIPT.length)
    expect(await searchDatabase()).toBeNull()
  })

  it('that a killed process left is durable as soon as the next one has opened the store', async () => {
    const { steps } = await playDatabase(new CrashDisk(), DATABASE_SCRIPT)
    for (let crashAt = 5; crashAt <= steps; crashAt++) {
      const { disk } = await playDatabase(new CrashDisk(), DATABASE_SCRIPT, { crashAt })
      const next = await StoreRig.open(operationsOver(disk))
      const seen = readOf(await storeOn(disk))

      for (const choose of FATES)
        expect(readOf(await storeOn(disk.afterPowerCut('any subset', choose())))).toEqual(seen)
      await next.store.close()
    }
  })

  it.each(['.saved', '.edb', '.tmp'])('loses something when %s is not synced, which the search finds', async (end) => {
    expect(await searchDatabase(unsynced(end))).toMatch(/^cut at/)
  })

  it('that is made anew has no image of the one before, wherever the power fails', async () => {
    for (let crashAt = 1; crashAt <= 14; crashAt++)
      for (const policy of POLICIES)
        for (const choose of FATES) {
          const disk = new CrashDisk()
          await playDatabase(disk, DATABASE_SCRIPT.slice(0, 6))
          const again: DatabaseOrder = { order: 'create-database', header: databaseHeader(90) }
          await playDatabase(disk, [again], { crashAt })

          const survivor = disk.afterPowerCut(policy, choose())

          const found = await storeOn(survivor)
          const read = readDatabaseHeader(found.database ?? new Uint8Array())
          const dbtime = read.verdict === 'read' ? read.header.dbtime : 0n
          expect([20n, 90n]).toContain(dbtime)
          if (dbtime === 90n) expect(found.saved.size).toBe(0)
        }
  })
})
