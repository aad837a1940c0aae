import type { LoadOperation } from '../../engine/load/load-ledger.ts'
import { numberedMessage } from '../../engine/load/message-number.ts'
import { listOf, shapeOf } from '../api-answer.ts'
import type { ApiConnection } from '../api-connection.ts'

/** What is looked at of a store's status. */
export interface StoreStatus {
  /** `running` where it takes transactions. */
  readonly state: string
  /** Generation of the open log; 0 where there is none. */
  readonly openGeneration: number
}

/** What a store answers to a transaction; `code` is that of the refusal. */
export type TransactionAnswer =
  | { readonly committed: true }
  | { readonly committed: false; readonly code: string; readonly message: string }

/** A piece of a list of messages. */
export interface MessageList {
  readonly messages: readonly { readonly id: number; readonly size: number }[]
  /** Whether there are further ones. */
  readonly more: boolean
}

/** Messages that are asked for at a time. */
const LIST_LIMIT = 1000

/** One storage group's store behind a management API. Errors are those of the connection. */
export class StoreClient {
  readonly #connection: ApiConnection
  readonly #path: string

  constructor(connection: ApiConnection, storageGroup: string) {
    this.#connection = connection
    this.#path = `/api/v1/stores/${encodeURIComponent(storageGroup)}`
  }

  async status(): Promise<StoreStatus> {
    const answer = await this.#connection.json('GET', this.#path)
    const { state, openGeneration } = shapeOf(answer, 'a store', { state: 'string' })
    return { state: String(state), openGeneration: typeof openGeneration === 'number' ? openGeneration : 0 }
  }

  /** Commits transactions. Answers when all that are committed are durable: an answer for each, in their order. */
  async commit(transactions: readonly (readonly LoadOperation[])[]): Promise<readonly TransactionAnswer[]> {
    const body = {
      transactions: transactions.map((operations) => ({
        operations: operations.map((operation) => ({ mailbox: numberedMessage(operation.id).mailbox, ...operation })),
      })),
    }
    const answer = await this.#connection.json('POST', `${this.#path}/transactions`, body)
    return listOf(shapeOf(answer, 'the answer', { results: 'object' })['results'], 'results').map(readAnswer)
  }

  /** The bytes of a message, or null where there is none. */
  async read(mailbox: number, id: number): Promise<Uint8Array | null> {
    return await this.#connection.bytesUnless('MESSAGE_MISSING', `${this.#path}/mailboxes/${mailbox}/messages/${id}`)
  }

  /** The messages of a mailbox, ascending, behind this one. */
  async list(mailbox: number, after: number | null): Promise<MessageList> {
    const query = new URLSearchParams({
      limit: String(LIST_LIMIT),
      ...(after === null ? {} : { after: String(after) }),
    })
    const answer = await this.#connection.json('GET', `${this.#path}/mailboxes/${mailbox}/messages?${query}`)
    const { messages, more } = shapeOf(answer, 'a list', { messages: 'object' })
    return { more: more === true, messages: listOf(messages, 'messages').map(readListed) }
  }
}

function readAnswer(value: unknown): TransactionAnswer {
  const { committed, code, message } = shapeOf(value, 'a result', {})
  return committed === true ? { committed } : { committed: false, code: String(code), message: String(message) }
}

function readListed(value: unknown): { readonly id: number; readonly size: number } {
  const { id, size } = shapeOf(value, 'a message', { id: 'number', size: 'number' })
  return { id: Number(id), size: Number(size) }
}
