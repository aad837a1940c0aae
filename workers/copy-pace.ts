import { type PacedRate, SharedRate } from './shared-rate.ts'

/** How far the copying of some files has come. */
export type OnPace = (doneBytes: number, totalBytes: number) => void

/** The longest wait at a time, in milliseconds: a change of the rate and a cancellation are heeded that soon. */
const WAIT_MS_MAX = 50
/** Between two tellings, in milliseconds. */
const TELL_MS = 100
/** How a rate is cut into pieces. */
export interface PieceSizes {
  /** Pieces in a second, so that it is even within a second. */
  readonly perSecond: number
  /** The least piece in bytes: what direct I/O takes, and whoever reads and writes likes. A power of two. */
  readonly leastBytes: number
}

/** For disks. Short pieces: a store that commits meanwhile waits behind them. At a bounded rate they cost little. */
const FOR_DISKS: PieceSizes = { perSecond: 2_048, leastBytes: 65_536 }

/** Lets bytes go at a rate that may change, tells how far it is, and stops when it is told to. */
export class CopyPace {
  readonly #own = new SharedRate()
  #rate: PacedRate = this.#own
  #sizes = FOR_DISKS
  #stopped: Error | null = null
  #onPace: OnPace = () => undefined
  #doneBytes = 0
  #totalBytes = 0
  #toldMs = 0

  /** Begins anew, at the rate of before. */
  begin(onPace: OnPace): void {
    this.#rate = this.#own
    this.#sizes = FOR_DISKS
    this.#stopped = null
    this.#onPace = onPace
    this.#doneBytes = 0
    this.#totalBytes = 0
    this.#toldMs = 0
  }

  /** Until the next beginning, the rate is one that others take from too. */
  share({ rate, sizes }: { readonly rate: PacedRate; readonly sizes: PieceSizes }): void {
    this.#rate = rate
    this.#sizes = sizes
  }

  /** From now on so many bytes in a second, where the rate is not shared; null for no bound. */
  setRate(bytesPerSecond: number | null): void {
    this.#own.set(bytesPerSecond)
  }

  /** Everything that takes bytes from now on, or waits for that, ends with this error. */
  stop(error: Error): void {
    this.#stopped = error
  }

  /** So many bytes more are to be copied. */
  expect(bytes: number): void {
    this.#totalBytes += bytes
  }

  /** The best length of a piece, at most `most`, which is a multiple of the least piece. */
  pieceBytes(most: number): number {
    const { bytesPerSecond } = this.#rate
    const { perSecond, leastBytes } = this.#sizes
    if (bytesPerSecond === null) return most
    const even = Math.floor(bytesPerSecond / perSecond / leastBytes) * leastBytes
    return Math.min(most, Math.max(leastBytes, even))
  }

  /** So many bytes need not be copied: they are there already. */
  pass(bytes: number): void {
    if (this.#stopped !== null) throw this.#stopped
    this.#tell(bytes)
  }

  /** Resolves when so many bytes may go. Rejects when it was stopped. */
  async take(bytes: number): Promise<void> {
    for (;;) {
      if (this.#stopped !== null) throw this.#stopped
      if (this.#rate.take(bytes)) break
      const waitMs = this.#rate.waitMs()
      await new Promise((resolve) => setTimeout(resolve, Math.min(WAIT_MS_MAX, waitMs)))
    }
    this.#tell(bytes)
  }

  #tell(bytes: number): void {
    const nowMs = performance.now()
    this.#doneBytes += bytes
    if (nowMs - this.#toldMs < TELL_MS) return
    this.#toldMs = nowMs
    this.#onPace(this.#doneBytes, Math.max(this.#doneBytes, this.#totalBytes))
  }
}
