// Goal: the database of a seed is served piece by piece, each with its checksum and the length of the file, and to nobody without a session; the
// memory of a piece is given back whatever becomes of its reader.
// Method: a log share over a source in memory on a free port, asked with fetch, the client of seeds, and sockets that go away.
import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { SeedClient } from '../../transport/seed-client.ts'
import { PIECE_BYTES_MAX } from '../../transport/wire.ts'
import { logBytes, type RunningShare, ShareWorld, startShare } from './share-world.ts'

const FILE_BYTES = 3 * PIECE_BYTES_MAX
const PATH = '/shares/SG1/seeds/1/database'
const WAIT = { timeout: 10_000, interval: 5 }

let running: RunningShare
afterEach(() => running.app.close())

async function serve(sizeBytes = FILE_BYTES): Promise<RunningShare> {
  running = await startShare(new ShareWorld({ sizeBytes }))
  return running
}

async function ask(headers: Record<string, string>, path = PATH, method = 'GET') {
  const response = await fetch(`${running.at.origin}${path}`, { method, headers })
  return { status: response.status, headers: response.headers, bytes: new Uint8Array(await response.arrayBuffer()) }
}

const range = (first: number, last: number | '' = ''): Record<string, string> => ({ range: `bytes=${first}-${last}` })

describe('a piece of a database', () => {
  it('comes with its place and the length of the file; its memory is given back', async () => {
    const { world } = await serve(40_000)

    const { status, headers, bytes } = await ask(range(8_192, 16_383))

    expect([status, headers.get('content-range'), headers.get('content-length')]).toEqual([
      206,
      'bytes 8192-16383/40000',
      '8192',
    ])
    expect(Buffer.compare(bytes, logBytes(0, 40_000).subarray(8_192, 16_384))).toBe(0)
    expect((await ask(range(39_000, 60_000))).bytes.length).toBe(1_000)
    expect(world.lent).toBe(0)
  })

  it.each([
    ['without a range', {}],
    ['behind the end', range(40_000, 40_001)],
    ['backwards', range(9, 8)],
    ['of several ranges', { range: 'bytes=0-1,4-5' }],
    ['of other units', { range: 'pages=0-1' }],
  ])('%s is refused with the length of the file', async (_, headers) => {
    const { world } = await serve(40_000)

    const answer = await ask(headers)

    expect([answer.status, answer.headers.get('content-range')]).toEqual([416, 'bytes */40000'])
    expect(world.lent).toBe(0)
  })

  it('of more than a piece is refused; HEAD tells the length', async () => {
    await serve()

    expect((await ask(range(0, PIECE_BYTES_MAX))).status).toBe(416)
    expect((await ask(range(0, PIECE_BYTES_MAX - 1))).bytes.length).toBe(PIECE_BYTES_MAX)
    const head = await ask({}, PATH, 'HEAD')
    expect([head.status, head.headers.get('content-length')]).toEqual([200, String(FILE_BYTES)])
  })

  it.each([
    ['/shares/SG1/seeds/2/database', 'STATE_REFUSED'],
    ['/shares/SG1/seeds/x/database', 'REQUEST_INVALID'],
    ['/shares/SG1/seeds/0/database', 'REQUEST_INVALID'],
    ['/shares/SG9/seeds/1/database', 'SHARE_UNKNOWN'],
  ])('at %s is refused with %s', async (path, code) => {
    await serve()

    const { status, bytes } = await ask(range(0, 9), path)

    expect(status).toBeGreaterThanOrEqual(400)
    expect(new TextDecoder().decode(bytes)).toContain(code)
  })
})

describe('memory', () => {
  it('is given back when a reader goes away that has asked for several pieces and taken none', async () => {
    const { world, at } = await serve()
    const socket = connect({ host: '127.0.0.1', port: at.port })
    await once(socket, 'connect')
    socket.pause()
    const piece = `GET ${PATH} HTTP/1.1\r\nHost: 127.0.0.1:${at.port}\r\nRange: bytes=0-${PIECE_BYTES_MAX - 1}\r\n\r\n`

    socket.write(piece.repeat(10))
    // The kernel takes some megabytes; what stands behind them waits for a reader.
    await expect.poll(() => world.lent, WAIT).toBeGreaterThan(2)
    socket.destroy()

    await expect.poll(() => world.lent, WAIT).toBe(0)
  })

  it('is given back when the share is closed', async () => {
    const { world, at, app } = await serve()
    const socket = connect({ host: '127.0.0.1', port: at.port })
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    socket.pause()
    socket.write(
      `GET ${PATH} HTTP/1.1\r\nHost: 127.0.0.1:${at.port}\r\nRange: bytes=0-${PIECE_BYTES_MAX - 1}\r\n\r\n`.repeat(10),
    )
    await expect.poll(() => world.lent, WAIT).toBeGreaterThan(2)

    await app.close()

    await expect.poll(() => world.lent, WAIT).toBe(0)
    socket.destroy()
  })
})

describe('the client of a seed', () => {
  it('asks for several pieces at a time, each of which lands in its place', async () => {
    const { source, world } = await serve()
    const client = new SeedClient(source, 1)
    const never = new AbortController().signal
    const into = new Uint8Array(FILE_BYTES)
    const piece = 400_000

    const fetched = await Promise.all(
      Array.from({ length: Math.ceil(FILE_BYTES / piece) }, (_, index) => {
        const position = index * piece
        return client.read({ position, length: piece, into: into.subarray(position, position + piece) }, never)
      }),
    )

    expect(fetched.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(FILE_BYTES)
    expect(Buffer.compare(into, logBytes(0, FILE_BYTES))).toBe(0)
    expect(await client.sizeBytes(never)).toBe(FILE_BYTES)
    expect(await client.read({ position: FILE_BYTES, length: 9, into: new Uint8Array(9) }, never)).toMatchObject({
      bytes: 0,
      fileBytes: FILE_BYTES,
    })
    client.close()
    expect(world.lent).toBe(0)
  })

  it('hears that its session is none, and that it was told to end', async () => {
    const { source } = await serve()
    const none = new SeedClient(source, 2)
    const never = new AbortController().signal
    const stretch = { position: 0, length: 9, into: new Uint8Array(9) }

    await expect(none.read(stretch, never)).rejects.toMatchObject({ code: 'STATE_REFUSED' })
    const reason = new Error('enough')
    await expect(none.read(stretch, AbortSignal.abort(reason))).rejects.toBe(reason)
    none.close()
  })
})
