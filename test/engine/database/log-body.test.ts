// Goal: damage is told from what a crash leaves: sound, shadow, torn, corrupt, each at the right sector.
// Method: bodies of 16 sectors built flush by flush, then damaged as a disk or a crash would; every single bit is tried too.

import { describe, expect, test } from 'vitest'
import { verifyBody } from '../../../engine/database/log-body.ts'
import { SHADOW_MARK, SHORT_CHECKSUM_OFF, SHORT_CHECKSUM_ON } from '../../../engine/database/log-checksum.ts'
import { sealChain, writeShadow } from '../../../engine/database/log-seal.ts'
import { anOpenBody, flip, type OpenBody, SECTOR, sealAs, THREE_FLUSHES, unwrite } from './build.ts'

function stateOf({ log, geometry }: OpenBody): string {
  const verdict = verifyBody(log, geometry)
  return `${verdict.state} ${verdict.sector} ${verdict.endByte}`
}

describe('a body without damage', () => {
  test('is sound up to the end of its last flush, with its shadow or without', () => {
    expect(stateOf(anOpenBody({ ...THREE_FLUSHES, shadow: true }))).toBe('sound 12 6400')
    expect(stateOf(anOpenBody(THREE_FLUSHES))).toBe('sound 12 6400')
  })

  test('is sound although its shadow is an older image of the last sector', () => {
    const body = anOpenBody({ ...THREE_FLUSHES, endByte: 6300, shadow: true })
    const older = body.log.bytes.slice(13 * SECTOR, 14 * SECTOR)
    sealChain(body.log, body.geometry, { places: THREE_FLUSHES.places, endByte: 6656 })
    body.log.bytes.set(older, 13 * SECTOR)

    expect(stateOf(body)).toBe('sound 12 6656')
  })

  test('may end in the last usable sector, with its shadow in the reserved one', () => {
    const last = 22 * SECTOR
    const body = anOpenBody({ places: [4096, last], endByte: last + 100, shadow: true })

    expect(stateOf(body)).toBe(`sound 22 ${last + 100}`)
  })

  test('may not reach into the reserved last sector, however well it is sealed', () => {
    const last = 23 * SECTOR
    const body = anOpenBody({ places: [4096, last], endByte: last + 100 })

    expect(verifyBody(body.log, body.geometry).state).not.toBe('sound')
  })
})

describe('a crash', () => {
  test('in the last sector is mended from its shadow', () => {
    const body = anOpenBody({ ...THREE_FLUSHES, shadow: true })
    flip(body, 6390)

    expect(stateOf(body)).toBe('shadow 12 6144')
  })

  test('in the checksum record of the last sector is mended from its shadow', () => {
    const body = anOpenBody({ ...THREE_FLUSHES, shadow: true })
    flip(body, 6244)

    expect(stateOf(body)).toBe('shadow 12 6144')
  })

  test('before a write of several sectors was complete leaves it torn after its first sector', () => {
    const body = anOpenBody({ places: [4096], endByte: 4096 + 5 * SECTOR })
    unwrite(body, 11, 13)

    expect(stateOf(body)).toBe('torn 8 4608')
  })

  test('that left the old shadow in the second of two sectors leaves it torn', () => {
    const before = anOpenBody({ places: [4096], endByte: 4400, shadow: true })
    const oldShadow = before.log.bytes.slice(9 * SECTOR, 10 * SECTOR)
    const body = anOpenBody({ places: [4096], endByte: 4096 + 2 * SECTOR })
    body.log.bytes.set(oldShadow, 9 * SECTOR)

    expect(stateOf(body)).toBe('torn 8 4608')
  })

  test('before the next flush was written at all leaves the chain leading to nothing', () => {
    const body = anOpenBody(THREE_FLUSHES)
    unwrite(body, 12)

    expect(stateOf(body)).toBe('torn 12 6144')
  })

  test('before the next flush overwrote the shadow leaves the chain leading to that', () => {
    const body = anOpenBody({ places: [4096, 4708], endByte: 4800 })
    const { log, geometry } = body
    const longer = anOpenBody({ places: [4096, 4708, 5120], endByte: 5200 })
    // The shadow of sector 9 as it was, below the sector that already points on to sector 10.
    writeShadow(log, geometry, 4708)
    log.bytes.set(longer.log.bytes.subarray(9 * SECTOR, 10 * SECTOR), 9 * SECTOR)

    expect(stateOf(body)).toBe('torn 10 5120')
  })

  test('before the first flush leaves nothing', () => {
    const body = anOpenBody(THREE_FLUSHES)
    unwrite(body, 8, 24)

    expect(stateOf(body)).toBe('torn 8 4096')
  })
})

describe('damage', () => {
  test('in the middle of a long range is corrupt, as no sector of it is unwritten', () => {
    const body = anOpenBody(THREE_FLUSHES)
    flip(body, 5500)

    expect(stateOf(body)).toBe('corrupt 9 5120')
  })

  test('in an unwritten sector of a long range is corrupt when later sectors were written', () => {
    const body = anOpenBody(THREE_FLUSHES)
    unwrite(body, 10)

    expect(stateOf(body)).toBe('corrupt 9 5120')
  })

  test('in the first sector of a long range is corrupt', () => {
    const body = anOpenBody(THREE_FLUSHES)
    flip(body, 4800)

    expect(stateOf(body)).toBe('corrupt 9 4608')
  })

  test('in the only image of the last sector is corrupt', () => {
    const body = anOpenBody(THREE_FLUSHES)
    flip(body, 6300)

    expect(stateOf(body)).toBe('corrupt 12 6144')
  })

  test('after the end is corrupt, since nothing was ever written there', () => {
    const body = anOpenBody({ ...THREE_FLUSHES, shadow: true })
    flip(body, 20 * SECTOR + 3)

    expect(stateOf(body)).toBe('corrupt 20 6400')
  })

  test('in the covered part of a shadow is corrupt', () => {
    const body = anOpenBody({ ...THREE_FLUSHES, shadow: true })
    flip(body, 6390 + SECTOR)

    expect(stateOf(body)).toBe('corrupt 13 6400')
  })

  test('is what the body of another generation is, however sound in itself', () => {
    const { log, geometry } = anOpenBody(THREE_FLUSHES)

    for (const generation of [4, 6, 5 + 2 ** 20])
      expect(verifyBody(log, { ...geometry, generation }).state).toBe('corrupt')
  })
})

describe('a checksum record that fits its bytes', () => {
  test('is refused when it covers part of what lies before it in its sector', () => {
    const body = anOpenBody(THREE_FLUSHES)
    sealAs(body, 6244, { backwards: 0 })
    expect(stateOf(body)).toBe('sound 12 6400')

    for (const backwards of [99, 101, 512]) {
      sealAs(body, 6244, { backwards })
      expect(stateOf(body)).toBe('corrupt 12 6144')
    }
  })

  test('is refused when it crosses the end of its sector', () => {
    const body = anOpenBody({ places: [4096], endByte: 4608 })
    const { log } = body
    log.bytes.fill(7, 4608, 5632)
    sealAs(body, 4096, { next: 5108 - 4118 })
    log.bytes[5108] = 42
    sealAs(body, 5108, { backwards: 500, forwards: 502, next: 0, shortMark: SHORT_CHECKSUM_ON })

    expect(stateOf(body)).toBe('corrupt 9 4608')
  })

  test('is refused when its several sectors end inside one', () => {
    const body = anOpenBody({ places: [4096], endByte: 5632 })
    sealAs(body, 4096, { forwards: 5600 - 4118 })

    expect(stateOf(body)).toBe('corrupt 8 4096')
  })

  test('is refused when its mark says several sectors and there is one, or the other way round', () => {
    const one = anOpenBody({ places: [4096], endByte: 4608 })
    sealAs(one, 4096, { shortMark: SHORT_CHECKSUM_ON })
    const several = anOpenBody({ places: [4096], endByte: 5632 })
    sealAs(several, 4096, { shortMark: SHORT_CHECKSUM_OFF })

    expect(stateOf(one)).toBe('corrupt 8 4096')
    expect(stateOf(several)).toBe('corrupt 8 4096')
  })

  test('is refused when it leads anywhere but into the sector after its range', () => {
    const body = anOpenBody(THREE_FLUSHES)
    for (const nextAt of [4200, 5200, 6244]) {
      sealAs(body, 4096, { next: nextAt - 4118 })
      expect(stateOf(body)).toBe('corrupt 8 4096')
    }
    sealAs(body, 4096, { next: 4708 - 4118 })
    expect(stateOf(body)).toBe('sound 12 6400')
    sealAs(body, 4096, { forwards: 400 })
    expect(stateOf(body)).toBe('corrupt 8 4096')
  })
})

describe('a shadow', () => {
  test('that leads on is none, since only the newest record has one', () => {
    const body = anOpenBody({ places: [4096, 4708], endByte: 5120, shadow: true })
    flip(body, 5000)
    expect(stateOf(body)).toBe('shadow 9 4608')
    sealAs(body, 4708 + SECTOR, { next: 5632 - (4708 + SECTOR + 22) })
    body.log.view.setInt32(4708 + SECTOR + 13, body.log.view.getInt32(4708 + SECTOR + 13, true) ^ SHADOW_MARK, true)

    expect(stateOf(body)).toBe('corrupt 9 4608')
  })

  test('mends nothing when more was written after it', () => {
    const body = anOpenBody({ ...THREE_FLUSHES, shadow: true })
    flip(body, 6390)
    flip(body, 16 * SECTOR)

    expect(stateOf(body)).toBe('corrupt 12 6144')
  })

  test('that the chain leads to ends the log only when nothing was written after it', () => {
    const body = anOpenBody({ places: [4096, 4708], endByte: 4800 })
    const longer = anOpenBody({ places: [4096, 4708, 5120], endByte: 5200 })
    writeShadow(body.log, body.geometry, 4708)
    body.log.bytes.set(longer.log.bytes.subarray(9 * SECTOR, 10 * SECTOR), 9 * SECTOR)
    flip(body, 16 * SECTOR)

    expect(stateOf(body)).toBe('corrupt 10 5120')
  })

  test('inside a range of three sectors does not make the range torn', () => {
    const before = anOpenBody({ places: [4096], endByte: 4400, shadow: true })
    const body = anOpenBody({ places: [4096], endByte: 4096 + 3 * SECTOR })
    body.log.bytes.set(before.log.bytes.subarray(9 * SECTOR, 10 * SECTOR), 9 * SECTOR)

    expect(stateOf(body)).toBe('corrupt 8 4608')
  })

  test('inside the last range excuses nothing after it', () => {
    const before = anOpenBody({ places: [4096], endByte: 4400, shadow: true })
    const body = anOpenBody({ places: [4096], endByte: 4096 + 2 * SECTOR })
    body.log.bytes.set(before.log.bytes.subarray(9 * SECTOR, 10 * SECTOR), 9 * SECTOR)
    sealChain(body.log, body.geometry, { places: [4096], endByte: 4096 + 2 * SECTOR })
    expect(stateOf(body)).toBe('sound 9 5120')
    flip(body, 5121)

    expect(stateOf(body)).toBe('corrupt 10 5120')
  })
})

describe('every single bit', () => {
  /** Live bytes: the ranges, and the sectors after the shadow. The slack of the last sector and of its shadow is exempt. */
  test('of ranges and of unwritten sectors shows, and none of the exempt slack hides a live one', () => {
    const body = anOpenBody({ ...THREE_FLUSHES, shadow: true })
    const { bytes } = body.log

    const missed = new Set<number>()
    for (let bit = 4096 * 8; bit < bytes.byteLength * 8; bit++) {
      const at = bit >>> 3
      const before = bytes[at] ?? 0
      bytes[at] = before ^ (1 << (bit & 7))
      if (verifyBody(body.log, body.geometry).state === 'sound') missed.add(at)
      bytes[at] = before
    }

    const slack = (at: number): boolean => (at >= 6400 && at < 6656) || (at >= 6400 + SECTOR && at < 6656 + SECTOR)
    expect([...missed].filter((at) => !slack(at))).toEqual([])
  })
})
