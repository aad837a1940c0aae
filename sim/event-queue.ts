/** Something that will happen in the toy world. */
export interface Happening {
  readonly atMs: number
  /** Breaks ties: what was planned first happens first. */
  readonly seq: number
  readonly happen: () => void
}

/** What is still to happen, least time first. A binary heap: 1,000 waiting happenings cost ten comparisons each. */
export class EventQueue {
  readonly #heap: Happening[] = []
  #seq = 0

  /** How many wait. */
  get size(): number {
    return this.#heap.length
  }

  /** Plans something for a virtual time in milliseconds. */
  add(atMs: number, happen: () => void): void {
    const heap = this.#heap
    const fresh: Happening = { atMs, seq: this.#seq++, happen }
    let hole = heap.length
    heap.push(fresh)
    while (hole > 0) {
      const parent = (hole - 1) >> 1
      const above = heap[parent]
      if (above === undefined || !isBefore(fresh, above)) break
      heap[hole] = above
      hole = parent
    }
    heap[hole] = fresh
  }

  /** Takes out what happens next, or nothing when nothing waits. */
  pop(): Happening | undefined {
    const heap = this.#heap
    const least = heap[0]
    const last = heap.pop()
    if (last !== undefined && last !== least) this.#sink(last)
    return least
  }

  /** When the next thing happens, in milliseconds, or undefined when nothing waits. */
  get nextMs(): number | undefined {
    return this.#heap[0]?.atMs
  }

  #sink(moved: Happening): void {
    const heap = this.#heap
    let hole = 0
    for (;;) {
      const left = heap[2 * hole + 1]
      if (left === undefined) break
      const right = heap[2 * hole + 2]
      const isRight = right !== undefined && isBefore(right, left)
      const child = isRight ? right : left
      if (!isBefore(child, moved)) break
      heap[hole] = child
      hole = 2 * hole + (isRight ? 2 : 1)
    }
    heap[hole] = moved
  }
}

function isBefore(a: Happening, b: Happening): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.seq < b.seq)
}
