import { assert } from '../engine/assert.ts'
import { ReplicationError } from '../engine/error.ts'
import type { CopiedLog, Fault } from '../engine/fact.ts'
import type { LogFormat, LogNameParser } from '../engine/log-format.ts'
import type { Arrivals, ArrivingFile, ArrivingLog } from '../storage/durable-file.ts'
import type { FileOperations } from '../storage/file-operations.ts'
import { PIECE_BYTES_MAX } from '../transport/wire.ts'
import type { LogHead } from '../transport/wire-frame.ts'
import type { LandingLog } from './copy-intake.ts'
import {
  ESE_LOG_BYTES_MAX,
  type Inspection,
  inspectBytes,
  inspectSize,
  transferRejection,
  unprovedIdentity,
} from './log-inspection.ts'
import type { Slab, SlabHash, Slot } from './slab.ts'

/** What became of a log that landed. */
export type KeptLog =
  | { readonly kind: 'copied'; readonly log: CopiedLog; readonly bytes: number }
  | { readonly kind: 'failed'; readonly fault: Fault }

/** What logs are kept with. */
export interface KeeperParts {
  readonly slab: Slab
  readonly files: FileOperations
  readonly arrivals: Arrivals
  readonly format: LogFormat
  readonly parse: LogNameParser
  /** Never answers the same twice, in no process: the name of a temporary file. */
  readonly nextAttempt: () => string
  readonly release: (slot: Slot) => void
}

/** Writes logs into `inspector/` as they land. */
export class LogKeeper {
  readonly #parts: KeeperParts
  /** Everything that may still touch the disk. */
  readonly #busy = new Set<Promise<void>>()
  /** Large ESE logs are read back to be verified, one at a time: each takes its whole length of memory. */
  #verifying: Promise<unknown> = Promise.resolve()

  constructor(parts: KeeperParts) {
    this.#parts = parts
  }

  /** A log begins; `settle` is called once when it is durable or has failed, unless it is abandoned. */
  begin(head: LogHead, settle: (kept: KeptLog) => void): LandingLog {
    const work = {
      ...this.#parts,
      head,
      attemptId: this.#parts.nextAttempt(),
      settle,
      track: (promise: Promise<void>) => this.#track(promise),
      verifyFile: (path: string) => this.#verifyFile(path, head),
    }
    return head.sizeBytes <= PIECE_BYTES_MAX ? new SmallLog(work) : new LargeLog(work)
  }

  /** Resolves when nothing that has begun touches the disk any more. */
  async idle(): Promise<void> {
    while (this.#busy.size > 0) await Promise.all(this.#busy)
  }

  #track(promise: Promise<void>): void {
    this.#busy.add(promise)
    void promise.finally(() => this.#busy.delete(promise))
  }

  #verifyFile(path: string, head: LogHead): Promise<Inspection> {
    const verified = this.#verifying.then(() => this.#readAndVerify(path, head))
    this.#verifying = verified.catch(() => undefined) // whoever wants that log has its error
    return verified
  }

  async #readAndVerify(path: string, head: LogHead): Promise<Inspection> {
    const { files, format, parse } = this.#parts
    if (format.kind === 'numbered') return inspectSize(head.sizeBytes, head, parse)
    const file = await files.open(path, 'read')
    try {
      const bytes = new Uint8Array(head.sizeBytes)
      for (let at = 0; at < bytes.length; at += PIECE_BYTES_MAX)
        await files.read(file, { bytes, offset: at, length: Math.min(PIECE_BYTES_MAX, bytes.length - at) }, at)
      return inspectBytes(bytes, { ...head, format }, parse)
    } finally {
      await files.close(file)
    }
  }
}

interface LogWork extends KeeperParts {
  readonly head: LogHead
  readonly attemptId: string
  readonly settle: (kept: KeptLog) => void
  readonly track: (promise: Promise<void>) => void
  readonly verifyFile: (path: string) => Promise<Inspection>
}

/** A log of one piece: verified where it landed, then written with one call into the file that was made while it came. */
class SmallLog implements LandingLog {
  readonly #work: LogWork
  readonly #file: Promise<ArrivingFile>
  #slot: Slot | null = null

  constructor(work: LogWork) {
    this.#work = work
    this.#file = work.arrivals.begin(arrivingLog(work))
    // Whoever ends this log is told whether it could be made.
    work.track(
      this.#file.then(
        () => undefined,
        () => undefined,
      ),
    )
  }

  piece(slot: Slot): void {
    assert(this.#slot === null, 'a small log has one piece')
    this.#slot = slot
  }

  end(checksum: bigint): void {
    this.#work.track(this.#keep(checksum))
  }

  abandon(): void {
    this.#giveBack()
    this.#work.track(this.#remove())
  }

  async #keep(checksum: bigint): Promise<void> {
    const { head, settle, slab } = this.#work
    const slot = this.#slot
    const length = head.sizeBytes
    try {
      const found = slot === null ? slab.beginHash().digest() : slab.hash(slot, length)
      const inspection = found === checksum ? this.#inspect(slot) : mismatch(this.#work, checksum, found)
      const file = await this.#file
      if (slot !== null) await file.write({ bytes: slot.bytes, offset: 0, length })
      await file.finish()
      settle(copied(this.#work, file.temporaryPath, inspection))
    } catch (error) {
      settle(failed(error))
    } finally {
      this.#giveBack()
    }
  }

  async #remove(): Promise<void> {
    const file = await this.#file.catch(() => null) // it was not made: nothing is to be removed
    await file?.abandon()
  }

  #giveBack(): void {
    if (this.#slot !== null) this.#work.release(this.#slot)
    this.#slot = null
  }

  #inspect(slot: Slot | null): Inspection {
    const { head, format, parse, slab } = this.#work
    const bytes = slot === null ? new Uint8Array(0) : slot.bytes.subarray(0, head.sizeBytes)
    const wideXor = slot === null ? null : slab.wideXor
    return inspectBytes(bytes, { ...head, format, wideXor }, parse)
  }
}

/** A log of several pieces: each is hashed and written as it lands, and the whole verified from the file. */
class LargeLog implements LandingLog {
  readonly #work: LogWork
  readonly #hash: SlabHash
  #file: ArrivingFile | null = null
  #writing: Promise<void>
  #fault: unknown = null
  #abandoned = false

  constructor(work: LogWork) {
    this.#work = work
    this.#hash = work.slab.beginHash()
    this.#writing = this.#step(async () => {
      this.#file = await work.arrivals.begin(arrivingLog(work))
    })
  }

  piece(slot: Slot, length: number): void {
    const { release } = this.#work
    this.#hash.update(slot, length)
    this.#writing = this.#step(async () => {
      try {
        await this.#file?.write({ bytes: slot.bytes, offset: 0, length })
      } finally {
        release(slot)
      }
    }, slot)
  }

  end(checksum: bigint): void {
    const found = this.#hash.digest()
    this.#writing = this.#step(() => this.#finish(checksum, found))
    this.#work.track(this.#settleAtEnd())
  }

  abandon(): void {
    this.#abandoned = true
    this.#hash.abandon()
    this.#work.track(this.#removeAtEnd())
  }

  /** Steps run one after the other; after a fault, or when the log was abandoned, only slots are given back. */
  #step(act: () => Promise<void>, slot?: Slot): Promise<void> {
    const before = this.#writing ?? Promise.resolve()
    const run = before.then(async () => {
      if (this.#fault === null && !this.#abandoned) await act()
      else if (slot !== undefined) this.#work.release(slot)
    })
    const settled = run.catch((error: unknown) => {
      this.#fault ??= error
    })
    this.#work.track(settled)
    return settled
  }

  async #finish(checksum: bigint, found: bigint): Promise<void> {
    const file = this.#file
    assert(file !== null, 'a file is open while its log has no fault')
    await file.finish()
    const isIntact = found === checksum
    const inspection = isIntact
      ? await this.#work.verifyFile(file.temporaryPath)
      : mismatch(this.#work, checksum, found)
    this.#work.settle(copied(this.#work, file.temporaryPath, inspection))
  }

  async #settleAtEnd(): Promise<void> {
    await this.#writing
    if (this.#fault !== null && !this.#abandoned) this.#work.settle(failed(this.#fault))
  }

  async #removeAtEnd(): Promise<void> {
    await this.#writing
    await this.#file?.abandon()
  }
}

/** Refuses, by its head alone, a log that is too large to be verified; null for any other. */
export function refuseHead(head: LogHead, format: LogFormat): Fault | null {
  if (format.kind === 'numbered' || head.sizeBytes <= ESE_LOG_BYTES_MAX) return null
  const message = `${head.name} has ${head.sizeBytes} bytes; the largest ESE log has ${ESE_LOG_BYTES_MAX}`
  return { code: 'LOG_REJECTED', message }
}

function arrivingLog(work: LogWork): ArrivingLog {
  const { head, attemptId } = work
  return {
    name: head.name,
    attemptId,
    lengthBytes: head.sizeBytes,
    memory: head.sizeBytes > 0 ? 'page-aligned' : 'any',
    modifiedMs: head.logTimeMs,
  }
}

function mismatch(work: LogWork, expected: bigint, found: bigint): Inspection {
  return { identity: unprovedIdentity(work.head.generation), rejection: transferRejection(expected, found) }
}

function copied(work: LogWork, temporaryPath: string, inspection: Inspection): KeptLog {
  const { generation, name, logTimeMs, sizeBytes } = work.head
  const arrivingName = temporaryPath.slice(temporaryPath.lastIndexOf('/') + 1)
  return { kind: 'copied', log: { generation, name, arrivingName, logTimeMs, ...inspection }, bytes: sizeBytes }
}

/** Faults of the world are told; anything else is a fault of the program, which must not go on. */
function failed(error: unknown): KeptLog {
  if (!(error instanceof ReplicationError)) throw error
  return { kind: 'failed', fault: { code: error.code, message: error.message } }
}
