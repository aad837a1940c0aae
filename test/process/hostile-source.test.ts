// Goal: a source that breaks off, falls silent or never stops costs the copy nothing but time: nothing half is let in, and it
// goes on by itself as soon as a proper source is there.
// Method: a TCP relay between a real source and a real copy that can be told to misbehave, and a server that is no source.
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { it as base, describe } from 'vitest'
import { waitUntil } from '../../bench/command.ts'
import { makeEseLogs } from '../../bench/log-files.ts'
import { residentBytes } from '../../bench/process-usage.ts'
import {
  copyFigures,
  type Service,
  type ShareService,
  spawnCopy,
  untilInspected,
  untilLive,
} from '../../bench/product.ts'
import { ProcessBed } from './process-bed.ts'
import { Relay } from './relay.ts'

const LOGS = 8
/** A copy that is sent rubbish for ever may not grow. */
const MEMORY_BYTES_MAX = 250e6

/** A source with its logs, and what a test starts beside it; everything ends with the test. */
class Rig {
  readonly bed = new ProcessBed()
  readonly names: string[] = makeEseLogs({ directory: this.bed.source, count: LOGS, seed: 5 })
  readonly #started: Service[] = []
  readonly #servers: Server[] = []
  readonly #relays: Relay[] = []

  async relay(): Promise<Relay> {
    const share: ShareService = await this.bed.share()
    const relay = await Relay.to(Number(new URL(share.listen).port))
    this.#relays.push(relay)
    return relay
  }

  async startThrough(port: number): Promise<Service> {
    const copy = await spawnCopy(`http://127.0.0.1:${port}/shares/SG1`, this.bed.store)
    this.#started.push(copy)
    await untilLive(copy)
    return copy
  }

  /** A server that is no source. */
  async serve(act: (socket: Socket) => void): Promise<number> {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined).once('close', () => sockets.delete(socket))
      act(socket)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    server.close = ((close) => () => {
      for (const socket of sockets) socket.destroy()
      return close.call(server)
    })(server.close)
    this.#servers.push(server)
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port was given')
    return address.port
  }

  existingLogs(): string[] {
    try {
      return readdirSync(this.bed.copied).filter((name) => name.endsWith('.log'))
    } catch {
      return []
    }
  }

  async close(): Promise<void> {
    for (const service of this.#started) await service.stop()
    for (const server of this.#servers) server.close()
    for (const relay of this.#relays) await relay.close()
    await this.bed.close()
  }
}

/** Each test waits for time-outs most of its time: they run side by side. */
const it = base.extend<{ rig: Rig }>({
  // biome-ignore lint/correctness/noEmptyPattern: vitest wants the fixtures that a fixture needs, and it needs none
  rig: async ({}, use) => {
    const rig = new Rig()
    await use(rig)
    await rig.close()
  },
}).concurrent

describe('a source that dies in the middle of a log', () => {
  it.for([10_000, 500_000, 1_500_000, 4_000_000])(
    'after %i bytes is asked again, and nothing half is let in',
    {
      timeout: 90_000,
    },
    async (bytes, { rig, expect }) => {
      const relay = await rig.relay()
      relay.breakAfter(bytes)
      const copy = await rig.startThrough(relay.port)

      await waitUntil('the connection broke', () => relay.broken > 0)
      const between = rig.bed.differing(rig.existingLogs())
      await untilInspected(copy, LOGS)

      expect(between).toEqual([])
      expect(rig.bed.copiedNames()).toEqual(rig.names)
      expect(rig.bed.differing(rig.names)).toEqual([])
    },
  )
})

describe('a source that falls silent', () => {
  it('in the middle of a log is given up, and the copy goes on once it is replaced', { timeout: 120_000 }, async ({
    rig,
    expect,
  }) => {
    const relay = await rig.relay()
    relay.stallAfter(1_500_000)
    const copy = await rig.startThrough(relay.port)

    await waitUntil('the relay has fallen silent', () => relay.stalled > 0)
    relay.behave()
    await untilInspected(copy, LOGS, 100_000)

    expect(rig.bed.differing(rig.names)).toEqual([])
  })

  it('before its first answer leaves the copy answering, and is told in the status', { timeout: 120_000 }, async ({
    rig,
    expect,
  }) => {
    const mute = await rig.serve(() => undefined)

    const copy = await rig.startThrough(mute)
    await waitUntil('the copy knows that nobody answers', async () => (await copyFigures(copy)) !== null)

    expect(await copyFigures(copy)).toMatchObject({ SourceConnected: false, LastLogInspected: 0 })
    expect(rig.existingLogs()).toEqual([])
  })
})

describe('a source that never stops', () => {
  it.for([
    ['a header', 'HTTP/1.1 200 OK\r\nx-a: '],
    ['a body', 'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n'],
    ['frames', 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: ccr-log-stream/1\r\n\r\n'],
  ] as const)(
    'sending %s is cut off, and the copy does not grow',
    { timeout: 120_000 },
    async ([, start], { rig, expect }) => {
      let cut = 0
      const endless = await rig.serve((socket) => {
        socket.once('close', () => {
          cut += 1
        })
        socket.write(start)
        pour(socket)
      })

      const copy = await rig.startThrough(endless)
      await waitUntil('the copy has cut the connection', () => cut > 1, 100_000)

      expect(residentBytes([copy.pid])).toBeLessThan(MEMORY_BYTES_MAX)
      expect(rig.existingLogs()).toEqual([])
      expect(copy.running()).toBe(true)
    },
  )
})

/** Writes as fast as the other side reads. */
function pour(socket: Socket): void {
  const rubbish = Buffer.alloc(65_536, 'fffe\r\n')
  const next = (): void => {
    if (socket.destroyed) return
    if (socket.write(rubbish)) setImmediate(next)
    else socket.once('drain', next)
  }
  next()
}
