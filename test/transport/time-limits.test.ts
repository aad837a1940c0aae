// Goal: nobody holds a connection or a listener for longer than the limits say, however slowly he sends or reads.
// Method: a hardened listener with limits of some tens of milliseconds, and clients on raw sockets that dawdle.
import { connect, type Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { ServerLimits } from '../../transport/hardening.ts'
import type { LogShareAppOptions } from '../../transport/log-share-app.ts'
import { ManagementWorld, startManagement } from './management-world.ts'
import { rawRequest, sendRaw } from './raw-http.ts'
import { ShareWorld, startShare } from './share-world.ts'

const SHORT: Partial<ServerLimits> = { headersMs: 60, requestMs: 120, checkMs: 15, keepAliveMs: 40, closeGraceMs: 50 }
const SUSPEND = 'POST /api/v1/copies/SG1/suspend HTTP/1.1'
const JSON_BODY = ['Content-Type: application/json', 'Content-Length: 1000']

const opened: { close(): Promise<unknown> }[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((app) => app.close()))
})

async function management(limits: Partial<ServerLimits> = {}) {
  const running = await startManagement(new ManagementWorld(), { ...SHORT, ...limits })
  opened.push(running.app)
  return running
}

async function share(world: ShareWorld, limits: LogShareAppOptions['limits'] = {}) {
  const running = await startShare(world, { limits: { ...SHORT, ...limits } })
  opened.push(running.app)
  return running
}

describe('a client that sends slowly', () => {
  test('and says nothing at all is told 408', async () => {
    const { at } = await management()

    expect((await sendRaw(at.port, '')).status).toBe(408)
  })

  test('and never finishes its head is told 408, also while bytes keep dripping', async () => {
    const { at } = await management()

    const answer = await sendRaw(at.port, 'GET /livez HTTP/1.1\r\n', { more: drip('X-A: 1\r\n') })

    expect(answer.status).toBe(408)
  })

  test('and never finishes its body is told 408, and the command is not carried out', async () => {
    const { at, world } = await management()

    const answer = await sendRaw(at.port, rawRequest(SUSPEND, JSON_BODY, '{"comment":"'), { more: drip('x') })

    expect(answer.status).toBe(408)
    expect(world.commands).toEqual([])
  })

  test('keeps an idle connection no longer than the keep-alive limit', async () => {
    const { at } = await management()

    const answer = await sendRaw(at.port, 'GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n')

    expect(answer.status).toBe(200)
  })
})

describe('a client that reads slowly', () => {
  test('is cut when it takes nothing for the idle limit', async () => {
    const world = new ShareWorld({ sizeBytes: 32 * 1024 * 1024 })
    const { at } = await share(world, { idleMs: 100 })

    const socket = readNothing(at.port, rawRequest('GET /shares/SG1/logs/1 HTTP/1.1'))
    await until(() => world.closedLogs === 1)

    expect(world.served).toEqual([])
    socket.destroy()
  })

  test('is cut at the deadline that its log and the least rate give, though it reads now and then', async () => {
    const world = new ShareWorld({ sizeBytes: 32 * 1024 * 1024 })
    const { at } = await share(world, { transferBaseMs: 100, transferRateMin: 1024 ** 3 })

    const socket = readNothing(at.port, rawRequest('GET /shares/SG1/logs/1 HTTP/1.1'))
    const reading = setInterval(() => socket.read(512), 5)
    await until(() => world.closedLogs === 1)

    expect(world.served).toEqual([])
    clearInterval(reading)
    socket.destroy()
  })
})

describe('a listener', () => {
  test('answers 504 for a command that takes longer than the handler limit', async () => {
    const world = new ManagementWorld()
    const running = await startManagement(world, { ...SHORT, handlerMs: 50 })
    opened.push(running.app)
    world.stall = true

    const answer = await sendRaw(
      running.at.port,
      rawRequest(SUSPEND, ['Content-Type: application/json', 'Content-Length: 2'], '{}'),
    )

    expect(answer.status).toBe(504)
    expect(answer.text).toContain('"code":"WAIT_TIMED_OUT"')
  })

  test('closes connections beyond the limit and serves those within', async () => {
    const { at } = await management({ connectionsMax: 1, headersMs: 5_000, requestMs: 5_000 })
    const first = connect({ host: '127.0.0.1', port: at.port })
    await new Promise((resolve) => first.once('connect', resolve))

    const second = await sendRaw(at.port, rawRequest('GET /livez HTTP/1.1'))
    const heard = new Promise<string>((resolve) => first.once('data', (bytes) => resolve(bytes.toString())))
    first.write(rawRequest('GET /livez HTTP/1.1'))

    expect(second.status).toBe('closed')
    expect(await heard).toMatch(/^HTTP\/1\.1 200/)
  })

  test('closes within the grace although requests, streams, polls and upgraded connections are open', async () => {
    const world = new ShareWorld()
    const { app, at } = await startShare(world, {
      onUpgrade: (_request, socket) => socket.write('taken'),
      limits: { closeGraceMs: 50 },
    })
    const open = [
      sendRaw(at.port, 'GET /shares HTTP/1.1\r\nHost:'),
      sendRaw(
        at.port,
        rawRequest('GET /shares/SG1/announcements HTTP/1.1', ['Accept: text/event-stream', 'Last-Event-ID: 1000']),
      ),
      sendRaw(at.port, rawRequest(`GET /shares/SG1/announcements?after=1000&waitMs=25000 HTTP/1.1`)),
      sendRaw(at.port, rawRequest('GET /shares HTTP/1.1', ['Upgrade: ccr-log-stream/1', 'Connection: Upgrade'])),
    ]
    await until(() => world.waiting === 2)

    await app.close()

    const statuses = (await Promise.all(open)).map((answer) => answer.status)
    expect(statuses).toEqual(['closed', 200, 200, 'closed'])
    expect(world.waiting).toBe(0)
  })
})

/** Sends the same bytes every few milliseconds until the server has had enough. */
function drip(bytes: string) {
  return (socket: Socket) => {
    const timer = setInterval(() => socket.write(bytes), 10)
    socket.on('close', () => clearInterval(timer))
  }
}

/** Asks and does not read the answer. */
function readNothing(port: number, request: string): Socket {
  const socket = connect({ host: '127.0.0.1', port })
  socket.pause()
  socket.on('error', () => undefined)
  socket.write(request)
  return socket
}

/** Waits for a condition of the world that only other tasks of this process can bring about. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
