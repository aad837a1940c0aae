// Goal: frames survive any splitting of the byte stream, and nothing that a peer can send is taken for something else.
// Method: random frames, random splits, random mutations; the reader and the landing against a dumb twin that has all bytes.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ReplicationError } from '../../engine/error.ts'
import { asGeneration, GENERATION_MAX } from '../../engine/generation.ts'
import { FrameLanding, LANDING_ROOM_BYTES } from '../../transport/frame-landing.ts'
import { FrameReader } from '../../transport/frame-reader.ts'
import { FRAME_HEADER_BYTES, readFrameHeader, writeFrameHeader } from '../../transport/wire.ts'
import { type CopyFrame, decodeFrame, encodeFrame, type SourceFrame } from '../../transport/wire-frame.ts'

const subscription = fc.integer({ min: 1, max: 2 ** 31 - 1 })
const generation = fc.integer({ min: 0, max: GENERATION_MAX }).map(asGeneration)
const session = fc.nat()
const text = (maxLength: number) => fc.stringMatching(/^[ -~äß€]*$/, { maxLength })
const timeMs = fc.integer({ min: 0, max: 4_000_000_000_000 })
const fault = fc.record({ code: fc.constantFrom('LOG_MISSING' as const, 'READ_FAILED' as const), message: text(200) })
const range = fc
  .tuple(fc.integer({ min: 1, max: 2 ** 40 }), fc.integer({ min: 0, max: 1023 }))
  .map(([first, more]) => ({ first: asGeneration(first), last: asGeneration(first + more) }))
const announcement = fc.record(
  {
    lowest: generation,
    closedThrough: generation,
    generated: generation,
    missing: generation,
    truncatedBelow: generation,
    logTimeMs: timeMs,
    stream: fc.nat(),
    takenOver: fc.record({
      after: generation,
      shares: fc.array(fc.record({ stream: fc.nat(), through: generation }), { maxLength: 4 }),
    }),
  },
  { requiredKeys: ['lowest', 'closedThrough', 'generated', 'missing', 'truncatedBelow', 'logTimeMs', 'stream'] },
)
const connectionFrame = fc.oneof(
  fc.constantFrom({ kind: 'ping' as const }, { kind: 'pong' as const }),
  fc.record({ kind: fc.constant('bye' as const), fault }),
)

const copyFrame: fc.Arbitrary<CopyFrame> = fc.oneof(
  connectionFrame,
  fc.record({
    kind: fc.constant('subscribe' as const),
    subscription,
    share: text(64),
    copyId: fc.stringMatching(/^[0-9a-f]{32}$/),
    label: text(200),
  }),
  fc.record({ kind: fc.constantFrom('unsubscribe' as const, 'cancel' as const), subscription }),
  fc.record({ kind: fc.constant('request' as const), subscription, session, range }),
  fc.record({ kind: fc.constant('grant' as const), subscription, pieces: fc.integer({ min: 1, max: 4096 }) }),
  fc.record({
    kind: fc.constant('report' as const),
    subscription,
    report: fc.record(
      {
        inspected: generation,
        replayed: generation,
        requiredLow: fc.option(generation),
        condition: fc.constantFrom('running' as const, 'suspended' as const, 'failed' as const),
        stream: fc.option(fc.nat()),
        sinceMs: timeMs,
        kind: fc.constant('scr' as const),
      },
      { requiredKeys: ['inspected', 'replayed', 'requiredLow', 'condition', 'stream', 'sinceMs'] },
    ),
  }),
)

const sourceFrame: fc.Arbitrary<SourceFrame> = fc.oneof(
  connectionFrame,
  fc.record({
    kind: fc.constant('subscribed' as const),
    subscription,
    offer: fc.record({
      format: fc.oneof(
        fc.record({ kind: fc.constant('ese' as const), baseName: fc.constant('E00') }),
        fc.record({ kind: fc.constant('numbered' as const), pattern: text(100) }),
      ),
      store: fc.constantFrom('mailbox' as const, 'external' as const),
      announcement: fc.option(announcement),
    }),
  }),
  fc.record({ kind: fc.constant('refused' as const), subscription, fault }),
  fc.record({ kind: fc.constant('announce' as const), subscription, announcement }),
  fc.record({ kind: fc.constant('log-unavailable' as const), subscription, session, generation, fault }),
  fc.record({
    kind: fc.constant('log-head' as const),
    subscription,
    head: fc.record({
      session,
      generation,
      sizeBytes: fc.integer({ min: 0, max: 1024 ** 3 }),
      logTimeMs: timeMs,
      name: text(100),
    }),
  }),
  fc.record({
    kind: fc.constant('log-tail' as const),
    subscription,
    checksum: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  }),
  fc.record({ kind: fc.constant('cancelled' as const), subscription }),
)

/** A piece of a log in the stream of a source. */
const piece = fc.record({
  kind: fc.constant('log-piece' as const),
  subscription,
  bytes: fc.uint8Array({ minLength: 1, maxLength: 9000 }),
})

type Sent = SourceFrame | { readonly kind: 'log-piece'; readonly subscription: number; readonly bytes: Uint8Array }

function bytesOf(sent: Sent): Uint8Array {
  if (sent.kind !== 'log-piece') return encodeFrame(sent)
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + sent.bytes.length)
  writeFrameHeader(bytes, 0, { type: 'log-piece', subscription: sent.subscription, length: sent.bytes.length })
  bytes.set(sent.bytes, FRAME_HEADER_BYTES)
  return bytes
}

/** A landing that keeps what it gets. */
function collectingLanding(): { readonly landing: FrameLanding; readonly got: Sent[] } {
  const got: Sent[] = []
  let memory = new Uint8Array(0)
  const landing = new FrameLanding({
    openPiece: (_, length) => {
      memory = new Uint8Array(length + LANDING_ROOM_BYTES)
      return memory
    },
    closePiece: (subscription, length) => got.push({ kind: 'log-piece', subscription, bytes: memory.slice(0, length) }),
    frame: (frame) => got.push(frame),
  })
  return { landing, got }
}

/** Delivers bytes as a socket does: into the place that the landing says, never more than fits or than the portion has. */
function deliver(landing: FrameLanding, bytes: Uint8Array, portions: readonly number[]): void {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const place = landing.place()
    const count = Math.min(portions[turn % portions.length] ?? 1, place.length, bytes.length - at)
    place.set(bytes.subarray(at, at + count))
    at += count
    landing.landed(count)
  }
}

const portions = fc.array(fc.integer({ min: 1, max: 6000 }), { minLength: 1, maxLength: 8 })

describe('a stream of frames', () => {
  it('from a source lands as it was sent, however the bytes are split', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(sourceFrame, piece), { maxLength: 20 }), portions, (sent, split) => {
        const { landing, got } = collectingLanding()

        deliver(landing, Buffer.concat(sent.map(bytesOf)), split)

        expect(got).toEqual(sent)
      }),
    )
  })

  it('from a copy is read as it was sent, however the bytes are split', () => {
    fc.assert(
      fc.property(fc.array(copyFrame, { maxLength: 20 }), portions, (sent, split) => {
        const got: CopyFrame[] = []
        const reader = new FrameReader((frame) => got.push(frame))
        const bytes = Buffer.concat(sent.map(encodeFrame))

        for (let at = 0, turn = 0; at < bytes.length; turn++) {
          const end = at + (split[turn % split.length] ?? 1)
          reader.push(bytes.subarray(at, end))
          at = end
        }

        expect(got).toEqual(sent)
      }),
    )
  })

  it('with bytes changed is refused with WIRE_PROTOCOL or read as some frame, and nothing else happens', () => {
    const mutation = fc.record({ at: fc.nat(), value: fc.integer({ min: 0, max: 255 }) })
    fc.assert(
      fc.property(
        fc.array(fc.oneof(sourceFrame, piece), { minLength: 1, maxLength: 5 }),
        fc.array(mutation, { minLength: 1, maxLength: 6 }),
        portions,
        (sent, mutations, split) => {
          const bytes = Buffer.concat(sent.map(bytesOf))
          for (const { at, value } of mutations) bytes[at % bytes.length] = value
          const { landing } = collectingLanding()

          const fault = faultOf(() => deliver(landing, bytes, split))

          expect(fault === null || fault === 'WIRE_PROTOCOL').toBe(true)
        },
      ),
    )
  })

  it('of pure noise is refused by its first header', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: FRAME_HEADER_BYTES, maxLength: 200 }), (noise) => {
        fc.pre(noise[0] !== 0x43)
        const { landing } = collectingLanding()

        expect(faultOf(() => deliver(landing, noise, [200]))).toBe('WIRE_PROTOCOL')
        expect(faultOf(() => new FrameReader(() => undefined).push(noise))).toBe('WIRE_PROTOCOL')
      }),
    )
  })
})

describe('a control frame', () => {
  const header = (type: 'announce' | 'request' | 'report' | 'subscribe' | 'log-head' | 'grant', length: number) => ({
    type,
    subscription: 1,
    length,
  })
  const decoded = (type: Parameters<typeof header>[0], payload: string): string | null => {
    const bytes = new TextEncoder().encode(payload)
    return faultOf(() => decodeFrame(header(type, bytes.length), bytes))
  }

  it.each([
    ['no JSON', 'announce', '{"lowest":'],
    ['an array', 'announce', '[1,2]'],
    ['null', 'announce', 'null'],
    ['a missing field', 'grant', '{}'],
    ['a number as text', 'grant', '{"pieces":"1"}'],
    ['a fraction', 'grant', '{"pieces":1.5}'],
    ['too much', 'grant', '{"pieces":4097}'],
    ['nothing granted', 'grant', '{"pieces":0}'],
    ['a generation beyond 48 bits', 'request', '{"session":1,"first":1,"last":281474976710656}'],
    ['a range that runs backwards', 'request', '{"session":1,"first":2,"last":1}'],
    ['a range of too many', 'request', '{"session":1,"first":1,"last":1025}'],
    ['generation 0 asked for', 'request', '{"session":1,"first":0,"last":1}'],
    ['an inherited field', 'grant', '{"__proto__":{"pieces":1}}'],
    ['a control character in a label', 'subscribe', `{"share":"a","copyId":"${'0'.repeat(32)}","label":"a\\u001bb"}`],
    ['a copyId of 31 digits', 'subscribe', `{"share":"a","copyId":"${'0'.repeat(31)}","label":""}`],
    ['an unknown condition', 'report', '{"inspected":1,"replayed":0,"condition":"fine","sinceMs":0}'],
    [
      'a negative generation',
      'report',
      '{"inspected":1,"replayed":0,"requiredLow":-1,"condition":"running","sinceMs":0}',
    ],
    [
      'an unknown kind of copy',
      'report',
      '{"inspected":1,"replayed":0,"condition":"running","sinceMs":0,"kind":"lcr"}',
    ],
    ['a negative time', 'report', '{"inspected":1,"replayed":0,"condition":"running","sinceMs":-1}'],
    ['a log beyond 1 GiB', 'log-head', '{"session":1,"generation":1,"sizeBytes":1073741825,"logTimeMs":0,"name":"a"}'],
    ['two thousand brackets', 'announce', '['.repeat(2000)],
  ] as const)('with %s is refused', (_, type, payload) => {
    expect(decoded(type, payload)).toBe('WIRE_PROTOCOL')
  })

  it('with text that is no UTF-8 is refused', () => {
    const payload = Uint8Array.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d])

    expect(faultOf(() => decodeFrame(header('announce', payload.length), payload))).toBe('WIRE_PROTOCOL')
  })

  it('with fields of a later version is read', () => {
    expect(decoded('grant', '{"pieces":3,"priority":"high"}')).toBeNull()
  })
})

describe('a frame header', () => {
  it.each([
    ['of the other side', { type: 'subscribe', subscription: 1, length: 10 }],
    ['beyond the limit of its type', { type: 'announce', subscription: 1, length: 4097 }],
    ['of a piece beyond 1 MiB', { type: 'log-piece', subscription: 1, length: 1_048_577 }],
    ['about no subscription', { type: 'announce', subscription: 0, length: 10 }],
    ['of a ping for a subscription', { type: 'ping', subscription: 1, length: 2 }],
    ['with a subscription beyond 31 bits', { type: 'announce', subscription: 2 ** 31, length: 10 }],
  ] as const)('%s is refused', (_, header) => {
    const bytes = new Uint8Array(FRAME_HEADER_BYTES)
    writeFrameHeader(bytes, 0, header)

    expect(faultOf(() => readFrameHeader(bytes, 0, 'source'))).toBe('WIRE_PROTOCOL')
  })
})

/** The code of what was thrown, null when nothing was. Anything but an error of the world fails the test. */
function faultOf(act: () => unknown): string | null {
  try {
    act()
    return null
  } catch (error) {
    if (error instanceof ReplicationError) return error.code
    throw error
  }
}
