import { type ErrorCode, ReplicationError } from '../engine/error.ts'
import { LOG_STREAM_PROTOCOL } from './share-paths.ts'

/**
 * The frame layer of ccr-log-stream/1, the protocol that one connection speaks after its HTTP upgrade. A frame is a header of
 * 16 bytes, little endian, and a payload:
 *
 * | bytes | field | |
 * |---|---|---|
 * | 0–3 | magic | `CCR1`: a peer that lost its place is noticed at once |
 * | 4 | type | see {@link FrameType} |
 * | 5–7 | reserved | zero |
 * | 8–11 | subscription | chosen by the copy, from 1 on; 0 for frames about the connection itself |
 * | 12–15 | length | bytes of payload |
 *
 * Control payloads are JSON objects (wire-frame.ts), a `log-piece` is bytes of a log, a `log-tail` its xxh64.
 */
export interface FrameHeader {
  readonly type: FrameType
  readonly subscription: number
  /** Bytes of payload that follow, within the limit of the type. */
  readonly length: number
}

/** The names of the frames; which side may send which stands in {@link FRAME_TYPES}. */
type FrameType =
  | 'subscribe'
  | 'unsubscribe'
  | 'request'
  | 'grant'
  | 'cancel'
  | 'report'
  | 'ping'
  | 'pong'
  | 'bye'
  | 'subscribed'
  | 'refused'
  | 'announce'
  | 'log-unavailable'
  | 'log-head'
  | 'log-piece'
  | 'log-tail'
  | 'cancelled'

/** The two ends of a connection: the copy dials, the source answers. */
export type Side = 'copy' | 'source'

/** Bytes of a frame header. */
export const FRAME_HEADER_BYTES = 16
/** Longest JSON payload: a label of 512 characters and a format of 200 escape to less than half of it. */
export const CONTROL_PAYLOAD_BYTES_MAX = 4096
/** Largest piece of a log: one slot, and one write (a write of 16 MiB takes four times as long as sixteen of 1 MiB). */
export const PIECE_BYTES_MAX: number = 1024 * 1024
/** Largest log: PostgreSQL allows segments of 1 GiB and nothing here writes larger ones. */
export const LOG_BYTES_MAX: number = 1024 * 1024 * 1024
/** A log tail is one xxh64, little endian. */
export const TAIL_PAYLOAD_BYTES = 8
/** Highest number of a subscription: 32 bits, less the sign to stay a small integer in every engine. */
const SUBSCRIPTION_MAX: number = 2 ** 31 - 1

/** The protocols that this program speaks, best first; the number changes when an older peer could misread a frame. */
export const LOG_STREAM_PROTOCOLS: readonly string[] = [LOG_STREAM_PROTOCOL]

/** Tokens read from an Upgrade header: a peer has no reason to offer more versions than this. */
const OFFERED_PROTOCOLS_MAX = 8

interface TypeRow {
  readonly code: number
  readonly from: Side | 'both'
  readonly lengthMax: number
  /** Whether the frame is about the connection (subscription 0) or about one subscription. */
  readonly connectionLevel: boolean
}

const row = (code: number, from: Side | 'both', lengthMax: number = CONTROL_PAYLOAD_BYTES_MAX): TypeRow => ({
  code,
  from,
  lengthMax,
  connectionLevel: from === 'both',
})

/** Every frame with its number, its sender and its limit. A number is never used again for something else. */
const FRAME_TYPES: Readonly<Record<FrameType, TypeRow>> = {
  subscribe: row(1, 'copy'),
  unsubscribe: row(2, 'copy'),
  request: row(3, 'copy'),
  grant: row(4, 'copy'),
  cancel: row(5, 'copy'),
  report: row(6, 'copy'),
  ping: row(8, 'both'),
  pong: row(9, 'both'),
  bye: row(10, 'both'),
  subscribed: row(16, 'source'),
  refused: row(17, 'source'),
  announce: row(18, 'source'),
  'log-unavailable': row(19, 'source'),
  'log-head': row(20, 'source'),
  'log-piece': row(21, 'source', PIECE_BYTES_MAX),
  'log-tail': row(22, 'source', TAIL_PAYLOAD_BYTES),
  cancelled: row(23, 'source'),
}

/** `CCR1` read as a little-endian number. */
const FRAME_MAGIC = 0x31524343

const TYPE_OF_CODE: ReadonlyMap<number, FrameType> = new Map(
  // Object.entries widens the keys of a closed record to string; they are exactly its frame types.
  Object.entries(FRAME_TYPES).map(([type, { code }]) => [code, type as FrameType]),
)

/** Writes a header at `offset` of `target`, which has room for it. */
export function writeFrameHeader(target: Uint8Array, offset: number, header: FrameHeader): void {
  const view = new DataView(target.buffer, target.byteOffset + offset, FRAME_HEADER_BYTES)
  view.setUint32(0, FRAME_MAGIC, true)
  view.setUint32(4, FRAME_TYPES[header.type].code, true)
  view.setUint32(8, header.subscription, true)
  view.setUint32(12, header.length, true)
}

/**
 * Reads the header at `offset`, sent by the side `from`. Errors: `WIRE_PROTOCOL` for anything that this side may not send or
 * that is beyond a limit; the connection is then of no use any more, because the place of the next frame is unknown.
 */
export function readFrameHeader(source: Uint8Array, offset: number, from: Side): FrameHeader {
  const view = new DataView(source.buffer, source.byteOffset + offset, FRAME_HEADER_BYTES)
  if (view.getUint32(0, true) !== FRAME_MAGIC) throw wireFault('a frame does not begin with CCR1')
  const code = view.getUint32(4, true) // the reserved bytes are read along: any but zero makes the type unknown
  const type = TYPE_OF_CODE.get(code)
  if (type === undefined) throw wireFault(`frame type ${code} is unknown`)
  const subscription = view.getUint32(8, true)
  const length = view.getUint32(12, true)
  checkHeader({ type, subscription, length }, from)
  return { type, subscription, length }
}

function checkHeader(header: FrameHeader, from: Side): void {
  const { from: sender, lengthMax, connectionLevel } = FRAME_TYPES[header.type]
  if (sender !== 'both' && sender !== from) throw wireFault(`a ${from} sent a frame ${header.type}`)
  if (header.length > lengthMax)
    throw wireFault(`a frame ${header.type} of ${header.length} bytes, the most is ${lengthMax}`)
  if (header.subscription > SUBSCRIPTION_MAX || (header.subscription === 0) !== connectionLevel)
    throw wireFault(`a frame ${header.type} for subscription ${header.subscription}`)
}

/**
 * Chooses the protocol of a connection from what the copy offers in its Upgrade header: the best one that both speak, or
 * null when there is none (the answer is then 426).
 */
export function chooseLogStreamProtocol(upgradeHeader: string | undefined): string | null {
  const offered = (upgradeHeader ?? '').split(',', OFFERED_PROTOCOLS_MAX).map((token) => token.trim().toLowerCase())
  return LOG_STREAM_PROTOCOLS.find((protocol) => offered.includes(protocol)) ?? null
}

/** A peer that breaks the protocol, as an error; `what` says which rule. */
export function wireFault(what: string, code: ErrorCode = 'WIRE_PROTOCOL'): ReplicationError {
  return new ReplicationError({
    code,
    message: `log stream: ${what}`,
    hint: 'The connection is closed and made again; if it happens often, check that both sides run the same version and that no proxy changes the bytes.',
  })
}
