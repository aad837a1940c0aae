import { assert } from '../engine/assert.ts'
import { CONTROL_PAYLOAD_BYTES_MAX, FRAME_HEADER_BYTES, type FrameHeader, readFrameHeader, wireFault } from './wire.ts'
import { decodeFrame, type SourceFrame } from './wire-frame.ts'

/** What a landing tells its owner. Every method may throw `WIRE_PROTOCOL`: the connection is then closed. */
export interface LandingPorts {
  /**
   * A piece of `length` bytes begins: answers the memory for it, at least {@link LANDING_ROOM_BYTES} longer than the piece.
   * Refuses what was not granted.
   */
  readonly openPiece: (subscription: number, length: number) => Uint8Array
  /** The piece is complete in the memory that `openPiece` answered. */
  readonly closePiece: (subscription: number, length: number) => void
  /** A control frame came. */
  readonly frame: (frame: SourceFrame) => void
}

/**
 * What may follow a piece in its memory: the socket is offered so much more than the piece, so that the tail and the next head
 * come with the last bytes of the piece in one system call. At most this much is copied per piece.
 */
export const LANDING_ROOM_BYTES = 4096

/** An unfinished control frame, and one read behind it. */
const CONTROL_BUFFER_BYTES: number = FRAME_HEADER_BYTES + CONTROL_PAYLOAD_BYTES_MAX + LANDING_ROOM_BYTES

interface OpenPiece {
  readonly subscription: number
  readonly length: number
  readonly memory: Uint8Array
  filled: number
}

/**
 * Takes a source's frames apart as they come off the socket. It says where the next bytes shall go ({@link place}) and is told
 * how many came ({@link landed}); so the bytes of a log go from the kernel straight into the memory that they are hashed in and
 * written from. Memory is bounded: one control buffer, and what the owner opens for pieces.
 */
export class FrameLanding {
  readonly #ports: LandingPorts
  readonly #control = new Uint8Array(CONTROL_BUFFER_BYTES)
  /** Unread bytes of the control buffer: `[#start, #end)`. */
  #start = 0
  #end = 0
  #piece: OpenPiece | null = null

  constructor(ports: LandingPorts) {
    this.#ports = ports
  }

  /** Whether the middle of a piece was reached: what is missing of it has a deadline. */
  get insidePiece(): boolean {
    return this.#piece !== null
  }

  /** Where the next bytes belong; never empty. */
  place(): Uint8Array {
    const piece = this.#piece
    if (piece !== null) return piece.memory.subarray(piece.filled, piece.length + LANDING_ROOM_BYTES)
    return this.#control.subarray(this.#end, this.#end + LANDING_ROOM_BYTES)
  }

  /** So many bytes came to where {@link place} said. Errors: `WIRE_PROTOCOL`. */
  landed(count: number): void {
    const piece = this.#piece
    if (piece === null) this.#end += count
    else {
      piece.filled += count
      if (piece.filled < piece.length) return
      this.#moveOvershoot(piece)
      this.#piece = null
      this.#ports.closePiece(piece.subscription, piece.length)
    }
    this.#read()
    this.#compact()
  }

  /** Bytes that came in other memory, such as those behind the answer to the upgrade. */
  feed(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) {
      const place = this.place()
      const part = bytes.subarray(at, at + place.length)
      place.set(part)
      at += part.length
      this.landed(part.length)
    }
  }

  #moveOvershoot(piece: OpenPiece): void {
    const overshoot = piece.memory.subarray(piece.length, piece.filled)
    this.#control.set(overshoot, 0)
    this.#start = 0
    this.#end = overshoot.length
  }

  #read(): void {
    while (this.#piece === null && this.#end - this.#start >= FRAME_HEADER_BYTES) {
      const header = readFrameHeader(this.#control, this.#start, 'source')
      if (header.type === 'log-piece') this.#beginPiece(header)
      else if (!this.#readControl(header)) return
    }
  }

  #beginPiece(header: FrameHeader): void {
    const { subscription, length } = header
    if (length === 0) throw wireFault('an empty piece')
    const memory = this.#ports.openPiece(subscription, length)
    assert(memory.length >= length + LANDING_ROOM_BYTES, 'a piece lands with room behind it')
    this.#start += FRAME_HEADER_BYTES
    const early = this.#control.subarray(this.#start, Math.min(this.#end, this.#start + length))
    memory.set(early)
    this.#start += early.length
    if (early.length === length) this.#ports.closePiece(subscription, length)
    else this.#piece = { subscription, length, memory, filled: early.length }
  }

  #readControl(header: FrameHeader): boolean {
    const payloadStart = this.#start + FRAME_HEADER_BYTES
    if (this.#end - payloadStart < header.length) return false
    const frame = decodeFrame(header, this.#control.subarray(payloadStart, payloadStart + header.length))
    this.#start = payloadStart + header.length
    // decodeFrame reads only frames that a source may send: the header was checked for that side.
    this.#ports.frame(frame as SourceFrame)
    return true
  }

  #compact(): void {
    if (this.#start === 0) return
    this.#control.copyWithin(0, this.#start, this.#end)
    this.#end -= this.#start
    this.#start = 0
  }
}
