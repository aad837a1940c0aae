import { ERROR_CODES, type ErrorCode } from '../engine/error.ts'
import { type Announcement, type CopyReport, type Fault, SHARED_STREAMS_MAX, type TakenOver } from '../engine/fact.ts'
import type { Generation, GenerationRange } from '../engine/generation.ts'
import type { LogFormat } from '../engine/log-format.ts'
import { type StoreKind, storeKindOf } from '../engine/store-kind.ts'
import { CheckedObject } from './checked-object.ts'
import {
  CONTROL_PAYLOAD_BYTES_MAX,
  FRAME_HEADER_BYTES,
  type FrameHeader,
  LOG_BYTES_MAX,
  TAIL_PAYLOAD_BYTES,
  wireFault,
  writeFrameHeader,
} from './wire.ts'

/** What the copy sends. */
export type CopyFrame =
  /** "I keep a copy of this share": answered by `subscribed` or `refused`. */
  | {
      readonly kind: 'subscribe'
      readonly subscription: number
      readonly share: string
      readonly copyId: string
      readonly label: string
    }
  | { readonly kind: 'unsubscribe'; readonly subscription: number }
  /** "Send me these logs, in ascending order, as far as my grants go." Each ends in a `log-tail` or `log-unavailable`. */
  | {
      readonly kind: 'request'
      readonly subscription: number
      readonly session: number
      readonly range: GenerationRange
    }
  /** Room for so many more pieces: a source sends no piece that no room was granted for. */
  | { readonly kind: 'grant'; readonly subscription: number; readonly pieces: number }
  /** Forget all requests and grants; answered by `cancelled`, after which nothing of before comes any more. */
  | { readonly kind: 'cancel'; readonly subscription: number }
  | { readonly kind: 'report'; readonly subscription: number; readonly report: CopyReport }
  | ConnectionFrame

/** What a source ships, as it tells a copy that it takes in. */
export interface ShareOffer {
  readonly format: LogFormat
  readonly store: StoreKind
  /** Null when the source has not read its directory yet. */
  readonly announcement: Announcement | null
}

/** What the source sends. */
export type SourceFrame =
  | {
      readonly kind: 'subscribed'
      readonly subscription: number
      readonly offer: ShareOffer
    }
  | { readonly kind: 'refused'; readonly subscription: number; readonly fault: Fault }
  | { readonly kind: 'announce'; readonly subscription: number; readonly announcement: Announcement }
  /** This log does not come, or does not go on: whatever came of it is void. */
  | {
      readonly kind: 'log-unavailable'
      readonly subscription: number
      readonly session: number
      readonly generation: Generation
      readonly fault: Fault
    }
  /** A log begins: its pieces follow, each but the last of `PIECE_BYTES_MAX`, then its tail. */
  | { readonly kind: 'log-head'; readonly subscription: number; readonly head: LogHead }
  | { readonly kind: 'log-tail'; readonly subscription: number; readonly checksum: bigint }
  | { readonly kind: 'cancelled'; readonly subscription: number }
  | ConnectionFrame

/** What either side may send about the connection. */
type ConnectionFrame =
  | { readonly kind: 'ping' }
  | { readonly kind: 'pong' }
  /** The last frame of a side that closes on purpose, with its reason. */
  | { readonly kind: 'bye'; readonly fault: Fault }

/** What the source says of a log before its bytes. */
export interface LogHead {
  /** Of the request that this answers. */
  readonly session: number
  readonly generation: Generation
  /** Bytes of the log, at most `LOG_BYTES_MAX`. */
  readonly sizeBytes: number
  /** When the log was closed: milliseconds since 1970. */
  readonly logTimeMs: number
  /** File name at the source: hostile until a parser of the format has read it. */
  readonly name: string
}

/** Longest share name, label, file name and sentence that a frame may carry, in UTF-16 units. */
const SHARE_CHARACTERS_MAX = 64
const LABEL_CHARACTERS_MAX = 512
const NAME_CHARACTERS_MAX = 255
const MESSAGE_CHARACTERS_MAX = 1000
const PATTERN_CHARACTERS_MAX = 200
/** Logs in one request; an engine that wants more asks again. */
export const REQUESTED_LOGS_MAX = 1024
/** Pieces in one grant: far more than any slab has slots. */
const GRANTED_PIECES_MAX = 4096

const encoder = new TextEncoder()
// Fatal: text that is no UTF-8 is refused and not mended.
const decoder = new TextDecoder('utf-8', { fatal: true })

/** Longest word for the kind of a store, in characters. */
const STORE_CHARACTERS_MAX = 16

/** The bytes of a control frame, header included. A tail is binary, everything else JSON. */
export function encodeFrame(frame: CopyFrame | SourceFrame): Uint8Array {
  const subscription = 'subscription' in frame ? frame.subscription : 0
  if (frame.kind === 'log-tail') return encodeTail(subscription, frame.checksum)
  const payload = encoder.encode(JSON.stringify(payloadOf(frame)))
  if (payload.length > CONTROL_PAYLOAD_BYTES_MAX) throw wireFault(`a ${frame.kind} of ${payload.length} bytes to send`)
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + payload.length)
  writeFrameHeader(bytes, 0, { type: frame.kind, subscription, length: payload.length })
  bytes.set(payload, FRAME_HEADER_BYTES)
  return bytes
}

/** A fault as it may travel: its sentence is cut and cleaned, never a reason for the peer to close the connection. */
function faultToSend(fault: Fault): Fault {
  return { code: fault.code, message: plainText(fault.message, MESSAGE_CHARACTERS_MAX) }
}

/** A file name or an error of the system may hold anything; a frame's text has no control characters and no half ones. */
function plainText(text: string, charactersMax: number): string {
  return text.slice(0, charactersMax).replace(/[\p{Cc}\p{Cs}]/gu, '\ufffd')
}

function encodeTail(subscription: number, checksum: bigint): Uint8Array {
  const bytes = new Uint8Array(FRAME_HEADER_BYTES + TAIL_PAYLOAD_BYTES)
  writeFrameHeader(bytes, 0, { type: 'log-tail', subscription, length: TAIL_PAYLOAD_BYTES })
  new DataView(bytes.buffer).setBigUint64(FRAME_HEADER_BYTES, checksum, true)
  return bytes
}

function payloadOf(frame: Exclude<CopyFrame | SourceFrame, { kind: 'log-tail' }>): object {
  switch (frame.kind) {
    case 'report':
      return frame.report
    case 'announce':
      return frame.announcement
    case 'log-head':
      return frame.head
    case 'refused':
    case 'bye':
      return faultToSend(frame.fault)
    case 'log-unavailable':
      return { session: frame.session, generation: frame.generation, ...faultToSend(frame.fault) }
    case 'request':
      return { session: frame.session, first: frame.range.first, last: frame.range.last }
    case 'subscribe':
      return { share: frame.share, copyId: frame.copyId, label: plainText(frame.label, LABEL_CHARACTERS_MAX) }
    case 'subscribed':
      return { format: frame.offer.format, store: frame.offer.store, announcement: frame.offer.announcement }
    case 'grant':
      return { pieces: frame.pieces }
    case 'unsubscribe':
    case 'cancel':
    case 'cancelled':
    case 'ping':
    case 'pong':
      return {}
  }
}

/**
 * Reads a control frame whose header has been read. Errors: `WIRE_PROTOCOL` for a payload that is no JSON object, lacks a
 * field or has one out of its range. Fields that it does not know are ignored, so that a later version may add some.
 */
export function decodeFrame(header: FrameHeader, payload: Uint8Array): CopyFrame | SourceFrame {
  const { subscription } = header
  if (header.type === 'log-tail') return { kind: 'log-tail', subscription, checksum: readTail(payload) }
  const object = new CheckedObject(parsePayload(header, payload), header.type)
  switch (header.type) {
    case 'subscribe':
      return { kind: 'subscribe', subscription, ...readIntroduction(object) }
    case 'request':
      return { kind: 'request', subscription, session: object.whole('session'), range: readRange(object) }
    case 'grant':
      return { kind: 'grant', subscription, pieces: object.whole('pieces', { least: 1, most: GRANTED_PIECES_MAX }) }
    case 'report':
      return { kind: 'report', subscription, report: readReport(object) }
    case 'subscribed':
      return { kind: 'subscribed', subscription, offer: readOffer(object) }
    case 'announce':
      return { kind: 'announce', subscription, announcement: readAnnouncement(object) }
    case 'refused':
      return { kind: 'refused', subscription, fault: readFault(object) }
    case 'log-unavailable':
      return { kind: 'log-unavailable', subscription, ...readUnavailable(object) }
    case 'log-head':
      return { kind: 'log-head', subscription, head: readHead(object) }
    case 'unsubscribe':
    case 'cancel':
    case 'cancelled':
      return { kind: header.type, subscription }
    case 'ping':
    case 'pong':
      return { kind: header.type }
    case 'bye':
      return { kind: 'bye', fault: readFault(object) }
    case 'log-piece':
      throw wireFault('a piece of a log is no control frame')
  }
}

function parsePayload(header: FrameHeader, payload: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(payload))
  } catch {
    throw wireFault(`the payload of a frame ${header.type} is no JSON`)
  }
}

function readTail(payload: Uint8Array): bigint {
  if (payload.length !== TAIL_PAYLOAD_BYTES) throw wireFault(`a log-tail of ${payload.length} bytes`)
  return new DataView(payload.buffer, payload.byteOffset).getBigUint64(0, true)
}

function readIntroduction(object: CheckedObject): { share: string; copyId: string; label: string } {
  const copyId = object.text('copyId', 32)
  if (!/^[0-9a-f]{32}$/.test(copyId)) throw wireFault('a copyId that is not 32 hexadecimal digits')
  return {
    share: object.text('share', SHARE_CHARACTERS_MAX),
    copyId,
    label: object.text('label', LABEL_CHARACTERS_MAX),
  }
}

function readRange(object: CheckedObject): GenerationRange {
  const range = { first: object.generation('first'), last: object.generation('last') }
  if (range.first < 1 || range.last < range.first || range.last - range.first >= REQUESTED_LOGS_MAX)
    throw wireFault(`a request for logs ${range.first} to ${range.last}`)
  return range
}

function readReport(object: CheckedObject): CopyReport {
  const condition = object.text('condition', 16)
  if (condition !== 'running' && condition !== 'suspended' && condition !== 'failed')
    throw wireFault(`a report of condition ${JSON.stringify(condition)}`)
  return {
    inspected: object.generation('inspected'),
    replayed: object.generation('replayed'),
    // A copy of before there were databases does not send it.
    requiredLow: object.isAbsentOrNull('requiredLow') ? null : object.generation('requiredLow'),
    condition,
    // A copy of before there were restores does not send it: its logs are those that never were restored.
    stream: object.isAbsent('stream') ? 0 : object.isNull('stream') ? null : object.whole('stream'),
    sinceMs: object.time('sinceMs'),
    // A copy of before there were standby targets does not send it, nor does one that is none.
    ...(object.isAbsent('kind') ? {} : { kind: readKind(object) }),
  }
}

function readKind(object: CheckedObject): 'scr' {
  const kind = object.text('kind', 16)
  if (kind !== 'scr') throw wireFault(`a report of a copy of kind ${JSON.stringify(kind)}`)
  return kind
}

function readOffer(object: CheckedObject): ShareOffer {
  const announcement = object.isNull('announcement') ? null : readAnnouncement(object.object('announcement'))
  // A source of before there were mailbox stores does not say.
  const store = object.isAbsentOrNull('store') ? 'external' : storeKindOf(object.text('store', STORE_CHARACTERS_MAX))
  return { format: readFormat(object.object('format')), store, announcement }
}

function readFormat(object: CheckedObject): LogFormat {
  const kind = object.text('kind', 16)
  if (kind === 'ese') return { kind, baseName: object.text('baseName', 3) }
  if (kind === 'numbered') return { kind, pattern: object.text('pattern', PATTERN_CHARACTERS_MAX) }
  throw wireFault(`a log format ${JSON.stringify(kind)}`)
}

function readAnnouncement(object: CheckedObject): Announcement {
  return {
    lowest: object.generation('lowest'),
    closedThrough: object.generation('closedThrough'),
    generated: object.generation('generated'),
    missing: object.generation('missing'),
    truncatedBelow: object.generation('truncatedBelow'),
    logTimeMs: object.time('logTimeMs'),
    // A source of before there were restores does not say.
    stream: object.isAbsent('stream') ? 0 : object.whole('stream'),
    ...(!object.isAbsent('takenOver') && { takenOver: readTakenOver(object.object('takenOver')) }),
  }
}

function readTakenOver(object: CheckedObject): TakenOver {
  const shared = object.objects('shares', SHARED_STREAMS_MAX)
  return {
    after: object.generation('after'),
    shares: shared.map((one) => ({ stream: one.whole('stream'), through: one.generation('through') })),
  }
}

function readFault(object: CheckedObject): Fault {
  const code = object.text('code', 64)
  const message = object.text('message', MESSAGE_CHARACTERS_MAX)
  // A code of a later version is still a refusal; INTERNAL tells so without pretending to know more.
  return { code: isErrorCode(code) ? code : 'INTERNAL', message }
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code)
}

function readUnavailable(object: CheckedObject): { session: number; generation: Generation; fault: Fault } {
  return { session: object.whole('session'), generation: object.generation('generation'), fault: readFault(object) }
}

function readHead(object: CheckedObject): LogHead {
  return {
    session: object.whole('session'),
    generation: object.generation('generation'),
    sizeBytes: object.whole('sizeBytes', { least: 0, most: LOG_BYTES_MAX }),
    logTimeMs: object.time('logTimeMs'),
    name: object.text('name', NAME_CHARACTERS_MAX),
  }
}
