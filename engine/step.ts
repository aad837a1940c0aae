/** One step as a guarantee sees it. */
export interface Step<State, Fact, Order> {
  readonly before: State
  readonly fact: Fact
  readonly after: State
  readonly orders: readonly Order[]
}

/**
 * A promise of the engine, checked after every step in the toy world; the cheap ones in production too.
 */
export interface Guarantee<State, Fact, Order> {
  /** The promise, as a sentence. */
  readonly name: string
  /** Whether it costs so little that production checks it at every step. */
  readonly cheap: boolean
  /** Null when it holds; otherwise what breaks it, as one clause. */
  readonly check: (step: Step<State, Fact, Order>) => string | null
}

/** Makes a guarantee; `cheap` says whether production checks it too. */
export function guarantee<State, Fact, Order>(
  name: string,
  cheap: boolean,
  check: (step: Step<State, Fact, Order>) => string | null,
): Guarantee<State, Fact, Order> {
  return { name, cheap, check }
}
