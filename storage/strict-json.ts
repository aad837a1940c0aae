/** What a value of a strict document is not; the path of the field comes first (`files[2].bytes`). */
export class StrictJsonError extends Error {
  override readonly name = 'StrictJsonError'
}

/** Takes one value in, named by its path; throws {@link StrictJsonError} for what it is not. */
export type TakeValue<T> = (value: unknown, path: string) => T

/** Takes a document in, each field by its own rule: a field that is missing or unknown is refused. */
export function strictObject<T extends object>(
  fields: { readonly [Field in keyof T]: TakeValue<T[Field]> },
): TakeValue<T> {
  return (value, path) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refused(path, 'is no object')
    const given = value as Readonly<Record<string, unknown>> // a JSON object has string keys
    const unknown = Object.keys(given).find((name) => !Object.hasOwn(fields, name))
    if (unknown !== undefined) throw refused(inPath(path, unknown), 'is no field that this version knows')
    const taken: Partial<T> = {}
    for (const name of Object.keys(fields) as (keyof T & string)[]) {
      // the keys of a plain object of rules
      if (!Object.hasOwn(given, name)) throw refused(inPath(path, name), 'is missing')
      taken[name] = fields[name](given[name], inPath(path, name))
    }
    return taken as T // every field of the rules was taken above
  }
}

/** Takes a list in, of at most `most` values. */
export function strictList<T>(take: TakeValue<T>, most: number): TakeValue<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) throw refused(path, 'is no list')
    if (value.length > most) throw refused(path, `has ${value.length} values, more than ${most}`)
    return value.map((one: unknown, index) => take(one, `${path}[${index}]`))
  }
}

/** Takes null in, or what `take` takes. */
export function strictOrNull<T>(take: TakeValue<T>): TakeValue<T | null> {
  return (value, path) => (value === null ? null : take(value, path))
}

/** Takes a text in that fits a pattern. */
export function strictText(pattern: RegExp): TakeValue<string> {
  return (value, path) => {
    if (typeof value !== 'string' || !pattern.test(value)) throw refused(path, `is ${shown(value)}`)
    return value
  }
}

/** Takes one of some texts in. */
export function strictWord<Word extends string>(words: readonly Word[]): TakeValue<Word> {
  return (value, path) => {
    const word = words.find((known) => known === value)
    if (word === undefined) throw refused(path, `is ${shown(value)}, not one of ${words.join(', ')}`)
    return word
  }
}

/** Takes a whole number in, both bounds included. */
export function strictWhole(least: number, most: number): TakeValue<number> {
  return (value, path) => {
    if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < least || value > most)
      throw refused(path, `is ${shown(value)}, no whole number from ${least} to ${most}`)
    return value
  }
}

function refused(path: string, what: string): StrictJsonError {
  return new StrictJsonError(`${path === '' ? 'the document' : path} ${what}`)
}

function inPath(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

/** Bounded: the value comes from outside, and stands in a message. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
