// Goal: whatever moment the power fails at, each page of a store's database is old, new, or torn with a whole image of it.
// Method: as for its logs: the power is cut at every call with every kind of loss, and the script itself says what was promised.
import { describe, expect, it } from 'vitest'
import { readCheckpointFile } from '../../engine/database/checkpoint-file.ts'
import { readDatabaseHeader } from '../../engine/database/database-header-copies.ts'
import { openLogBytes } from '../../engine/database/log-bytes.ts'
import { PAGE_BYTES } from '../../engine/database/page.ts'
import { verifyPage } from '../../engine/database/page-seal.ts'
import type { DatabaseOrder, PageImage } from '../../engine/database/store-order.ts'
import { CrashDisk, FileNode } from './crash-disk.ts'
import { operationsOver } from './crash-disk-operations.ts'
import { FATES, POLICIES, type Variant } from './power-cuts.ts'
import { aPage, checkpointAt, databaseHeader, StoreRig } from './store-rig.ts'

const DATABASE = '/data/SG1/database/priv1.edb'

/** Batches with other pages each time, shorter and longer ones, with holes. The number is the dbtime of all of them. */
const BATCHES: readonly (readonly number[])[] = [[1, 2, 3, 4, 7], [2, 3, 9], [1, 2, 3, 4, 5, 6, 7], [4]]

function batchOrders(index: number): DatabaseOrder[] {
  const dbtime = 20 + index
  const pages = (BATCHES[index] ?? []).map((number) => aPage(number, dbtime))
  const written: DatabaseOrder[] = [
    { order: 'save-pages', pages },
    { order: 'write-pages', pages },
  ]
  // The second batch is not synced by itself: saving the third one must do it.
  if (index === 1) return written
  return [
    ...written,
    { order: 'sync-database' },
    { order: 'write-header', header: databaseHeader(dbtime) },
    { order: 'write-checkpoint', checkpoint: checkpointAt(dbtime) },
  ]
}

const CREATE: DatabaseOrder = { order: 'create-database', header: databaseHeader(19) }
const DATABASE_SCRIPT = [CREATE, ...BATCHES.flatMap((_, index) => batchOrders(index))]

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
        const [fault] = await judgeDatabase(run.disk.afterPowerCut(policy, choose()), run)
        if (fault !== undefined) return `cut at ${crashAt} in ${DATABASE_SCRIPT[run.ended]?.order}: ${fault}`
      }
  }
  return null
}

/** The sync of one file is left out. */
function unsynced(end: string): Variant {
  return (files) => ({
    ...files,
    datasync: (file) => (file.path.endsWith(end) ? Promise.resolve() : files.datasync(file)),
  })
}

/** The dbtime of each page that is durable, and of each that may be under way, after so many orders of the script. */
function promisedPages(ended: number): {
  readonly durable: Map<number, number>
  readonly underWay: Map<number, number>
} {
  const durable = new Map<number, number>()
  const underWay = new Map<number, number>()
  for (const [index, order] of DATABASE_SCRIPT.entries()) {
    if (index > ended) break
    if (order.order === 'write-pages')
      for (const { number, bytes } of order.pages) underWay.set(number, bytes[100] ?? 0)
    if (order.order === 'create-database' || order.order === 'write-pages' || index === ended) continue
    for (const [number, dbtime] of underWay) durable.set(number, dbtime)
    underWay.clear()
  }
  return { durable, underWay }
}

async function judgeDatabase(disk: CrashDisk, { ended }: DatabaseRun): Promise<string[]> {
  const faults: string[] = []
  const node = disk.find(DATABASE)
  if (!(node instanceof FileNode)) return ended > 0 ? ['the database is missing'] : []
  const { durable, underWay } = promisedPages(ended)
  const saved = await savedOn(disk)
  for (let number = 1; number <= 9; number++) {
    const bytes = pageOn(node, number)
    const verdict = verifyPage(openLogBytes(bytes), 0, { bytes: PAGE_BYTES, number }).verdict
    const found = verdict === 'empty' ? 0 : (bytes[100] ?? 0)
    const expected = [durable.get(number) ?? 0, underWay.get(number) ?? durable.get(number) ?? 0]
    const image = saved.get(number)
    // A file system may give back zeroes for what was under way: that is torn as well.
    const zeroed = verdict === 'empty' && underWay.has(number) && !expected.includes(0)
    if ((verdict === 'sound' || verdict === 'empty') && !zeroed) {
      if (!expected.includes(found)) faults.push(`page ${number} is of ${found}, not ${expected.join(' or ')}`)
    } else if (!underWay.has(number)) faults.push(`page ${number} is torn and nothing wrote it`)
    else if (image === undefined) faults.push(`page ${number} is torn and no image of it is whole`)
    if (image !== undefined && image < (durable.get(number) ?? 0)) faults.push(`the image of page ${number} is old`)
  }
  return [...faults, ...judgeHeaders(disk, ended)]
}

function judgeHeaders(disk: CrashDisk, ended: number): string[] {
  const node = disk.find(DATABASE)
  const read = readDatabaseHeader(node instanceof FileNode ? node.content : new Uint8Array())
  if (read.verdict === 'rejected') return ['no header is whole']
  const headers = newest(ended, (order) => ('header' in order ? Number(order.header.dbtime) : null))
  const faults = headers.includes(Number(read.header.dbtime)) ? [] : [`the header is of ${read.header.dbtime}`]
  const file = disk.find('/data/SG1/logs/E00.chk')
  const found = file instanceof FileNode ? readCheckpointFile(file.content) : null
  const at = found === null ? null : found.verdict === 'read' ? found.checkpoint.checkpoint.generation : Number.NaN
  const checkpoints = newest(ended, (order) => ('checkpoint' in order ? order.checkpoint.checkpoint.generation : null))
  return checkpoints.includes(at) ? faults : [...faults, `the checkpoint is at ${at}`]
}

/** What `of` said last of the orders that have ended, and of the one under way, if it says anything. */
function newest(ended: number, of: (order: DatabaseOrder) => number | null): (number | null)[] {
  const said = DATABASE_SCRIPT.slice(0, ended).flatMap((order) => of(order) ?? [])
  const underWay = DATABASE_SCRIPT[ended]
  return [said.at(-1) ?? null, ...(underWay === undefined ? [] : [of(underWay)].filter((value) => value !== null))]
}

function pageOn(node: FileNode, number: number): Uint8Array {
  const bytes = new Uint8Array(PAGE_BYTES)
  bytes.set(node.content.subarray((number + 1) * PAGE_BYTES, (number + 2) * PAGE_BYTES))
  return bytes
}

/** The dbtime of each page whose saved image is whole, as a recovery would see it. */
async function savedOn(disk: CrashDisk): Promise<Map<number, number>> {
  const rig = await StoreRig.open(operationsOver(disk))
  const images: readonly PageImage[] = await rig.store.ask({ order: 'read-saved-pages' })
  await rig.store.close()
  return new Map(
    images
      .filter(
        ({ number, bytes }) => verifyPage(openLogBytes(bytes), 0, { bytes: PAGE_BYTES, number }).verdict === 'sound',
      )
      .map(({ number, bytes }) => [number, bytes[100] ?? 0]),
  )
}

describe('the database of a store', () => {
  it('has each page old, new, or torn with a whole image of it, wherever the power fails', {
    timeout: 180_000,
  }, async () => {
    expect((await playDatabase(new CrashDisk(), DATABASE_SCRIPT)).ended).toBe(DATABASE_SCRIPT.length)
    expect(await searchDatabase()).toBeNull()
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

          const node = survivor.find(DATABASE)
          const read = readDatabaseHeader(node instanceof FileNode ? node.content : new Uint8Array())
          const dbtime = read.verdict === 'read' ? read.header.dbtime : 0n
          expect([20n, 90n]).toContain(dbtime)
          if (dbtime === 90n) expect(await savedOn(survivor)).toEqual(new Map())
        }
  })
})
