import { ReplicationError } from '../../engine/error.ts'
import { checkpointPrompt } from '../../engine/replication/seed-refusal.ts'
import { whyNotSeeded } from '../../engine/replication/seeding.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import { seedPlaces } from '../../storage/seed-folder.ts'
import type { LogShareClient } from '../../transport/log-share-client.ts'
import type { SeedDocument, SeedPlanDocument } from '../../transport/management-seed-documents.ts'
import type { SeedOrder, SeedPlanWanted, SeedsPort } from '../../transport/management-seeds.ts'
import { requestInvalid } from '../../transport/problem.ts'
import { SharedRate } from '../../workers/shared-rate.ts'
import type { Clock } from '../clock.ts'
import type { CopyInstance } from '../copy-instance.ts'
import { storeNamesOf } from '../copy-seeding.ts'
import { RateKeeper } from '../rate-setting.ts'
import { measureLink } from './link-measure.ts'
import { asksForCheckpoint, orderFor, refuseSeed } from './seed-checks.ts'
import { notMet, targetInUse, tooManySeeds } from './seed-faults.ts'
import { SeedJob } from './seed-job.ts'

/** What a {@link SeedHost} works with. */
export interface SeedHostParts {
  /** The copy of a storage group. Errors: `STORAGE_GROUP_UNKNOWN`. */
  readonly find: (storageGroup: string) => CopyInstance
  /** Closed by its owner. */
  readonly client: LogShareClient
  readonly clock: Clock
  /** Name of the node. */
  readonly node: string
  /** The bound at the start, as `SeedsPort.setRate` takes it. */
  readonly rate: string
}

/** Seeds that are over and still told of. */
const OVER_KEPT = 32
/** Seeds under way at a time: each has a thread. */
const UNDER_WAY_MAX = 8

/** Seeds the copies of one process. All seeds share one rate. */
export class SeedHost {
  readonly #parts: SeedHostParts
  readonly #files = nodeFileOperations({ shortCalls: 'pooled' })
  readonly #shared = new SharedRate()
  readonly #rate: RateKeeper
  #jobs: { readonly id: number; readonly job: SeedJob; readonly done: Promise<void> }[] = []
  #lastId = 0

  constructor(parts: SeedHostParts) {
    this.#parts = parts
    this.#rate = new RateKeeper(this.#shared, parts.clock)
    this.#rate.set(parts.rate)
  }

  /** What the management API shows and does. */
  get port(): SeedsPort {
    return {
      list: () => this.#jobs.map(({ job }) => job.document).reverse(),
      get: (id) => this.#jobs.find((each) => each.id === id)?.job.document ?? null,
      begin: (order) => this.begin(order),
      plan: (order, wanted) => this.plan(order, wanted),
      giveUp: (id) => this.#jobs.find((each) => each.id === id)?.job.giveUp(),
      rate: () => this.#rate.document,
      setRate: (setting) => {
        asRequest(() => this.#rate.set(setting))
        return this.#rate.document
      },
    }
  }

  /** Seeds a copy; resolves when it is under way. Errors: those of the checks and of the source, before anything is changed. */
  async begin(written: SeedOrder): Promise<SeedDocument> {
    const { find, client, clock, node } = this.#parts
    const copy = find(written.storageGroup)
    const names = storeNamesOf(copy)
    if (names === null) throw notMet(copy.name)
    const order = orderFor(names, written)
    const underWay = this.#jobs.filter(({ job }) => !job.isOver)
    if (underWay.length >= UNDER_WAY_MAX) throw tooManySeeds(UNDER_WAY_MAX)
    const { database } = seedPlaces(names, order.targetPath, 0)
    if (order.targetPath !== null && underWay.some(({ job }) => job.document.path === database))
      throw targetInUse(database, copy.name)
    const id = this.#lastId + 1
    const job = new SeedJob({ id, order, copy, client, files: this.#files, rate: this.#shared, clock, node })
    this.#lastId = id
    this.#jobs = [...this.#jobs.slice(-OVER_KEPT), { id, job, done: job.run() }]
    try {
      await job.whenBegun()
    } catch (error) {
      // What never began is told to whoever asked, and to nobody else.
      this.#jobs = this.#jobs.filter((each) => each.id !== id)
      throw error
    }
    return job.document
  }

  /** What a seed would do. Changes nothing. Errors: `STORAGE_GROUP_UNKNOWN`, and those of the way to the source. */
  async plan(
    written: SeedOrder,
    { linkBytesPerSecond: stated, rate: setting, measures }: SeedPlanWanted,
  ): Promise<SeedPlanDocument> {
    const { find, client, node } = this.#parts
    const copy = find(written.storageGroup)
    const names = storeNamesOf(copy)
    if (names === null) throw notMet(copy.name)
    const order = orderFor(names, written)
    const never = new AbortController().signal
    const { bytes = 0 } = await client.askBackup(copy.source, { ask: 'size-of-seed', copyId: copy.copyId }, never)
    const places = seedPlaces(names, order.targetPath, copy.state.announcement.stream)
    const resumedBytes = Math.min(bytes, (await this.#files.lookUp(places.partial))?.sizeBytes ?? 0)
    const measured = stated === null && measures ? await measureLink(client, copy) : null
    const link = stated ?? measured
    const bound = setting === null ? this.#shared.bytesPerSecond : asRequest(() => this.#rate.presentOf(setting))
    const rate = link === null ? bound : Math.min(link, bound ?? link)
    const { checkpoint, logs, logsPath, databaseBytes } = await copy.seeding.find(names)
    const isElsewhere = order.targetPath !== null
    // Whoever may not seed at all is asked nothing; logs in the way are told of behind the question.
    const asks = !isElsewhere && whyNotSeeded(copy.state) === null && asksForCheckpoint(order)
    const folder = { names, files: this.#files }
    const refusal = await refuseSeed(copy, folder, { ...order, deleteCheckpoint: true }).then(
      () => null,
      (error: unknown) => {
        if (error instanceof ReplicationError) return error.toJSON()
        throw error
      },
    )
    return {
      storageGroup: copy.name,
      node,
      source: copy.source.href,
      path: places.database,
      databaseBytes: bytes,
      resumedBytes,
      linkBytesPerSecond: link,
      linkIs: stated !== null ? 'stated' : measured === null ? 'unknown' : 'measured',
      bytesPerSecondMax: bound,
      expectedMs: rate === null ? null : Math.round(((bytes - resumedBytes) * 1_000) / rate),
      deletes: isElsewhere
        ? { checkpoint: null, logs: 0, logsPath, databaseBytes: null }
        : { checkpoint, logs: order.deleteExistingFiles ? logs : 0, logsPath, databaseBytes },
      prompts: asks && checkpoint !== null ? [checkpointPrompt(checkpoint, copy.name)] : [],
      refusal,
    }
  }

  /** Gives up what is under way. May be called twice. */
  async close(): Promise<void> {
    this.#rate.close()
    for (const { job } of this.#jobs) job.giveUp()
    await Promise.all(this.#jobs.map(({ done }) => done))
  }
}

/** What a command line calls usage is a bad request here. */
function asRequest<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw error instanceof ReplicationError ? requestInvalid(error.message, error.hint) : error
  }
}
