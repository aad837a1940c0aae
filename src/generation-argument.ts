import { ReplicationError } from '../engine/error.ts'
import { asGeneration, GENERATION_MAX, type Generation } from '../engine/generation.ts'

/**
 * Takes in a generation as a person writes it: decimal (`42`), hexadecimal with 0x (`0x2A`), or exactly eight digits of which
 * one is a letter or the first is 0, as in a log's name and in all our messages (`0000002A`, `00000042`). Eight digits that
 * could be either, such as `10000000`, are refused rather than guessed.
 *
 * Errors: `USAGE`.
 */
export function parseGeneration(text: string): Generation {
  const value = numberIn(text.trim())
  if (Number.isSafeInteger(value) && value >= 1 && value <= GENERATION_MAX) return asGeneration(value)
  throw new ReplicationError({
    code: 'USAGE',
    message: `${JSON.stringify(text)} is no generation`,
    hint: 'Write it in decimal (42), with 0x in hexadecimal (0x2A), or with the eight digits of the log’s name (0000002A).',
  })
}

function numberIn(text: string): number {
  if (/^0x[0-9A-Fa-f]{1,12}$/.test(text)) return Number.parseInt(text.slice(2), 16)
  if (/^[0-9A-Fa-f]{8}$/.test(text)) return /^0|[A-Fa-f]/.test(text) ? Number.parseInt(text, 16) : Number.NaN
  return /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN
}
