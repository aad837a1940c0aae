import { asGeneration, GENERATION_MAX, type Generation } from '../engine/generation.ts'
import { wireFault } from './wire.ts'

/** Bounds of a whole number, both included. */
export interface Bounds {
  readonly least: number
  readonly most: number
}

/** Latest time that a frame may carry: the year 9999, milliseconds since 1970. Also within what Date can show. */
const TIME_MS_MAX = 253_402_300_799_999

/**
 * A JSON value from the wire, read field by field: a field either has the type and the range asked for, or the frame is
 * refused with `WIRE_PROTOCOL`. Only own properties count, so `__proto__` and its like have no effect.
 */
export class CheckedObject {
  readonly #fields: object
  readonly #what: string

  /** `what` names the frame in messages. */
  constructor(value: unknown, what: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw wireFault(`${what} is no object`)
    this.#fields = value
    this.#what = what
  }

  /** A whole number, 0 to 2^53 - 1 unless bounds say otherwise. */
  whole(field: string, bounds: Bounds = { least: 0, most: Number.MAX_SAFE_INTEGER }): number {
    const value = this.#read(field)
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= bounds.least && value <= bounds.most)
      return value
    throw this.#refusal(field)
  }

  /** A generation, 0 included. */
  generation(field: string): Generation {
    return asGeneration(this.whole(field, { least: 0, most: GENERATION_MAX }))
  }

  /** A time in milliseconds since 1970, fractions allowed (a file system keeps nanoseconds). */
  time(field: string): number {
    const value = this.#read(field)
    if (typeof value === 'number' && value >= 0 && value <= TIME_MS_MAX) return value
    throw this.#refusal(field)
  }

  /** A text of at most so many UTF-16 units, without control characters: it may end in a log line or on a terminal. */
  text(field: string, charactersMax: number): string {
    const value = this.#read(field)
    if (typeof value === 'string' && value.length <= charactersMax && !/[\p{Cc}\p{Cs}]/u.test(value)) return value
    throw this.#refusal(field)
  }

  /** A nested object. */
  object(field: string): CheckedObject {
    return new CheckedObject(this.#read(field), `${this.#what}.${field}`)
  }

  /** A list of at most so many objects. */
  objects(field: string, most: number): readonly CheckedObject[] {
    const value = this.#read(field)
    if (!Array.isArray(value) || value.length > most) throw this.#refusal(field)
    return value.map((one) => new CheckedObject(one, `${this.#what}.${field}`))
  }

  /** Whether the field is there and null. */
  isNull(field: string): boolean {
    return this.#read(field) === null
  }

  /** Whether the field is null or not there: what a later version added. */
  isAbsentOrNull(field: string): boolean {
    return (this.#read(field) ?? null) === null
  }

  /** Whether the field is not there at all. */
  isAbsent(field: string): boolean {
    return this.#read(field) === undefined
  }

  #read(field: string): unknown {
    return Object.getOwnPropertyDescriptor(this.#fields, field)?.value
  }

  #refusal(field: string): Error {
    return wireFault(`the field ${field} of ${this.#what} is missing or out of range`)
  }
}
