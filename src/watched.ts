/** A value that others want to know: whoever watches is told the last one at once, and each new one. Before the first there is none. */
export class Watched<Value> {
  readonly #watchers: ((value: Value) => void)[] = []
  #last: { readonly value: Value } | null = null

  watch(told: (value: Value) => void): void {
    this.#watchers.push(told)
    if (this.#last !== null) told(this.#last.value)
  }

  /** The same value again is not told. */
  tell(value: Value): void {
    if (this.#last?.value === value) return
    this.#last = { value }
    for (const told of this.#watchers) told(value)
  }
}
