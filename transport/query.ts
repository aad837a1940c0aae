import { requestInvalid } from './problem.ts'

/** What a number in a query string may be. */
export interface WholeNumberRule {
  readonly name: string
  /** 0 unless said. */
  readonly least?: number
  readonly most: number
}

/** The value of a query parameter, or null when it is absent. Errors: `REQUEST_INVALID` when it is there twice. */
export function singleQuery(query: unknown, name: string): string | null {
  const value = typeof query === 'object' && query !== null ? Reflect.get(query, name) : undefined
  if (value === undefined) return null
  if (typeof value === 'string') return value
  throw requestInvalid(`${name} stands twice in the query`, 'Give each parameter once.')
}

/** Reads a whole number in decimal. Errors: `REQUEST_INVALID` outside `[least, most]`. */
export function parseWholeNumber(text: string, rule: WholeNumberRule): number
/** The same of what may be absent: null passes through. */
export function parseWholeNumber(text: string | null, rule: WholeNumberRule): number | null
/** What both of them do. */
export function parseWholeNumber(text: string | null, rule: WholeNumberRule): number | null {
  if (text === null) return null
  const { name, least = 0, most } = rule
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw requestInvalid(`${name} is no whole number from ${least} to ${most}`, `Write it as in "${name}=${least}".`)
}
