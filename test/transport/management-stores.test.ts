// Goal: transactions and messages cross the API as they are, what is no transaction changes nothing, and the API says so itself.
// Method: the API over a store in memory on a free port, asked with fetch; answers are held against the OpenAPI document.
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ReplicationError } from '../../engine/error.ts'
import { ManagementWorld, type RunningManagement, startManagement } from './management-world.ts'

const STORE = '/api/v1/stores/SG1'
const TRANSACTIONS = `${STORE}/transactions`
const MESSAGES = `${STORE}/mailboxes/1/messages`

let running: RunningManagement
beforeEach(async () => {
  running = await startManagement(new ManagementWorld())
})
afterEach(() => running.app.close())

function ask(path: string, body?: unknown): Promise<Response> {
  const headers = { 'content-type': 'application/json' }
  const posted = { method: 'POST', headers, body: JSON.stringify(body) }
  return fetch(`${running.at.origin}${path}`, body === undefined ? {} : posted)
}

const inserted = (id: number, bytes: string) => ({ op: 'insert', mailbox: 1, id, bytes: btoa(bytes) })

describe('a store', () => {
  it('tells its status, alone and in the list of all', async () => {
    const one = await (await ask(STORE)).json()
    const all = await (await ask('/api/v1/stores')).json()

    expect(one).toMatchObject({ storageGroup: 'SG1', state: 'running', openGeneration: 12, waypointDepth: 10 })
    expect(all).toEqual({ stores: [one] })
  })

  it('takes transactions of every kind of operation, and answers each in its place', async () => {
    const operations = [
      inserted(5, 'hello'),
      { op: 'replace', mailbox: 1, id: 6, size: 1000, seed: 7 },
      { op: 'delete', mailbox: 2, id: 2 ** 53 - 1 },
    ]
    await ask(TRANSACTIONS, { transactions: [{ operations }] })
    const answer = await ask(TRANSACTIONS, { transactions: [{ operations: [inserted(5, 'x')] }, { operations }] })

    expect(JSON.parse(String(running.world.commands[0]?.[1]))).toMatchObject([
      { operations: [{ op: 'insert', id: 5 }, { content: { size: 1000, seed: 7 } }, { op: 'delete', mailbox: 2 }] },
    ])
    const refused = { committed: false, code: 'MESSAGE_EXISTS', message: 'message 5 is there' }
    expect(await answer.json()).toEqual({ results: [refused, refused] })
  })

  it('gives the bytes of a message as they are, and says that there is none', async () => {
    await ask(TRANSACTIONS, { transactions: [{ operations: [inserted(5, 'hello\u0000')] }] })

    const found = await ask(`${MESSAGES}/5`)
    const missing = await ask(`${MESSAGES}/6`)

    expect([found.status, found.headers.get('content-type')]).toEqual([200, 'application/octet-stream'])
    expect(await found.text()).toBe('hello\u0000')
    expect([missing.status, await missing.json()]).toMatchObject([404, { code: 'MESSAGE_MISSING', id: 6 }])
  })

  it('opens a window of maintenance for so many minutes, 240 where none are said', async () => {
    const path = `${STORE}/maintenance`
    const answer = await ask(path, { minutes: 5 })
    await ask(path, {})
    const refused = [await ask(path, { minutes: 0 }), await ask(path, { minutes: 1441 }), await ask(path, { hours: 1 })]

    expect(await answer.json()).toMatchObject({ state: 'working', nextPage: 65 })
    expect(running.world.commands).toEqual([
      ['maintain', 300_000],
      ['maintain', 14_400_000],
    ])
    expect(refused.map(({ status }) => status)).toEqual([400, 400, 400])
  })

  it('lists messages behind one, so many at a time', async () => {
    const operations = [1, 2, 3].map((id) => inserted(id, 'x'.repeat(id)))
    await ask(TRANSACTIONS, { transactions: [{ operations }] })

    const page = await (await ask(`${MESSAGES}?after=1&limit=1`)).json()
    await ask(MESSAGES)

    expect(page).toEqual({ messages: [{ id: 2, size: 2 }], more: true })
    expect(running.world.commands.at(-1)).toEqual(['list', 1, -1, 100])
  })

  it('closes its log when it is told to', async () => {
    expect(await (await ask(`${STORE}/roll`, {})).json()).toEqual({ closed: 7 })
  })

  it('that takes no requests answers 503, which may be tried again', async () => {
    running.world.refusal = new ReplicationError({ code: 'STORE_UNAVAILABLE', message: 'failed', hint: 'Wait.' })

    const answer = await ask(TRANSACTIONS, { transactions: [{ operations: [inserted(5, 'x')] }] })

    expect([answer.status, await answer.json()]).toMatchObject([503, { code: 'STORE_UNAVAILABLE', retriable: true }])
  })
})

describe('what is no transaction', () => {
  const good = { op: 'insert', mailbox: 1, id: 5, size: 10, seed: 1 }
  const refusals: readonly (readonly [string, unknown])[] = [
    ['no transaction at all', { transactions: [] }],
    ['a transaction without an operation', { transactions: [{ operations: [] }] }],
    ['a member that nobody knows', { transactions: [{ operations: [{ ...good, folder: 1 }] }] }],
    ['bytes and a size', { transactions: [{ operations: [{ ...good, bytes: '' }] }] }],
    ['an unknown operation', { transactions: [{ operations: [{ ...good, op: 'upsert' }] }] }],
    ['a mailbox above 32 bits', { transactions: [{ operations: [{ ...good, mailbox: 2 ** 32 }] }] }],
    ['a number that is no integer', { transactions: [{ operations: [{ ...good, id: 1.5 }] }] }],
    ['a number that JSON cannot keep', { transactions: [{ operations: [{ ...good, id: 2 ** 53 }] }] }],
    ['a negative size', { transactions: [{ operations: [{ ...good, size: -1 }] }] }],
    [
      'bytes that are no base64',
      { transactions: [{ operations: [{ op: 'insert', mailbox: 1, id: 1, bytes: 'a*' }] }] },
    ],
    ['base64 that is cut', { transactions: [{ operations: [{ op: 'insert', mailbox: 1, id: 1, bytes: 'abc' }] }] }],
    [
      'more bytes than a store lets wait',
      { transactions: Array.from({ length: 65 }, (_, id) => ({ operations: [{ ...good, id, size: 2 ** 20 }] })) },
    ],
  ]

  it.each(refusals)('is refused: %s', async (_, body) => {
    const answer = await ask(TRANSACTIONS, body)

    expect([answer.status, await answer.json()]).toMatchObject([400, { code: 'REQUEST_INVALID' }])
    expect(running.world.commands).toEqual([])
  })

  it('is refused when it is larger than the body may be', async () => {
    const bytes = 'A'.repeat(9 * 1024 * 1024)

    const answer = await ask(TRANSACTIONS, { transactions: [{ operations: [{ ...good, bytes }] }] }).catch(() => null)

    // The connection may be cut before the client has sent everything, and the answer with it.
    expect(answer?.status ?? 413).toBe(413)
    expect(running.world.commands).toEqual([])
  })

  it.each([
    '4294967296/messages',
    'x/messages',
    '1/messages?limit=0',
    '1/messages?limit=1001',
    '1/messages/9007199254740992',
  ])('nor is %s a mailbox, a list or a message', async (path) => {
    expect((await ask(`${STORE}/mailboxes/${path}`)).status).toBe(400)
  })
})

it('the document describes what stores answer', async () => {
  const document = JSON.parse(await (await ask('/openapi.json')).text())
  const paths = Object.keys(document.paths).filter((path) => path.startsWith('/api/v1/stores'))
  const schemas = { status: document.paths['/api/v1/stores/{storageGroup}'].get.responses['200'] }
  const validate = new Ajv2020({ strict: false }).compile(schemas.status.content['application/json'].schema)

  expect(paths).toEqual([
    '/api/v1/stores',
    '/api/v1/stores/{storageGroup}',
    '/api/v1/stores/{storageGroup}/transactions',
    '/api/v1/stores/{storageGroup}/roll',
    '/api/v1/stores/{storageGroup}/mount',
    '/api/v1/stores/{storageGroup}/dismount',
    '/api/v1/stores/{storageGroup}/maintenance',
    '/api/v1/stores/{storageGroup}/mailboxes/{mailbox}/messages',
    '/api/v1/stores/{storageGroup}/mailboxes/{mailbox}/messages/{id}',
    '/api/v1/stores/{storageGroup}/restore',
    '/api/v1/stores/{storageGroup}/pages',
  ])
  expect(validate(await (await ask(STORE)).json())).toBe(true)
  const message = document.paths['/api/v1/stores/{storageGroup}/mailboxes/{mailbox}/messages/{id}']
  expect(Object.keys(message.get.responses['200'].content)).toEqual(['application/octet-stream'])
})
