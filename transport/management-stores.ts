import type { FastifyInstance } from 'fastify'
import {
  bytesOfTransactions,
  type MailboxOperation,
  type MailboxTransaction,
} from '../engine/database/mailbox-session.ts'
import type { MessageName } from '../engine/database/store-layout.ts'
import type { ListedMessage } from '../engine/database/store-reading.ts'
import { ReplicationError } from '../engine/error.ts'
import type { Generation } from '../engine/generation.ts'
import type { DigestPages } from './management-pages.ts'
import { describedBy, foundGroup, type GroupRoute, type GroupsPort } from './management-route.ts'
import { EMPTY_BODY } from './management-schemas.ts'
import type { MaintenanceDocument, StoreStatus } from './management-store-documents.ts'
import {
  LIST_LIMIT_MAX,
  MAILBOX_MAX,
  MAILBOX_PARAMS,
  MAINTENANCE_BODY,
  MESSAGE_PARAMS,
  MESSAGES_QUERY,
  STORE_ANSWERS,
  STORE_STATUS,
  TRANSACTIONS_BODY,
} from './management-store-schemas.ts'
import { requestInvalid } from './problem.ts'
import { parseWholeNumber } from './query.ts'

/** What became of a transaction. */
type TransactionResult =
  | { readonly committed: true }
  | { readonly committed: false; readonly code: string; readonly message: string }

/** One mailbox store of a process. Everything rejects with `STORE_UNAVAILABLE` while it takes no requests, and with `STORE_BUSY`. */
export interface ManagedStore {
  readonly status: () => Promise<StoreStatus>
  /** Makes transactions one after the other; resolves when all that were committed are durable. */
  readonly transact: (transactions: readonly MailboxTransaction[]) => Promise<readonly TransactionResult[]>
  /** The bytes of a message, or null. */
  readonly read: (name: MessageName) => Promise<Uint8Array | null>
  readonly list: (query: {
    readonly mailbox: number
    readonly after: number
    readonly limit: number
  }) => Promise<{ readonly messages: readonly ListedMessage[]; readonly more: boolean }>
  /** Closes the open log; resolves with its generation. */
  readonly roll: () => Promise<Generation>
  /** Digests of the pages of the database at the end of a log, which is closed for it. */
  readonly digestPages: DigestPages
  /** Starts a dismounted store; rejects as its start does. */
  readonly mount: () => Promise<void>
  /** Stops the store in order until it is mounted. Rejects with `STATE_REFUSED` while a backup needs it. */
  readonly dismount: () => Promise<void>
  /** Opens a window of maintenance now. Rejects with `STATE_REFUSED` where it is off. */
  readonly maintain: (durationMs: number) => Promise<MaintenanceDocument>
}

/** The mailbox stores of a process. */
export interface StoresPort extends GroupsPort<ManagedStore> {
  readonly list: () => readonly ManagedStore[]
}

/**
 * Bytes of the body of a request with transactions: five messages of the longest kind in base64, or some ten thousand short
 * operations. More in one go would only wait longer.
 */
const BODY_BYTES_MAX = 8 * 1024 * 1024
/** Bytes that the messages of one request have in all, also where they are made of size and seed: as much as a store lets wait. */
const CONTENT_BYTES_MAX = 64 * 1024 * 1024
/** Messages of a list where nobody says how many. */
const LIST_LIMIT_DEFAULT = 100
/** A window that somebody opens is as long as that of the night. */
const WINDOW_MINUTES_DEFAULT = 240
const MINUTE_MS = 60_000
const ID_MAX = Number.MAX_SAFE_INTEGER
const MAILBOX = { name: 'mailbox', most: MAILBOX_MAX } as const
const ID = { name: 'id', most: ID_MAX } as const
const LIMIT = { name: 'limit', least: 1, most: LIST_LIMIT_MAX } as const

/** An operation as a request says it; the schema has checked it. */
type OperationDocument = MessageName &
  (
    | { readonly op: 'insert' | 'replace'; readonly size: number; readonly seed: number }
    | { readonly op: 'insert' | 'replace'; readonly bytes: string }
    | { readonly op: 'delete' }
  )

interface TransactionsRoute extends GroupRoute {
  Body: { readonly transactions: readonly { readonly operations: readonly OperationDocument[] }[] }
}

interface MaintenanceRoute extends GroupRoute {
  Body: { readonly minutes?: number }
}

interface MailboxRoute {
  Params: { storageGroup: string; mailbox: string }
  Querystring: { readonly after?: string; readonly limit?: string }
}

interface MessageRoute {
  Params: { storageGroup: string; mailbox: string; id: string }
}

const tag = 'stores'

/** Adds the routes about mailbox stores. Without a port the list is empty and every name unknown. */
export function addStoreRoutes(api: FastifyInstance, stores: StoresPort | undefined): void {
  const found = (name: string): ManagedStore => foundGroup(name, stores, 'store')
  api.get(
    '/api/v1/stores',
    describedBy({ tag, summary: 'Status of every mailbox store', answer: STORE_ANSWERS.stores }),
    async () => ({ stores: await Promise.all((stores?.list() ?? []).map((store) => store.status())) }),
  )
  api.get<GroupRoute>(
    '/api/v1/stores/:storageGroup',
    describedBy({ tag, summary: 'Status of one mailbox store', answer: STORE_STATUS, group: true }),
    ({ params }) => found(params.storageGroup).status(),
  )
  addStoreCommands(api, found)
  addMountRoutes(api, found)
  addMaintenanceRoute(api, found)
  addMessageRoutes(api, found)
}

function addStoreCommands(api: FastifyInstance, found: (name: string) => ManagedStore): void {
  const summary = 'Make transactions one after the other; answers when all that are committed are durable'
  const described = describedBy({ tag, summary, answer: STORE_ANSWERS.results, group: true, body: TRANSACTIONS_BODY })
  api.post<TransactionsRoute>(
    '/api/v1/stores/:storageGroup/transactions',
    { ...described, bodyLimit: BODY_BYTES_MAX },
    async ({ params, body }) => {
      const store = found(params.storageGroup)
      return { results: await store.transact(transactionsOf(body.transactions)) }
    },
  )
  const roll = { tag, summary: 'Close the open log, full or not', answer: STORE_ANSWERS.roll, group: true }
  api.post<GroupRoute>(
    '/api/v1/stores/:storageGroup/roll',
    describedBy({ ...roll, body: EMPTY_BODY }),
    async ({ params }) => ({ closed: await found(params.storageGroup).roll() }),
  )
}

function addMountRoutes(api: FastifyInstance, found: (name: string) => ManagedStore): void {
  const summaries = {
    mount: 'Start a dismounted store; answers when it takes requests',
    dismount: 'Stop the store in order; it stays dismounted, over a start of the service too, until it is mounted',
  } as const
  for (const verb of ['mount', 'dismount'] as const) {
    const described = { tag, summary: summaries[verb], answer: STORE_STATUS, group: true, body: EMPTY_BODY }
    api.post<GroupRoute>(`/api/v1/stores/:storageGroup/${verb}`, describedBy(described), async ({ params }) => {
      const store = found(params.storageGroup)
      await store[verb]()
      return await store.status()
    })
  }
}

function addMaintenanceRoute(api: FastifyInstance, found: (name: string) => ManagedStore): void {
  const summary = 'Open a window of online maintenance now; a pass under way goes on, else a new one begins'
  const maintain = { tag, summary, answer: STORE_ANSWERS.maintenance, group: true }
  api.post<MaintenanceRoute>(
    '/api/v1/stores/:storageGroup/maintenance',
    describedBy({ ...maintain, body: MAINTENANCE_BODY }),
    ({ params, body }) => found(params.storageGroup).maintain((body.minutes ?? WINDOW_MINUTES_DEFAULT) * MINUTE_MS),
  )
}

function addMessageRoutes(api: FastifyInstance, found: (name: string) => ManagedStore): void {
  const list = { tag, summary: 'Messages of a mailbox, ascending', answer: STORE_ANSWERS.messages }
  api.get<MailboxRoute>(
    '/api/v1/stores/:storageGroup/mailboxes/:mailbox/messages',
    describedBy({ ...list, params: MAILBOX_PARAMS, query: MESSAGES_QUERY }),
    async ({ params, query }) => {
      const { messages, more } = await found(params.storageGroup).list({
        mailbox: parseWholeNumber(params.mailbox, MAILBOX),
        after: parseWholeNumber(query.after ?? null, { name: 'after', most: ID_MAX - 1 }) ?? -1,
        limit: parseWholeNumber(query.limit ?? null, LIMIT) ?? LIST_LIMIT_DEFAULT,
      })
      return { messages: messages.map(({ id, bytes }) => ({ id, size: bytes })), more }
    },
  )
  api.get<MessageRoute>(
    '/api/v1/stores/:storageGroup/mailboxes/:mailbox/messages/:id',
    describedBy({ tag, summary: 'The bytes of a message', answer: 'bytes', params: MESSAGE_PARAMS }),
    async ({ params }, reply) => {
      const store = found(params.storageGroup)
      const name = { mailbox: parseWholeNumber(params.mailbox, MAILBOX), id: parseWholeNumber(params.id, ID) }
      const bytes = await store.read(name)
      if (bytes === null) throw noMessage(params.storageGroup, name)
      return reply.type('application/octet-stream').send(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    },
  )
}

function transactionsOf(documents: TransactionsRoute['Body']['transactions']): readonly MailboxTransaction[] {
  const transactions = documents.map(({ operations }) => ({ operations: operations.map(operationOf) }))
  const bytes = bytesOfTransactions(transactions)
  if (bytes > CONTENT_BYTES_MAX)
    throw requestInvalid(
      `messages of ${bytes} bytes in one request, where ${CONTENT_BYTES_MAX} are allowed`,
      'Send them in several requests.',
    )
  return transactions
}

function operationOf(document: OperationDocument): MailboxOperation {
  const { op, mailbox, id } = document
  if (op === 'delete') return { op, mailbox, id }
  if ('size' in document) return { op, mailbox, id, content: { size: document.size, seed: document.seed } }
  if (document.bytes.length % 4 !== 0)
    throw requestInvalid(
      `the bytes of message ${id} are no base64`,
      'Pad them with = to a multiple of four characters.',
    )
  // Memory of its own: a message between threads carries all of what a view is part of.
  return { op, mailbox, id, content: { bytes: new Uint8Array(Buffer.from(document.bytes, 'base64')) } }
}

function noMessage(storageGroup: string, { mailbox, id }: MessageName): ReplicationError {
  return new ReplicationError({
    code: 'MESSAGE_MISSING',
    message: `mailbox ${mailbox} of ${storageGroup} has no message ${id}`,
    hint: 'GET …/mailboxes/MAILBOX/messages lists what it has.',
    fields: { storageGroup, mailbox, id },
  })
}
