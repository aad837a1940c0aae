import { type Throttle, takeBytes, throttleWaitMs, withRate } from '../engine/link/throttle.ts'

/** A rate at which bytes may go, which may change at any time. */
export interface PacedRate {
  /** Bytes in a second; null for no bound. */
  readonly bytesPerSecond: number | null
  /** How long to wait until bytes may go, in milliseconds; 0 for now. */
  waitMs(): number
  /** Takes bytes, if they may go now; answers whether they may. */
  take(bytes: number): boolean
  /** Takes bytes that have gone already. */
  charge(bytes: number): void
}

/** Where the two numbers of a shared rate lie. */
const RATE = 0
const PAID_AT = 1

/**
 * One token bucket of several threads: what each of them takes, the others wait for. Its state are two numbers in shared memory, each of which
 * is read and written as a whole; whoever finds that another one was faster looks again.
 */
export class SharedRate implements PacedRate {
  readonly memory: SharedArrayBuffer
  readonly #words: BigInt64Array<SharedArrayBuffer>

  /** @param memory that of another thread; absent for a rate without a bound */
  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(2 * BigInt64Array.BYTES_PER_ELEMENT)) {
    this.memory = memory
    this.#words = new BigInt64Array(memory)
  }

  get bytesPerSecond(): number | null {
    const rate = numberOf(Atomics.load(this.#words, RATE))
    return rate === 0 ? null : rate
  }

  /** From now on so many bytes in a second, for all threads; null for no bound. */
  set(bytesPerSecond: number | null): void {
    const next = withRate(this.#throttle, bytesPerSecond, nowMs())
    Atomics.store(this.#words, RATE, wordOf(bytesPerSecond ?? 0))
    Atomics.store(this.#words, PAID_AT, wordOf(next.paidAtMs))
  }

  waitMs(): number {
    return throttleWaitMs(this.#throttle, nowMs())
  }

  charge(bytes: number): void {
    for (;;) {
      const before = Atomics.load(this.#words, PAID_AT)
      const throttle = { rateBytesPerSecond: this.bytesPerSecond, paidAtMs: numberOf(before) }
      const { paidAtMs } = takeBytes(throttle, bytes, nowMs())
      if (Atomics.compareExchange(this.#words, PAID_AT, before, wordOf(paidAtMs)) === before) return
    }
  }

  take(bytes: number): boolean {
    const before = Atomics.load(this.#words, PAID_AT)
    const throttle = { rateBytesPerSecond: this.bytesPerSecond, paidAtMs: numberOf(before) }
    const now = nowMs()
    if (throttleWaitMs(throttle, now) > 0) return false
    const { paidAtMs } = takeBytes(throttle, bytes, now)
    return Atomics.compareExchange(this.#words, PAID_AT, before, wordOf(paidAtMs)) === before
  }

  get #throttle(): Throttle {
    return { rateBytesPerSecond: this.bytesPerSecond, paidAtMs: numberOf(Atomics.load(this.#words, PAID_AT)) }
  }
}

/**
 * The same clock in every thread. Not `performance`: each thread has an origin of its own there, taken from the time of the day, and a clock that
 * was set between two starts would have one thread wait for as long as that.
 */
function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

const scratch = new DataView(new ArrayBuffer(8))

function wordOf(value: number): bigint {
  scratch.setFloat64(0, value)
  return scratch.getBigInt64(0)
}

function numberOf(word: bigint): number {
  scratch.setBigInt64(0, word)
  return scratch.getFloat64(0)
}
