// Goal: whatever happens on the wire or at the other end, a copy ends with the truth: sound logs, or a reason for each.
// Method: the real copy worker against a real source behind a tampering proxy, and against sources made by hand.
import { existsSync, readdirSync, readlinkSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { asGeneration } from '../../engine/generation.ts'
import type { LogHead } from '../../transport/wire-frame.ts'
import {
  announcing,
  CLOSED_MS,
  COPY_ID,
  copiedOf,
  NUMBERED,
  noise,
  ofKind,
  PipelineRig,
  range,
  SHARE,
} from './pipeline-rig.ts'
import { FakeListener, type FakePeer, fakeSource, TamperingProxy } from './wire-fakes.ts'

const MIB = 1_048_576
/** Short enough for a test, long enough for a busy machine. */
const SHORT = { connectMs: 300, upgradeMs: 300, subscribedMs: 300, progressMs: 300, pieceMs: 300, checkMs: 20 }

let rig: PipelineRig
const listeners: { close(): Promise<void> }[] = []

beforeEach(() => {
  rig = new PipelineRig(NUMBERED)
})

afterEach(async () => {
  await rig.close()
  for (const listener of listeners.splice(0)) await listener.close()
})

async function rigBehindProxy(logBytes: readonly number[], timeouts = {}): Promise<TamperingProxy> {
  for (const [index, size] of logBytes.entries()) rig.writeLog(index + 1, noise(size, index))
  const proxy = new TamperingProxy(await rig.startShare())
  listeners.push(proxy)
  rig.announce(logBytes.length)
  rig.startCopy(await proxy.listen(), timeouts)
  await rig.events.first(ofKind('source-connected'))
  return proxy
}

describe('behind a tampering proxy', () => {
  it.each([
    ['a small log', MIB],
    ['a log of several pieces', 5 * MIB + 77],
  ])('a byte changed in the body of %s is found by the transfer checksum', async (_, size) => {
    const proxy = await rigBehindProxy([size, 1000])
    let flipped = false
    proxy.tamper = (bytes) => {
      if (flipped || bytes.length < 20_000) return bytes
      flipped = true
      const changed = Buffer.from(bytes)
      changed[15_000] = (changed[15_000] ?? 0) ^ 0x10
      return changed
    }

    const [damaged, sound] = copiedOf(await rig.copyLogs(1, 1, 2))

    expect(flipped).toBe(true)
    expect(damaged?.rejection).toMatchObject({ reason: 'corrupt-checksum' })
    expect(damaged?.rejection?.detail).toMatch(/^transfer checksum [0-9a-f]{16}, the source says [0-9a-f]{16}$/)
    expect(sound?.rejection).toBeNull()
    expect(rig.arriving()).toContain(damaged?.arrivingName)
  })

  it('a source that dies in the middle of a body is reached again, and the log fetched anew', async () => {
    const proxy = await rigBehindProxy([3 * MIB])
    proxy.tamper = (_, offset) => (offset > 1.5 * MIB ? null : _)

    const [failed] = await rig.copyLogs(1, 1, 1)
    const lost = await rig.events.first(ofKind('source-lost'))
    proxy.tamper = (bytes) => bytes
    await rig.events.next(ofKind('source-connected'))
    const again = copiedOf(await rig.copyLogs(2, 1, 1))

    expect(failed).toMatch(/^NODE_UNREACHABLE/)
    expect(lost.retryInMs).toBeLessThan(100)
    expect(again[0]?.rejection).toBeNull()
    // What had landed of the first attempt was removed.
    expect(rig.arriving()).toEqual([again[0]?.arrivingName])
  })

  it('a source that falls silent in the middle of a body is given up', async () => {
    const proxy = await rigBehindProxy([3 * MIB], SHORT)
    proxy.tamper = (bytes, offset) => (offset > 0.5 * MIB ? Buffer.alloc(0) : bytes)

    const [failed] = await rig.copyLogs(1, 1, 1)

    expect(failed).toMatch(/^TRANSFER_TIMEOUT: log stream: (no byte of the logs|a piece of)/)
  })

  it('a copy tells its source how it stands, again after each connection', async () => {
    const proxy = await rigBehindProxy([1000])
    const report = {
      inspected: asGeneration(1),
      replayed: asGeneration(0),
      requiredLow: null,
      condition: 'running',
      stream: 0,
      sinceMs: 5,
    } as const
    rig.copy?.send({ kind: 'report-progress', copy: 1, report })
    await rig.reports.first(ofKind('copy-reported'))

    const again = rig.reports.next(ofKind('copy-reported'))
    proxy.tamper = () => null
    rig.announce(1)
    await rig.reports.first(ofKind('copy-lost'))
    proxy.tamper = (bytes) => bytes

    expect(await again).toEqual({ kind: 'copy-reported', share: SHARE, copyId: COPY_ID, report })
  })
})

describe('a stop in the middle', () => {
  it('leaves no open file, no late write and no result behind', async () => {
    await rigBehindProxy([...Array<number>(20).fill(MIB), ...Array<number>(4).fill(16 * MIB)])
    rig.copy?.send({ kind: 'copy-logs', copy: 1, session: 1, range: range(1, 24) })
    await rig.events.first(ofKind('log-copied'))

    rig.copy?.send({ kind: 'stop-copying', copy: 1 })
    await rig.events.first(ofKind('copying-stopped'))
    const open = openFilesBelow(rig.logs)
    const results = rig.events.all.length
    const arrived = rig.arriving()
    // The next session begins when the source has confirmed that nothing of the first is on its way.
    const next = copiedOf(await rig.copyLogs(2, 1, 3))

    expect(open).toEqual([])
    expect(rig.events.all.slice(results).every((event) => event.kind === 'log-copied' && event.session === 2)).toBe(
      true,
    )
    expect(rig.arriving().sort()).toEqual([...arrived, ...next.map(({ arrivingName }) => arrivingName)].sort())
  })
})

function openFilesBelow(directory: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((descriptor) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${descriptor}`)
      return path.startsWith(directory) ? [path] : []
    } catch {
      return [] // closed meanwhile
    }
  })
}

describe('against a source that does not play by the rules', () => {
  const OFFER = { format: NUMBERED, store: 'external', announcement: announcing(9) } as const
  const head = (session: number, generation: number, more: Partial<LogHead> = {}): LogHead => ({
    session,
    generation: asGeneration(generation),
    sizeBytes: 1000,
    logTimeMs: CLOSED_MS,
    name: rig.nameOf(generation),
    ...more,
  })

  /** A source that takes the copy in, and answers the first request by `answer`. */
  async function startHostile(answer: (peer: FakePeer, subscription: number, session: number) => void): Promise<void> {
    let session = 0
    const listener = fakeSource((frame, peer) => {
      if (frame.kind === 'subscribe') peer.send({ kind: 'subscribed', subscription: frame.subscription, offer: OFFER })
      if (frame.kind === 'request') session = frame.session
      if (frame.kind !== 'grant' || session === 0) return
      answer(peer, frame.subscription, session)
      session = 0
    })
    listeners.push(listener)
    rig.startCopy(await listener.listen(), SHORT)
    await rig.events.first(ofKind('source-connected'))
  }

  it.each<[string, RegExp, (peer: FakePeer, subscription: number, session: number) => void]>([
    [
      'sends more than it said',
      /^WIRE_PROTOCOL.*a piece of 1000 bytes where 0 are due/,
      (peer, subscription, session) => {
        peer.send({ kind: 'log-head', subscription, head: head(session, 1) })
        peer.sendPiece(subscription, 1000, noise(1000, 1))
        peer.sendPiece(subscription, 1000, noise(1000, 1))
      },
    ],
    [
      'sends pieces that no room was granted for',
      /^WIRE_PROTOCOL.*without room granted/,
      (peer, subscription, session) => {
        peer.send({ kind: 'log-head', subscription, head: head(session, 1, { sizeBytes: 1024 * MIB }) })
        // One buffer for all: making 40 of them takes longer than the copy's patience.
        const piece = noise(MIB, 1)
        for (let count = 0; count < 40; count++) peer.sendPiece(subscription, MIB, piece)
      },
    ],
    [
      'sends a log that was not asked for',
      /^WIRE_PROTOCOL.*log 7 was not asked for/,
      (peer, subscription, session) => peer.send({ kind: 'log-head', subscription, head: head(session, 7) }),
    ],
    [
      'answers a request of another session',
      /^WIRE_PROTOCOL.*log 1 was not asked for/,
      (peer, subscription, session) => peer.send({ kind: 'log-head', subscription, head: head(session + 1, 1) }),
    ],
    [
      'ends a log early',
      /^WIRE_PROTOCOL.*ends before its last piece/,
      (peer, subscription, session) => {
        peer.send({ kind: 'log-head', subscription, head: head(session, 1) })
        peer.send({ kind: 'log-tail', subscription, checksum: 0n })
      },
    ],
    [
      'sends garbage',
      /^WIRE_PROTOCOL.*does not begin with CCR1/,
      (peer) => peer.socket.write(Buffer.alloc(100_000, 7)),
    ],
    ['never answers', /^TRANSFER_TIMEOUT.*no byte of the logs asked for/, () => undefined],
    [
      'drips one byte now and then',
      /^TRANSFER_TIMEOUT.*a piece of 1000 bytes did not end/,
      (peer, subscription, session) => {
        peer.send({ kind: 'log-head', subscription, head: head(session, 1) })
        peer.sendPiece(subscription, 1000, noise(1, 1))
        const drip = setInterval(() => peer.socket.write('x'), 20)
        peer.socket.on('close', () => clearInterval(drip))
      },
    ],
  ])('that %s: the log fails with the reason, and the copy dials again', async (_, reason, answer) => {
    await startHostile(answer)

    const [failed] = await rig.copyLogs(1, 1, 1)

    expect(failed).toMatch(reason)
    await rig.events.next(ofKind('source-connected'))
    expect(rig.arriving()).toEqual([])
  })

  it.each(['../../evil.log', '/etc/evil.log', '00000002.log', 'x', '..', '.'])(
    'a log named %s is refused, and nothing of it written',
    async (name) => {
      await startHostile((peer, subscription, session) => {
        peer.send({ kind: 'log-head', subscription, head: head(session, 1, { name }) })
        peer.sendPiece(subscription, 1000, noise(1000, 1))
        peer.send({ kind: 'log-tail', subscription, checksum: 1n })
      })

      const [failed] = await rig.copyLogs(1, 1, 1)

      expect(failed).toMatch(/^LOG_REJECTED/)
      expect(readdirSync(rig.logs)).toEqual(['inspector'])
      expect(existsSync(join(rig.root, 'evil.log'))).toBe(false)
    },
  )

  it('that never answers the upgrade, or the subscription, is given up', async () => {
    const silent = new FakeListener(() => undefined)
    listeners.push(silent)
    rig.startCopy(await silent.listen(), SHORT)
    const first = await rig.events.first(ofKind('source-lost'))
    await rig.copy?.close()
    const mute = fakeSource(() => undefined)
    listeners.push(mute)

    rig.startCopy(await mute.listen(), SHORT)
    const second = await rig.events.next(ofKind('source-lost'))

    expect(first.fault).toMatchObject({ code: 'TRANSFER_TIMEOUT', message: expect.stringContaining('upgrade') })
    expect(second).toMatchObject({ fault: { message: expect.stringContaining('subscription of SG1') } })
  })

  it('that is no log share is refused by its answer, and asked again', async () => {
    const web = new FakeListener((socket) => {
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi'))
    })
    listeners.push(web)
    rig.startCopy(await web.listen(), SHORT)

    const lost = await rig.events.first(ofKind('source-lost'))

    expect(lost.fault).toMatchObject({ code: 'WIRE_PROTOCOL', message: expect.stringContaining('answered 200') })
  })

  it('that does not know the share says so', async () => {
    const port = await rig.startShare()
    rig.share?.send({ kind: 'close-share', share: SHARE })
    rig.startCopy(port)

    const refused = await rig.events.first(ofKind('source-refused'))

    expect(refused.fault.code).toBe('SHARE_UNKNOWN')
  })
})
