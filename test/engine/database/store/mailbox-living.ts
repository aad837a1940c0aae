// Mailbox stores over a model disk, for tests that end or copy them anywhere.
import { expect } from 'vitest'
import type { ChangeWriter } from '../../../../engine/database/change-writer.ts'
import { createDatabase } from '../../../../engine/database/database-creation.ts'
import { logTimeAt } from '../../../../engine/database/log-time.ts'
import { MailboxContent } from '../../../../engine/database/mailbox-content.ts'
import { MailboxStore } from '../../../../engine/database/mailbox-store.ts'
import { PAGE_BYTES } from '../../../../engine/database/page.ts'
import { PageCache } from '../../../../engine/database/page-cache.ts'
import { recoverStore } from '../../../../engine/database/recovery.ts'
import { undoAll } from '../../../../engine/database/recovery-undo.ts'
import { StoreEngine } from '../../../../engine/database/store-engine.ts'
import { STORE_TREES } from '../../../../engine/database/store-layout.ts'
import { openDatabase, startOfNewStore } from '../../../../engine/database/store-opening.ts'
import { advance } from '../../../../engine/database/store-progress.ts'
import type { StoreStart } from '../../../../engine/database/store-start.ts'
import type { Work } from '../../../../engine/database/work.ts'
import { MOMENT_MS, SIGNATURE } from '../build.ts'
import type { ModelStoreDisk } from './model-store-disk.ts'
import { type Fuse, LOG_BYTES, runMachine, SETTINGS, StoreRig } from './store-rig.ts'

/** How many different messages there are. */
export const IDS = 60
/** Large logs for this: a split and its macro take more than a page. */
const MAILBOX_LOG_BYTES = 8 * LOG_BYTES
const TIME = logTimeAt(MOMENT_MS)

/** Length of a message by its number. */
export type Messages = Readonly<Record<number, number>>

/** A mailbox store over a model disk. */
export interface Living {
  readonly rig: StoreRig
  readonly writer: ChangeWriter
  readonly mailbox: MailboxStore
}

/** Goes on with an operation until it is done. */
export function drive<Answer>({ rig, writer }: Pick<Living, 'rig' | 'writer'>, work: Work<Answer>): Answer {
  for (let tries = 0; tries < 100_000; tries++) {
    const progress = advance(rig.store, writer, work)
    if (progress.state === 'done') return progress.answer
    if (progress.state === 'bad-page') throw new Error(progress.detail)
    if (progress.state === 'page') rig.read(progress.page)
    if (!rig.step() && progress.state === 'room') throw new Error('something moves while an operation waits')
  }
  throw new Error('an operation is done within many tries')
}

/** The messages that it has, numbered below {@link IDS}. */
export function messagesOf(living: Living): Messages {
  const messages: Record<number, number> = {}
  for (let id = 0; id < IDS; id++) {
    const bytes = drive(living, living.mailbox.read(null, { mailbox: id % 3, id }))
    if (bytes !== null) messages[id] = bytes.length
  }
  return messages
}

/** Starts a mailbox store, whatever lies on the disk. */
export function startMailbox(
  disk: ModelStoreDisk,
  options: { readonly fuse: Fuse; readonly choose: (bound: number) => number; readonly cachePages: number },
): Living {
  const content = new MailboxContent()
  const cache = new PageCache(options.cachePages * PAGE_BYTES)
  disk.open()
  const files = disk.scan()
  const start = { files, settings: SETTINGS, cache, transactions: content, ignoreLostLogs: false, nowMs: MOMENT_MS }
  const outcome = runMachine(recoverStore(start), disk, options.fuse)
  if (outcome.outcome === 'refused') throw new Error(`${outcome.fault.error} ${outcome.fault.detail}`)
  const isNew = outcome.outcome === 'nothing-there'
  const birth: StoreStart = isNew
    ? startOfNewStore({
        settings: SETTINGS,
        content,
        nowMs: MOMENT_MS,
        cache,
        signature: SIGNATURE,
        database: files.database,
        layout: { sizeBytes: MAILBOX_LOG_BYTES },
      })
    : { ...outcome.start, content }
  const store = new StoreEngine(birth)
  const rig = new StoreRig(disk, { store, ...options })
  const writer = content.write(store, isNew ? 0 : outcome.dbtime)
  if (!isNew && outcome.needsUndo) drive({ rig, writer }, undoAll(writer, content.table.open, TIME))
  const mailbox = new MailboxStore(writer, content.table.flagged)
  content.hand(mailbox)
  if (store.header.state === 'dirty-shutdown') rig.stop('recovery-quit')
  const { environment } = store.buffer.header
  const database = { signature: SIGNATURE, path: SETTINGS.databasePath }
  writer.continueIn(store.buffer)
  openDatabase(store, {
    ...database,
    nowMs: MOMENT_MS,
    create: () => expect(createDatabase(writer, { environment, time: TIME, database, trees: STORE_TREES })).toBeNull(),
  })
  rig.settle(() => store.mayBegin)
  return { rig, writer, mailbox }
}
