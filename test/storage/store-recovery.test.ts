// Goal: the rules of a store and its files fit together: whatever call the power fails in, a start finds what was acknowledged.
// Method: the real engine over the real files on the modelled disk; the power is cut at calls spread over a whole life, in several ways.
import { describe, expect, it } from 'vitest'
import { comparePositions } from '../../engine/database/log-position.ts'
import { logTimeAt } from '../../engine/database/log-time.ts'
import { PAGE_BYTES } from '../../engine/database/page.ts'
import { PageCache } from '../../engine/database/page-cache.ts'
import { readPage } from '../../engine/database/page-reading.ts'
import { recoverStore } from '../../engine/database/recovery.ts'
import { StoreEngine } from '../../engine/database/store-engine.ts'
import { readStore } from '../../engine/database/store-finding.ts'
import type { StoreMachine } from '../../engine/database/store-machine.ts'
import { openDatabase, startOfNewStore } from '../../engine/database/store-opening.ts'
import type { StoreFact } from '../../engine/database/store-order.ts'
import { MOMENT_MS, SIGNATURE } from '../engine/database/build.ts'
import { SmallContent, SmallTransactions, valuesOf } from '../engine/database/store/small-content.ts'
import { CrashDisk } from './crash-disk.ts'
import { operationsOver } from './crash-disk-operations.ts'
import { FATES, POLICIES } from './power-cuts.ts'
import { StoreRig } from './store-rig.ts'

const LOG_BYTES = 16_384
const COMMITS = 24
const PAGES = [5, 6, 7, 8, 9, 10] as const
const SETTINGS = {
  databasePath: 'priv1.edb',
  resilienceDepth: 2,
  checkpointDepthBytes: LOG_BYTES,
  circularLogging: false,
}

/** A store that lives on files: its facts come from there, its orders go there. */
class LivingStore {
  readonly rig: StoreRig
  content = new SmallContent()
  store!: StoreEngine
  /** Bundles that the recovery gave before the store's own. */
  #before = 0
  #read = 0

  private constructor(rig: StoreRig) {
    this.rig = rig
  }

  static async start(disk: CrashDisk, crashAt?: number): Promise<LivingStore> {
    const files = operationsOver(disk, crashAt === undefined ? {} : { crashAt })
    const living = new LivingStore(await StoreRig.open(files, { logFileBytes: LOG_BYTES }))
    await living.#recover()
    openDatabase(living.store, { path: SETTINGS.databasePath, signature: SIGNATURE, nowMs: MOMENT_MS })
    await living.until(() => living.store.mayBegin)
    return living
  }

  /** One transaction of one change, durable when this resolves. */
  async commit(page: number, value: number): Promise<void> {
    this.content.begin(1)
    const change = { session: 1, page, key: 1, value, bytes: 700 }
    for (let needed = this.content.change(change); needed !== null; needed = this.content.change(change))
      await this.#fetch(needed)
    const end = this.content.commit(1)
    this.store.requestFlush()
    await this.until(() => comparePositions(this.store.durable, end) >= 0)
  }

  async value(page: number): Promise<number | undefined> {
    if (this.store.cache.find(page) === null) await this.#fetch(page)
    const found = this.store.cache.find(page)
    return found === null ? undefined : valuesOf(found)[1]
  }

  /** Gives orders and takes facts until `done`; rejects when the store has ended. */
  async until(done: () => boolean): Promise<void> {
    for (;;) {
      const { log, database } = this.store.work()
      if (log !== null) this.rig.store.orderLog({ ...log, sequence: log.sequence + this.#before })
      if (database !== null) this.rig.store.orderDatabase({ ...database, sequence: database.sequence + this.#before })
      if (done()) return
      const seen = this.#read
      if (!(await this.rig.until(() => this.rig.facts.length > seen))) throw this.rig.failure
      for (const fact of this.rig.facts.slice(seen)) this.#take(fact)
      this.#read = this.rig.facts.length
    }
  }

  #take(fact: StoreFact): void {
    if (fact.fact !== 'log-written' && fact.fact !== 'database-written') this.store.take(fact)
    else if (fact.sequence > this.#before) this.store.take({ ...fact, sequence: fact.sequence - this.#before })
  }

  async #fetch(page: number): Promise<void> {
    if (this.store.needPage(page)) this.rig.store.fetchPage(page)
    await this.until(() => this.store.cache.find(page) !== null)
  }

  async #recover(): Promise<void> {
    const cache = new PageCache(32 * PAGE_BYTES)
    const transactions = new SmallTransactions()
    const finding = readStore(await this.rig.store.list())
    if (finding.finding === 'unreadable') throw new Error(finding.fault.detail)
    const { files } = finding
    const start = { files, settings: SETTINGS, cache, transactions, ignoreLostLogs: false, nowMs: MOMENT_MS }
    const outcome = await this.#run(recoverStore(start))
    if (outcome.outcome === 'refused') throw new Error(`${outcome.fault.error} ${outcome.fault.detail}`)
    this.content = new SmallContent(transactions, outcome.outcome === 'redone' ? outcome.dbtime : 0x40)
    const { content } = this
    const signature = { ...SIGNATURE, createTime: logTimeAt(MOMENT_MS) }
    const born = { settings: SETTINGS, content, nowMs: MOMENT_MS, cache, signature, database: files.database }
    this.store = new StoreEngine(
      outcome.outcome === 'redone'
        ? { ...outcome.start, content }
        : startOfNewStore({ ...born, layout: { sizeBytes: LOG_BYTES } }),
    )
    content.use(this.store)
    if (outcome.outcome === 'redone' && this.store.header.state === 'dirty-shutdown')
      await this.#undo(outcome.needsUndo)
  }

  async #undo(needsUndo: boolean): Promise<void> {
    if (needsUndo) this.content.recoveryUndo()
    for (let step = this.content.undoOne(); step !== true; step = this.content.undoOne())
      if (typeof step === 'number') await this.#fetch(step)
    this.store.stop('recovery-quit')
    await this.until(() => this.store.isAtRest)
  }

  async #run<Result>(machine: StoreMachine<Result>): Promise<Result> {
    for (let next = machine.next(); ; ) {
      if (next.done === true) return next.value
      const ask = next.value
      if (ask.order === 'read-page' || ask.order === 'read-log' || ask.order === 'read-saved-pages') {
        next = machine.next(await this.rig.store.ask(ask))
        continue
      }
      const sequence = ++this.#before
      if (isLogOrder(ask)) this.rig.store.orderLog({ sequence, orders: [ask] })
      else this.rig.store.orderDatabase({ sequence, orders: [ask] })
      const name = isLogOrder(ask) ? 'log-written' : 'database-written'
      if (!(await this.rig.until((fact) => fact.fact === name && fact.sequence === sequence))) throw this.rig.failure
      next = machine.next(null)
    }
  }
}

const LOG_ORDERS: ReadonlySet<string> = new Set(['write-log', 'roll-log', 'prepare-log', 'mend-log', 'discard-logs'])

function isLogOrder(order: { readonly order: string }): order is Parameters<StoreRig['log']>[0] {
  return LOG_ORDERS.has(order.order)
}

/** Lives until all commits are made or the power fails; answers how many were acknowledged. */
async function live(disk: CrashDisk, crashAt?: number): Promise<number> {
  let acknowledged = 0
  try {
    const living = await LivingStore.start(disk, crashAt)
    for (; acknowledged < COMMITS; acknowledged++)
      await living.commit(PAGES[acknowledged % PAGES.length] ?? 5, acknowledged + 1)
    living.store.stop('term')
    await living.until(() => living.store.isAtRest)
    await living.rig.store.close()
  } catch (error) {
    if (crashAt === undefined) throw error
  }
  return acknowledged
}

/** The last commit that a start finds: the highest value of any page. */
async function foundBy(living: LivingStore): Promise<number> {
  let highest = 0
  for (const page of PAGES) highest = Math.max(highest, (await living.value(page)) ?? 0)
  return highest
}

describe('a store on its files', () => {
  it('ends clean, and its pages are sound in the file', async () => {
    const disk = new CrashDisk()
    expect(await live(disk)).toBe(COMMITS)

    const living = await LivingStore.start(disk)
    expect(await foundBy(living)).toBe(COMMITS)
    for (const number of PAGES)
      expect(readPage(number, await living.rig.store.ask({ order: 'read-page', number })).reading).toBe('sound')
  })

  it('finds what was acknowledged, whatever call the power fails in', async () => {
    for (let cut = 3; cut < 420; cut += 13) {
      const disk = new CrashDisk()
      const acknowledged = await live(disk, cut)
      const fate = FATES[cut % FATES.length] ?? FATES[0]
      const policy = POLICIES[cut % POLICIES.length] ?? 'any subset'
      if (fate === undefined) continue
      const living = await LivingStore.start(disk.afterPowerCut(policy, fate()))
      const found = await foundBy(living)
      expect(found, `cut at call ${cut}`).toBeGreaterThanOrEqual(acknowledged)
      expect(found, `cut at call ${cut}`).toBeLessThanOrEqual(acknowledged + 1)
    }
  })
})
