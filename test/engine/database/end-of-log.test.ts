// Goal: recovery tells a crash from damage in the open log, and mends the first only.
// Method: a log written flush by flush, then torn at each sector and with bits turned in each of its regions.

import { describe, expect, test } from 'vitest'
import { findEndOfLog } from '../../../engine/database/end-of-log.ts'
import { fillWithPattern } from '../../../engine/database/fill-pattern.ts'
import { LogBuffer } from '../../../engine/database/log-buffer.ts'
import { openLogBytes } from '../../../engine/database/log-bytes.ts'
import { firstSectorEnd } from '../../../engine/database/log-checksum.ts'
import { type SoundLog, verifyLog } from '../../../engine/database/log-file.ts'
import { openRecords } from '../../../engine/database/log-record.ts'
import { sealChain } from '../../../engine/database/log-seal.ts'
import { HAS_SPECIMENS, SPECIMEN_STREAMS, SPECIMENS_NOTE, specimen, withFlippedBit } from './build.ts'
import { crashes, insertsOf, layRecord, type PlayedHistory, play } from './flush-history.ts'

const SECTOR = 512
const RECORD_OF_CHECKSUM = 42

/** The states after each sector that came to the disk, and how many records recovery keeps. */
function statesOf(played: PlayedHistory): string[] {
  return Array.from(crashes(played), ({ disk }) => {
    const { state, endByte, patched } = findEndOfLog(disk, played.header)
    return `${state} ${insertsOf(openLogBytes(patched ?? disk.bytes), played.header, endByte).length}`
  })
}

describe('a log that a crash tore', () => {
  test('ends with its last whole record, at whatever sector the write stopped', () => {
    const played = play({ sectorBytes: SECTOR, flushes: [[1000], [20], [1400]], closed: false })

    expect(statesOf(played)).toEqual([
      'torn 0', // prepared
      'torn 0', // sector 8 of 8+1: the record goes on in sector 9
      'torn 0', // sector 9: the record ends in sector 10
      'sound 1', // sector 10
      'sound 1', // its shadow
      'sound 2', // sector 10 again, with one more record
      'sound 2', // its shadow
      'torn 2', // sector 10 with its part of a long record; its shadow is still behind it
      'torn 2', // sector 11
      'torn 2', // sector 12
      'sound 3', // sector 13
      'sound 3', // its shadow
      'sound 3',
    ])
  })

  test('is refused as a closed log, all but where nothing is missing', () => {
    const played = play({ sectorBytes: SECTOR, flushes: [[1000], [20], [1400]], closed: false })

    for (const { disk } of crashes(played)) {
      const { state } = findEndOfLog(disk, played.header)
      expect(verifyLog(disk.bytes).verdict).toBe(state === 'sound' ? 'sound' : 'rejected')
    }
  })

  test('and rolled while it did is closed with all that it had', () => {
    const played = play({ sectorBytes: SECTOR, flushes: [[900], [20]], closed: true })

    expect(statesOf(played).slice(-3)).toEqual(['sound 2', 'sound 2', 'sound 2'])
  })
})

describe('a bit that was turned', () => {
  const played = play({ sectorBytes: SECTOR, flushes: [[900], [20], [1300], [30], [40]], closed: false })
  const { header, buffer } = played
  const image = buffer.fileImage()
  const lastEnd = firstSectorEnd(buffer.checksumAt, header)

  /** What the rules say of the region that a byte lies in. */
  function expected(at: number): string {
    if (at < lastEnd - SECTOR) return 'corrupt'
    if (at < buffer.end) return 'shadow'
    if (at < lastEnd) return 'sound'
    if (at < buffer.end + SECTOR) return 'torn'
    return at < lastEnd + SECTOR ? 'sound' : 'corrupt'
  }

  test('is mended in the last sector and in its shadow, does no harm in their slack, and is damage anywhere else', () => {
    const wrong: string[] = []
    for (let bit = 4096 * 8; bit < (lastEnd + 4 * SECTOR) * 8; bit += 3) {
      const end = findEndOfLog(openLogBytes(withFlippedBit(image, bit)), header)
      if (end.state !== expected(bit >>> 3)) wrong.push(`byte ${bit >>> 3}: ${end.state}`)
      else if (end.state !== 'corrupt' && end.endByte !== buffer.end)
        wrong.push(`byte ${bit >>> 3} ends ${end.endByte}`)
    }

    expect(wrong).toEqual([])
  })

  test('leaves nothing to see once it was mended', () => {
    for (const at of [buffer.checksumAt + 5, buffer.end - 3, lastEnd + 40]) {
      const { patched } = findEndOfLog(openLogBytes(withFlippedBit(image, at * 8)), header)
      expect(Buffer.compare(patched ?? new Uint8Array(), image)).toBe(0)
    }
  })

  test('in a sector and in its shadow is damage that nothing mends', () => {
    const once = withFlippedBit(image, (buffer.end - 3) * 8)
    const twice = withFlippedBit(once, (buffer.end - 3 + SECTOR) * 8)

    expect(findEndOfLog(openLogBytes(twice), header)).toMatchObject({ state: 'corrupt', patched: null })
  })
})

describe('a log whose checksums fit', () => {
  test('is corrupt all the same when it holds a record that its format does not have', () => {
    const { header, buffer } = play({ sectorBytes: SECTOR, flushes: [[20], [30]], closed: false })
    const log = openLogBytes(buffer.fileImage())
    log.bytes[4118] = 3
    sealChain(log, header, { places: [4096], endByte: buffer.end })

    expect(findEndOfLog(log, header)).toMatchObject({
      state: 'corrupt',
      endByte: 4118,
      patched: null,
      detail: 'no record has the type 3 at byte 4118',
    })
  })

  test('is cut before a record that passes its end, wherever the last flush drew the line', () => {
    const { header, buffer } = play({ sectorBytes: SECTOR, flushes: [[20], [30]], closed: false })
    const log = openLogBytes(buffer.fileImage())
    sealChain(log, header, { places: [4096], endByte: buffer.end - 1 })

    const end = findEndOfLog(log, header)

    expect(end).toMatchObject({ state: 'torn', endByte: 4118 + 78, checksumAt: 4096 })
    expect(end.detail).toBe('the record at byte 4196 passes the end of the log')
  })
})

describe.skipIf(!HAS_SPECIMENS)(`a real open log${SPECIMENS_NOTE} on a disk of`, () => {
  test.each(SPECIMEN_STREAMS)('$name goes on where its engine stopped', ({ open }) => {
    const bytes = specimen(open)
    const { header, endByte } = sound(bytes)

    expect(findEndOfLog(openLogBytes(bytes), header)).toMatchObject({ state: 'sound', endByte, patched: null })
    const resumed = LogBuffer.resume(header, bytes, findEndOfLog(openLogBytes(bytes), header))
    layRecord(resumed, 5000)
    resumed.close()
    expect(verifyLog(resumed.fileImage(), { walk: true })).toMatchObject({ verdict: 'sound' })
  })

  test.each(SPECIMEN_STREAMS)('$name is mended from its shadow, to the byte', ({ open }) => {
    const bytes = specimen(open)
    const { header, endByte } = sound(bytes)

    const end = findEndOfLog(openLogBytes(withFlippedBit(bytes, (endByte - 4) * 8)), header)

    expect(end).toMatchObject({ state: 'shadow', endByte })
    expect(Buffer.compare(end.patched ?? new Uint8Array(), bytes)).toBe(0)
  })

  test.each(SPECIMEN_STREAMS)('$name is cut behind a whole record, wherever its writes had stopped', ({ open }) => {
    const bytes = specimen(open)
    const { header, endByte } = sound(bytes)
    const ends = new Set<number>()
    const cursor = openRecords(openLogBytes(bytes), header, endByte)
    while (cursor.next()) ends.add(cursor.at)
    ends.add(endByte)

    for (let lo = 4096; lo < endByte; lo += header.sectorBytes) {
      const torn = bytes.slice()
      fillWithPattern(torn, lo, torn.length)
      const end = findEndOfLog(openLogBytes(torn), header)
      expect(end.state).toBe('torn')
      const kept = openRecords(openLogBytes(torn), header, end.endByte)
      let last = 4096
      while (kept.next()) if (kept.type !== RECORD_OF_CHECKSUM) last = kept.at
      expect(last === 4096 || ends.has(last)).toBe(true)
      expect(verifyLog(end.patched ?? torn, { walk: true }).verdict).toBe('sound')
    }
  })
})

function sound(bytes: Uint8Array): SoundLog {
  const verdict = verifyLog(bytes)
  if (verdict.verdict === 'rejected') throw new Error(verdict.rejection.detail)
  return verdict
}
