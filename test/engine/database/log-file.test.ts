// Goal: what is let in is sound in header, size, body and name; everything else is refused with its reason, never thrown.
// Method: one fault at a time in the order of the checks, then random bytes, mutations, cuts and every alignment in memory.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { fillWithPattern } from '../../../engine/database/fill-pattern.ts'
import { openLogBytes } from '../../../engine/database/log-bytes.ts'
import { type LogVerdict, readIdentity, verifyLog } from '../../../engine/database/log-file.ts'
import { readLogHeader } from '../../../engine/database/log-header.ts'
import { sealChain } from '../../../engine/database/log-seal.ts'
import { asGeneration } from '../../../engine/generation.ts'
import { aLog, place, sealHeader, withFlippedBit } from './build.ts'

function outcome(verdict: LogVerdict): string {
  return verdict.verdict === 'rejected' ? verdict.rejection.reason : verdict.verdict
}

function detailOf(verdict: LogVerdict): string {
  return verdict.verdict === 'rejected' ? verdict.rejection.detail : ''
}

function changed(log: Uint8Array, change: (view: DataView) => void): Uint8Array {
  const copy = log.slice()
  change(new DataView(copy.buffer))
  return copy
}

describe('a closed log', () => {
  test('is sound, and says who it is and how far it reaches', () => {
    const log = aLog(3)

    const verdict = verifyLog(log, { expectedGeneration: asGeneration(3), expectedBytes: 65_536, walk: true })

    expect(verdict).toMatchObject({ verdict: 'sound', identity: { generation: 3 }, endByte: 65_024 })
    expect(verdict.verdict === 'sound' && verdict.records).toBeGreaterThan(50)
    expect(readIdentity(log.subarray(0, 4096))).toEqual({
      verdict: 'read',
      identity: verdict.verdict === 'sound' ? verdict.identity : null,
    })
  })

  test('is refused for a bad header before anything else is looked at', () => {
    const log = aLog(3)

    expect(outcome(verifyLog(changed(log, (view) => view.setUint8(100, 1))))).toBe('corrupt-checksum')
    expect(outcome(verifyLog(sealHeader(changed(log, (view) => view.setUint32(667, 1, true)))))).toBe('bad-file-type')
    expect(outcome(verifyLog(sealHeader(changed(log, (view) => view.setUint32(36, 1, true)))))).toBe('bad-version')
    expect(readIdentity(changed(log, (view) => view.setUint8(100, 1)))).toMatchObject({ verdict: 'rejected' })
  })

  test('is refused when it is not as long as its header or its stream says', () => {
    const log = aLog(3)

    for (const length of [0, 1, 4095, 4096, 65_024, 65_535])
      expect(outcome(verifyLog(log.subarray(0, length)))).toBe('bad-size')
    const longer = new Uint8Array(65_536 + 512)
    longer.set(log)
    expect(outcome(verifyLog(longer))).toBe('bad-size')
    expect(outcome(verifyLog(log, { expectedBytes: 1_048_576 }))).toBe('bad-size')
  })

  test('is refused with the lengths that differ', () => {
    const log = aLog(3)

    expect(detailOf(verifyLog(log.subarray(0, 12)))).toBe('12 bytes are less than a log header of 4096')
    expect(detailOf(verifyLog(log.subarray(0, 4096)))).toBe('4096 bytes, but the header states 65536')
    expect(detailOf(verifyLog(log, { expectedBytes: 1_048_576 }))).toBe(
      '65536 bytes, but logs of this stream have 1048576',
    )
  })

  test('is summed up by the XOR that is given', () => {
    expect(outcome(verifyLog(aLog(3), { wideXor: () => () => 1 }))).toBe('corrupt-checksum')
  })

  test('is refused for its body before its name', () => {
    const damaged = withFlippedBit(aLog(3), 30_000 * 8)

    const verdict = verifyLog(damaged, { expectedGeneration: asGeneration(4) })

    expect(outcome(verdict)).toBe('corrupt-checksum')
    expect(detailOf(verdict)).toMatch(/^corrupt: body checksum .* sector \d+/)
  })

  test('is refused under the name of another generation', () => {
    const verdict = verifyLog(aLog(3), { expectedGeneration: asGeneration(4) })

    expect(verdict).toEqual({
      verdict: 'rejected',
      rejection: { reason: 'generation-mismatch', detail: 'generation 00000003 in the header, 00000004 in the name' },
    })
  })

  test('is refused when its body is of another generation, though the header was made to fit', () => {
    const recycled = sealHeader(changed(aLog(3), (view) => view.setInt32(4, 4, true)))

    expect(outcome(verifyLog(recycled, { expectedGeneration: asGeneration(4) }))).toBe('corrupt-checksum')
  })

  test('of generation 1 that names a predecessor is refused', () => {
    const first = aLog(1)
    const taken = sealHeader(changed(first, (view) => view.setUint8(24, 5)))

    expect(outcome(verifyLog(first))).toBe('sound')
    expect(outcome(verifyLog(taken))).toBe('gap')
    expect(detailOf(verifyLog(taken))).toMatch(/^generation 1 names a log before it, created at 05[0-9a-f]{14}$/)
  })

  test('whose last write tore is refused, as only the open log may be cut', () => {
    const log = aLog(3, { usedBytes: 40_000 })
    const read = readLogHeader(log)
    if (read.verdict !== 'read') throw new Error('the header is sound')
    sealChain(openLogBytes(log), read.header, { places: [4096], endByte: 40_448 })
    expect(outcome(verifyLog(log))).toBe('sound')
    fillWithPattern(log, 20_480, 40_448)

    expect(verifyLog(log)).toMatchObject({
      rejection: { reason: 'corrupt-checksum', detail: expect.stringMatching('torn') },
    })
  })

  test('with records that make no sense is refused by a walk and only by that', () => {
    const log = aLog(3)
    const read = readLogHeader(log)
    if (read.verdict !== 'read') throw new Error('the header is sound')
    log[4096 + 22] = 255 // the type of the first record
    sealChain(openLogBytes(log), read.header, { places: [4096], endByte: 65_024 })

    expect(outcome(verifyLog(log))).toBe('sound')
    expect(verifyLog(log, { walk: true })).toEqual({
      verdict: 'rejected',
      rejection: { reason: 'corrupt-checksum', detail: 'record walk: no record has the type 255 at byte 4118' },
    })
  })
})

describe('any bytes', () => {
  test('are sound or refused, at any length', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 9000 }), (bytes) => {
        expect(outcome(verifyLog(bytes, { walk: true }))).not.toBe('sound')
      }),
      { numRuns: 300 },
    )
  })

  test('behind a sealed header are sound or refused', () => {
    const header = aLog(5).subarray(0, 4096)

    fc.assert(
      fc.property(fc.uint8Array({ minLength: 65_536, maxLength: 65_536, size: 'max' }), (bytes) => {
        bytes.set(header)
        bytes[4096] = 42
        expect(outcome(verifyLog(bytes, { walk: true }))).toBe('corrupt-checksum')
      }),
      { numRuns: 20, endOnFailure: true },
    )
  })

  test('that come of a sound log by some changes and a cut are refused, unless nothing changed', () => {
    const log = aLog(5)
    const change = fc.record({ at: fc.nat(log.length - 1), value: fc.nat(255) })

    fc.assert(
      fc.property(fc.array(change, { maxLength: 3 }), fc.nat(log.length), fc.boolean(), (changes, cut, whole) => {
        const copy = log.slice(0, whole ? log.length : cut)
        for (const { at, value } of changes) if (at < copy.length) copy[at] = value
        const same = copy.length === log.length && copy.every((byte, at) => byte === log[at])
        const verdict = outcome(verifyLog(copy, { walk: true }))
        // Only one byte changed is always seen; changes that cancel in an XOR are beyond the format.
        if (same) expect(verdict).toBe('sound')
        else if (changes.length <= 1) expect(verdict).not.toBe('sound')
        else expect(['sound', 'corrupt-checksum', 'bad-size']).toContain(verdict)
      }),
      { numRuns: 200, endOnFailure: true },
    )
  })

  test('with wild numbers in a checksum record are refused without a read beyond the log', () => {
    const log = aLog(5)
    const anyNumber = fc.oneof(fc.nat(0xffffffff), fc.constantFrom(0, 1, 22, 490, 0x7fffffff, 0xffffffff))

    fc.assert(
      fc.property(fc.constantFrom(1, 5, 9, 13, 17), anyNumber, (field, value) => {
        const copy = changed(log, (view) => view.setUint32(4096 + field, value, true))
        const same = new DataView(log.buffer).getUint32(4096 + field, true) === value
        expect(outcome(verifyLog(copy))).toBe(same ? 'sound' : 'corrupt-checksum')
      }),
      { numRuns: 200 },
    )
  })

  test('are judged the same wherever they lie in memory', () => {
    const log = aLog(6)
    const damaged = withFlippedBit(log, 50_000 * 8)
    for (const shift of [0, 1, 2, 3, 4, 4096]) {
      const memory = new Uint8Array(log.length + shift)
      memory.set(log, shift)
      expect(verifyLog(memory.subarray(shift))).toEqual(verifyLog(log))
      memory.set(damaged, shift)
      expect(verifyLog(memory.subarray(shift))).toEqual(verifyLog(damaged))
    }
  })

  test('are left as they were', () => {
    const log = aLog(6)
    const before = log.slice()
    verifyLog(log, { walk: true })

    expect(log).toEqual(before)
  })
})

describe('every single bit of a composed log', () => {
  test('shows, over the body at random and over all checksum records', () => {
    const log = aLog(7, { ...place(7) })
    const view = new DataView(log.buffer)
    const recordBits: number[] = []
    for (let at = 4096; ; at += 22 + view.getUint32(at + 9, true)) {
      for (let bit = at * 8; bit < (at + 22) * 8; bit++) recordBits.push(bit)
      if (view.getUint32(at + 9, true) === 0) break
    }
    const sample = Array.from({ length: 4000 }, (_, index) => 4096 * 8 + ((index * 48_271) % ((65_536 - 4096) * 8)))

    const missed = [...recordBits, ...sample].filter((bit) => {
      const at = bit >>> 3
      const before = log[at] ?? 0
      log[at] = before ^ (1 << (bit & 7))
      const sound = verifyLog(log).verdict === 'sound'
      log[at] = before
      return sound
    })

    expect(missed).toEqual([])
  })
})
