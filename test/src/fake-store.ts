import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { messageContent } from '../../engine/database/message-content.ts'

/** A message of the fake. */
interface StoredMessage {
  readonly mailbox: number
  readonly bytes: Uint8Array
}

/** One operation as a request has it. */
interface SentOperation {
  readonly op: 'insert' | 'replace' | 'delete'
  readonly mailbox: number
  readonly id: number
  readonly size: number
  readonly seed: number
}

/** Whether a request is answered, or cut off before or behind what it asks for. */
export type Interruption = 'none' | 'before' | 'behind'

/** The management API of a store, as dumb as can be, whose messages a test may change behind its back. */
export class FakeStore {
  readonly messages = new Map<number, StoredMessage>()
  /** What becomes of the next requests with transactions. */
  interrupt: (request: number) => Interruption = () => 'none'
  /** What a status says, in turn; the last one stays. */
  states: string[] = ['running']
  refusal: { code: string; message: string } | null = null
  requests = 0
  url = ''

  async start(): Promise<this> {
    const server = createServer((request, response) => void this.#answer(request, response))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => {
      server.closeAllConnections()
      server.close()
    })
    const { port } = server.address() as AddressInfo // a listening TCP server has one
    this.url = `http://127.0.0.1:${port}`
    return this
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', this.url)
    const [, group, rest = ''] = /^\/api\/v1\/stores\/([^/]+)(.*)$/.exec(pathname) ?? []
    if (group !== 'SG1') return problem(response, 404, 'STORAGE_GROUP_UNKNOWN')
    if (rest === '') return json(response, { state: this.#state(), openGeneration: 5 + this.requests })
    if (rest === '/transactions') return this.#commit(request, response)
    const [, mailbox = '', id] = /^\/mailboxes\/(\d+)\/messages(?:\/(\d+))?$/.exec(rest) ?? []
    if (id === undefined) return json(response, this.#list(Number(mailbox), searchParams))
    const message = this.messages.get(Number(id))
    if (message?.mailbox !== Number(mailbox)) return problem(response, 404, 'MESSAGE_MISSING')
    response.end(message.bytes)
  }

  #state(): string {
    return (this.states.length > 1 ? this.states.shift() : this.states[0]) ?? 'running'
  }

  async #commit(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = ''
    for await (const piece of request) text += String(piece)
    const { transactions } = JSON.parse(text) as { transactions: { operations: SentOperation[] }[] } // the load's own body
    this.requests += 1
    const interruption = this.interrupt(this.requests)
    if (interruption === 'before') return void request.socket.destroy()
    const results = transactions.map(({ operations }) => this.#apply(operations))
    if (interruption === 'behind') return void request.socket.destroy()
    json(response, { results })
  }

  #apply(operations: readonly SentOperation[]): object {
    if (this.refusal !== null) return { committed: false, ...this.refusal }
    const wrong = operations.find(({ op, id }) => (op === 'insert') === this.messages.has(id))
    if (wrong !== undefined) {
      const code = wrong.op === 'insert' ? 'MESSAGE_EXISTS' : 'MESSAGE_MISSING'
      return { committed: false, code, message: `${wrong.op} of ${wrong.id} cannot be` }
    }
    for (const { op, mailbox, id, size, seed } of operations) {
      if (op === 'delete') this.messages.delete(id)
      else this.messages.set(id, { mailbox, bytes: messageContent(size, seed) })
    }
    return { committed: true }
  }

  #list(mailbox: number, query: URLSearchParams): object {
    const after = Number(query.get('after') ?? -1)
    const limit = Math.min(Number(query.get('limit')), 7) // so that even small mailboxes come in pieces
    const ids = [...this.messages]
      .filter(([id, message]) => message.mailbox === mailbox && id > after)
      .map(([id]) => id)
    const listed = ids.sort((a, b) => a - b).slice(0, limit)
    return {
      messages: listed.map((id) => ({ id, size: this.messages.get(id)?.bytes.byteLength ?? 0 })),
      more: ids.length > limit,
    }
  }
}

function json(response: ServerResponse, document: object): void {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(document))
}

function problem(response: ServerResponse, status: number, code: string): void {
  response.writeHead(status, { 'content-type': 'application/problem+json' })
  response.end(JSON.stringify({ code, detail: `refused with ${code}`, hint: 'Ask otherwise.' }))
}
