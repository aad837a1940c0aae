import fc from 'fast-check'
import { expect } from 'vitest'
import { NO_DBTIME } from '../../../engine/database/dbtime.ts'
import type { LogBytes } from '../../../engine/database/log-bytes.ts'

/** Any numbers of so many bits. */
export const nibble = fc.nat(15)
export const u8 = fc.nat(0xff)
export const u16 = fc.nat(0xffff)
export const u32 = fc.nat(0xffffffff)
/** Any dbtime, and none. */
export const dbtime = fc.oneof(fc.maxSafeNat(), fc.nat(1000), fc.constant(NO_DBTIME))
/** Any bytes, so many at most. */
export const bytesUpTo = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength })
/** The fields that every record of a page has. */
export const pageChange = {
  session: u16,
  databaseId: u8,
  page: u32,
  dbtime,
  dbtimeBefore: dbtime,
  transaction: u32,
  level: u8,
  line: u16,
  flags: u8,
}

/** One type of record: how to write any, how to read it, its number, and the length that its fields give. */
interface Kind<Fields> {
  readonly name: string
  readonly type: number
  readonly fields: fc.Arbitrary<Fields>
  readonly write: (log: LogBytes, at: number, fields: Fields) => number
  readonly read: (log: LogBytes, at: number) => Fields
  readonly bytes: (fields: Fields) => number
}

/** One record with its fields chosen. */
export interface RecordCase {
  readonly name: string
  readonly type: number
  readonly bytes: number
  write(log: LogBytes, at: number): number
  readsBack(log: LogBytes, at: number): void
}

/** All records of a type. */
export function casesOf<Fields>(kind: Kind<Fields>): fc.Arbitrary<RecordCase> {
  return kind.fields.map((fields) => ({
    name: kind.name,
    type: kind.type,
    bytes: kind.bytes(fields),
    write: (log, at) => kind.write(log, at, fields),
    readsBack: (log, at) => expect(kind.read(log, at)).toEqual(fields),
  }))
}
