import { ReplicationError } from '../engine/error.ts'

const KIBIBYTE = 1024
/** Binary multiples by letter: K is 1,024 bytes, as every size in this program. */
const MULTIPLES: Readonly<Record<string, number>> = {
  '': 1,
  K: KIBIBYTE,
  M: KIBIBYTE ** 2,
  G: KIBIBYTE ** 3,
  T: KIBIBYTE ** 4,
}
const LETTERS = ['', 'K', 'M', 'G', 'T'] as const

/** Reads a size such as `256K`, `1M` or `1.5G` (binary) as whole bytes. Errors: `USAGE`. */
export function parseSize(text: string): number {
  const parts = /^(\d+(?:\.\d+)?)([KMGT]?)(?:i?B)?$/i.exec(text.trim())
  const bytes = parts === null ? Number.NaN : Number(parts[1]) * (MULTIPLES[(parts[2] ?? '').toUpperCase()] ?? 1)
  if (Number.isSafeInteger(Math.round(bytes))) return Math.round(bytes)
  throw new ReplicationError({
    code: 'USAGE',
    message: `${JSON.stringify(text)} is no size`,
    hint: 'Write a number with K, M or G behind it (binary), for example 256K or 1M.',
  })
}

/**
 * Reads how many of something are to be done each second: `20/s`, `0.5/s`, `90/m` or a bare number. `what` names them in the
 * plural. Errors: `USAGE`.
 */
export function parseRateOf(what: string, text: string): number {
  const parts = /^(\d+(?:\.\d+)?)(?:\/(s|m|h))?$/i.exec(text.trim())
  const seconds = { s: 1, m: 60, h: 3600 }[(parts?.[2] ?? 's').toLowerCase()] ?? 1
  const perSecond = parts === null ? 0 : Number(parts[1]) / seconds
  if (perSecond > 0 && Number.isFinite(perSecond)) return perSecond
  throw new ReplicationError({
    code: 'USAGE',
    message: `${JSON.stringify(text)} is no rate of ${what}`,
    hint: `Write ${what} per second or minute above zero, for example 20/s or 90/m.`,
  })
}

/** Reads how many logs a writer is to make each second. Errors: `USAGE`. */
export function parseLogRate(text: string): number {
  return parseRateOf('logs', text)
}

/** A size as people read it: `512 B`, `1.0 MiB`, `23.4 GiB`. */
export function formatSize(bytes: number): string {
  let value = bytes
  let letter = 0
  while (value >= KIBIBYTE && letter < LETTERS.length - 1) {
    value /= KIBIBYTE
    letter += 1
  }
  return letter === 0 ? `${Math.round(value)} B` : `${value.toFixed(1)} ${LETTERS[letter]}iB`
}

/** A transfer rate as people read it: `23.4 MiB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatSize(bytesPerSecond)}/s`
}

/** A size as the configuration file takes it back without loss: `1M`, `256K`, `1000`. */
export function formatExactSize(bytes: number): string {
  for (const letter of ['G', 'M', 'K'] as const) {
    const multiple = MULTIPLES[letter] ?? 1
    if (bytes > 0 && bytes % multiple === 0) return `${bytes / multiple}${letter}`
  }
  return String(bytes)
}
