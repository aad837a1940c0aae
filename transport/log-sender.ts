import { ReplicationError } from '../engine/error.ts'
import type { Fault } from '../engine/fact.ts'
import { formatGeneration, type Generation, type GenerationRange, nextGeneration } from '../engine/generation.ts'
import type { PiecePlace } from './place-queue.ts'
import { type ReadLog, UnaskedLog } from './unasked-log.ts'
import { PIECE_BYTES_MAX, wireFault } from './wire.ts'
import type { LogHead } from './wire-frame.ts'

/** A closed log, open to be sent. Its pieces are read in order, each once. */
export interface StreamedLog {
  readonly name: string
  readonly sizeBytes: number
  readonly logTimeMs: number
  /** Reads `[position, position + length)` into the place. Errors: `READ_FAILED`, `LOG_CHANGED`. */
  read(place: PiecePlace, position: number, length: number): Promise<void>
  /** xxh64 of the whole log, once all pieces were read. */
  checksum(): bigint
  /** Idempotent. */
  close(): void
}

/** A part of a log on its way to the socket. */
export interface OutgoingPiece {
  /** Null for an empty log, which has a head and a tail only. */
  readonly place: PiecePlace | null
  readonly length: number
  /** Set with the first piece. */
  readonly head: LogHead | null
  /** Set with the last piece. */
  readonly checksum: bigint | null
}

/** What a sender needs of its subscription. */
export interface SenderPorts {
  readonly open: (generation: Generation) => Promise<StreamedLog>
  /** Waits for a place; null when the connection has closed. */
  readonly acquire: () => Promise<PiecePlace | null>
  /** A place that nobody waits for, or null. */
  readonly acquireSpare: () => PiecePlace | null
  readonly release: (place: PiecePlace) => void
  /** Takes the place over, and releases it when the bytes have gone. */
  readonly send: (piece: OutgoingPiece) => void
  readonly unavailable: (session: number, generation: Generation, fault: Fault) => void
  readonly served: (bytes: number) => void
  /** How long the disk may take for one piece, in milliseconds. */
  readonly readMs: number
}

/** Requests of one subscription that may wait; a copy asks for what its window holds in one or two. */
const QUEUED_RANGES_MAX = 64
/** Pieces that may be granted and not sent: more than any copy has room for. */
const CREDIT_PIECES_MAX = 4096

interface Wanted {
  readonly session: number
  next: Generation
  readonly last: Generation
}

/** One log on its way. Two are at a time: the next is read while the one before it is hashed and sent. */
interface Sending {
  readonly session: number
  readonly generation: Generation
  /** Cancellations at its begin. */
  readonly epoch: number
  /** Resolves when everything before it was sent. */
  readonly turn: Promise<void>
  /** To be called when it needs no more room than it has: a later log that took room first would stop this one for ever. */
  readonly provided: () => void
}

/**
 * Sends the logs that one subscription asked for: in the order of the requests, one after the other, a piece only where room
 * was granted for it.
 */
export class LogSender {
  readonly #ports: SenderPorts
  #queue: Wanted[] = []
  #credit = 0
  /** Counts cancellations: work that began before the latest one is void. */
  #epoch = 0
  #running = false
  #creditWaiter: (() => void) | null = null
  /** The last log that was sent whole; 0 before the first. */
  #sentThrough = 0
  readonly #unasked: UnaskedLog
  /** Until reads that have taken too long are over, nothing else is read from that disk. */
  readonly #hung = new Set<StreamedLog>()

  constructor(ports: SenderPorts) {
    this.#ports = ports
    this.#unasked = new UnaskedLog({
      read: (generation) => this.#readUnasked(generation),
      drop: ({ log, place }) => {
        ports.release(place)
        log.close()
      },
    })
  }

  /** A log was announced: reads it if the copy has all before it, for then it asks for this one next. */
  announced(generation: Generation): void {
    if (generation === this.#sentThrough + 1 && !this.#running && this.#hung.size === 0) this.#unasked.read(generation)
  }

  /** Errors: `WIRE_PROTOCOL` beyond the limit of waiting requests. */
  request(session: number, range: GenerationRange): void {
    if (this.#queue.length >= QUEUED_RANGES_MAX) throw wireFault(`more than ${QUEUED_RANGES_MAX} requests wait`)
    this.#queue.push({ session, next: range.first, last: range.last })
    this.#start()
  }

  /** Errors: `WIRE_PROTOCOL` beyond the limit of granted pieces. */
  grant(pieces: number): void {
    this.#credit += pieces
    if (this.#credit > CREDIT_PIECES_MAX) throw wireFault(`more than ${CREDIT_PIECES_MAX} pieces granted`)
    this.#wake()
    this.#start()
  }

  /** Forgets requests and grants. Nothing is sent for them once this returns. */
  cancel(): void {
    this.#epoch += 1
    this.#queue = []
    this.#credit = 0
    this.#unasked.drop()
    this.#wake()
  }

  #wake(): void {
    this.#creditWaiter?.()
    this.#creditWaiter = null
  }

  #start(): void {
    if (this.#running) return
    this.#running = true
    // Failures of a log are sent to the copy; anything else is a fault of the program and must not pass unseen.
    void this.#run()
  }

  async #run(): Promise<void> {
    let before = Promise.resolve()
    let isSending = false
    for (;;) {
      const next = this.#takeNext()
      if (next === null && !isSending) break
      const turn = before
      if (next !== null)
        await new Promise<void>((provided) => {
          before = this.#sendLog({ ...next, epoch: this.#epoch, turn, provided })
        })
      isSending = next !== null
      await turn
    }
    this.#running = false
  }

  #takeNext(): { session: number; generation: Generation } | null {
    const wanted = this.#queue[0]
    if (wanted === undefined || this.#credit === 0) return null
    const { session, next: generation } = wanted
    if (generation === wanted.last) this.#queue.shift()
    else wanted.next = nextGeneration(generation)
    return { session, generation }
  }

  async #sendLog(sending: Sending): Promise<void> {
    const { session, generation, epoch, turn, provided } = sending
    let log: StreamedLog | null = null
    try {
      const unasked = await this.#unasked.take(generation)
      if (this.#hung.size > 0) throw this.#hungFault(generation)
      log = unasked?.log ?? (await this.#ports.open(generation))
      await this.#sendPieces(log, sending, unasked?.place ?? null)
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw error
      provided()
      await turn
      if (epoch !== this.#epoch) return
      this.#ports.unavailable(session, generation, { code: error.code, message: error.message })
    } finally {
      provided()
      // A read that hangs still uses the file: it is closed when that read is over.
      if (log !== null && !this.#hung.has(log)) log.close()
    }
  }

  async #sendPieces(log: StreamedLog, sending: Sending, whole: PiecePlace | null): Promise<void> {
    const { session, generation, epoch, turn } = sending
    const { name, sizeBytes, logTimeMs } = log
    let head: LogHead | null = { session, generation, sizeBytes, logTimeMs, name }
    let position = 0
    do {
      const length = Math.min(PIECE_BYTES_MAX, sizeBytes - position)
      const place = length === 0 ? null : await this.#readPiece(log, sending, { position, length, whole })
      await turn
      if (epoch !== this.#epoch && place !== null) this.#ports.release(place)
      if (epoch !== this.#epoch || (place === null && length > 0)) return
      position += length
      const checksum = position === sizeBytes ? log.checksum() : null
      this.#ports.send({ place, length, head, checksum })
      head = null
    } while (position < sizeBytes)
    this.#sentThrough = generation
    this.#ports.served(sizeBytes)
  }

  /** Null when the work was cancelled or the connection closed meanwhile. `whole` is a place that holds the piece already. */
  async #readPiece(
    log: StreamedLog,
    sending: Sending,
    piece: { position: number; length: number; whole: PiecePlace | null },
  ): Promise<PiecePlace | null> {
    const { generation, epoch } = sending
    while (this.#credit === 0 && epoch === this.#epoch)
      await new Promise<void>((resolve) => {
        this.#creditWaiter = resolve
      })
    if (epoch !== this.#epoch) {
      if (piece.whole !== null) this.#ports.release(piece.whole)
      return null
    }
    this.#credit -= 1
    if (piece.position + piece.length === log.sizeBytes) sending.provided()
    if (piece.whole !== null) return piece.whole
    const place = await this.#ports.acquire()
    if (place === null) return null
    try {
      await this.#readInTime(log, place, { ...piece, generation })
      return place
    } catch (error) {
      if (epoch === this.#epoch) this.grant(1) // room that was not used
      throw error
    }
  }

  /** Faults are not told: whoever asks for the log meets them again. */
  async #readUnasked(generation: Generation): Promise<ReadLog | null> {
    let log: StreamedLog | null = null
    try {
      log = await this.#ports.open(generation)
      const isPiece = log.sizeBytes > 0 && log.sizeBytes <= PIECE_BYTES_MAX
      const place = isPiece ? this.#ports.acquireSpare() : null
      if (place !== null) {
        await this.#readInTime(log, place, { generation, position: 0, length: log.sizeBytes })
        return { log, place }
      }
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw error
    }
    if (log !== null && !this.#hung.has(log)) log.close()
    return null
  }

  async #readInTime(
    log: StreamedLog,
    place: PiecePlace,
    piece: { generation: Generation; position: number; length: number },
  ): Promise<void> {
    const reading = log.read(place, piece.position, piece.length)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(resolve, this.#ports.readMs, 'late')
    })
    try {
      if ((await Promise.race([reading, late])) !== 'late') return
    } catch (error) {
      this.#ports.release(place)
      throw error
    } finally {
      clearTimeout(timer)
    }
    this.#hung.add(log)
    void this.#awaitHung(reading, log, place)
    throw this.#hungFault(piece.generation)
  }

  async #awaitHung(reading: Promise<void>, log: StreamedLog, place: PiecePlace): Promise<void> {
    await reading.catch(() => undefined) // the copy has been told that this read failed
    this.#ports.release(place)
    log.close()
    this.#hung.delete(log)
  }

  #hungFault(generation: Generation): ReplicationError {
    return new ReplicationError({
      code: 'READ_FAILED',
      message: `log ${formatGeneration(generation)}: the source's disk did not answer in ${this.#ports.readMs} ms`,
      hint: 'Check the volume of the source; the copy asks again by itself.',
    })
  }
}
