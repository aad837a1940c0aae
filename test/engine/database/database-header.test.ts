// Goal: a database header is read and written without loss, from whichever copy is whole, and no damaged one is taken.
// Method: round trips with every field set, every single bit of a copy, one sealed change for each check, both copies damaged in turn.

import { describe, expect, test } from 'vitest'
import { sealBlock } from '../../../engine/database/block-checksum.ts'
import {
  type DatabaseHeader,
  newDatabaseHeader,
  writeDatabaseHeader,
} from '../../../engine/database/database-header.ts'
import {
  DATABASE_HEADERS_BYTES_MAX,
  type DatabaseHeaderVerdict,
  faultOfDatabaseHeader,
  readDatabaseHeader,
} from '../../../engine/database/database-header-copies.ts'
import {
  type DatabaseState,
  databaseStateOf,
  mayBecome,
  movedState,
  numberOfState,
} from '../../../engine/database/database-state.ts'
import { openLogBytes } from '../../../engine/database/log-bytes.ts'
import { PAGE_SIZES } from '../../../engine/database/page-seal.ts'
import { SIGNATURE } from './build.ts'
import { DATABASE_SIGNATURE, FULL_HEADER, headersOf, turnBit } from './database-build.ts'

const STATES: readonly DatabaseState[] = [1, 2, 3, 4, 5, 6, 7, 8].map((number) => {
  const state = databaseStateOf(number)
  if (state === null) throw new Error(`there is no state ${number}`)
  return state
})

function inWords(verdict: DatabaseHeaderVerdict): string {
  return verdict.verdict === 'read' ? `${verdict.copy} ${verdict.other}` : verdict.rejection.reason
}

/** What comes of both copies after a change to them, sealed again. */
function wordsAfter(change: (view: DataView) => void): string {
  const file = headersOf(FULL_HEADER)
  for (const lo of [0, 8192]) {
    const copy = openLogBytes(file.subarray(lo, lo + 8192))
    change(copy.view)
    sealBlock(copy, 0, 8192)
  }
  return inWords(readDatabaseHeader(file))
}

describe('a database header', () => {
  test('is read back as it was written, with every field set', () => {
    expect(readDatabaseHeader(headersOf(FULL_HEADER))).toEqual({
      verdict: 'read',
      header: { ...FULL_HEADER, later: expect.any(Uint8Array) },
      copy: 'first',
      other: 'same',
    })
  })

  test('lies where the format says', () => {
    const view = new DataView(headersOf(FULL_HEADER).buffer)
    const numbers = (...offsets: number[]): number[] => offsets.map((offset) => view.getUint32(offset, true))

    expect(numbers(4, 8, 12, 16, 20, 24, 52)).toEqual([0x89abcdef, 0x620, 0, 0x41, 1, 17, 2])
    expect(numbers(60, 84, 100)).toEqual([1, 4, 7]) // generations: behind the time for attach and detach
    expect([64, 72, 88].map((offset) => view.getUint8(offset))).toEqual([1, 2, 3]) // seconds
    expect(numbers(104, 108, 212, 216, 224, 232, 236)).toEqual([3, 0xcafe1234, 129, 5, 3790, 12, 8192])
    expect(numbers(140, 164, 188, 320, 424, 448)).toEqual([10, 20, 50, 60, 30, 40])
    expect(numbers(356, 360, 468, 472)).toEqual([1, 0, 3, 2])
    expect(numbers(296, 300, 416)).toEqual([452, 455, 458])
    expect(view.getUint8(348)).toBe(6)
    expect(numbers(240, 252, 280, 304, 340, 344, 364, 368, 380, 396, 400)).toEqual([
      1, 18, 0x40, 3, 0x620, 11, 2, 6, 7, 9, 10,
    ])
    expect(numbers(667)).toEqual([1])
  })

  test('is written the same for every page size, and found in both of its copies', () => {
    for (const pageBytes of PAGE_SIZES) {
      const file = new Uint8Array(DATABASE_HEADERS_BYTES_MAX)
      file.set(headersOf({ ...FULL_HEADER, pageBytes }))
      expect(readDatabaseHeader(file)).toMatchObject({ copy: 'first', other: 'same', header: { pageBytes } })

      turnBit(file, 100)
      expect(readDatabaseHeader(file)).toMatchObject({ copy: 'shadow', header: { pageBytes } })
    }
  })

  test('keeps what later versions wrote behind the fields of 2007', () => {
    const later = Uint8Array.from({ length: 200 }, (_, at) => at + 1)
    later.set([1, 0, 0, 0], 667 - 476)
    const header: DatabaseHeader = { ...FULL_HEADER, later }

    expect(readDatabaseHeader(headersOf(header))).toMatchObject({ header: { later } })
  })

  test('that is new stands for a database of Exchange 2007 that nothing has happened to', () => {
    const header = newDatabaseHeader(DATABASE_SIGNATURE, SIGNATURE)

    expect(faultOfDatabaseHeader(header)).toBeNull()
    expect(readDatabaseHeader(headersOf(header))).toMatchObject({
      header: { state: 'just-created', pageBytes: 8192, version: { format: 0x620, update: 12 } },
    })
  })
})

describe('of the two copies', () => {
  test('the shadow is taken where any one bit of the first is turned', () => {
    const file = headersOf(FULL_HEADER)

    const wrong: number[] = []
    for (let bit = 0; bit < 8192 * 8; bit++) {
      turnBit(file, bit)
      if (inWords(readDatabaseHeader(file)) !== 'shadow damaged') wrong.push(bit)
      turnBit(file, bit)
    }

    expect(wrong).toEqual([])
  })

  test('the first is taken and the shadow named where that is damaged or older', () => {
    const damaged = headersOf(FULL_HEADER)
    turnBit(damaged, 8192 * 8 + 77)
    const older = headersOf(FULL_HEADER)
    writeDatabaseHeader(older.subarray(0, 8192), { ...FULL_HEADER, dbtime: 99n })

    expect(inWords(readDatabaseHeader(damaged))).toBe('first damaged')
    expect(inWords(readDatabaseHeader(older))).toBe('first older')
    expect(readDatabaseHeader(older)).toMatchObject({ header: { dbtime: 99n } })
  })

  test('none is missed where the header says that there is one only', () => {
    const file = headersOf({ ...FULL_HEADER, flags: 1 }).fill(7, 8192)

    expect(inWords(readDatabaseHeader(file))).toBe('first absent')
  })

  test('neither is taken where both are damaged, cut off or of the wrong size', () => {
    const both = headersOf(FULL_HEADER)
    turnBit(both, 77)
    turnBit(both, 8192 * 8 + 77)

    expect(inWords(readDatabaseHeader(both))).toBe('corrupt-checksum')
    expect(inWords(readDatabaseHeader(headersOf(FULL_HEADER).subarray(0, 8000)))).toBe('corrupt-checksum')
    expect(inWords(readDatabaseHeader(new Uint8Array(4095)))).toBe('bad-size')
    expect(inWords(readDatabaseHeader(new Uint8Array(65_536)))).toBe('corrupt-checksum')
  })
})

describe('a whole header', () => {
  test('gives for each fault its reason', () => {
    expect(wordsAfter((view) => view.setUint32(667, 3, true))).toBe('bad-file-type')
    expect(wordsAfter((view) => view.setUint32(667, 0, true))).toBe('first same')
    expect(wordsAfter((view) => view.setUint32(4, 1, true))).toBe('bad-file-type')
    expect(wordsAfter((view) => view.setUint32(8, 0x623, true))).toBe('bad-version')
    expect(wordsAfter((view) => view.setUint32(52, 0, true))).toBe('bad-field')
    expect(wordsAfter((view) => view.setUint32(52, 9, true))).toBe('bad-field')
    expect(wordsAfter((view) => view.setUint32(356, 4, true))).toBe('bad-field')
    expect(wordsAfter((view) => view.setUint32(236, 5000, true))).toBe('corrupt-checksum')
  })

  test('names a range of required logs that its state does not allow', () => {
    const fault = (state: DatabaseState, [first, last, lastCommitted]: readonly [number, number, number]) =>
      faultOfDatabaseHeader({
        ...FULL_HEADER,
        state,
        required: { ...FULL_HEADER.required, first, last, lastCommitted },
      })

    expect([fault('clean-shutdown', [0, 0, 0]), fault('dirty-shutdown', [3, 3, 3])]).toEqual([null, null])
    expect([fault('dirty-shutdown', [0, 0, 0]), fault('dirty-shutdown', [3, 4, 9])]).toEqual([null, null])
    expect(fault('clean-shutdown', [3, 3, 3])).toMatch(/needs no log/)
    expect(fault('just-created', [0, 0, 3])).toMatch(/needs no log/)
    for (const range of [[0, 3, 3] as const, [4, 3, 5] as const, [3, 5, 4] as const])
      expect(fault('dirty-shutdown', range)).toMatch(/in no order/)
  })
})

describe('the state of a database', () => {
  test('has the numbers 1 to 8', () => {
    expect(STATES.map(numberOfState)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect([0, 9, 0xffffffff].map(databaseStateOf)).toEqual([null, null, null])
  })

  test('goes only where the engine lets it go', () => {
    const moves = STATES.flatMap((from) =>
      STATES.filter((to) => from !== to && mayBecome(from, to)).map((to) => [from, to]),
    )

    expect(moves).toEqual([
      ['just-created', 'dirty-shutdown'],
      ['dirty-shutdown', 'clean-shutdown'],
      ['dirty-shutdown', 'incremental-reseed'],
      ['clean-shutdown', 'dirty-shutdown'],
      ['incremental-reseed', 'dirty-and-patched'],
      ['dirty-and-patched', 'dirty-shutdown'],
      ['dirty-and-patched', 'incremental-reseed'],
    ])
    expect(STATES.every((state) => mayBecome(state, state))).toBe(true)
    expect(movedState('dirty-shutdown', 'clean-shutdown')).toBe('clean-shutdown')
    expect(() => movedState('just-created', 'clean-shutdown')).toThrow('must hold')
  })
})
