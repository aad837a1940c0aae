import type { ChangeWriter } from '../engine/database/change-writer.ts'
import { createDatabase } from '../engine/database/database-creation.ts'
import { logTimeAt } from '../engine/database/log-time.ts'
import { MailboxContent } from '../engine/database/mailbox-content.ts'
import { outcomeOf, type SessionScript } from '../engine/database/mailbox-session.ts'
import { MailboxStore } from '../engine/database/mailbox-store.ts'
import { PageCache } from '../engine/database/page-cache.ts'
import { type RecoveryOutcome, recoverStore } from '../engine/database/recovery.ts'
import type { StoreFiles as FoundFiles } from '../engine/database/recovery-evidence.ts'
import { undoAll } from '../engine/database/recovery-undo.ts'
import { StoreEngine } from '../engine/database/store-engine.ts'
import type { StoreFault } from '../engine/database/store-fault.ts'
import { readStore } from '../engine/database/store-finding.ts'
import { STORE_TREES } from '../engine/database/store-layout.ts'
import { openDatabase, startOfNewStore } from '../engine/database/store-opening.ts'
import type { StoreSettings, StoreStart } from '../engine/database/store-start.ts'
import { ReplicationError } from '../engine/error.ts'
import { NO_GENERATION } from '../engine/generation.ts'
import type { StoreFiles } from '../storage/store-files.ts'
import type { StoreLanes } from './store-lanes.ts'
import { StoreLoop, type StoreLoopParts } from './store-loop.ts'

/** How a start found a store, and what it did. */
export interface StoreOpening {
  /** `created`: there was none. `clean`: it had been stopped in order. `recovered`: it had not, and its logs were redone. */
  readonly outcome: 'created' | 'clean' | 'recovered'
  /** The logs that were redone; null where none was. */
  readonly redone: { readonly first: number; readonly last: number } | null
  /** Pages that a crash had torn, and that were put back from their saved images. */
  readonly mendedPages: number
  /** Transactions that had not been committed, and were undone. */
  readonly undone: number
  /** What event 524 tells of committed logs that were lost; `''` for none. */
  readonly loss: string
  /** How long the start took, in milliseconds. */
  readonly durationMs: number
}

/** What {@link openMailboxStore} needs. */
export interface MailboxOpening {
  readonly files: StoreFiles
  readonly lanes: StoreLanes
  readonly settings: StoreSettings
  /** Memory for pages, in bytes. */
  readonly cacheBytes: number
  /** The length of the logs of a new stream, in bytes. */
  readonly logFileBytes: number
  /** Whether committed logs that are lost are accepted (`eseutil /r /a`). */
  readonly ignoreLostLogs: boolean
  readonly nowMs: () => number
  /** A random number of 32 bits, for signatures. */
  readonly random: () => number
  readonly loop: Pick<StoreLoopParts, 'onBadPage' | 'onStepped'>
  /** The loop runs from now on: facts are for it. */
  readonly onLoop: (loop: StoreLoop) => void
}

/** A store that takes requests. */
export interface OpenMailboxStore {
  readonly store: StoreEngine
  readonly writer: ChangeWriter
  readonly mailbox: MailboxStore
  readonly loop: StoreLoop
  readonly opening: StoreOpening
}

/**
 * Starts a mailbox store, whatever lies on the disk: reads what is there, redoes what was logged, undoes what was not committed,
 * closes the database as a recovery does, and opens it anew.
 *
 * Errors: `DATABASE_REJECTED` with ESE's number as the field `eseError`, and those of the file system.
 */
export async function openMailboxStore(opening: MailboxOpening): Promise<OpenMailboxStore> {
  const beganMs = performance.now()
  const content = new MailboxContent()
  const cache = new PageCache(opening.cacheBytes)
  const { found, outcome, firstRead } = await recover(opening, content, cache)
  const begun = begin(opening, { content, cache, found, outcome })
  const { store, writer, loop } = begun
  opening.onLoop(loop)
  const undone = store.header.state === 'dirty-shutdown' ? content.table.open.length : 0
  const needsClosing = store.header.state === 'dirty-shutdown'
  const mailbox = await undo(opening, begun, outcome.outcome === 'redone' && outcome.needsUndo)
  openAgain(opening, begun)
  await loop.when(
    () => store.mayBegin,
    () => undefined,
  )
  const redone =
    needsClosing && outcome.outcome === 'redone' ? { first: firstRead, last: outcome.through as number } : null
  return {
    store,
    writer,
    mailbox,
    loop,
    opening: {
      outcome: redone !== null ? 'recovered' : found.database === null ? 'created' : 'clean',
      redone,
      mendedPages: outcome.outcome === 'redone' ? outcome.mended.length : 0,
      undone,
      loss: outcome.outcome === 'redone' ? (outcome.loss?.text ?? '') : '',
      durationMs: Math.round(performance.now() - beganMs),
    },
  }
}

type Recovered = Exclude<RecoveryOutcome, { outcome: 'refused' }>

interface Found {
  readonly found: FoundFiles
  readonly outcome: Recovered
  /** The lowest log that was read. */
  readonly firstRead: number
}

async function recover(
  { files, lanes, settings, ignoreLostLogs, nowMs }: MailboxOpening,
  content: MailboxContent,
  cache: PageCache,
): Promise<Found> {
  const finding = readStore(await files.list())
  if (finding.finding === 'unreadable') throw cannotStart(finding.fault)
  const { files: found } = finding
  let firstRead = Number.POSITIVE_INFINITY
  const start = { files: found, settings, cache, transactions: content, ignoreLostLogs, nowMs: nowMs() }
  const outcome = await lanes.run(recoverStore(start), (question) => {
    if (question.order === 'read-log') firstRead = Math.min(firstRead, question.generation)
  })
  if (outcome.outcome === 'refused') throw cannotStart(outcome.fault)
  return { found, outcome, firstRead }
}

interface Begun {
  readonly content: MailboxContent
  readonly store: StoreEngine
  readonly writer: ChangeWriter
  readonly loop: StoreLoop
}

/** The engine, where recovery has left the files; a new stream where there is none. */
function begin(
  { settings, logFileBytes, nowMs, random, files, lanes, loop }: MailboxOpening,
  of: { readonly content: MailboxContent; readonly cache: PageCache } & Pick<Found, 'found' | 'outcome'>,
): Begun {
  const { content, cache, found, outcome } = of
  const start: StoreStart =
    outcome.outcome === 'redone'
      ? { ...outcome.start, content }
      : startOfNewStore({
          settings,
          content,
          nowMs: nowMs(),
          cache,
          signature: { random: random(), createTime: logTimeAt(nowMs()), computer: '' },
          database: found.database,
          layout: { sizeBytes: logFileBytes },
        })
  const store = new StoreEngine(start)
  const writer = content.write(
    store,
    outcome.outcome === 'redone' ? outcome.dbtime : Number(found.database?.dbtime ?? 0),
  )
  const give = lanes.give.bind(lanes)
  const fetchPage = files.fetchPage.bind(files)
  return { content, store, writer, loop: new StoreLoop({ store, writer, give, fetchPage, ...loop }) }
}

/** Undoes what a crash left open, and closes the database. The messages are those that the store goes on with. */
async function undo(
  { nowMs }: MailboxOpening,
  { content, store, writer, loop }: Begun,
  needsUndo: boolean,
): Promise<MailboxStore> {
  if (needsUndo) {
    const outcome = await loop.run(undoScript(writer, content, nowMs()))
    if (outcome.state === 'bad-page') throw damaged(outcome.page, outcome.detail)
  }
  const mailbox = new MailboxStore(writer, content.table.flagged)
  content.hand(mailbox)
  if (store.header.state !== 'dirty-shutdown') return mailbox
  await loop.when(
    () => store.mayBegin,
    () => store.stop('recovery-quit'),
  )
  await loop.when(
    () => store.isAtRest,
    () => undefined,
  )
  return mailbox
}

function* undoScript(writer: ChangeWriter, { table }: MailboxContent, nowMs: number): SessionScript<UndoOutcome> {
  return yield* outcomeOf(undoAll(writer, table.open, logTimeAt(nowMs)))
}

type UndoOutcome =
  | { readonly state: 'done' }
  | { readonly state: 'bad-page'; readonly page: number; readonly detail: string }

/** Attaches the database, or creates it. */
function openAgain({ settings, nowMs, random }: MailboxOpening, { store, writer }: Begun): void {
  const { environment } = store.buffer.header
  const time = logTimeAt(nowMs())
  const database = { signature: { random: random(), createTime: time, computer: '' }, path: settings.databasePath }
  writer.continueIn(store.buffer)
  openDatabase(store, {
    ...database,
    nowMs: nowMs(),
    create: () => {
      if (createDatabase(writer, { environment, time, database, trees: STORE_TREES }) !== null)
        throw new Error('must hold: a new log has room for a new database')
    },
  })
}

function cannotStart({ error, detail, generation, page }: StoreFault): ReplicationError {
  const at = generation === null || generation === NO_GENERATION ? '' : ` at log ${generation}`
  return new ReplicationError({
    code: 'DATABASE_REJECTED',
    message: `the store cannot be started${at}: ${detail} (${error})`,
    hint: `"ccr explain ${error}" says what the number means; put back what is missing, or restore the database from a backup.`,
    fields: { eseError: error, ...(generation === null ? {} : { generation }), ...(page === null ? {} : { page }) },
  })
}

function damaged(page: number, detail: string): ReplicationError {
  return cannotStart({ error: -1018, detail: `page ${page} is damaged: ${detail}`, generation: null, page })
}
