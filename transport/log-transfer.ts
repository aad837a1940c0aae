import type { IncomingMessage, ServerResponse } from 'node:http'
import { ReplicationError } from '../engine/error.ts'
import { formatGeneration, type Generation } from '../engine/generation.ts'
import { type ByteRange, parseByteRange } from './byte-range.ts'
import { problemOf, requestInvalid, writeProblem } from './problem.ts'
import { CHECKSUM_HEADER, LOG_NAME_HEADER, LOG_TIME_HEADER } from './share-paths.ts'

/** One closed log, open for reading. */
export interface ServedLog {
  /** File name at the source. */
  readonly name: string
  readonly sizeBytes: number
  /** When the source closed it: milliseconds since 1970. */
  readonly logTimeMs: number
  /** xxh64 of the whole file: 16 lower-case hexadecimal digits. */
  readonly checksumHex: string
  /**
   * Fills `buffer` from `position` of the file on and says how many bytes it got; fewer than asked, or 0, where the file
   * ends early. The buffer is the caller's again when this returns.
   */
  read(buffer: Uint8Array, position: number): Promise<number> | number
  /** Called once, whatever happened. */
  close(): Promise<void> | void
}

/** How fast a reader must be. Times in milliseconds. */
export interface TransferLimits {
  /** Granted to every transfer, however small. */
  readonly transferBaseMs: number
  /** Bytes per second below which a transfer is cut. Idle limits alone are evaded by one byte now and then. */
  readonly transferRateMin: number
}

/** 64 KiB/s carries a log of 1 MiB in 16 s over a half-megabit link; whoever is slower fetches ranges. */
export const TRANSFER_DEFAULTS: TransferLimits = { transferBaseMs: 30_000, transferRateMin: 65_536 }

/** Bytes read and written at a time: large enough for the disk, small enough for 256 transfers at once (32 MiB). */
const PIECE_BYTES = 131_072

/** What one transfer needs to know. */
export interface LogTransfer {
  readonly share: string
  readonly generation: Generation
  readonly log: ServedLog
  readonly limits: TransferLimits
  /** Ends the transfer when the app closes. */
  readonly signal: AbortSignal
}

/**
 * Answers GET or HEAD for one log: whole, or one range of it, always with its length. Memory stays at one piece per
 * transfer, whatever the reader's pace. Resolves with the bytes of the body when all
 * of them went out, else with 0; throws `LOG_CHANGED` when the file
 * ended before its size (the connection is cut then, since the head with the length has gone out).
 */
export async function sendLog(
  request: IncomingMessage,
  response: ServerResponse,
  transfer: LogTransfer,
): Promise<number> {
  const { log } = transfer
  const etag = `"${log.checksumHex}-${log.sizeBytes}"`
  const headers = { ...logHeaders(log), etag }
  const range = askedRange(request, etag, log)
  if (range === 'unsatisfiable') {
    const problem = problemOf(
      requestInvalid('not one range within the log', 'Ask for one range, as in "bytes=4096-".'),
      416,
    )
    writeProblem(response, problem, { 'content-range': `bytes */${log.sizeBytes}` })
    return 0
  }
  const { lo, hi } = range ?? { lo: 0, hi: log.sizeBytes }
  const part = range === null ? {} : { 'content-range': `bytes ${lo}-${hi - 1}/${log.sizeBytes}` }
  response.writeHead(range === null ? 200 : 206, { ...headers, ...part, 'content-length': hi - lo })
  if (request.method !== 'HEAD') return await sendBytes(response, transfer, { lo, hi })
  response.end()
  return 0
}

function logHeaders(log: ServedLog): Record<string, string> {
  return {
    'content-type': 'application/octet-stream',
    'accept-ranges': 'bytes',
    [CHECKSUM_HEADER]: log.checksumHex,
    [LOG_NAME_HEADER]: encodeURIComponent(log.name),
    [LOG_TIME_HEADER]: new Date(log.logTimeMs).toISOString(),
  }
}

/** A range counts only for the very bytes that its sender began with: `If-Range` must be our tag, a date never is. */
function askedRange(request: IncomingMessage, etag: string, log: ServedLog): ByteRange | null {
  const condition = request.headers['if-range']
  if (condition !== undefined && condition !== etag) return null
  return parseByteRange(request.headers.range, log.sizeBytes)
}

async function sendBytes(
  response: ServerResponse,
  transfer: LogTransfer,
  { lo, hi }: { readonly lo: number; readonly hi: number },
): Promise<number> {
  const { transferBaseMs, transferRateMin } = transfer.limits
  const deadlineMs = transferBaseMs + ((hi - lo) / transferRateMin) * 1_000
  const cut = () => response.destroy()
  const deadline = setTimeout(cut, deadlineMs)
  transfer.signal.addEventListener('abort', cut, { once: true })
  try {
    const piece = new Uint8Array(Math.min(PIECE_BYTES, hi - lo))
    for (let position = lo; position < hi && !response.destroyed; ) {
      const wanted = piece.subarray(0, Math.min(piece.length, hi - position))
      const got = await transfer.log.read(wanted, position)
      if (got <= 0) throw endedEarly(transfer, position)
      await written(response, piece.subarray(0, got))
      position += got
    }
    if (response.destroyed) return 0
    response.end()
    return hi - lo
  } catch (error) {
    // The length has been promised: only a cut connection tells the reader that the rest will not come.
    response.destroy()
    throw error
  } finally {
    clearTimeout(deadline)
    transfer.signal.removeEventListener('abort', cut)
  }
}

/** Resolves when the bytes have left for the kernel, or the connection has gone: either way the piece may be used again. */
function written(response: ServerResponse, piece: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const settled = () => {
      response.off('close', settled)
      resolve()
    }
    response.once('close', settled)
    response.write(piece, settled)
  })
}

function endedEarly({ share, generation, log }: LogTransfer, position: number): ReplicationError {
  return new ReplicationError({
    code: 'LOG_CHANGED',
    message: `log ${formatGeneration(generation)} of ${share} ended at byte ${position} of ${log.sizeBytes}`,
    hint: 'Somebody shortened a closed log: look at what else writes into the log directory.',
    fields: { generation, path: log.name },
  })
}
