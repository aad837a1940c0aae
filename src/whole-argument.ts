import { ReplicationError } from '../engine/error.ts'

/** Reads a whole number of a command line, both bounds included. Errors: `USAGE`. */
export function wholeBetween(least: number, most: number, text: string): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw new ReplicationError({
    code: 'USAGE',
    message: `${JSON.stringify(text)} is no whole number from ${least} to ${most}`,
    hint: `Write a whole number, for example ${Math.min(most, 7)}.`,
  })
}
