import type { StoreQuestion } from '../engine/database/store-order.ts'
import { type Generation, nextGeneration } from '../engine/generation.ts'
import { hasErrno } from './file-error.ts'
import type { StoreTools } from './prepared-log.ts'
import { logPath } from './store-places.ts'

/** A question for a whole log. */
export type LogQuestion = Extract<StoreQuestion, { order: 'read-log' }>

/** The longest log that the format knows: 65,535 sectors of 4,096 bytes. What lies behind it is not read. */
const LOG_BYTES_MAX = 65_535 * 4096

interface ReadAhead {
  readonly generation: Generation
  readonly bytes: Promise<Uint8Array | null>
}

/**
 * Reads logs in ascending order, the next one while the one before is used. Two memories take turns: an answer is whole until the
 * next question is asked. At the end of the stream they are let go: a store that runs reads no logs.
 */
export class LogReader {
  readonly #tools: StoreTools
  #memories = noMemories()
  #turn: 0 | 1 = 0
  #ahead: ReadAhead | null = null

  constructor(tools: StoreTools) {
    this.#tools = tools
  }

  /** The whole log, unverified, or null where there is none. One question at a time. */
  async read({ generation, open, last }: LogQuestion): Promise<Uint8Array | null> {
    const ahead = this.#ahead
    this.#ahead = null
    if (open) {
      await ahead?.bytes.catch(() => null) // nobody asks for it any more
      const bytes = await this.#load([this.#tools.places.openLogName])
      this.#memories = noMemories()
      return bytes
    }
    if (ahead !== null && ahead.generation !== generation) await ahead.bytes.catch(() => null)
    const bytes = await (ahead?.generation === generation ? ahead.bytes : this.#loadClosed(generation))
    if (bytes !== null && generation < last) this.#readAhead(nextGeneration(generation))
    else this.#memories = noMemories()
    return bytes
  }

  /** Waits for what is under way, and lets go what was read ahead: the file may be another one when it is asked for. */
  async idle(): Promise<void> {
    const ahead = this.#ahead
    this.#ahead = null
    await ahead?.bytes.catch(() => null) // nobody asks for it any more
    this.#memories = noMemories()
  }

  #readAhead(generation: Generation): void {
    const bytes = this.#loadClosed(generation)
    bytes.catch(() => null) // told when it is asked for
    this.#ahead = { generation, bytes }
  }

  #loadClosed(generation: Generation): Promise<Uint8Array | null> {
    return this.#load(this.#tools.names.candidates(generation))
  }

  /** The first of the files that is there. */
  async #load(names: readonly string[]): Promise<Uint8Array | null> {
    this.#turn = this.#turn === 0 ? 1 : 0
    const turn = this.#turn
    for (const name of names) {
      try {
        return await this.#loadInto(turn, logPath(this.#tools.places, name))
      } catch (error) {
        if (!hasErrno(error, 'ENOENT')) throw error
      }
    }
    return null
  }

  async #loadInto(turn: 0 | 1, path: string): Promise<Uint8Array> {
    const { files } = this.#tools
    const file = await files.open(path, 'read')
    try {
      const { sizeBytes } = await files.factsOf(file)
      const length = Math.min(sizeBytes, LOG_BYTES_MAX)
      if (this.#memories[turn].length < length) this.#memories[turn] = new Uint8Array(length)
      const bytes = this.#memories[turn].subarray(0, length)
      return bytes.subarray(0, await files.read(file, { bytes, offset: 0, length }, 0))
    } finally {
      await files.close(file)
    }
  }
}

function noMemories(): [Uint8Array, Uint8Array] {
  return [new Uint8Array(0), new Uint8Array(0)]
}
