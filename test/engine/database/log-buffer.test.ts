// Goal: whatever moment a crash cuts into the flushes of an open log, every flush that was complete is found again whole.
// Method: random histories, their writes played sector by sector; recovery reads the disk after each of them.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AssertionError } from '../../../engine/assert.ts'
import { findEndOfLog } from '../../../engine/database/end-of-log.ts'
import { verifyBody } from '../../../engine/database/log-body.ts'
import { LogBuffer } from '../../../engine/database/log-buffer.ts'
import { openLogBytes } from '../../../engine/database/log-bytes.ts'
import { CHECKSUM_RECORD_BYTES } from '../../../engine/database/log-checksum.ts'
import { verifyLog } from '../../../engine/database/log-file.ts'
import { headerOfNewLog, prepareLog } from '../../../engine/database/prepared-log.ts'
import { place } from './build.ts'
import {
  crashes,
  type FlushHistory,
  insertsOf,
  layRecord,
  type PlayedHistory,
  play,
  sectorsOf,
} from './flush-history.ts'

const anyLengths = fc.oneof(
  fc.array(fc.nat(60), { minLength: 1, maxLength: 3 }),
  fc.array(fc.nat(3000), { minLength: 1, maxLength: 4 }),
  fc.constantFrom([358], [359], [380], [402], [], [454]),
)
const anyHistory: fc.Arbitrary<FlushHistory> = fc.record({
  sectorBytes: fc.constantFrom(512, 512, 1024, 4096),
  flushes: fc.array(anyLengths, { maxLength: 14 }),
  closed: fc.boolean(),
})

/** The writes of each flush as `sector+count`. */
function ordered({ header, flushes }: PlayedHistory): string[] {
  const { sectorBytes } = header
  return flushes.map(({ writes }) =>
    writes.map(({ at, bytes }) => `${at / sectorBytes}+${bytes.length / sectorBytes}`).join(' '),
  )
}

function diskAtLast(played: PlayedHistory): Uint8Array {
  let last: Uint8Array = new Uint8Array()
  for (const { disk } of crashes(played)) last = disk.bytes
  return last
}

describe('a flush', () => {
  test('writes the sector of its records and the shadow behind it while they end there', () => {
    const played = play({ sectorBytes: 512, flushes: [[20], [30], [40]], closed: false })

    expect(ordered(played)).toEqual(['8+2', '8+2', '8+2'])
  })

  test('that goes beyond writes its full sectors, the one before the shadow apart, then the last sector and its shadow', () => {
    const played = play({ sectorBytes: 512, flushes: [[2000], [20], [600], [3000]], closed: false })

    expect(ordered(played)).toEqual(['8+1 9+3 12+2', '12+2', '12+1 13+2', '13+1 14+5 19+2'])
  })

  test('that ends with a sector opens the next one', () => {
    const played = play({ sectorBytes: 512, flushes: [[512 - 22 - 58]], closed: false })

    expect(ordered(played)).toEqual(['8+1 9+2'])
    expect(played.buffer.checksumAt).toBe(9 * 512)
  })

  test('that leaves less room in a sector than a checksum record opens the next one when more comes', () => {
    const played = play({ sectorBytes: 512, flushes: [[512 - 22 - 58 - 10], [5]], closed: false })

    expect(ordered(played)).toEqual(['8+2', '8+1 9+2'])
    expect(played.buffer.checksumAt).toBe(9 * 512 + 53)
  })

  test('whose checksum record fills its sector is led on from only when a record follows it', () => {
    const filled = { sectorBytes: 512, flushes: [[2996], [1942], [358]], closed: false }
    const played = play(filled)
    const laid = insertsOf(played.buffer.log, played.header, played.buffer.end)
    let torn = 0
    for (const { disk, promised } of crashes(played, 1)) {
      recovers(played, laid, { disk: disk.bytes, promised })
      const end = findEndOfLog(disk, played.header)
      if (end.checksumAt + CHECKSUM_RECORD_BYTES === 18 * 512) torn++
    }

    expect(torn).toBeGreaterThan(0)
  })

  test('of nothing writes nothing, but for the very first', () => {
    const played = play({ sectorBytes: 512, flushes: [[], [], [9], []], closed: false })

    expect(ordered(played)).toEqual(['8+2', '', '8+2', ''])
  })

  test('does not change what an earlier one is still writing, whatever is laid meanwhile', () => {
    const buffer = new LogBuffer(headerOfNewLog(place(5), { sizeBytes: 65_536 }))
    layRecord(buffer, 700)
    const writes = buffer.seal()
    const before = writes.map(({ bytes }) => bytes.slice())

    layRecord(buffer, 3000)

    expect(writes.map(({ bytes }) => bytes)).toEqual(before)
  })
})

describe('a log', () => {
  test('rolled early ends with its last sector and keeps the pattern behind it', () => {
    const played = play({ sectorBytes: 512, flushes: [[20], [700]], closed: true })

    expect(ordered(played)).toEqual(['8+2', '8+1 9+2', '9+1'])
    expect(verifyLog(diskAtLast(played), { walk: true })).toMatchObject({ verdict: 'sound', endByte: 10 * 512 })
  })

  test('that is full takes no more, and is closed by its last flush', () => {
    const buffer = new LogBuffer(headerOfNewLog(place(5), { sizeBytes: 65_536 }))
    while (layRecord(buffer, 933)) buffer.seal()
    while (layRecord(buffer, 0));
    expect(buffer.room).toBeLessThan(58)
    expect(() => buffer.reserve(buffer.room + 1)).toThrow(AssertionError)

    buffer.reserve(buffer.room)
    buffer.seal()

    expect(buffer.room).toBe(0)
    expect(buffer.close()).toEqual([])
    expect(verifyLog(buffer.fileImage(), { walk: true })).toMatchObject({ verdict: 'sound', endByte: 65_536 - 512 })
  })

  test('is as its writes leave the file, and verifies as closed once it was closed', () => {
    fc.assert(
      fc.property(anyHistory, (history) => {
        const played = play({ ...history, flushes: [...history.flushes, []] })
        const disk = diskAtLast(played)

        expect(Buffer.compare(disk, played.buffer.fileImage())).toBe(0)
        expect(verifyLog(disk, { walk: true }).verdict).toBe('sound')
      }),
      { numRuns: 150 },
    )
  })

  test('is the same in memory that held another log', () => {
    const header = headerOfNewLog(place(5), { sizeBytes: 65_536 })
    const used = new LogBuffer(header, new Uint8Array(65_536).fill(0x77))
    const fresh = new LogBuffer(header)
    for (const buffer of [used, fresh]) {
      layRecord(buffer, 900)
      buffer.close()
    }

    expect(Buffer.compare(used.fileImage(), fresh.fileImage())).toBe(0)
  })
})

/** What recovery must make of the disk after a crash. */
function recovers(played: PlayedHistory, laid: readonly number[], crash: { disk: Uint8Array; promised: number }): void {
  const { header, buffer } = played
  const log = openLogBytes(crash.disk)
  const end = findEndOfLog(log, header)
  expect(end.state).not.toBe('corrupt')
  const kept = openLogBytes(end.patched ?? crash.disk)
  const found = insertsOf(kept, header, end.endByte)
  expect(found.length).toBeGreaterThanOrEqual(crash.promised)
  expect(found).toEqual(laid.slice(0, found.length))
  const last = found[found.length - 1]
  if (last !== undefined)
    expect(Buffer.compare(kept.bytes.subarray(last, last + 58), buffer.log.bytes.subarray(last, last + 58))).toBe(0)
  if (end.patched === null) return
  expect(verifyBody(openLogBytes(end.patched), header).state).toBe('sound')
  expect(findEndOfLog(openLogBytes(end.patched), header)).toMatchObject({ state: 'sound', endByte: end.endByte })
}

describe('a crash in the middle of any write', () => {
  test('loses no record of a flush that was complete, and keeps no half record', () => {
    fc.assert(
      fc.property(anyHistory, (history) => {
        const played = play(history)
        const laid = insertsOf(played.buffer.log, played.header, played.buffer.end)
        for (const { disk, promised } of crashes(played)) recovers(played, laid, { disk: disk.bytes, promised })
      }),
      { numRuns: 60 },
    )
  })

  test('does no more harm when the sectors of the write came to the disk in any order', () => {
    fc.assert(
      fc.property(anyHistory, fc.integer({ min: 1 }), (history, seed) => {
        const played = play(history)
        const laid = insertsOf(played.buffer.log, played.header, played.buffer.end)
        for (const { disk, promised } of crashes(played, seed)) recovers(played, laid, { disk: disk.bytes, promised })
      }),
      { numRuns: 100 },
    )
  })

  test('leaves a log that goes on, and is closed in the end with everything in it', () => {
    fc.assert(
      fc.property(anyHistory, fc.nat(), (history, choice) => {
        const played = play(history)
        const all = [...crashes(played)].length
        let left = choice % all
        for (const { disk } of crashes(played)) {
          if (left-- > 0) continue
          const end = findEndOfLog(disk, played.header)
          const before = insertsOf(disk, played.header, end.endByte)
          const resumed = LogBuffer.resume(played.header, end.patched ?? disk.bytes, end)
          resumed.seal()
          const more = layRecord(resumed, 100) ? 1 : 0
          resumed.close()
          const closed = verifyLog(resumed.fileImage(), { walk: true })
          expect(closed.verdict).toBe('sound')
          const after = insertsOf(resumed.log, played.header, resumed.end)
          expect(after.slice(0, before.length)).toEqual(before)
          expect(after.length).toBe(before.length + more)
          break
        }
      }),
      { numRuns: 100 },
    )
  })

  test('of the flushes that a resumed log makes is as harmless as before', () => {
    const first = play({ sectorBytes: 512, flushes: [[700], [1500]], closed: false })
    const image = first.buffer.fileImage()
    const resumed = LogBuffer.resume(first.header, image, {
      checksumAt: first.buffer.checksumAt,
      endByte: first.buffer.end,
    })
    layRecord(resumed, 2000)
    const disk = openLogBytes(image.slice())
    const states: string[] = []
    for (const write of resumed.seal()) {
      for (let at = 0; at < write.bytes.length; at += 512) {
        disk.bytes.set(write.bytes.subarray(at, at + 512), write.at + at)
        const { state, endByte } = findEndOfLog(disk, first.header)
        states.push(`${state} ${insertsOf(disk, first.header, endByte).length}`)
      }
    }

    expect(states).toEqual(['torn 2', 'torn 2', 'torn 2', 'torn 2', 'sound 3', 'sound 3'])
  })
})

describe('a log that was closed, and did not get its name before a crash', () => {
  test('keeps all its records, wherever the first flush of the next start is cut', () => {
    fc.assert(
      fc.property(anyHistory, anyLengths, fc.integer({ min: 1, max: 4000 }), (history, unflushed, dataBytes) => {
        const { header, buffer } = play({ ...history, closed: false })
        for (const length of unflushed) layRecord(buffer, length)
        buffer.close()
        const end = findEndOfLog(openLogBytes(buffer.fileImage()), header)
        const disk = openLogBytes(end.patched ?? buffer.fileImage())
        const laid = insertsOf(disk, header, end.endByte)
        const resumed = LogBuffer.resume(header, disk.bytes, end)
        const writes = layRecord(resumed, dataBytes) ? resumed.seal() : resumed.close()
        for (const { lo, bytes } of sectorsOf(writes, { sectorBytes: header.sectorBytes, seed: 0 })) {
          disk.bytes.set(bytes, lo)
          const { state, endByte, patched } = findEndOfLog(disk, header)
          expect(state).not.toBe('corrupt')
          const kept = insertsOf(openLogBytes(patched ?? disk.bytes), header, endByte)
          expect(kept.slice(0, laid.length)).toEqual(laid)
        }
      }),
      { numRuns: 200 },
    )
  })
})

describe('an open log that was prepared only', () => {
  test('has no record, and goes on from its start', () => {
    const header = headerOfNewLog(place(5), { sizeBytes: 65_536 })

    const end = findEndOfLog(openLogBytes(prepareLog(header)), header)

    expect(end).toMatchObject({ state: 'torn', endByte: 4118, checksumAt: 4096 })
    expect(verifyLog(end.patched ?? new Uint8Array(), { walk: true })).toMatchObject({ verdict: 'sound', records: 1 })
  })
})
