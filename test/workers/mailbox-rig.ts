// Mailbox stores over real files, without a thread of their own.
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { BackupSlots } from '../../engine/database/backup-slot.ts'
import type { MailboxOperation, MailboxTransaction } from '../../engine/database/mailbox-session.ts'
import { messageContent } from '../../engine/database/message-content.ts'
import type { ReplicationError } from '../../engine/error.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import type { TransactionResult } from '../../workers/mailbox-answers.ts'
import type { MailboxHost } from '../../workers/mailbox-host.ts'
import {
  type MailboxHostOptions,
  type MailboxSettings,
  NO_MAINTENANCE,
  startMailboxHost,
} from '../../workers/mailbox-start.ts'

/** A small memory and shallow checkpoints, so that pages come and go. */
const SETTINGS: MailboxSettings = {
  cacheBytes: 64 * 8192,
  checkpointDepthBytes: 256 * 1024,
  resilienceDepth: 1,
  circularLogging: false,
  maintenance: NO_MAINTENANCE,
}
const LOG_BYTES = 128 * 1024

/** Stores in one directory that goes with the test. */
export class MailboxWorld {
  readonly root: string
  readonly failures: ReplicationError[] = []
  /** What the stores told of the first log that they need. */
  readonly required: number[] = []
  readonly badPages: number[] = []
  /** What the headers remembered of backups, as it was told. */
  readonly backups: BackupSlots[] = []
  /** How long stores were frozen before the bound ended it. */
  readonly timedOut: number[] = []
  readonly events: (readonly [id: number, ...values: readonly (string | number)[]])[] = []
  /** Resolves when a store has ended by itself. */
  readonly failed: Promise<void>
  #tellFailed: () => void = () => undefined
  #hosts: MailboxHost[] = []
  #ticks = new Set<() => void>()

  private constructor(root: string) {
    this.root = root
    this.failed = new Promise((resolve) => {
      this.#tellFailed = resolve
    })
  }

  static async make(): Promise<MailboxWorld> {
    return new MailboxWorld(await mkdtemp(join(tmpdir(), 'mailbox-')))
  }

  async start(
    options: Partial<Omit<MailboxHostOptions, 'settings'>> & { readonly settings?: Partial<MailboxSettings> } = {},
  ): Promise<MailboxHost> {
    const { settings, ...others } = options
    const host = await startMailboxHost({
      root: this.root,
      baseName: 'E00',
      databaseName: 'priv1.edb',
      files: nodeFileOperations({ shortCalls: 'inline' }),
      lock: { release: () => Promise.resolve() },
      lost: new AbortController().signal,
      mustExist: false,
      settings: { ...SETTINGS, ...settings },
      logFileBytes: LOG_BYTES,
      clock: { nowMs: () => Date.now(), wakeAfter: (delayMs, act) => this.#wakeAtTick(delayMs, act) },
      newId: () => randomBytes(16).toString('hex'),
      random: () => randomBytes(4).readUInt32LE(),
      onRequired: (first) => this.required.push(first),
      onBackups: (slots) => this.backups.push(slots),
      onFreezeTimedOut: (frozenMs) => this.timedOut.push(frozenMs),
      onBadPage: (page) => this.badPages.push(page),
      onEvent: (id, values) => this.events.push([id, ...values]),
      onFailed: (error) => {
        this.failures.push(error)
        this.#tellFailed()
      },
      ...others,
    })
    this.#hosts.push(host)
    return host
  }

  /** The clock of all stores ticks once. */
  tick(): void {
    const due = [...this.#ticks]
    this.#ticks.clear()
    for (const act of due) act()
  }

  async end(): Promise<void> {
    for (const host of this.#hosts.splice(0)) await host.close()
    await rm(this.root, { recursive: true })
  }

  /** What is to come in a minute or later does not come in a test. */
  #wakeAtTick(delayMs: number, act: () => void): () => void {
    if (delayMs >= 60_000) return () => undefined
    this.#ticks.add(act)
    return () => this.#ticks.delete(act)
  }
}

/** A transaction of these operations. */
export function transaction(...operations: MailboxOperation[]): MailboxTransaction {
  return { operations }
}

/** An insertion whose content follows from the number of the message. */
export function insert(id: number, size = 500, mailbox = 1): MailboxOperation {
  return { op: 'insert', mailbox, id, content: { size, seed: id } }
}

/** A replacement with other bytes. */
export function replace(id: number, size: number, seed: number): MailboxOperation {
  return { op: 'replace', mailbox: 1, id, content: { size, seed } }
}

/** A deletion. */
export function remove(id: number, mailbox = 1): MailboxOperation {
  return { op: 'delete', mailbox, id }
}

/** Whether these are the bytes of a message that {@link insert} made. */
export function isContent(bytes: Uint8Array | null, size: number, seed: number): boolean {
  return bytes !== null && Buffer.compare(bytes, messageContent(size, seed)) === 0
}

/** The results, in one word each: `committed`, or the code of the refusal. */
export function words(results: readonly TransactionResult[]): string[] {
  return results.map((result) => (result.committed ? 'committed' : result.code))
}
