import { crc32 } from 'node:zlib'

/** A record as a line that shows when it is torn or damaged: `{"check":"<CRC-32>","record":{…}}`. */
export function checkedLine(value: unknown): Uint8Array {
  const record = JSON.stringify(value)
  return Buffer.from(`{"check":"${checkOf(record)}","record":${record}}\n`)
}

/** The record of a line without its end, or null when its bytes are not those that {@link checkedLine} made. */
export function recordInLine(line: Buffer): { readonly value: unknown } | null {
  const parts = /^\{"check":"([0-9a-f]{8})","record":(.*)\}$/.exec(line.toString('utf8'))
  const [, check, record] = parts ?? []
  if (record === undefined || check !== checkOf(record)) return null
  return { value: JSON.parse(record) } // the check says that these are the bytes that JSON.stringify made
}

function checkOf(record: string): string {
  return crc32(record).toString(16).padStart(8, '0')
}
