// Goal: a source serves what was asked for and granted, fairly, and no peer makes it hold more than its limits.
// Method: the server over real sockets with logs made in memory; peers made by hand, most of them ill-behaved.
import { afterEach, describe, expect, it } from 'vitest'
import { FRAME_HEADER_BYTES, writeFrameHeader } from '../../transport/wire.ts'
import { type Got, ServerRig } from './log-stream-peer-rig.ts'

const MIB = 1_048_576

let rig: ServerRig

afterEach(() => rig.close())

async function listening(...args: ConstructorParameters<typeof ServerRig>): Promise<ServerRig> {
  rig = new ServerRig(...args)
  await rig.listen()
  return rig
}

const isTail = (got: Got): boolean => got.kind === 'log-tail'
const isPiece = (got: Got): boolean => got.kind === 'log-piece'
const kinds = (got: readonly Got[]): string[] => got.map(({ kind }) => kind)

describe('a source', () => {
  it('sends the logs of a request in order, each as head, pieces and tail', async () => {
    await listening()
    rig.sizeOf = (_, generation) => (generation === 2 ? 2 * MIB + 1 : 10)
    const peer = await rig.peer()
    peer.subscribe(1, 'SG1')
    await peer.until(({ kind }) => kind === 'subscribed')

    peer.request(1, 1, 3)
    peer.grant(1, 5)
    await peer.until(isTail, 3)

    expect(peer.got.slice(1).map((got) => (got.kind === 'log-piece' ? got.length : got.kind))).toEqual([
      ...['log-head', 10, 'log-tail'],
      ...['log-head', MIB, MIB, 1, 'log-tail'],
      ...['log-head', 10, 'log-tail'],
    ])
    expect(rig.places.free).toBe(16)
  })

  it('sends no piece beyond what was granted, and nothing after it has confirmed a cancellation', async () => {
    await listening()
    rig.sizeOf = () => 3 * MIB
    const peer = await rig.peer()
    peer.subscribe(1, 'SG1')
    await peer.until(({ kind }) => kind === 'subscribed')

    peer.request(1, 1, 9)
    peer.grant(1, 2)
    await peer.until(isPiece, 2)
    peer.send({ kind: 'cancel', subscription: 1 })
    await peer.until(({ kind }) => kind === 'cancelled')
    peer.request(1, 20, 20)
    peer.grant(1, 3)
    await peer.until(isTail)

    expect(kinds(peer.got)).toEqual([
      ...['subscribed', 'log-head', 'log-piece', 'log-piece', 'cancelled'],
      ...['log-head', 'log-piece', 'log-piece', 'log-piece', 'log-tail'],
    ])
    expect(rig.opened).toEqual(['SG1 1', 'SG1 20'])
  })

  it('serves a small log of one share while a large one of another is on its way', async () => {
    await listening()
    rig.sizeOf = (share) => (share === 'SG1' ? 200 * MIB : 10)
    const peer = await rig.peer()
    peer.subscribe(1, 'SG1')
    peer.subscribe(2, 'SG2')
    await peer.until(({ kind }) => kind === 'subscribed', 2)

    peer.request(1, 1, 1)
    peer.grant(1, 200)
    await peer.until(isPiece, 2)
    peer.request(2, 1, 1)
    peer.grant(2, 1)
    await peer.until((got) => got.kind === 'log-tail' && got.subscription === 2)

    expect(peer.got.filter(isPiece).length).toBeLessThan(100)
  })

  it('tells that its disk hangs, serves other shares meanwhile, and goes on when the disk is back', async () => {
    await listening({ readMs: 50 })
    let release = (): void => undefined
    const hung = new Promise<void>((resolve) => {
      release = resolve
    })
    rig.beforeRead = (share) => (share === 'SG1' ? hung : Promise.resolve())
    const peer = await rig.peer()
    peer.subscribe(1, 'SG1')
    peer.subscribe(2, 'SG2')
    await peer.until(({ kind }) => kind === 'subscribed', 2)

    peer.request(1, 1, 2)
    peer.grant(1, 2)
    peer.request(2, 1, 1)
    peer.grant(2, 1)
    await peer.until(({ kind }) => kind === 'log-unavailable', 2)
    await peer.until((got) => got.kind === 'log-tail' && got.subscription === 2)
    release()
    await hung
    peer.request(1, 3, 3)
    await peer.until((got) => got.kind === 'log-tail' && got.subscription === 1)

    expect(rig.unreadable).toEqual(['SG1 1 READ_FAILED', 'SG1 2 READ_FAILED'])
    expect(rig.places.free).toBe(16)
  })

  it('takes the newest connection of a copy for the true one, and does not call the copy lost', async () => {
    await listening()
    const old = await rig.peer()
    old.subscribe(1, 'SG1')
    await old.until(({ kind }) => kind === 'subscribed')
    const fresh = await rig.peer()

    fresh.subscribe(7, 'SG1')
    await fresh.until(({ kind }) => kind === 'subscribed')
    await old.until(({ kind }) => kind === 'refused')
    old.socket.destroy()
    await old.closed
    fresh.send({ kind: 'unsubscribe', subscription: 7 })
    await fresh.until(({ kind }) => kind === 'cancelled')

    expect(rig.lost).toEqual(['SG1 00'])
  })

  it('turns away connections beyond the limit', async () => {
    await listening({ connectionsMax: 1 })
    await rig.peer()

    const second = await rig.peer()
    await second.closed

    expect(second.status).toBe(503)
    expect(rig.server.connections).toBe(1)
  })
})

describe('a peer', () => {
  it('that does not read holds three pieces at most, and is cut off in the end', async () => {
    await listening({ stalledMs: 150, checkMs: 20 })
    rig.sizeOf = () => 100 * MIB
    const lazy = await rig.peer()
    lazy.subscribe(1, 'SG1')
    await lazy.until(({ kind }) => kind === 'subscribed')
    lazy.socket.pause()
    let leastFree = 16
    rig.beforeRead = async () => {
      leastFree = Math.min(leastFree, rig.places.free)
    }

    lazy.request(1, 1, 1)
    lazy.grant(1, 100)
    const prompt = await rig.peer()
    prompt.subscribe(1, 'SG2')
    await prompt.until(({ kind }) => kind === 'subscribed')
    while (rig.server.connections > 1) await new Promise((resolve) => setImmediate(resolve))

    expect(leastFree).toBeGreaterThanOrEqual(16 - 3)
    expect(rig.places.free).toBe(16)
    expect(rig.lost).toEqual(['SG1 00'])
  })

  it('that goes away in the middle of a log leaves nothing behind', async () => {
    await listening()
    rig.sizeOf = () => 100 * MIB
    const peer = await rig.peer()
    peer.subscribe(1, 'SG1')
    await peer.until(({ kind }) => kind === 'subscribed')
    peer.request(1, 1, 9)
    peer.grant(1, 50)
    await peer.until(isPiece, 3)

    peer.socket.destroy()
    while (rig.places.free < 16) await new Promise((resolve) => setImmediate(resolve))

    expect(rig.server.connections).toBe(0)
    expect(rig.opened).toEqual(['SG1 1'])
  })

  it('that sends half a frame and falls silent is cut off', async () => {
    await listening({ pingMs: 30, deadMs: 100, checkMs: 10 })
    const peer = await rig.peer()
    const half = new Uint8Array(FRAME_HEADER_BYTES)
    writeFrameHeader(half, 0, { type: 'subscribe', subscription: 1, length: 4096 })
    // A peer that answers pings would live; this one has stopped in the middle of a frame.
    peer.send = () => undefined

    peer.socket.write(half)
    await peer.closed

    expect(peer.got.map(({ kind }) => kind)).not.toContain('subscribed')
  })

  it.each<[string, RegExp, (bytes: Uint8Array) => void]>([
    ['sends garbage', /does not begin with CCR1/, (bytes) => bytes.fill(7)],
    [
      'sends the frames of a source',
      /a copy sent a frame announce/,
      (bytes) => writeFrameHeader(bytes, 0, { type: 'announce', subscription: 1, length: 0 }),
    ],
    [
      'asks before it was taken in',
      /before the subscription was answered/,
      (bytes) => writeFrameHeader(bytes, 0, { type: 'cancelled', subscription: 1, length: 0 }),
    ],
  ])('that %s is told goodbye and cut off', async (what, reason, write) => {
    await listening()
    rig.server.acceptCopy = () => undefined
    const peer = await rig.peer()
    const bytes = new Uint8Array(FRAME_HEADER_BYTES)
    write(bytes)

    if (what === 'asks before it was taken in') {
      peer.subscribe(1, 'SG1')
      peer.grant(1, 1)
    } else peer.socket.write(bytes)
    await peer.closed

    expect(peer.got.at(-1)).toMatchObject({ kind: 'bye', fault: { message: expect.stringMatching(reason) } })
  })

  it.each([
    ['more waiting requests than a window can need', 100, (n: number) => ({ kind: 'request', n }) as const],
    ['more room than any slab has', 3, () => ({ kind: 'grant', n: 0 }) as const],
  ])('that asks for %s is cut off', async (_, times, of) => {
    await listening()
    const peer = await rig.peer()
    peer.subscribe(1, 'SG1')
    await peer.until(({ kind }) => kind === 'subscribed')

    for (let count = 1; count <= times; count++) {
      const what = of(count)
      if (what.kind === 'request') peer.request(1, what.n, what.n)
      else peer.grant(1, 4000)
    }
    await peer.closed

    expect(peer.got.at(-1)).toMatchObject({ kind: 'bye', fault: { code: 'WIRE_PROTOCOL' } })
  })
})
