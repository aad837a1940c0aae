import { startThrottle, type Throttle, takeBytes, throttleWaitMs, withRate } from '../engine/link/throttle.ts'

/** How far the copying of some files has come. */
export type OnPace = (doneBytes: number, totalBytes: number) => void

/** The longest wait at a time, in milliseconds: a change of the rate and a cancellation are heeded that soon. */
const WAIT_MS_MAX = 50
/** Between two tellings, in milliseconds. */
const TELL_MS = 100
/** Pieces in a second that a rate is cut into, so that it is even within a second. */
const PIECES_PER_SECOND = 32
/** What direct I/O takes and disks like; the least piece. */
const PIECE_BYTES_MIN = 65_536

/** Lets bytes go at a rate that may change, tells how far it is, and stops when it is told to. */
export class CopyPace {
  #throttle: Throttle = startThrottle(null, performance.now())
  #stopped: Error | null = null
  #onPace: OnPace = () => undefined
  #doneBytes = 0
  #totalBytes = 0
  #toldMs = 0

  /** Begins anew, at the rate of before. */
  begin(onPace: OnPace): void {
    this.#stopped = null
    this.#onPace = onPace
    this.#doneBytes = 0
    this.#totalBytes = 0
    this.#toldMs = 0
  }

  /** From now on so many bytes in a second; null for no bound. */
  setRate(bytesPerSecond: number | null): void {
    this.#throttle = withRate(this.#throttle, bytesPerSecond, performance.now())
  }

  /** Everything that takes bytes from now on, or waits for that, ends with this error. */
  stop(error: Error): void {
    this.#stopped = error
  }

  /** So many bytes more are to be copied. */
  expect(bytes: number): void {
    this.#totalBytes += bytes
  }

  /** The best length of a piece, at most `most`, which is a multiple of {@link PIECE_BYTES_MIN}. */
  pieceBytes(most: number): number {
    const { rateBytesPerSecond } = this.#throttle
    if (rateBytesPerSecond === null) return most
    const even = Math.floor(rateBytesPerSecond / PIECES_PER_SECOND / PIECE_BYTES_MIN) * PIECE_BYTES_MIN
    return Math.min(most, Math.max(PIECE_BYTES_MIN, even))
  }

  /** Resolves when so many bytes may go. Rejects when it was stopped. */
  async take(bytes: number): Promise<void> {
    for (;;) {
      if (this.#stopped !== null) throw this.#stopped
      const waitMs = throttleWaitMs(this.#throttle, performance.now())
      if (waitMs <= 0) break
      await new Promise((resolve) => setTimeout(resolve, Math.min(WAIT_MS_MAX, waitMs)))
    }
    const nowMs = performance.now()
    this.#throttle = takeBytes(this.#throttle, bytes, nowMs)
    this.#doneBytes += bytes
    if (nowMs - this.#toldMs < TELL_MS) return
    this.#toldMs = nowMs
    this.#onPace(this.#doneBytes, Math.max(this.#doneBytes, this.#totalBytes))
  }
}
