import { GENERATION_MAX, type Generation } from '../engine/generation.ts'

/** Path of the list of shares, and of the upgrade to frames. */
export const SHARES_PATH = '/shares'

/** The protocol of frames over an upgraded connection, as the `Upgrade` header names it. */
export const LOG_STREAM_PROTOCOL = 'ccr-log-stream/1'

/** Checksum of the whole log: xxh64 as 16 lower-case hexadecimal digits. */
export const CHECKSUM_HEADER = 'x-ccr-checksum'
/** File name of the log at the source, percent-encoded (numbered formats take any name). */
export const LOG_NAME_HEADER = 'x-ccr-log-name'
/** When the source closed the log: ISO 8601, UTC, with milliseconds. */
export const LOG_TIME_HEADER = 'x-ccr-log-time'

/** Path of a share; a storage group's name may hold spaces. */
export function sharePath(share: string): string {
  return `${SHARES_PATH}/${encodeURIComponent(share)}`
}

/** Path of one log of a share. */
export function logPath(share: string, generation: Generation): string {
  return `${sharePath(share)}/logs/${generation}`
}

/** A generation as URLs carry it: decimal, 1 to 2^48 - 1, no sign, no leading zero. Null for anything else. */
export function parseGeneration(text: string): Generation | null {
  if (!/^[1-9]\d{0,14}$/.test(text)) return null
  const value = Number(text)
  return value <= GENERATION_MAX ? (value as Generation) : null // within a generation's range by the two checks
}
