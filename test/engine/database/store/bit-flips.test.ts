// Goal: no turned bit of a store's log is taken for what was written, and what the checksums of the formats cannot see is known exactly.
// Method: real logs of a store, every bit of a small one and samples of every part of a whole one; then patterns that cancel out.
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { findEndOfLog } from '../../../../engine/database/end-of-log.ts'
import { type LogBytes, openLogBytes } from '../../../../engine/database/log-bytes.ts'
import { readChecksumRecord } from '../../../../engine/database/log-checksum.ts'
import { verifyLog } from '../../../../engine/database/log-file.ts'
import { LOG_HEADER_BYTES, readLogHeader } from '../../../../engine/database/log-header.ts'
import { openRecords } from '../../../../engine/database/log-record.ts'
import { RECORD } from '../../../../engine/database/log-record-table.ts'
import { PAGE_BYTES } from '../../../../engine/database/page.ts'
import { correctPage, sealPage, verifyPage } from '../../../../engine/database/page-seal.ts'
import { asGeneration } from '../../../../engine/generation.ts'
import { createSlab } from '../../../../workers/slab.ts'
import { xxhashWasmFile } from '../../../../workers/worker-files.ts'
import { withFlippedBit } from '../build.ts'
import { ModelStoreDisk } from './model-store-disk.ts'
import { LOG_BYTES, recover, type StoreRig, startRig } from './store-rig.ts'

const SECTOR = 512
const WHOLE_LOG_BYTES = 1_048_576
const PAGES = [5, 6, 7]

function commitSome(rig: StoreRig, commits: number, bytes = 100): void {
  for (let commit = 0; commit < commits; commit++) {
    rig.content.begin(1)
    const page = PAGES[commit % PAGES.length] ?? 5
    rig.change({ session: 1, page, key: commit % 8, value: commit * 77 + 1, bytes: bytes + ((commit * 31) % 300) })
    rig.content.commit(1)
    if (commit % 3 > 0) continue
    rig.store.requestFlush()
    rig.settle()
  }
}

/** The first log of a store, closed behind some commits; and what of it lay on the disk while it was open. */
function aLog(
  logBytes: number,
  commits: number,
): { readonly disk: ModelStoreDisk; open: Uint8Array; closed: Uint8Array } {
  const disk = new ModelStoreDisk()
  const rig = startRig(disk, { logBytes })
  commitSome(rig, commits)
  const open = disk.openLog().slice()
  rig.store.forceRoll('so that it is closed')
  rig.settle()
  return { disk, open, closed: disk.closedLog(asGeneration(1)).slice() }
}

function endOf(log: Uint8Array): number {
  const verdict = verifyLog(log)
  if (verdict.verdict !== 'sound') throw new Error(verdict.rejection.detail)
  return verdict.endByte
}

function turn(log: Uint8Array, bit: number): void {
  log[bit >>> 3] = (log[bit >>> 3] ?? 0) ^ (1 << (bit & 7))
}

/** The bits in `[lo, hi)` bytes whose turning leaves a log sound. */
function unseenBits(log: Uint8Array, lo = 0, hi = log.byteLength): number[] {
  const unseen: number[] = []
  for (let bit = lo * 8; bit < hi * 8; bit++) {
    turn(log, bit)
    if (verifyLog(log).verdict === 'sound') unseen.push(bit)
    turn(log, bit)
  }
  return unseen
}

/** Where the records lie that carry the checksums. */
function checksumsOf(log: Uint8Array): { readonly at: number; readonly rangeEnd: number }[] {
  const bytes = openLogBytes(log)
  const places: { at: number; rangeEnd: number }[] = []
  for (let at = LOG_HEADER_BYTES; ; ) {
    const record = readChecksumRecord(bytes, at)
    if (record === null) throw new Error('the chain is whole')
    places.push({ at, rangeEnd: at + 22 + record.forwards })
    if (record.next === 0) return places
    at += 22 + record.next
  }
}

describe('a turned bit of a closed log', () => {
  it('is seen, whichever it is: only behind the end, in the rest of a shadow, lie bits that nothing covers', () => {
    const { closed } = aLog(LOG_BYTES, 10)
    const end = endOf(closed)

    const unseen = unseenBits(closed)

    expect(end % SECTOR).toBe(0)
    const places = [...new Set(unseen.map((bit) => bit >>> 3))]
    expect(Math.min(...places, Number.POSITIVE_INFINITY)).toBeGreaterThanOrEqual(end)
    expect(Math.max(...places, 0)).toBeLessThan(end + SECTOR)
  })

  it('is seen in every part of a log of 1 MiB', () => {
    const { closed } = aLog(WHOLE_LOG_BYTES, 1500)
    const end = endOf(closed)
    const checksums = checksumsOf(closed)
    expect(checksums.length).toBeGreaterThan(100)
    expect(end).toBeGreaterThan(WHOLE_LOG_BYTES / 4)
    const aByte = (lo: number, hi: number): fc.Arbitrary<number> => fc.integer({ min: lo, max: hi - 1 })
    const parts = fc.oneof(
      aByte(0, 700), // the fields of the header
      aByte(700, LOG_HEADER_BYTES), // its attach list, and nothing
      fc.constantFrom(...checksums).chain(({ at }) => aByte(at, at + 22)),
      fc.constantFrom(...checksums).chain(({ at, rangeEnd }) => aByte(at - (at % SECTOR), rangeEnd)),
      aByte(LOG_HEADER_BYTES, end),
      aByte(end - SECTOR, end),
      aByte(end + SECTOR, WHOLE_LOG_BYTES), // the fill pattern
      aByte(WHOLE_LOG_BYTES - SECTOR, WHOLE_LOG_BYTES),
    )

    fc.assert(
      fc.property(parts, fc.nat(7), (at, bit) => {
        turn(closed, at * 8 + bit)
        const { verdict } = verifyLog(closed)
        turn(closed, at * 8 + bit)
        expect(verdict).toBe('rejected')
      }),
      { numRuns: 800 },
    )
  })

  it('that a start needs ends it, and is never redone', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (log, bit) => {
        const disk = new ModelStoreDisk()
        const rig = startRig(disk)
        commitSome(rig, 60)
        const before = rig.values(PAGES)
        const { minRequired } = rig.store.header.required
        const closed = disk.scan().closed.filter((generation) => generation >= minRequired)
        const bytes = disk.closedLog(closed[log % closed.length] ?? asGeneration(1))
        const end = endOf(bytes)
        disk.crash('kill', () => 0)
        turn(bytes, bit % (bytes.byteLength * 8))

        const outcome = recover(disk)

        const isLive = (bit % (bytes.byteLength * 8)) / 8 < end
        expect(outcome.outcome === 'refused' || !isLive).toBe(true)
        if (outcome.outcome === 'refused') expect(outcome.fault.error).toBeLessThan(0)
        else expect(startRig(disk).values(PAGES)).toEqual(before)
      }),
      { numRuns: 60 },
    )
  })
})

describe('a turned bit of an open log', () => {
  it('is mended from the shadow, lies where nothing is, or is damage; no record is ever cut for it', () => {
    const { open } = aLog(LOG_BYTES, 10)
    const read = readLogHeader(open)
    if (read.verdict !== 'read') throw new Error(read.rejection.detail)
    const { endByte } = findEndOfLog(openLogBytes(open), read.header)
    const states = new Map<string, number>()

    for (let bit = LOG_HEADER_BYTES * 8; bit < open.byteLength * 8; bit++) {
      const end = findEndOfLog(openLogBytes(withFlippedBit(open, bit)), read.header)
      states.set(end.state, (states.get(end.state) ?? 0) + 1)
      if (end.state !== 'corrupt' && end.endByte !== endByte) throw new Error(`bit ${bit} moves the end`)
      if (end.state === 'sound' && bit >>> 3 < endByte) throw new Error(`bit ${bit} of a record is not seen`)
    }

    expect([...states.keys()].sort()).toEqual(['corrupt', 'shadow', 'sound', 'torn'])
  })
})

describe('what the checksum of a log cannot see', () => {
  /** The hash that a log travels with. */
  let travels: (bytes: Uint8Array) => bigint
  const { closed } = aLog(LOG_BYTES, 10)
  const log = openLogBytes(closed)
  const inserted = longestData(log)

  beforeAll(async () => {
    const slab = await createSlab(xxhashWasmFile(), 1)
    const slot = slab.take()
    if (slot === null) throw new Error('a slab of one has one')
    travels = (bytes) => {
      slot.bytes.set(bytes)
      return slab.hash(slot, bytes.byteLength)
    }
  })

  it('is an even number of turned bits in one column of 32: the hash that it travels with does', () => {
    for (let distance = 4; distance <= 64; distance += 4) {
      const changed = withFlippedBit(withFlippedBit(closed, inserted * 8 + 3), (inserted + distance) * 8 + 3)

      expect(verifyLog(changed).verdict).toBe('sound')
      expect(travels(changed)).not.toBe(travels(closed))
    }
  })

  it('is the order of the words of a range: the hash that it travels with does', () => {
    const changed = closed.slice()
    changed.set(closed.subarray(inserted, inserted + 4), inserted + 8)
    changed.set(closed.subarray(inserted + 8, inserted + 12), inserted)

    expect(changed).not.toEqual(closed)
    expect(verifyLog(changed).verdict).toBe('sound')
    expect(travels(changed)).not.toBe(travels(closed))
  })

  it('is nothing in one column, and no burst of up to 32 bits', () => {
    fc.assert(
      fc.property(fc.nat(60 * 8), fc.integer({ min: 1, max: 0xffffffff }), (offset, burst) => {
        const changed = closed.slice()
        for (let bit = 0; bit < 32; bit++) if ((burst >>> bit) & 1) turn(changed, inserted * 8 + offset + bit)

        expect(verifyLog(changed).verdict).toBe('rejected')
      }),
    )
  })
})

/** Where the data of the longest insertion begins. */
function longestData(log: LogBytes): number {
  const read = readLogHeader(log.bytes)
  if (read.verdict !== 'read') throw new Error(read.rejection.detail)
  const cursor = openRecords(log, read.header, endOf(log.bytes))
  let longest = { at: 0, bytes: 0 }
  while (cursor.next())
    if (cursor.type === RECORD.insert && cursor.bytes > longest.bytes) longest = { at: cursor.at, bytes: cursor.bytes }
  // Behind the fixed part and the key, and in the middle of it, so that neighbours belong to it too.
  return longest.at + 54 + ((longest.bytes - 54) >> 2)
}

describe('what the checksum of a page cannot see', () => {
  const page = openLogBytes(new Uint8Array(PAGE_BYTES))
  for (let at = 0; at < PAGE_BYTES; at += 4) page.view.setUint32(at, Math.imul(at + 1, 0x9e3779b1), true)
  page.view.setUint32(36, 0x2002, true)
  sealPage(page, 0, { bytes: PAGE_BYTES, number: 5 })
  const turned = (...bits: readonly number[]): LogBytes => {
    const copy = openLogBytes(page.bytes.slice())
    for (const bit of bits) turn(copy.bytes, bit)
    return copy
  }
  const verdictOf = (copy: LogBytes) => verifyPage(copy, 0, { bytes: PAGE_BYTES, number: 5 })

  it('is three turned bits of which two lie in one column: it takes them for a fourth one, and corrects that', () => {
    const bits = [9000, 9000 + 32 * 5, 20_007]
    const wrong = verdictOf(turned(...bits))

    expect(wrong).toEqual({ verdict: 'correctable', bits: [9000 ^ (9000 + 32 * 5) ^ 20_007] })
    const corrected = turned(...bits)
    if (wrong.verdict === 'correctable') correctPage(corrected, 0, wrong.bits)
    expect(verdictOf(corrected).verdict).toBe('sound')
    expect(corrected.bytes).not.toEqual(page.bytes)
  })

  it('is four turned bits whose places cancel out, as the corners of a rectangle do', () => {
    const [a, b, c] = [9000, 9000 + 32, 9000 + 64 * 32]

    expect(verdictOf(turned(a, b, c, a ^ b ^ c)).verdict).toBe('sound')
    expect(verdictOf(turned(a, b, c, 9000 + 66 * 32)).verdict).toBe('bad')
  })

  it('is none of one bit, which it corrects, and none of two, which are bad', () => {
    const aBit = fc.integer({ min: 64, max: PAGE_BYTES * 8 - 1 }).filter((bit) => bit !== 36 * 8 + 13)
    fc.assert(
      fc.property(aBit, aBit, (first, second) => {
        expect(verdictOf(turned(first))).toEqual({ verdict: 'correctable', bits: [first] })
        expect(verdictOf(turned(first, second)).verdict).toBe(first === second ? 'sound' : 'bad')
      }),
    )
  })
})
