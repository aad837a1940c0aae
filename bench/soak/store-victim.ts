/**
 * A process that carries out the scripted orders of a store, both lanes at once, and says of each order that it has ended, one line each.
 * At the boundary that it was told it stands still: whoever reads the line kills it, or cuts the power.
 */
import { randomUUID } from 'node:crypto'
import { writeSync } from 'node:fs'
import { basename } from 'node:path'
import type { StoreFact } from '../../engine/database/store-order.ts'
import { makeDirectoriesDurably } from '../../storage/durable-directory.ts'
import type { FileOperations } from '../../storage/file-operations.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import { openStoreFiles } from '../../storage/store-files.ts'
import { lockStore } from '../../storage/store-lock.ts'
import type { Plant } from './publish-victim.ts'
import { DATABASE_SCRIPT, LOG_BYTES, LOG_SCRIPT } from './store-script.ts'

/** What a victim does. Its arguments are these as JSON. */
export interface StoreVictimPlan {
  readonly root: string
  readonly plant: Plant
  /** Where it stands still, and at which time that this is reached; an empty name for nowhere. */
  readonly failpoint: string
  readonly count: number
  /** How many orders of each script have ended before. */
  readonly log: number
  readonly database: number
}

/** Straight to the descriptor: the line must be out before anything else happens. */
function say(line: string): void {
  writeSync(1, `${line}\n`)
}

async function play(plan: StoreVictimPlan): Promise<void> {
  const real = nodeFileOperations({ shortCalls: 'pooled' })
  await makeDirectoriesDurably(real, plan.root)
  const die = (error: unknown): never => {
    throw error
  }
  const lock = await lockStore({ root: plan.root, files: real, onLost: die })
  const ended = { log: plan.log, database: plan.database }
  const onFact = ({ fact }: StoreFact): void => {
    if (fact === 'log-written') say(`log ${++ended.log}`)
    if (fact === 'database-written') say(`database ${++ended.database}`)
  }
  const store = await openStoreFiles({
    root: plan.root,
    baseName: 'E00',
    databaseName: 'priv1.edb',
    files: planted(real, plan.plant),
    lock,
    mustExist: false,
    logFileBytes: LOG_BYTES,
    newId: () => randomUUID().replaceAll('-', ''),
    nowMs: () => Date.now(),
    onFact,
    onFailed: die,
    reach: standStillAt(plan),
  })
  for (const [index, order] of LOG_SCRIPT.entries())
    if (index >= plan.log) store.orderLog({ sequence: index + 1, orders: [order] })
  for (const [index, order] of DATABASE_SCRIPT.entries())
    if (index >= plan.database) store.orderDatabase({ sequence: index + 1, orders: [order] })
  await store.close()
  say('done')
}

/** Stands still, for good, when a boundary is reached for the `count`th time, and says so first. */
export function standStillAt({
  failpoint,
  count,
}: Pick<StoreVictimPlan, 'failpoint' | 'count'>): (name: string) => void {
  let reached = 0
  return (name) => {
    if (name !== failpoint || ++reached < count) return
    say('reached')
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  }
}

/** The same operations without one kind of sync. */
function planted(files: FileOperations, plant: Plant): FileOperations {
  if (plant === 'no-directory-sync') return { ...files, syncDirectory: () => Promise.resolve() }
  if (plant === 'no-file-sync')
    return {
      ...files,
      open: (path, mode) => files.open(path, mode === 'overwrite-synchronous' ? 'extend' : mode),
      datasync: () => Promise.resolve(),
    }
  return files
}

if (basename(process.argv[1] ?? '').startsWith('store-victim'))
  // The argument comes from store-cut.ts, which has the type.
  await play(JSON.parse(process.argv[2] ?? '{}') as StoreVictimPlan)
