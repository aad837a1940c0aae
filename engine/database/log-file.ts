import { formatGeneration, type Generation } from '../generation.ts'
import type { LogIdentity, Rejection } from '../log-identity.ts'
import { type BodyVerdict, verifyBody } from './log-body.ts'
import { type LogBytes, openLogBytes, type WideXor } from './log-bytes.ts'
import { FORMAT_8, LOG_HEADER_BYTES, type LogHeader, readLogHeader, readOpenHeader } from './log-header.ts'
import { walkRecords } from './log-record.ts'
import { verifySegments } from './log-segment.ts'

/** What to hold a closed log against. */
export interface VerifyOptions {
  /** The generation of the file's name. */
  readonly expectedGeneration?: Generation
  /** The length that logs of this stream have. */
  readonly expectedBytes?: number
  /** Whether to visit every record too, as the engine's own check does. Proves no byte more, but that they make sense. */
  readonly walk?: boolean
  /** See {@link openLogBytes}. */
  readonly wideXor?: WideXor | null
}

/** A closed log that may be let in. */
export interface SoundLog {
  readonly verdict: 'sound'
  readonly identity: LogIdentity
  readonly header: LogHeader
  /** The end of the bytes that the body uses. */
  readonly endByte: number
  /** Checksum records of format 7,3704, or live segments of 8,4000. */
  readonly checksums: number
  /** Records that a walk visited, padding not counted; null when none was asked for. */
  readonly records: number | null
  /** XOR of the segment checksums in format 8,4000, which the next log's header repeats; 0 in 7,3704. */
  readonly accumulatedChecksum: bigint
}

/** What came of verifying a log. */
export type LogVerdict = SoundLog | { readonly verdict: 'rejected'; readonly rejection: Rejection }

/** What came of reading a header alone. */
export type IdentityVerdict =
  | { readonly verdict: 'read'; readonly identity: LogIdentity }
  | { readonly verdict: 'rejected'; readonly rejection: Rejection }

/** LOGTIME of sixteen zeros: no predecessor. */
const NO_TIME = '0'.repeat(16)

/**
 * Verifies a closed log: header, file type, version, size, body, then the generation of its name. Any bytes may be given;
 * it never throws. A torn body is a rejection like any other: only the log that is still open may be cut or patched.
 *
 * The chain to the log before is {@link checkContinuation}'s.
 */
export function verifyLog(bytes: Uint8Array, options: VerifyOptions = {}): LogVerdict {
  if (bytes.byteLength < LOG_HEADER_BYTES) {
    const detail = `${bytes.byteLength} bytes are less than a log header of ${LOG_HEADER_BYTES}`
    return { verdict: 'rejected', rejection: { reason: 'bad-size', detail } }
  }
  const log = openLogBytes(bytes, options.wideXor ?? null)
  const read = readOpenHeader(log)
  if (read.verdict === 'rejected') return read
  const { header, identity } = read
  const sizeFault = faultOfSize(bytes.byteLength, header, options)
  if (sizeFault !== null) return { verdict: 'rejected', rejection: sizeFault }
  const body = bodyOf(log, header)
  if (body.state !== 'sound')
    return { verdict: 'rejected', rejection: { reason: 'corrupt-checksum', detail: `${body.state}: ${body.detail}` } }
  return afterBody(log, { header, identity, body, options })
}

/**
 * Reads what the chain needs from the first 4,096 bytes alone, whose checksum is verified; a log that is longer may be given
 * whole.
 */
export function readIdentity(headerBytes: Uint8Array): IdentityVerdict {
  const read = readLogHeader(headerBytes)
  return read.verdict === 'read' ? { verdict: 'read', identity: read.identity } : read
}

interface VerifiedBody extends BodyVerdict {
  readonly accumulatedChecksum: bigint
}

function bodyOf(log: LogBytes, header: LogHeader): VerifiedBody {
  if (header.version.major === FORMAT_8.major) return verifySegments(log, header.generation)
  return { ...verifyBody(log, header), accumulatedChecksum: 0n }
}

/** What can only be asked of a body that is sound. */
function afterBody(
  log: LogBytes,
  found: { header: LogHeader; identity: LogIdentity; body: VerifiedBody; options: VerifyOptions },
): LogVerdict {
  const { header, identity, body, options } = found
  const walked = options.walk === true ? walkRecords(log, header, { endByte: body.endByte }) : null
  if (walked !== null && walked.fault !== '')
    return { verdict: 'rejected', rejection: { reason: 'corrupt-checksum', detail: `record walk: ${walked.fault}` } }
  const rejection = faultOfName(header, options.expectedGeneration) ?? faultOfFirst(identity)
  if (rejection !== null) return { verdict: 'rejected', rejection }
  return {
    verdict: 'sound',
    identity,
    header,
    endByte: body.endByte,
    checksums: body.checksums,
    records: walked === null ? null : walked.records,
    accumulatedChecksum: body.accumulatedChecksum,
  }
}

function faultOfSize(bytes: number, header: LogHeader, options: VerifyOptions): Rejection | null {
  const stated = header.sectorBytes * header.fileSectors
  if (bytes !== stated) return { reason: 'bad-size', detail: `${bytes} bytes, but the header states ${stated}` }
  const { expectedBytes } = options
  if (expectedBytes === undefined || bytes === expectedBytes) return null
  return { reason: 'bad-size', detail: `${bytes} bytes, but logs of this stream have ${expectedBytes}` }
}

function faultOfName(header: LogHeader, expected: Generation | undefined): Rejection | null {
  if (expected === undefined || header.generation === expected) return null
  const detail = `generation ${formatGeneration(header.generation)} in the header, ${formatGeneration(expected)} in the name`
  return { reason: 'generation-mismatch', detail }
}

/** Generation 1 begins a stream. One that names a predecessor was taken out of another. */
function faultOfFirst(identity: LogIdentity): Rejection | null {
  if (identity.generation !== 1 || identity.previousCreateTime === NO_TIME) return null
  return { reason: 'gap', detail: `generation 1 names a log before it, created at ${identity.previousCreateTime}` }
}
