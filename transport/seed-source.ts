import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { parseByteRange } from './byte-range.ts'
import type { TransferLimits } from './log-transfer.ts'
import { problemOf, requestInvalid, writeProblem } from './problem.ts'
import { sharePath } from './share-paths.ts'
import { PIECE_BYTES_MAX } from './wire.ts'

/** The database of a store that is in use, open for the seed of a copy. */
export interface SeededDatabase {
  /** How long the file is now; it may grow. */
  sizeBytes(): Promise<number>
  /** Reads a piece of at most {@link PIECE_BYTES_MAX} from the file, as it is at this moment. A call waits while too many are under way. */
  read(position: number, length: number): Promise<SeedPiece>
}

/** A piece in memory that is lent. */
export interface SeedPiece {
  /** The bytes; fewer than asked where the file ends. */
  readonly bytes: Uint8Array
  /** Gives the memory back, once. */
  readonly release: () => void
}

/** Where the database of a share is read from, for the session of a seed. */
export function seedPath(share: string, session: number): string {
  return `${sharePath(share)}/seeds/${session}/database`
}

/** What the sending of one piece needs to know. */
export interface SeedTransfer {
  readonly database: SeededDatabase
  readonly limits: TransferLimits
  /** Ends it when the app closes. */
  readonly signal: AbortSignal
}

/**
 * Answers GET or HEAD for the database: one range of at most {@link PIECE_BYTES_MAX}, with the length of the file. It has no checksum of its
 * own: each page brings one, over its number too, which whoever receives it verifies anyway. Nobody reads it without a range: it is not one thing while its store goes on. Resolves with the bytes sent when the answer has left, or the
 * reader has gone.
 */
export async function sendSeedPiece(
  request: IncomingMessage,
  response: ServerResponse,
  { database, limits, signal }: SeedTransfer,
): Promise<number> {
  const sizeBytes = await database.sizeBytes()
  if (request.method === 'HEAD') {
    response.writeHead(200, { 'accept-ranges': 'bytes', 'content-length': sizeBytes }).end()
    return 0
  }
  const range = parseByteRange(request.headers.range, sizeBytes)
  if (range === null || range === 'unsatisfiable' || range.hi - range.lo > PIECE_BYTES_MAX) {
    const hint = `Ask for one range of at most ${PIECE_BYTES_MAX} bytes, as in "bytes=0-${PIECE_BYTES_MAX - 1}".`
    const problem = problemOf(requestInvalid('not one range within the database', hint), 416)
    writeProblem(response, problem, { 'content-range': `bytes */${sizeBytes}` })
    return 0
  }
  const piece = await database.read(range.lo, range.hi - range.lo)
  try {
    const { length } = piece.bytes
    response.writeHead(206, {
      'content-type': 'application/octet-stream',
      'content-range': `bytes ${range.lo}-${range.lo + length - 1}/${sizeBytes}`,
      'content-length': length,
    })
    await sent({ response, socket: request.socket }, piece.bytes, { limits, signal })
    return response.destroyed && !response.writableFinished ? 0 : length
  } finally {
    piece.release()
  }
}

/** An answer, and the connection that it leaves by: one behind others has none of its own yet, and does not hear of its end. */
interface Leaving {
  readonly response: ServerResponse
  readonly socket: Socket
}

/** Resolves when the bytes have left for the kernel, or the connection has gone: either way their memory is free. */
function sent(
  { response, socket }: Leaving,
  bytes: Uint8Array,
  ends: Pick<SeedTransfer, 'limits' | 'signal'>,
): Promise<void> {
  const { transferBaseMs, transferRateMin } = ends.limits
  const cut = (): unknown => socket.destroy()
  const deadline = setTimeout(cut, transferBaseMs + (bytes.length / transferRateMin) * 1_000)
  ends.signal.addEventListener('abort', cut, { once: true })
  return new Promise((resolve) => {
    const settled = (): void => {
      socket.off('close', settled)
      clearTimeout(deadline)
      ends.signal.removeEventListener('abort', cut)
      resolve()
    }
    socket.once('close', settled)
    if (socket.destroyed) settled()
    else response.end(bytes, settled)
  })
}
