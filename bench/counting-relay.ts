import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { stopChild } from './command.ts'

/** Bytes that came from a source. */
export interface Arrival {
  /** By the monotonic clock of the machine. */
  readonly atMs: number
  readonly bytes: number
}

/** A relay between a copy and its source that notes when how much came from the source. */
export class CountingRelay {
  readonly port: number
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
  }

  static async to(sourcePort: number): Promise<CountingRelay> {
    const child = fork(fileURLToPath(new URL('./relay-child.js', import.meta.url)), [String(sourcePort)])
    const [{ port }] = (await once(child, 'message')) as [{ port: number }] // the only thing that it says by itself
    return new CountingRelay(child, port)
  }

  /** What came since it was asked last, in its order. */
  async arrivals(): Promise<readonly Arrival[]> {
    const answer = once(this.#child, 'message')
    this.#child.send('arrivals')
    const [{ arrivals }] = (await answer) as [{ arrivals: Arrival[] }] // the only thing that it answers
    return arrivals
  }

  close(): Promise<void> {
    return stopChild(this.#child)
  }
}
