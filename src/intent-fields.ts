import { asGeneration, GENERATION_MAX, type Generation } from '../engine/generation.ts'
import type { LogFormat } from '../engine/log-format.ts'

/** A record of a journal as it was read: anybody may have written it. */
export type Fields = Readonly<Record<string, unknown>>

/** A copy's identity: 16 random bytes in hexadecimal. */
const COPY_ID_PATTERN = /^[0-9a-f]{32}$/

/** The fields of a record; none where it is no object. */
export function fieldsIn(value: unknown): Fields {
  // An object has string keys with unknown values; whatever else it is, it has no kind that we know.
  return typeof value === 'object' && value !== null ? (value as Fields) : {}
}

/** A text, or null. */
export function textIn(fields: Fields, key: string): string | null {
  const value = fields[key]
  return typeof value === 'string' ? value : null
}

/** The identity of a copy in the field `copyId`, or null. */
export function copyIdIn(fields: Fields): string | null {
  const value = textIn(fields, 'copyId')
  return value !== null && COPY_ID_PATTERN.test(value) ? value : null
}

/** A time in milliseconds since 1970, or null. */
export function timeIn(fields: Fields, key: string): number | null {
  const value = fields[key]
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : null
}

/** A whole number from 0 on, or null. */
export function countIn(fields: Fields, key: string): number | null {
  const value = fields[key]
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null
}

/** A generation, or null. */
export function generationIn(fields: Fields, key: string): Generation | null {
  const value = fields[key]
  const isGeneration = typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= GENERATION_MAX
  return isGeneration ? asGeneration(value) : null
}

/** The format of logs in the field `format`, or null. */
export function formatIn(fields: Fields): LogFormat | null {
  const inner = fieldsIn(fields['format'])
  const [baseName, pattern] = [textIn(inner, 'baseName'), textIn(inner, 'pattern')]
  if (inner['kind'] === 'ese' && baseName !== null) return { kind: 'ese', baseName }
  return inner['kind'] === 'numbered' && pattern !== null ? { kind: 'numbered', pattern } : null
}
