// Goal: what the verdict on a body tells an operator: how many checksums are sound, which sector is at fault, and in words why.
// Method: bodies damaged as a disk or a crash would, and shadows that are none; written against mutants that other tests let live.

import { describe, expect, test } from 'vitest'
import { fillWithPattern } from '../../../engine/database/fill-pattern.ts'
import { verifyBody } from '../../../engine/database/log-body.ts'
import { openLogBytes } from '../../../engine/database/log-bytes.ts'
import {
  type BodyGeometry,
  hasShadow,
  readChecksumRecord,
  SHADOW_MARK,
  SHORT_CHECKSUM_OFF,
  SHORT_CHECKSUM_ON,
} from '../../../engine/database/log-checksum.ts'
import { sealChain, writeShadow } from '../../../engine/database/log-seal.ts'
import { anOpenBody, flip, type OpenBody, SECTOR, sealAs, THREE_FLUSHES, unwrite } from './build.ts'

/** `state checksums: detail`. */
function told({ log, geometry }: OpenBody): string {
  const verdict = verifyBody(log, geometry)
  return `${verdict.state} ${verdict.checksums}: ${verdict.detail}`
}

/** Makes the sealed record at `at` that of a shadow. */
function markAsShadow({ log }: OpenBody, at: number): void {
  log.view.setInt32(at + 13, log.view.getInt32(at + 13, true) ^ SHADOW_MARK, true)
}

describe('a verdict', () => {
  test('on a sound body counts its checksums and says nothing', () => {
    expect(told(anOpenBody(THREE_FLUSHES))).toBe('sound 3: ')
    expect(told(anOpenBody({ ...THREE_FLUSHES, shadow: true }))).toBe('sound 3: ')
  })

  test.each([
    [
      'a flipped bit after the end',
      'corrupt 3: sector 20 is neither unwritten nor a shadow, but the body ends at byte 6400',
      20 * SECTOR,
    ],
    ['the last sector, which has a shadow', 'shadow 2: checksum of sector 12 is bad, its shadow is whole', 6390],
    ['a checksum record', 'corrupt 1: body checksum at sector 9 does not fit (structure)', 4708],
    ['the first sector of a long range', 'corrupt 1: body checksum at sector 9 does not fit (short)', 4800],
    ['the part of it before the record', 'corrupt 1: body checksum at sector 9 does not fit (short)', 4650],
    ['a later sector of it', 'corrupt 1: body checksum of the range from sector 9 does not fit (full)', 5500],
    ['a range of one sector', 'corrupt 0: body checksum at sector 8 does not fit (full)', 4400],
  ])('on a body with damage in %s: %s', (_, expected, at) => {
    const body = anOpenBody({ ...THREE_FLUSHES, shadow: true })
    flip(body, at)

    expect(told(body)).toBe(expected)
  })

  test('on a body that a crash cut names the sector that was to be written', () => {
    const unfinished = anOpenBody({ places: [4096], endByte: 4096 + 5 * SECTOR })
    unwrite(unfinished, 11, 13)
    const unwritten = anOpenBody(THREE_FLUSHES)
    unwrite(unwritten, 12)
    const onShadow = anOpenBody({ places: [4096, 4708], endByte: 4800 })
    const longer = anOpenBody({ places: [4096, 4708, 5120], endByte: 5200 })
    writeShadow(onShadow.log, onShadow.geometry, 4708)
    onShadow.log.bytes.set(longer.log.bytes.subarray(9 * SECTOR, 10 * SECTOR), 9 * SECTOR)

    expect(told(unfinished)).toBe('torn 0: the write that begins in sector 8 did not finish')
    expect(told(unwritten)).toBe('torn 2: the chain leads to sector 12, which was never written')
    expect(told(onShadow)).toBe('torn 2: the chain leads to sector 10, which still is the shadow before it')
  })
})

describe('a checksum record', () => {
  test('may end with the file, where the shadow of the last usable sector lies', () => {
    const at = 23 * SECTOR - 22
    const body = anOpenBody({ places: [4096, at], endByte: 23 * SECTOR, shadow: true })
    flip(body, at - 10)

    expect(told(body)).toBe('shadow 1: checksum of sector 22 is bad, its shadow is whole')
  })

  test('has one of two marks and no third', () => {
    const body = anOpenBody(THREE_FLUSHES)
    sealAs(body, 4708, { shortMark: SHORT_CHECKSUM_ON + 1 })

    expect(told(body)).toBe('corrupt 1: body checksum at sector 9 does not fit (structure)')
  })
})

describe('a shadow', () => {
  test('is of one sector, however well a range of several is marked as one', () => {
    const body = anOpenBody({ ...THREE_FLUSHES, shadow: true })
    const shadowAt = 6244 + SECTOR
    const forwards = 15 * SECTOR - (shadowAt + 22)

    sealAs(body, shadowAt, { shortMark: SHORT_CHECKSUM_ON, forwards })
    markAsShadow(body, shadowAt)
    expect(readChecksumRecord(body.log, shadowAt)).toMatchObject({ next: 0, forwards })
    expect(hasShadow(body.log, 6244, body.geometry)).toBe(false)

    sealAs(body, shadowAt, { shortMark: SHORT_CHECKSUM_OFF, forwards: 6400 - (6244 + 22) })
    markAsShadow(body, shadowAt)
    expect(hasShadow(body.log, 6244, body.geometry)).toBe(true)
  })

  test('in the place of the first sector is damage: no write was to overwrite it', () => {
    const geometry: BodyGeometry = { sectorBytes: 4096, headerSectors: 1, fileSectors: 6, generation: 5 }
    const log = openLogBytes(new Uint8Array(geometry.sectorBytes * geometry.fileSectors))
    sealChain(log, geometry, { places: [4096], endByte: 5000 })
    writeShadow(log, geometry, 4096)
    log.bytes.copyWithin(4096, 8192, 12_288)
    fillWithPattern(log.bytes, 8192, log.bytes.byteLength)

    expect(verifyBody(log, geometry)).toMatchObject({ state: 'corrupt', sector: 1, endByte: 4096 })
  })
})
