// Goal: the segments of format 8,4000 are verified by their own checksum and place, and the page checksum is the real one.
// Method: a second implementation of the checksum, bit by bit from its definition; logs built of segments; every bit of one.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { openLogBytes } from '../../../engine/database/log-bytes.ts'
import { checkSegmentsChecksum } from '../../../engine/database/log-chain.ts'
import { verifyLog } from '../../../engine/database/log-file.ts'
import { writeLogPosition } from '../../../engine/database/log-position.ts'
import { kindOfSegment, SEGMENT_BYTES, verifySegments } from '../../../engine/database/log-segment.ts'
import { pageChecksum } from '../../../engine/database/page-checksum.ts'
import { aLog, sealHeader } from './build.ts'

/** The code bit by bit: each set bit adds its index, as it is to the low half and inverted to the high half. */
function checksumByBits(block: Uint8Array, number: number): { xor: number; ecc: number } {
  const bits = block.length * 8
  let low = 0
  let high = 0
  let xor = 0
  for (let bit = 64; bit < bits; bit++) {
    if ((((block[bit >>> 3] ?? 0) >>> (bit & 7)) & 1) === 0) continue
    low ^= bit
    high ^= ~bit & (bits - 1)
    xor ^= 1 << (bit & 31)
  }
  return { xor: xor ^ number, ecc: (high << 16) | low }
}

interface SegmentPlan {
  readonly generation: number
  /** Which segment the checksum and the position are made for; its own place unless it is a shadow. */
  readonly as?: number
  /** What it says of its own place, when that is not true. */
  readonly says?: number
  /** Its flags, when they do not say that it has the checksum that segments have. */
  readonly flags?: number
}

function putSegment(file: Uint8Array, segment: number, plan: SegmentPlan): void {
  const start = segment * SEGMENT_BYTES
  const as = plan.as ?? segment
  const log = openLogBytes(file)
  for (let at = start + 40; at < start + SEGMENT_BYTES - 100; at++) file[at] = 4 // End records: one byte each
  writeLogPosition(log.view, start + 8, { generation: plan.generation, sector: plan.says ?? as, byte: 0 })
  log.view.setUint32(start + 36, plan.flags ?? 0x2000, true)
  const sum = pageChecksum(log, start, { bytes: SEGMENT_BYTES, number: as })
  log.view.setInt32(start, sum.xor, true)
  log.view.setInt32(start + 4, sum.ecc, true)
}

/** A log of format 8,4000, generation 7, sixteen segments, of which `plans` are written. */
function aFormat8Log(plans: readonly (readonly [number, SegmentPlan])[]): Uint8Array {
  const file = new Uint8Array(16 * SEGMENT_BYTES)
  file.set(aLog(7).subarray(0, 4096))
  const view = new DataView(file.buffer)
  view.setUint32(32, 8, true)
  view.setUint32(36, 4000, true)
  view.setUint32(40, 13, true)
  view.setUint32(8, 4096 | (1 << 16), true)
  view.setUint16(12, 16, true)
  for (const [segment, plan] of plans) putSegment(file, segment, plan)
  return sealHeader(file)
}

const LIVE = { generation: 7 } as const
const THREE_LIVE = [
  [1, LIVE],
  [2, LIVE],
  [3, LIVE],
] as const

function stateOf(file: Uint8Array): string {
  const { state, checksums, sector } = verifySegments(openLogBytes(file), 7)
  return `${state} ${checksums} ${sector}`
}

describe('the page checksum', () => {
  test('is the one that its definition gives bit by bit, for every block size', () => {
    const anyBlock = fc
      .constantFrom(2048, 4096, 8192)
      .chain((bytes) =>
        fc.record({ block: fc.uint8Array({ minLength: bytes, maxLength: bytes }), number: fc.nat(1_000_000) }),
      )

    fc.assert(
      fc.property(anyBlock, ({ block, number }) => {
        const sum = pageChecksum(openLogBytes(block), 0, { bytes: block.length, number })
        expect(sum).toEqual(checksumByBits(block, number))
      }),
      { numRuns: 25, endOnFailure: true },
    )
  })
})

describe('the segments of a log', () => {
  test('are sound when live ones are followed by empty ones, with the shadow of the last or without', () => {
    expect(stateOf(aFormat8Log(THREE_LIVE))).toBe('sound 3 3')
    expect(stateOf(aFormat8Log([...THREE_LIVE, [4, { generation: 7, as: 3 }]]))).toBe('sound 3 3')
    expect(stateOf(aFormat8Log([]))).toBe('sound 0 0')
  })

  test('may be followed by what the file held in an earlier generation', () => {
    expect(stateOf(aFormat8Log([...THREE_LIVE, [4, { generation: 3 }], [5, { generation: 3 }]]))).toBe('sound 3 3')
    expect(stateOf(aFormat8Log([...THREE_LIVE, [4, { generation: 3 }], [5, { generation: 3, as: 4 }]]))).toBe(
      'sound 3 3',
    )
  })

  test('are corrupt where a live one comes after the end', () => {
    expect(stateOf(aFormat8Log([...THREE_LIVE, [5, LIVE]]))).toBe('corrupt 3 5')
    expect(stateOf(aFormat8Log([...THREE_LIVE, [4, { generation: 3 }], [5, LIVE]]))).toBe('corrupt 3 5')
  })

  test('are corrupt where one comes from a later generation or has lost the segment it is the shadow of', () => {
    expect(stateOf(aFormat8Log([...THREE_LIVE, [4, { generation: 8 }]]))).toBe('corrupt 3 4')
    expect(stateOf(aFormat8Log([...THREE_LIVE, [6, { generation: 7, as: 5 }]]))).toBe('corrupt 3 6')
    expect(stateOf(aFormat8Log([[1, { generation: 7, as: 0 }]]))).toBe('corrupt 0 1')
  })

  test.each([
    ['', null],
    ['segment 4: its checksum does not fit', [4, { generation: 7, as: 5 }]],
    ['segment 4: its checksum does not fit', [4, { generation: 7, flags: 0 }]],
    ['segment 4: its checksum does not fit', [4, { generation: 8, as: 3 }]],
    ['segment 4: it says that it belongs elsewhere', [4, { generation: 8 }]],
    ['segment 5: it is live after the end of the log', [5, LIVE]],
    ['segment 6: stray shadow', [6, { generation: 7, as: 5 }]],
  ] as const)('say what is wrong after the three that are proved: %s', (detail, plan) => {
    const log = openLogBytes(aFormat8Log(plan === null ? THREE_LIVE : [...THREE_LIVE, plan]))

    expect(verifySegments(log, 7)).toMatchObject({ detail, endByte: 4 * SEGMENT_BYTES })
  })

  test('are each of one kind', () => {
    const plans = [
      [1, LIVE],
      [2, { generation: 7, as: 1 }],
      [3, { generation: 3 }],
      [4, { generation: 3, as: 3 }],
      [5, { generation: 7, as: 9 }],
    ] as const
    const log = openLogBytes(aFormat8Log(plans))

    expect([1, 2, 3, 4, 5, 6].map((segment) => kindOfSegment(log, segment, 7))).toEqual([
      'live',
      'shadow',
      'left-over',
      'left-over',
      'damaged',
      'empty',
    ])
  })

  test('are corrupt where one states another place than its own', () => {
    expect(
      stateOf(
        aFormat8Log([
          [1, LIVE],
          [2, { generation: 7, says: 3 }],
        ]),
      ),
    ).toBe('corrupt 1 2')
    expect(
      stateOf(
        aFormat8Log([
          [1, LIVE],
          [2, { generation: 7, says: 1 }],
        ]),
      ),
    ).toBe('corrupt 1 2')
    expect(
      stateOf(
        aFormat8Log([
          [1, LIVE],
          [2, { generation: 7, as: 1, says: 2 }],
        ]),
      ),
    ).toBe('corrupt 1 2')
  })

  test('do not lose the last one when the bit is turned that would make it look like a shadow', () => {
    const file = aFormat8Log(THREE_LIVE)
    file[3 * SEGMENT_BYTES] = (file[3 * SEGMENT_BYTES] ?? 0) ^ 1

    expect(stateOf(file)).toBe('corrupt 2 3')
  })

  test('give away any single bit that was turned, of a live one, of its shadow, of an empty one', () => {
    const file = aFormat8Log([
      [1, LIVE],
      [2, { generation: 7, as: 1 }],
    ])

    const missed: number[] = []
    for (let bit = SEGMENT_BYTES * 8; bit < SEGMENT_BYTES * 4 * 8; bit += bit < SEGMENT_BYTES * 8 + 512 ? 1 : 7) {
      const at = bit >>> 3
      const before = file[at] ?? 0
      file[at] = before ^ (1 << (bit & 7))
      if (verifySegments(openLogBytes(file), 7).state === 'sound') missed.push(bit)
      file[at] = before
    }

    expect(missed).toEqual([])
  })

  test('sum up to the checksum that the header of the next log repeats', () => {
    const file = aFormat8Log(THREE_LIVE)
    const view = new DataView(file.buffer)
    const sum = [1, 2, 3].reduce((xor, segment) => xor ^ view.getBigUint64(segment * SEGMENT_BYTES, true), 0n)

    const verdict = verifyLog(file, { walk: true })

    expect(verdict).toMatchObject({ verdict: 'sound', accumulatedChecksum: sum, checksums: 3, records: 3 * 3956 })
  })

  test('of the log before must have the sum that is recorded, where one is', () => {
    const verdict = verifyLog(aFormat8Log(THREE_LIVE))
    if (verdict.verdict !== 'sound') throw new Error('the log is sound')
    const next = { ...verdict.header, previousSegmentsChecksum: verdict.accumulatedChecksum }

    expect(checkSegmentsChecksum(verdict.accumulatedChecksum, next)).toBeNull()
    expect(checkSegmentsChecksum(verdict.accumulatedChecksum ^ 1n, next)).toMatchObject({ reason: 'gap' })
    expect(checkSegmentsChecksum(5n, { ...next, previousSegmentsChecksum: 0n })).toBeNull()
    expect(checkSegmentsChecksum(5n, { ...next, previousSegmentsChecksum: 0x10n })?.detail).toBe(
      'segments of the log before have the checksum 0000000000000005, but 0000000000000010 is recorded',
    )
  })
})

describe('a walk over format 8,4000', () => {
  /** A log whose first two segments hold nothing but `records` at their starts. */
  function walked(first: readonly number[], second: readonly number[]): string {
    const file = aFormat8Log([])
    file.set(first, SEGMENT_BYTES + 40)
    file.set(second, 2 * SEGMENT_BYTES + 40)
    for (const segment of [1, 2]) resealSegment(file, segment)
    const verdict = verifyLog(file, { walk: true })
    return verdict.verdict === 'sound' ? `${verdict.records} records` : verdict.rejection.detail
  }

  function resealSegment(file: Uint8Array, segment: number): void {
    const start = segment * SEGMENT_BYTES
    const log = openLogBytes(file)
    writeLogPosition(log.view, start + 8, { generation: 7, sector: segment, byte: 0 })
    log.view.setUint32(start + 36, 0x2000, true)
    const sum = pageChecksum(log, start, { bytes: SEGMENT_BYTES, number: segment })
    log.view.setInt32(start, sum.xor, true)
    log.view.setInt32(start + 4, sum.ecc, true)
  }

  const BEGIN_OF_5 = [76, 5, 0, 0, 0, 2, 0, 9, 9]

  test('adds fragments up over the border of a segment', () => {
    expect(walked(BEGIN_OF_5, [77, 3, 0, 9, 9, 9, 4])).toBe('3 records')
  })

  test('stops at a fragment that is too long, or at one that another record interrupts', () => {
    expect(walked(BEGIN_OF_5, [77, 4, 0, 9, 9, 9, 9])).toMatch('longer than its record')
    expect(walked(BEGIN_OF_5, [4])).toMatch('unfinished')
    expect(walked([...BEGIN_OF_5, 17], [4])).toMatch('unfinished')
  })

  test('lets a recovery cut a fragment at the start of a segment', () => {
    expect(walked(BEGIN_OF_5, [17, 4])).toBe('3 records')
  })
})
