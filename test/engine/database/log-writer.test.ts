// Goal: a composed log is a real closed log of Exchange 2007's format, whatever its size, sectors, seed and place.
// Method: every plan is verified with its walk; layout facts are read from the bytes by hand.

import { deflateSync } from 'node:zlib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AssertionError } from '../../../engine/assert.ts'
import { openLogBytes } from '../../../engine/database/log-bytes.ts'
import { checkContinuation } from '../../../engine/database/log-chain.ts'
import { type SoundLog, verifyLog } from '../../../engine/database/log-file.ts'
import { walkRecords } from '../../../engine/database/log-record.ts'
import { shapeOfRecord } from '../../../engine/database/log-record-table.ts'
import { beginStream, nextInStream } from '../../../engine/database/log-stream.ts'
import { logTimeAt } from '../../../engine/database/log-time.ts'
import { composeLog } from '../../../engine/database/log-writer.ts'
import { aLog, MOMENT_MS, place, SIGNATURE } from './build.ts'

function sound(log: Uint8Array): SoundLog {
  const verdict = verifyLog(log, { walk: true })
  if (verdict.verdict === 'rejected') throw new Error(verdict.rejection.detail)
  return verdict
}

function recordsOf(log: Uint8Array): string[] {
  const { header, endByte } = sound(log)
  const names: string[] = []
  const visit = ({ type }: { type: number }): void => void names.push(shapeOfRecord(type)?.name ?? '?')
  walkRecords(openLogBytes(log), header, { endByte, visit })
  return names
}

describe('a composed log', () => {
  test('is sound with its walk for every plan', () => {
    const anyPlan = fc.record({
      seed: fc.integer(),
      sectorBytes: fc.constantFrom(512, 1024, 2048, 4096),
      sizeBytes: fc.constantFrom(32_768, 65_536, 131_072),
      usedBytes: fc.nat(140_000),
      update: fc.nat(17),
      generation: fc.constantFrom(1, 2, 9),
    })

    fc.assert(
      fc.property(anyPlan, ({ generation, ...plan }) => {
        const used = { ...plan, usedBytes: Math.max(plan.usedBytes, 14_000) }
        const { header } = sound(composeLog({ ...place(generation), ...used }))
        expect(header).toMatchObject({ generation, sectorBytes: plan.sectorBytes, version: { update: plan.update } })
      }),
      { numRuns: 150 },
    )
  })

  test('is 1 MiB of 512-byte sectors in format 7,3704,10 with pages of 8 KiB when nothing else is said', () => {
    const { header } = sound(composeLog({ ...place(1), seed: 1 }))

    expect(header).toMatchObject({ sectorBytes: 512, headerSectors: 8, fileSectors: 2048, pageBytes: 8192 })
    expect(header.version).toEqual({ major: 7, minor: 3704, update: 10, updateMinor: 0 })
  })

  test('keeps its last sector as it was before use', () => {
    const log = aLog(2)
    const pattern = Uint8Array.from({ length: 512 }, (_, k) => (k % 16 === 0 ? (0xda + k) & 0xff : 0xda))

    expect(log.subarray(-512)).toEqual(pattern)
    expect(log.subarray(-1024, -512)).not.toEqual(pattern)
  })

  test('rolled before it is full keeps the pattern from there on', () => {
    const { endByte } = sound(aLog(2, { usedBytes: 20_000 }))

    expect(endByte).toBe(20_480)
  })

  test('begins a stream with Init2 and the database, and any later log with a trace', () => {
    const database = { path: 'D:\\Mailbox Database.edb', signature: SIGNATURE }
    const first = aLog(1, { database })
    const second = aLog(2, { database })

    expect(recordsOf(first).slice(0, 5)).toEqual(['Checksum', 'Init2', 'CreateDB', 'Begin0', 'Begin'])
    expect(recordsOf(second).slice(0, 4)).toEqual(['Checksum', 'Trace', 'Begin0', 'Begin'])
    expect(sound(first).header.attachments).toEqual([])
    expect(sound(second).header.attachments).toMatchObject([{ databaseId: 1, path: database.path, unicode: true }])
  })

  test('holds whole transactions', () => {
    const count = new Map<string, number>()
    for (const name of recordsOf(aLog(2))) count.set(name, (count.get(name) ?? 0) + 1)

    expect(count.get('Begin0')).toBe(count.get('Commit0'))
    expect(count.get('Begin')).toBe(count.get('Commit'))
    expect(count.get('Insert')).toBe(count.get('Begin'))
    expect(count.get('Checksum')).toBeGreaterThan(3)
  })

  test('has one content per seed, and hardly any that compresses', () => {
    const log = composeLog({ ...place(2), seed: 9 })

    expect(Buffer.compare(composeLog({ ...place(2), seed: 9 }), log)).toBe(0)
    expect(Buffer.compare(composeLog({ ...place(2), seed: 10 }), log)).not.toBe(0)
    expect(deflateSync(log).length).toBeGreaterThan(0.9 * log.length)
  })

  test('is the same in memory that held another log', () => {
    const target = new Uint8Array(65_536).fill(0x77)
    const composed = composeLog({ ...place(3), seed: 3, target })
    expect(composed).toBe(target)
    expect(target).toEqual(aLog(3))

    composeLog({ ...place(4), seed: 4, target, usedBytes: 30_000 })

    expect(target).toEqual(aLog(4, { usedBytes: 30_000 }))
  })

  test('is not made of a plan that no log can have', () => {
    expect(() => composeLog({ ...place(1), seed: 1, sizeBytes: 65_000 })).toThrow(AssertionError)
    expect(() => composeLog({ ...place(1), seed: 1, sizeBytes: 64 * 2 ** 20 })).toThrow(AssertionError)
    expect(() => composeLog({ ...place(1), seed: 1, sizeBytes: 4096 })).toThrow(AssertionError)
    expect(() => composeLog({ ...place(1), seed: 1, target: new Uint8Array(65_540).subarray(2, 65_538) })).toThrow(
      AssertionError,
    )
  })
})

describe('a stream', () => {
  test('is continued by the value that made a log as by its header read back', () => {
    let stream = beginStream(SIGNATURE)
    let previous = sound(composeLog({ ...stream, seed: 0, sizeBytes: 65_536 }))
    for (let generation = 2; generation <= 6; generation++) {
      const createTime = logTimeAt(MOMENT_MS + generation * 700)
      expect(nextInStream(previous.header, createTime)).toEqual(nextInStream(stream, createTime))
      stream = nextInStream(stream, createTime)
      const next = sound(composeLog({ ...stream, seed: generation, sizeBytes: 65_536 }))
      expect(checkContinuation(previous.identity, next.identity)).toBeNull()
      previous = next
    }
  })
})
