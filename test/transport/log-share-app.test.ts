// Goal: anybody's HTTP tool can list, watch and fetch what a source shares, whole or in parts, and gets nothing else.
// Method: a log share over a source in memory on a free port, asked with fetch and raw sockets.
import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { parseByteRange } from '../../transport/byte-range.ts'
import { rawRequest, sendRaw } from './raw-http.ts'
import { logBytes, type RunningShare, ShareWorld, startShare } from './share-world.ts'

const opened: RunningShare[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map(({ app }) => app.close()))
})

async function share(world = new ShareWorld()): Promise<RunningShare> {
  const running = await startShare(world)
  opened.push(running)
  return running
}

async function get(running: RunningShare, path: string, headers: Record<string, string> = {}, method = 'GET') {
  const response = await fetch(`${running.at.origin}${path}`, { method, headers })
  return { status: response.status, headers: response.headers, bytes: new Uint8Array(await response.arrayBuffer()) }
}

async function json(running: RunningShare, path: string): Promise<unknown> {
  return await (await fetch(`${running.at.origin}${path}`)).json()
}

const LOG = '/shares/SG1/logs/1'
const announced = (announcementNumber: number, closedThrough: number) => ({
  announcementNumber,
  announcement: { closedThrough },
})

describe('what is shared', () => {
  test('is listed by name, described, and listed log by log in pages', async () => {
    const running = await share()

    expect(await json(running, '/shares')).toEqual({ shares: [{ name: 'SG1', href: '/shares/SG1' }] })
    expect(await json(running, '/shares/SG1')).toMatchObject({
      share: 'SG1',
      format: { kind: 'ese' },
      ...announced(1_000, 5),
    })
    expect(await json(running, '/shares/SG1/logs?limit=2')).toMatchObject({
      logs: [{ generation: 1, href: LOG }, { generation: 2 }],
      next: 2,
    })
    expect(await json(running, '/shares/SG1/logs?after=4')).toMatchObject({ logs: [{ generation: 5 }], next: null })
    expect(await json(running, '/shares/SG1/logs?after=5')).toMatchObject({ logs: [], next: null })
  })

  test('is an empty list for a share without logs', async () => {
    const running = await share(new ShareWorld({ last: 0 }))

    expect(await json(running, '/shares/SG1/logs')).toMatchObject({ lowest: 0, logs: [], next: null })
    expect((await get(running, LOG)).status).toBe(404)
  })

  test('tells a log that has gone since it was announced as a problem document', async () => {
    const running = await share()

    const { status, bytes } = await get(running, '/shares/SG1/logs/4')

    expect(status).toBe(404)
    expect(JSON.parse(Buffer.from(bytes).toString())).toMatchObject({ code: 'LOG_MISSING', hint: 'Put it back.' })
  })
})

describe('a log', () => {
  test('comes whole with its length, checksum, name, time and tag', async () => {
    const running = await share(new ShareWorld({ sizeBytes: 300_000 }))

    const { status, headers, bytes } = await get(running, LOG)

    expect(status).toBe(200)
    expect(Buffer.compare(bytes, logBytes(1, 300_000))).toBe(0)
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-length': '300000',
      'content-type': 'application/octet-stream',
      'accept-ranges': 'bytes',
      'x-ccr-checksum': expect.stringMatching(/^[0-9a-f]{16}$/),
      'x-ccr-log-name': 'E0000000001.log',
      'x-ccr-log-time': '2007-06-14T16:42:01.000Z',
      etag: `"${headers.get('x-ccr-checksum')}-300000"`,
    })
    expect(running.world.served).toEqual([{ generation: 1, bytes: 300_000 }])
    expect(running.world.closedLogs).toBe(1)
  })

  test('that is empty comes with length 0', async () => {
    const { status, headers, bytes } = await get(await share(new ShareWorld({ sizeBytes: 0 })), LOG)

    expect([status, headers.get('content-length'), bytes.length]).toEqual([200, '0', 0])
  })

  test('is described by HEAD without its bytes', async () => {
    const running = await share()

    const { status, headers, bytes } = await get(running, LOG, {}, 'HEAD')

    expect([status, headers.get('content-length'), bytes.length]).toEqual([200, '4096', 0])
    expect(running.world.closedLogs).toBe(1)
  })

  test.each([
    ['bytes=0-0', 206, 0, 1],
    ['bytes=100-199', 206, 100, 200],
    ['bytes=4000-', 206, 4_000, 4_096],
    ['bytes=4000-9999', 206, 4_000, 4_096],
    ['bytes=-96', 206, 4_000, 4_096],
    ['bytes=-9999', 206, 0, 4_096],
    ['bytes=4096-', 416, 0, 0],
    ['bytes=5-4', 416, 0, 0],
    ['bytes=-0', 416, 0, 0],
    ['bytes=-', 416, 0, 0],
    ['bytes=0-1,2-3', 416, 0, 0],
    ['bytes=abc', 416, 0, 0],
    ['bytes=99999999999999999999-', 416, 0, 0],
    ['lines=1-2', 200, 0, 4_096],
  ])('asked for with Range: %s is answered with %i', async (range, status, lo, hi) => {
    const answer = await get(await share(), LOG, { range })

    expect(answer.status).toBe(status)
    if (status === 416) expect(answer.headers.get('content-range')).toBe('bytes */4096')
    else expect(Buffer.compare(answer.bytes, logBytes(1, 4_096).subarray(lo, hi))).toBe(0)
    if (status === 206) expect(answer.headers.get('content-range')).toBe(`bytes ${lo}-${hi - 1}/4096`)
  })

  test('comes in part only to who has its tag, and whole to who has another', async () => {
    const running = await share()
    const etag = (await get(running, LOG)).headers.get('etag') ?? ''

    const same = await get(running, LOG, { range: 'bytes=10-', 'if-range': etag })
    const other = await get(running, LOG, { range: 'bytes=10-', 'if-range': '"another"' })
    const dated = await get(running, LOG, { range: 'bytes=10-', 'if-range': 'Thu, 14 Jun 2007 16:42:01 GMT' })

    expect([same.status, other.status, dated.status]).toEqual([206, 200, 200])
  })

  test('that was shortened breaks off instead of ending, and the log is closed', async () => {
    const world = new ShareWorld({ sizeBytes: 300_000 })
    world.readableBytes = 200_000
    const running = await share(world)

    await expect(get(running, LOG)).rejects.toThrow()

    expect(world.faults).toMatchObject([{ code: 'LOG_CHANGED', fields: { generation: 1 } }])
    expect([world.served, world.closedLogs]).toEqual([[], 1])
  })

  test('is closed and not counted when its reader goes away', async () => {
    const world = new ShareWorld({ sizeBytes: 64 * 1024 * 1024 })
    const running = await share(world)
    const leaving = new AbortController()
    const response = await fetch(`${running.at.origin}${LOG}`, { signal: leaving.signal })

    leaving.abort()
    await response.arrayBuffer().catch(() => undefined)
    while (world.closedLogs === 0) await new Promise((resolve) => setImmediate(resolve))

    expect(world.served).toEqual([])
  })

  test('has the range that a slow twin of the parser finds', () => {
    fc.assert(
      fc.property(fc.nat(50), fc.option(fc.nat(60)), fc.option(fc.nat(60)), (size, from, to) => {
        const wanted = Array.from({ length: size }, (_, at) => at).filter((at) =>
          from === null ? to !== null && at >= size - to : at >= from && at <= (to ?? size),
        )
        const isOrdered = from === null || to === null || from <= to
        const expected =
          wanted.length > 0 && isOrdered ? { lo: wanted[0], hi: (wanted.at(-1) ?? 0) + 1 } : 'unsatisfiable'

        expect(parseByteRange(`bytes=${from ?? ''}-${to ?? ''}`, size)).toEqual(expected)
      }),
    )
  })
})

describe('announcements', () => {
  const POLL = '/shares/SG1/announcements'

  test('are answered at once to who does not wait, and to who knows another number', async () => {
    const running = await share()

    expect(await json(running, POLL)).toMatchObject(announced(1_000, 5))
    expect(await json(running, `${POLL}?after=1000`)).toMatchObject(announced(1_000, 5))
    expect(await json(running, `${POLL}?after=999&waitMs=25000`)).toMatchObject(announced(1_000, 5))
    expect(await json(running, `${POLL}?after=2000&waitMs=25000`)).toMatchObject(announced(1_000, 5))
  })

  test('are held back for a long poll until there is news', async () => {
    const running = await share()
    const poll = json(running, `${POLL}?after=1000&waitMs=25000`)
    await waiting(running.world, 1)

    running.world.announce(6)

    expect(await poll).toMatchObject(announced(1_001, 6))
  })

  test('are answered unchanged when the wait of a long poll is over', async () => {
    const running = await share()

    expect(await json(running, `${POLL}?after=1000&waitMs=20`)).toMatchObject(announced(1_000, 5))
    expect(running.world.waiting).toBe(0)
  })

  test('end a long poll with 404 when the share is closed meanwhile', async () => {
    const running = await share()
    const poll = json(running, `${POLL}?after=1000&waitMs=25000`)
    await waiting(running.world, 1)

    running.world.removeShare()

    expect(await poll).toMatchObject({ code: 'SHARE_UNKNOWN' })
  })

  test('stop being waited for when the one who polls goes away', async () => {
    const running = await share()
    const leaving = new AbortController()
    const poll = fetch(`${running.at.origin}${POLL}?after=1000&waitMs=25000`, { signal: leaving.signal })
    await waiting(running.world, 1)

    leaving.abort()

    await expect(poll).rejects.toThrow()
    await waiting(running.world, 0)
  })

  test('come as a stream: the latest first, then each, and a reader that returns goes on where it was', async () => {
    const running = await share()
    const accept = 'Accept: text/event-stream'
    const first = sendRaw(running.at.port, rawRequest(`GET ${POLL} HTTP/1.1`, [accept]))
    await waiting(running.world, 1)
    running.world.announce(6)
    await waiting(running.world, 1)
    const again = sendRaw(running.at.port, rawRequest(`GET ${POLL} HTTP/1.1`, [accept, 'Last-Event-ID: 1001']))
    await waiting(running.world, 2)
    running.world.announce(7)
    await waiting(running.world, 2)

    running.world.removeShare()

    const ids = (text: string) => [...text.matchAll(/^id: (\d+)$/gm)].map((found) => found[1])
    const { text } = await first
    expect(text).toMatch(/^content-type: text\/event-stream$/im)
    expect(ids(text)).toEqual(['1000', '1001', '1002'])
    expect(ids((await again).text)).toEqual(['1002'])
    expect(text).toMatch(/^event: announcement\r?\ndata: \{"share":"SG1"/m)
  })

  test('keep a silent stream alive with comments', async () => {
    const running = await startShare(new ShareWorld(), { limits: { idleMs: 400 } })
    opened.push(running)
    const stream = await fetch(`${running.at.origin}${POLL}`, {
      headers: { accept: 'text/event-stream', 'last-event-id': '1000' },
    })
    const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader()

    let text = ''
    while (!text.endsWith(':\n\n:\n\n:\n\n')) text += (await reader?.read())?.value ?? 'the stream ended'.repeat(100)

    expect(text).not.toContain('ended')
    await reader?.cancel()
  })
})

/** Waits until so many wait for an announcement. */
async function waiting(world: ShareWorld, count: number): Promise<void> {
  while (world.waiting !== count) await new Promise((resolve) => setImmediate(resolve))
}
