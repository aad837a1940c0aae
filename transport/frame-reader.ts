import { CONTROL_PAYLOAD_BYTES_MAX, FRAME_HEADER_BYTES, readFrameHeader } from './wire.ts'
import { type CopyFrame, decodeFrame } from './wire-frame.ts'

/** The longest frame that a copy may send. */
const FRAME_BYTES_MAX: number = FRAME_HEADER_BYTES + CONTROL_PAYLOAD_BYTES_MAX

const NOTHING = new Uint8Array(0)

/**
 * Takes a copy's frames apart; they are all small. Bytes may come in any portions; what is kept between two of them is less
 * than one frame.
 */
export class FrameReader {
  readonly #frame: (frame: CopyFrame) => void
  #rest: Uint8Array = NOTHING

  constructor(frame: (frame: CopyFrame) => void) {
    this.#frame = frame
  }

  /** Errors: `WIRE_PROTOCOL`; the reader is then of no use any more. */
  push(bytes: Uint8Array): void {
    const at = this.#rest.length === 0 ? 0 : this.#completeRest(bytes)
    if (at < 0) return
    const end = this.#readWhole(bytes, at)
    if (end < bytes.length) this.#rest = bytes.slice(end)
  }

  /** Answers how many of `bytes` belonged to the frame that was left unfinished; -1 when it still is. */
  #completeRest(bytes: Uint8Array): number {
    const left = this.#rest.length
    // As few bytes as the frame can need, so that a large portion is not copied whole.
    const joined = new Uint8Array(left + Math.min(bytes.length, FRAME_BYTES_MAX))
    joined.set(this.#rest)
    joined.set(bytes.subarray(0, joined.length - left), left)
    const used = this.#readOne(joined)
    this.#rest = used === 0 ? joined : NOTHING
    return used === 0 ? -1 : used - left
  }

  #readWhole(bytes: Uint8Array, start: number): number {
    let at = start
    for (;;) {
      const used = this.#readOne(bytes.subarray(at))
      if (used === 0) return at
      at += used
    }
  }

  /** Answers how many bytes the frame at the front took, 0 when it is not complete. */
  #readOne(bytes: Uint8Array): number {
    if (bytes.length < FRAME_HEADER_BYTES) return 0
    const header = readFrameHeader(bytes, 0, 'copy')
    const end = FRAME_HEADER_BYTES + header.length
    if (bytes.length < end) return 0
    // decodeFrame reads only frames that a copy may send: the header was checked for that side.
    this.#frame(decodeFrame(header, bytes.subarray(FRAME_HEADER_BYTES, end)) as CopyFrame)
    return end
  }
}
