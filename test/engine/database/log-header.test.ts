// Goal: a header is read and written without loss, and no header that is not sound is taken for one.
// Method: round trips, every single bit of the 4,096 bytes, and one resealed header for each check, in the order of the checks.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type HeaderVerdict,
  LOG_HEADER_BYTES,
  type LogHeader,
  readLogHeader,
  writeLogHeader,
} from '../../../engine/database/log-header.ts'
import { logTimeAt } from '../../../engine/database/log-time.ts'
import { asGeneration } from '../../../engine/generation.ts'
import { aLog, anAttachment, MOMENT_MS, SIGNATURE, sealHeader, withFlippedBit } from './build.ts'

const FULL_HEADER: LogHeader = {
  generation: asGeneration(0x1a),
  sectorBytes: 512,
  headerSectors: 8,
  fileSectors: 2048,
  pageBytes: 8192,
  createTime: logTimeAt(MOMENT_MS + 26_000),
  previousCreateTime: logTimeAt(MOMENT_MS + 25_000),
  version: { major: 7, minor: 3704, update: 12, updateMinor: 1 },
  signature: { ...SIGNATURE, computer: 'MAILBOX01' },
  environment: {
    systemPath: 'C:\\Program Files\\First Storage Group\\',
    logPath: 'D:\\Logs\\',
    circularLogging: true,
    sessions: 1,
    openTables: 2,
    versionPages: 3,
    cursors: 4,
    logBuffers: 5,
    logFileSectors: 2048,
    cacheSizeMax: 0xffffffff,
  },
  flags: { reserveLog: true, circularNow: false, circularEarlier: true },
  checkpoint: { generation: 9, sector: 0xffff, byte: 511 },
  diskSectorMismatch: 1,
  previousSegmentsChecksum: 0x0123456789abcdefn,
  engineFormatVersion: 7,
  fileType: 3,
  attachments: [
    {
      databaseId: 1,
      sparse: false,
      dbtime: 0xffff_ffff_0000_0001n,
      objectIdLast: 77,
      databasePagesMax: 12,
      attach: { generation: 1, sector: 8, byte: 22 },
      consistent: { generation: 0, sector: 0, byte: 0 },
      signature: { ...SIGNATURE, random: 5 },
      path: 'D:\\Datenbank\\Postfächer €.edb',
      unicode: true,
    },
    anAttachment({ databaseId: 2, sparse: true, signature: SIGNATURE, path: 'D:\\pub.edb', unicode: false }),
  ],
}

function reasonOf(verdict: HeaderVerdict): string {
  return verdict.verdict === 'rejected' ? verdict.rejection.reason : verdict.verdict
}

function detailOf(verdict: HeaderVerdict): string {
  return verdict.verdict === 'rejected' ? verdict.rejection.detail : ''
}

/** The reason that a header gives once `change` was made to it and its checksum fits again. */
function reasonAfter(change: (view: DataView) => void): string {
  return reasonOf(verdictAfter(change))
}

function detailAfter(change: (view: DataView) => void): string {
  return detailOf(verdictAfter(change))
}

function verdictAfter(change: (view: DataView) => void): HeaderVerdict {
  const bytes = aLog(2).slice(0, LOG_HEADER_BYTES)
  change(new DataView(bytes.buffer))
  return readLogHeader(sealHeader(bytes))
}

/** Makes it a header of format 8,4000 with sectors of that many bytes. */
function format8(sectorBytes: number): (view: DataView) => void {
  return (view) => {
    view.setUint32(32, 8, true)
    view.setUint32(36, 4000, true)
    view.setUint16(8, sectorBytes, true)
    view.setUint16(10, 4096 / sectorBytes, true)
  }
}

describe('a log header', () => {
  test('is read back as it was written, with every field set', () => {
    const bytes = new Uint8Array(LOG_HEADER_BYTES).fill(0xee)
    writeLogHeader(bytes, FULL_HEADER)

    const read = readLogHeader(bytes)

    expect(read).toMatchObject({ verdict: 'read', header: FULL_HEADER })
  })

  test('lies where the format says: checksum, generation, sectors, version, signature, file type', () => {
    const bytes = new Uint8Array(LOG_HEADER_BYTES)
    writeLogHeader(bytes, FULL_HEADER)
    const view = new DataView(bytes.buffer)

    expect(view.getInt32(4, true)).toBe(0x1a)
    expect([8, 10, 12, 14].map((offset) => view.getUint16(offset, true))).toEqual([512, 8, 2048, 8192])
    expect([32, 36, 40].map((offset) => view.getUint32(offset, true))).toEqual([7, 3704, 12])
    expect(view.getUint32(44, true)).toBe(SIGNATURE.random)
    expect(bytes[639]).toBe(5)
    expect(view.getUint32(667, true)).toBe(3)
    let sum = 0x89abcdef
    for (let at = 4; at < LOG_HEADER_BYTES; at += 4) sum ^= view.getUint32(at, true)
    expect(view.getUint32(0, true)).toBe(sum >>> 0)
  })

  test('names its stream by the bytes of signature and times', () => {
    const bytes = new Uint8Array(LOG_HEADER_BYTES)
    writeLogHeader(bytes, FULL_HEADER)

    const read = readLogHeader(bytes)

    const hex = (lo: number, hi: number): string => Buffer.from(bytes.subarray(lo, hi)).toString('hex')
    expect(read).toMatchObject({
      identity: {
        generation: 0x1a,
        signature: hex(44, 72),
        createTime: hex(16, 24),
        previousCreateTime: hex(24, 32),
      },
    })
  })

  test('is refused with any one of its 32,768 bits turned', () => {
    const bytes = aLog(3).slice(0, LOG_HEADER_BYTES)

    const accepted: number[] = []
    for (let bit = 0; bit < LOG_HEADER_BYTES * 8; bit++) {
      const at = bit >>> 3
      const before = bytes[at] ?? 0
      bytes[at] = before ^ (1 << (bit & 7))
      if (reasonOf(readLogHeader(bytes)) !== 'corrupt-checksum') accepted.push(bit)
      bytes[at] = before
    }

    expect(accepted).toEqual([])
    expect(reasonOf(readLogHeader(bytes))).toBe('read')
  })

  test('is refused when there is less than a header', () => {
    for (const length of [0, 1, 4095]) expect(reasonOf(readLogHeader(new Uint8Array(length)))).toBe('bad-size')
  })

  test('gives for each fault the reason of the engine', () => {
    expect(reasonAfter((view) => view.setUint32(667, 4, true))).toBe('bad-file-type')
    expect(reasonAfter((view) => view.setUint32(667, 0, true))).toBe('read')
    expect(reasonAfter((view) => view.setUint32(32, 6, true))).toBe('bad-version')
    expect(reasonAfter((view) => view.setUint32(36, 3703, true))).toBe('bad-version')
    expect(reasonAfter((view) => view.setUint32(40, 17, true))).toBe('read')
    expect(reasonAfter((view) => view.setUint32(40, 18, true))).toBe('bad-version')
    expect(reasonAfter((view) => view.setUint16(8, 0, true))).toBe('bad-size')
    expect(reasonAfter((view) => view.setUint16(8, 500, true))).toBe('bad-size')
    expect(reasonAfter((view) => view.setUint16(10, 9, true))).toBe('bad-size')
    expect(reasonAfter((view) => view.setUint32(8, 256 | (16 << 16), true))).toBe('bad-size')
    expect(reasonAfter((view) => view.setUint32(8, 1024 | (4 << 16), true))).toBe('read')
    expect(reasonAfter((view) => view.setUint16(14, 1000, true))).toBe('bad-version')
    expect(reasonAfter((view) => view.setInt32(4, 0, true))).toBe('generation-mismatch')
    expect(reasonAfter((view) => view.setInt32(4, -1, true))).toBe('generation-mismatch')
    expect(reasonAfter((view) => view.setInt32(4, 0x7fffffed, true))).toBe('generation-mismatch')
    expect(reasonAfter((view) => view.setInt32(4, 0x7fffffec, true))).toBe('read')
  })

  test('tells of the first fault in the order checksum, type, version, geometry', () => {
    const typeAndVersion = (view: DataView): void => {
      view.setUint32(667, 4, true)
      view.setUint32(32, 6, true)
    }
    const versionAndGeometry = (view: DataView): void => {
      view.setUint32(32, 6, true)
      view.setUint16(8, 0, true)
    }

    expect(reasonAfter(typeAndVersion)).toBe('bad-file-type')
    expect(reasonAfter(versionAndGeometry)).toBe('bad-version')
  })

  test('of format 8,4000 has segments of 4,096 bytes and no others', () => {
    expect(reasonAfter(format8(4096))).toBe('read')
    expect(reasonAfter(format8(512))).toBe('bad-size')
  })

  test.each([
    [8, 4001],
    [9, 4000],
    [7, 4000],
    [8, 3704],
  ])('of format %i,%i is of no format that is read', (major, minor) => {
    const reason = reasonAfter((view) => {
      view.setUint32(32, major, true)
      view.setUint32(36, minor, true)
      view.setUint32(8, 4096 | (1 << 16), true)
    })

    expect(reason).toBe('bad-version')
  })

  test.each([0, 1, 2, 3, 4, 5, 6, 7])('keeps its flags: %i', (byte) => {
    const bytes = aLog(2).slice(0, LOG_HEADER_BYTES)
    bytes[639] = byte
    const read = readLogHeader(sealHeader(bytes))
    if (read.verdict === 'rejected') throw new Error(read.rejection.detail)

    expect(read.header.flags).toEqual({
      reserveLog: [1, 3, 5, 7].includes(byte),
      circularNow: [2, 3, 6, 7].includes(byte),
      circularEarlier: byte >= 4,
    })
    writeLogHeader(bytes, read.header)
    expect(bytes[639]).toBe(byte)
  })

  test('that is refused says why, with the numbers', () => {
    const flipped = aLog(2).slice(0, LOG_HEADER_BYTES)
    const before = new DataView(flipped.buffer).getUint32(0, true)
    new DataView(flipped.buffer).setUint32(0, 0x00ab_cdef, true)

    expect(detailOf(readLogHeader(new Uint8Array(12)))).toBe('12 bytes are less than a log header of 4096')
    expect(detailOf(readLogHeader(flipped))).toBe(
      `header checksum 00abcdef, computed ${before.toString(16).padStart(8, '0')}`,
    )
    expect(detailAfter((view) => view.setUint32(667, 4, true))).toBe('file type 4 is not 3, a log')
    expect(detailAfter((view) => view.setUint32(40, 18, true))).toBe('format 7,3704,18 is not one this engine reads')
    expect(detailAfter((view) => view.setUint16(10, 9, true))).toBe(
      'header of 9 sectors of 512 bytes is not 4096 bytes',
    )
    expect(detailAfter((view) => view.setUint16(14, 1000, true))).toBe('page size 1000 is not one that any version has')
    expect(detailAfter((view) => view.setInt32(4, -1, true))).toBe('generation -1 of the header is no generation')
    expect(detailAfter(format8(512))).toBe('segments of 512 bytes where format 8,4000 has 4096')
    expect(detailAfter((view) => view.setUint32(671, 1 | (0xffff << 16), true))).toBe(
      'attach list of the header runs over its 2048 bytes',
    )
  })

  test('of a time before the page size was recorded stands for pages of 4,096 bytes', () => {
    const bytes = aLog(2).slice(0, LOG_HEADER_BYTES)
    new DataView(bytes.buffer).setUint16(14, 0, true)

    expect(readLogHeader(sealHeader(bytes))).toMatchObject({ header: { pageBytes: 4096 } })
  })

  test('whose attach list runs over its room is refused, not read beyond it', () => {
    const pathBytes = (bytes: number) => (view: DataView) => {
      view.setUint8(671, 1)
      view.setUint16(673, bytes, true)
    }

    expect(reasonAfter(pathBytes(2048 - 64))).toBe('read')
    expect(reasonAfter(pathBytes(2048 - 63))).toBe('corrupt-checksum')
    expect(reasonAfter(pathBytes(0xffff))).toBe('corrupt-checksum')
  })

  test('is read without an exception from any 4,096 sealed bytes', () => {
    const anyHeader = fc.uint8Array({ minLength: LOG_HEADER_BYTES, maxLength: LOG_HEADER_BYTES })

    fc.assert(
      fc.property(anyHeader, (bytes) => {
        const view = new DataView(bytes.buffer, bytes.byteOffset)
        view.setUint32(667, 3, true)
        view.setUint32(32, 7, true)
        view.setUint32(36, 3704, true)
        view.setUint32(40, 10, true)
        view.setUint32(8, 512 | (8 << 16), true)
        view.setUint16(14, 0, true)
        view.setInt32(4, 1, true)
        expect(['read', 'corrupt-checksum']).toContain(reasonOf(readLogHeader(sealHeader(bytes))))
      }),
      { numRuns: 200 },
    )
  })

  test('turned in one bit of any copy is not the same header', () => {
    const bytes = aLog(4).slice(0, LOG_HEADER_BYTES)

    expect(reasonOf(readLogHeader(withFlippedBit(bytes, 8 * 700)))).toBe('corrupt-checksum')
  })
})
