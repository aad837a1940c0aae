// A mailbox store whose orders a test gives by hand, over any file operations.
import { contentsOf, type StoreContents } from '../../bench/soak/store-oracle.ts'
import { LOG_BYTES } from '../../bench/soak/store-script.ts'
import type { DatabaseOrder, LogOrder, StoreFact } from '../../engine/database/store-order.ts'
import type { FileOperations } from '../../storage/file-operations.ts'
import type { ReachFailpoint } from '../../storage/store-failpoint.ts'
import { openStoreFiles, type StoreFiles, type StoreFilesOptions } from '../../storage/store-files.ts'
import { type CrashDisk, DirectoryNode, FileNode } from './crash-disk.ts'
import { operationsOver } from './crash-disk-operations.ts'

const STORE_NAMES = { baseName: 'E00', databaseName: 'priv1.edb' } as const
const NO_LOCK = { release: () => Promise.resolve() }

let ids = 0

/** A rig that stands; its orders are given one bundle at a time. */
export class StoreRig {
  readonly facts: StoreFact[] = []
  store!: StoreFiles
  /** What the store ended with, if it has. */
  failure: unknown = null
  #sequence = 0
  #wake: () => void = () => undefined

  static async open(
    files: FileOperations,
    options: Partial<StoreFilesOptions> & { readonly root?: string; readonly reach?: ReachFailpoint } = {},
  ): Promise<StoreRig> {
    const rig = new StoreRig()
    rig.store = await openStoreFiles({
      root: '/data/SG1',
      ...STORE_NAMES,
      files,
      lock: NO_LOCK,
      mustExist: false,
      logFileBytes: LOG_BYTES,
      newId: () => (ids++).toString(16).padStart(32, '0'),
      nowMs: () => 1_195_689_600_000,
      onFact: (fact) => rig.#take(fact),
      onFailed: (error) => {
        rig.failure = error
        rig.#wake()
      },
      ...options,
    })
    return rig
  }

  /** Gives a bundle to the log's lane and waits for its end. Answers whether it has ended well. */
  log(...orders: LogOrder[]): Promise<boolean> {
    const sequence = ++this.#sequence
    this.store.orderLog({ sequence, orders })
    return this.until((fact) => fact.fact === 'log-written' && fact.sequence === sequence)
  }

  /** The same with the database's lane. */
  database(...orders: DatabaseOrder[]): Promise<boolean> {
    const sequence = ++this.#sequence
    this.store.orderDatabase({ sequence, orders })
    return this.until((fact) => fact.fact === 'database-written' && fact.sequence === sequence)
  }

  /** Waits for a fact, which may have come already, or for the end of the store. */
  async until(is: (fact: StoreFact) => boolean): Promise<boolean> {
    while (this.failure === null && !this.facts.some(is))
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    return this.failure === null
  }

  #take(fact: StoreFact): void {
    this.facts.push(fact)
    this.#wake()
  }
}

/** What lies on a modelled disk, without changing it. */
export function storeOn(disk: CrashDisk): Promise<StoreContents> {
  const raw = {
    files: operationsOver(disk),
    list: (directory: string): string[] => {
      const node = disk.find(directory)
      if (!(node instanceof DirectoryNode)) return []
      return [...node.entries].filter(([, entry]) => entry instanceof FileNode).map(([name]) => name)
    },
    read: (path: string): Uint8Array => {
      const node = disk.find(path)
      return node instanceof FileNode ? node.content : new Uint8Array()
    },
  }
  return contentsOf(raw, '/data/SG1')
}
