import { assert } from '../assert.ts'
import { fillWithPattern } from './fill-pattern.ts'
import { type LogBytes, openLogBytes } from './log-bytes.ts'
import { CHECKSUM_RECORD_BYTES, checksumPlace, firstSectorEnd } from './log-checksum.ts'
import { LOG_HEADER_BYTES, type LogHeader, writeLogHeader } from './log-header.ts'
import { sealRange, turnShadow } from './log-seal.ts'

/** One write of a flush: `bytes` go to byte `at` of the file; both are multiples of the sector. */
export interface LogWrite {
  readonly at: number
  readonly bytes: Uint8Array
}

/** Where a log that is opened again goes on. */
export interface LogBufferResume {
  /** The newest checksum record of the log. */
  readonly checksumAt: number
  /** The end of its last whole record; what follows is dropped. */
  readonly endByte: number
}

/** What is behind the last flush of a log. */
const NOTHING_SEALED = -1

/**
 * The open log of a stream, format 7,3704: records are laid one behind the other in memory, and a flush says which sectors of
 * the file have to be written so that all of them survive a crash. The file is prepared before (see `prepareLog`).
 *
 * A flush costs what it writes: each byte is summed once when its sector is full, and again while its sector is the last one.
 *
 * Rules of a flush. Source: reconstructed from the engine's reader and from real logs, checked by every crash that a test can
 * cut into one.
 *
 * 1. While the records end in the sector of the newest checksum record, that sector is sealed anew and written, and behind it
 *    its shadow.
 * 2. Beyond that a new checksum record opens at the end of the records. The old one is sealed up to the sector of the new one,
 *    which it points to; its sectors are written first, then the new one's sector and its shadow.
 * 3. The old one's first sector is a write of its own: the next one goes over its shadow, which must be whole until then.
 *
 * Inside one write the sectors may come to the disk in any order; between two writes everything must be durable.
 *
 * A class, since it owns a MiB of memory that is written in place for as long as the log is open.
 */
export class LogBuffer {
  readonly header: LogHeader
  /** The memory of the file's length in which records are laid. Whoever reserved bytes writes them here. */
  readonly log: LogBytes
  /** Images of the last sector and of its shadow, apart from `log`, so that records may be laid while they are written. */
  readonly #tail: LogBytes
  readonly #usableEnd: number
  #checksumAt: number
  #end: number
  #sealedEnd = NOTHING_SEALED
  /** Whether `#tail` is what the file holds there. */
  #tailWritten = false
  #closed = false

  /**
   * @param header of the log; it is written into the memory, but not into any file
   * @param target memory of the file's length to use, whatever it holds; new memory by default
   */
  constructor(header: LogHeader, target?: Uint8Array) {
    const fileBytes = header.sectorBytes * header.fileSectors
    const bytes = target?.fill(0) ?? new Uint8Array(fileBytes)
    assert(bytes.byteLength === fileBytes && bytes.byteOffset % 4 === 0, 'the memory has the log’s length, on a word')
    writeLogHeader(bytes, header)
    this.header = header
    this.log = openLogBytes(bytes)
    this.#tail = openLogBytes(new Uint8Array(2 * header.sectorBytes))
    this.#usableEnd = fileBytes - header.sectorBytes
    this.#checksumAt = LOG_HEADER_BYTES
    this.#end = LOG_HEADER_BYTES + CHECKSUM_RECORD_BYTES
  }

  /**
   * Opens a log again that lies on disk, as recovery found it. The first flush seals what is there once more.
   *
   * @param bytes the whole file; it is copied
   */
  static resume(header: LogHeader, bytes: Uint8Array, place: LogBufferResume): LogBuffer {
    const buffer = new LogBuffer(header)
    buffer.log.bytes.set(bytes.subarray(LOG_HEADER_BYTES, place.endByte), LOG_HEADER_BYTES)
    buffer.#checksumAt = place.checksumAt
    buffer.#end = place.endByte
    return buffer
  }

  /** Where the next record begins, in bytes from the start of the file. */
  get end(): number {
    return this.#end
  }

  /** Where the newest checksum record lies. */
  get checksumAt(): number {
    return this.#checksumAt
  }

  /** Bytes of records that still fit. A record that needs more opens the next log. */
  get room(): number {
    return this.#closed ? 0 : this.#usableEnd - this.#end
  }

  /** Whether everything that was laid is in a flush that {@link seal} or {@link close} has returned. */
  get sealed(): boolean {
    return this.#sealedEnd === this.#end
  }

  /**
   * Takes the next `bytes` for whole records; the caller writes all of them before the next {@link seal}.
   *
   * @returns where they begin
   */
  reserve(bytes: number): number {
    assert(bytes <= this.room, 'the records fit into what is left of the log')
    const at = this.#end
    this.#end += bytes
    return at
  }

  /**
   * Makes a flush of everything laid so far. Its writes go to the file in this order, each durable before the next begins, and
   * all of them before the next flush is made; records may be laid meanwhile.
   *
   * @returns the writes, at most three; none when everything is sealed
   */
  seal(): readonly LogWrite[] {
    if (this.sealed) return []
    const { header } = this
    const sectorEnd = firstSectorEnd(this.#checksumAt, header)
    if (this.#end < sectorEnd) {
      sealRange(this.log, header, { at: this.#checksumAt, rangeEnd: this.#end, nextAt: undefined })
      return [this.#tailWrite()]
    }
    const nextAt = checksumPlace(this.#end, header.sectorBytes)
    if (nextAt >= this.#usableEnd) return this.close()
    const rangeEnd = nextAt - (nextAt % header.sectorBytes)
    sealRange(this.log, header, { at: this.#checksumAt, rangeEnd, nextAt })
    const writes = this.#bodyWrites(rangeEnd)
    this.#openRange(nextAt)
    return [...writes, this.#tailWrite()]
  }

  /**
   * The last flush of a log that is full or rolled: the body ends with its sector, and no shadow is written. Nothing fits
   * after it; the file is a closed log as soon as it has its name.
   *
   * @returns the writes as {@link seal} does, at most two; none when it is closed already
   */
  close(): readonly LogWrite[] {
    if (this.#closed) return []
    const { sectorBytes } = this.header
    const rangeEnd = Math.ceil(this.#end / sectorBytes) * sectorBytes
    sealRange(this.log, this.header, { at: this.#checksumAt, rangeEnd, nextAt: undefined })
    this.#end = rangeEnd
    this.#sealedEnd = rangeEnd
    this.#closed = true
    return this.#bodyWrites(rangeEnd)
  }

  /** A copy of the file as it is when all flushes so far have been written; everything laid must be sealed. */
  fileImage(): Uint8Array {
    assert(this.sealed, 'everything that was laid is in a flush')
    const { sectorBytes } = this.header
    const image = this.log.bytes.slice()
    const bodyEnd = Math.ceil(this.#end / sectorBytes) * sectorBytes
    fillWithPattern(image, bodyEnd, image.byteLength)
    // A shadow stays behind the last sector until the body reaches it, in a closed log for ever.
    const shadowAt = firstSectorEnd(this.#checksumAt, this.header)
    if (this.#tailWritten && shadowAt >= bodyEnd) image.set(this.#tail.bytes.subarray(sectorBytes), shadowAt)
    return image
  }

  /** A new checksum record opens at `at`, in the sector after the newest range. */
  #openRange(at: number): void {
    this.#checksumAt = at
    this.#end = at + CHECKSUM_RECORD_BYTES
    sealRange(this.log, this.header, { at, rangeEnd: this.#end, nextAt: undefined })
  }

  /**
   * The full sectors from the newest checksum record's to `rangeEnd`, the first of them apart: it says how far the range goes,
   * so that a reader knows what is missing of it. Nothing is laid in them any more.
   */
  #bodyWrites(rangeEnd: number): LogWrite[] {
    const { bytes } = this.log
    const sectorEnd = firstSectorEnd(this.#checksumAt, this.header)
    const lo = sectorEnd - this.header.sectorBytes
    const first: LogWrite = { at: lo, bytes: bytes.subarray(lo, sectorEnd) }
    return sectorEnd === rangeEnd ? [first] : [first, { at: sectorEnd, bytes: bytes.subarray(sectorEnd, rangeEnd) }]
  }

  /**
   * The sector of the newest checksum record with its shadow behind it. One write is enough for both: whichever of the two
   * images comes to the disk first, the other is what it was before.
   */
  #tailWrite(): LogWrite {
    const { sectorBytes } = this.header
    const { bytes } = this.#tail
    const sectorEnd = firstSectorEnd(this.#checksumAt, this.header)
    const sector = this.log.bytes.subarray(sectorEnd - sectorBytes, sectorEnd)
    bytes.set(sector, 0)
    bytes.set(sector, sectorBytes)
    turnShadow(this.#tail, (this.#checksumAt % sectorBytes) + sectorBytes)
    this.#tailWritten = true
    this.#sealedEnd = this.#end
    return { at: sectorEnd - sectorBytes, bytes }
  }
}
