/**
 * Stops the program when one of its own rules is broken. For faults of the world use {@link ReplicationError} instead.
 *
 * @param what what must hold, as a sentence without full stop
 */
export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new AssertionError(what)
}

/** A broken rule of this program, never of its surroundings: nothing is caught, nothing goes on. */
export class AssertionError extends Error {
  override readonly name = 'AssertionError'

  constructor(what: string) {
    super(`must hold: ${what}`)
  }
}

/** Marks a branch that the type system has proved empty: a switch over a closed union ends with it. */
export function unreachable(value: never): never {
  throw new AssertionError(`no such case: ${JSON.stringify(value)}`)
}
