// Goal: whatever a stranger sends, both listeners answer with a clear refusal or close, and nothing behind them changes.
// Method: a table of raw bytes with the status expected, sent over plain sockets; the world's digest before and after.
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { MANAGEMENT_ROWS, SHARE_ROWS, SUSPEND } from './bad-requests.ts'
import { ManagementWorld, type RunningManagement, startManagement } from './management-world.ts'
import { rawPost, sendRaw } from './raw-http.ts'
import { type RunningShare, ShareWorld, startShare } from './share-world.ts'

describe('the management listener', () => {
  let running: RunningManagement

  beforeAll(async () => {
    running = await startManagement(new ManagementWorld())
  })
  afterAll(() => running.app.close())

  test.each(MANAGEMENT_ROWS)(
    'refuses $name with $status and changes nothing',
    async ({ bytes, status, end = false }) => {
      const before = running.world.digest

      const answer = await sendRaw(running.at.port, bytes, { end })

      expect(answer.status).toBe(status)
      expect(running.world.digest).toBe(before)
    },
  )

  test('tells every refusal as a problem document on a connection that closes', async () => {
    for (const { name, bytes, status, end = false } of MANAGEMENT_ROWS) {
      if (status === 'closed') continue

      const { text } = await sendRaw(running.at.port, bytes, { end })

      const [head = '', body = ''] = text.split('\r\n\r\n')
      expect(head, name).toMatch(/^content-type: application\/problem\+json$/im)
      expect(head, name).toMatch(/^connection: close$/im)
      expect(head, name).toMatch(/^x-content-type-options: nosniff$/im)
      expect(JSON.parse(body), name).toMatchObject({
        type: 'about:blank',
        status,
        code: expect.stringMatching(/^(REQUEST_INVALID|NAME_INVALID|STORAGE_GROUP_UNKNOWN)$/),
        hint: expect.stringMatching(/\S/),
        retriable: false,
      })
    }
  })

  test('takes the same command when it is well formed', async () => {
    const bytes = rawPost(SUSPEND, JSON.stringify({ comment: 'Umbau läuft 🔧' }), ['Expect: 100-continue'])

    const answer = await sendRaw(running.at.port, bytes)

    expect(answer.text).toMatch(/^HTTP\/1\.1 100 Continue/)
    expect(answer.status).toBe(200)
    expect(running.world.commands.at(-1)).toEqual(['suspend', 'SG1', 'Umbau läuft 🔧'])
  })

  test('lets its own pages in: Host localhost, an Origin that is the Host, Sec-Fetch-Site same-origin', async () => {
    const own = ['Host: localhost:7702', 'Origin: http://localhost:7702', 'Sec-Fetch-Site: same-origin']
    const bytes = ['GET /livez HTTP/1.1', 'Connection: close', ...own, '', ''].join('\r\n')

    expect((await sendRaw(running.at.port, bytes)).status).toBe(200)
  })

  test('answers a request before the broken one in its pipeline, and only once the broken one', async () => {
    const good = 'GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n'

    const { text } = await sendRaw(running.at.port, `${good}GET /livez HTTP/1.1\r\nHost: evil.example\r\n\r\n${good}`)

    expect([...text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((found) => found[1])).toEqual(['200', '421'])
  })
})

describe('the replication listener', () => {
  let running: RunningShare

  beforeAll(async () => {
    running = await startShare(new ShareWorld())
  })
  afterAll(() => running.app.close())

  test.each(SHARE_ROWS)('refuses $name with $status and touches no log', async ({ bytes, status }) => {
    const before = running.world.digest

    const answer = await sendRaw(running.at.port, bytes)

    expect(answer.status).toBe(status)
    expect(answer.text).toMatch(/^content-type: application\/problem\+json$/im)
    expect(running.world.digest).toBe(before)
  })

  test('hands an upgrade that is well formed over, with the bytes that came behind it', async () => {
    const headers = ['Host: 127.0.0.1', 'Connection: Upgrade', 'Upgrade: ccr-log-stream/2, ccr-log-stream/1']
    const asked = ['GET /shares HTTP/1.1', ...headers, '', 'first bytes'].join('\r\n')

    const answer = await sendRaw(running.at.port, asked)

    expect(answer.text).toMatch(/^HTTP\/1\.1 101 /)
    expect(running.world.upgrades.at(-1)?.head.toString()).toBe('first bytes')
  })
})

test('whatever bytes are changed in whatever request, nobody hangs, crashes or answers 5xx', async () => {
  const world = new ShareWorld()
  const { app, at } = await startShare(world, { onServed: () => undefined })
  const seeds = [...MANAGEMENT_ROWS, ...SHARE_ROWS].map(({ bytes }) => Buffer.from(bytes))
  const mutation = fc.record({
    seed: fc.nat(seeds.length - 1),
    changes: fc.array(
      fc.record({ at: fc.nat(400), to: fc.constantFrom(0, 9, 10, 13, 32, 37, 46, 47, 58, 65, 128, 255) }),
    ),
    cut: fc.nat(600),
  })

  await fc.assert(
    fc.asyncProperty(mutation, async ({ seed, changes, cut }) => {
      const bytes = Buffer.from((seeds[seed] ?? Buffer.alloc(0)).subarray(0, cut))
      for (const { at: where, to } of changes) if (where < bytes.length) bytes[where] = to

      const { status } = await sendRaw(at.port, bytes, { end: true })

      return status === 'closed' || status < 500
    }),
    { numRuns: 500 },
  )

  expect(world.faults).toEqual([])
  await app.close()
})
