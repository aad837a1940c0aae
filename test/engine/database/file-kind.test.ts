// Goal: a file is known by what it contains, also where a part of its header is damaged, and nothing else is taken for one.
// Method: one file of each kind, whole, with its first copy or its type gone; the real ones where they are at hand.

import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { composeCheckpointFile } from '../../../engine/database/checkpoint-file.ts'
import { kindOfEseFile } from '../../../engine/database/file-kind.ts'
import { aLog, HAS_SPECIMENS, SPECIMENS_NOTE, specimen } from './build.ts'
import { aDatabase, FULL_CHECKPOINT, FULL_HEADER, headersOf } from './database-build.ts'

function kindOf(file: Uint8Array): string {
  return kindOfEseFile(file.subarray(0, 65_536), file.length) ?? 'none'
}

function withType(file: Uint8Array, type: number): Uint8Array {
  const copy = file.slice()
  new DataView(copy.buffer).setUint32(667, type, true)
  return copy
}

const CHECKPOINT = composeCheckpointFile(FULL_CHECKPOINT)

describe('a file', () => {
  test('is known by the header it begins with', () => {
    expect([aLog(1), CHECKPOINT, aDatabase([70])].map(kindOf)).toEqual(['log', 'checkpoint', 'database'])
    for (const pageBytes of [2048, 4096, 16_384, 32_768])
      expect(kindOf(headersOf({ ...FULL_HEADER, pageBytes }))).toBe('database')
  })

  test('is known when the first copy of its header is gone', () => {
    expect(kindOf(CHECKPOINT.slice().fill(0, 0, 4096))).toBe('checkpoint')
    for (const pageBytes of [2048, 4096, 8192, 16_384, 32_768])
      expect(kindOf(headersOf({ ...FULL_HEADER, pageBytes }).fill(0, 0, pageBytes))).toBe('database')
  })

  test('is known when its type is that of another', () => {
    expect(kindOf(withType(aDatabase([70]), 3))).toBe('database')
    expect(kindOf(withType(aLog(1), 0))).toBe('log')
  })

  test('is none of them when nothing says so', () => {
    expect([new Uint8Array(0), new Uint8Array(8192), new Uint8Array(8192).fill(1)].map(kindOf)).toEqual([
      'none',
      'none',
      'none',
    ])
    expect(kindOf(new TextEncoder().encode('%PDF-1.7'))).toBe('none')
  })

  test.skipIf(!HAS_SPECIMENS)(`of real ESE is known${SPECIMENS_NOTE}, and its reserve log is none`, () => {
    const folder = 'winmail-v7-8k-A/'

    expect(
      ['edb00001.log', 'edb.chk', 'WindowsMail.MSMessageStore'].map((name) => kindOf(specimen(folder + name))),
    ).toEqual(['log', 'checkpoint', 'database'])
    expect(kindOf(new Uint8Array(gunzipSync(specimen('winmail-v7-512B/edbres00001.jrs.gz'))))).toBe('none')
    expect(kindOf(new Uint8Array(gunzipSync(specimen('edb-4k-16k-32k/dissect-large-32k.edb.gz'))))).toBe('database')
  })
})
