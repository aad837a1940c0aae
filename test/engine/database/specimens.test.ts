// Goal: logs that real ESE wrote are accepted, walked to their end, and damage to them is found.
// Method: two real streams on 512 and 4,096 byte sectors, read beside the checkout; skipped where they are absent.

import { gunzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { endOfPattern } from '../../../engine/database/fill-pattern.ts'
import { verifyBody } from '../../../engine/database/log-body.ts'
import { openLogBytes } from '../../../engine/database/log-bytes.ts'
import { checkContinuation } from '../../../engine/database/log-chain.ts'
import { type SoundLog, verifyLog } from '../../../engine/database/log-file.ts'
import { LOG_HEADER_BYTES, readLogHeader, writeLogHeader } from '../../../engine/database/log-header.ts'
import { asGeneration } from '../../../engine/generation.ts'
import { logNameParser } from '../../../engine/log-format.ts'
import { HAS_SPECIMENS, SPECIMEN_STREAMS, SPECIMENS_NOTE, sealHeader, specimen, withFlippedBit } from './build.ts'

const LOG_BYTES = 2 * 1024 * 1024

function sound(log: Uint8Array): SoundLog {
  const verdict = verifyLog(log, { walk: true, expectedBytes: LOG_BYTES })
  if (verdict.verdict === 'rejected') throw new Error(verdict.rejection.detail)
  return verdict
}

/** Whether a log still passes with one bit turned; turned and turned back in place, as two megabytes are long to copy. */
function soundWithFlipped(log: Uint8Array, bit: number): boolean {
  const at = bit >>> 3
  const before = log[at] ?? 0
  log[at] = before ^ (1 << (bit & 7))
  const { verdict } = verifyLog(log)
  log[at] = before
  return verdict === 'sound'
}

/** Where a body may change unseen: the slack of its last sector, and in the sector after it what the shadow does not cover. */
function exemptSlack(log: Uint8Array): (at: number) => boolean {
  const { header, endByte } = sound(log)
  const { sectorBytes } = header
  const view = new DataView(log.buffer)
  let last = LOG_HEADER_BYTES
  for (let next = view.getUint32(last + 9, true); next !== 0; next = view.getUint32(last + 9, true)) last += 22 + next
  const sectorEnd = Math.ceil(endByte / sectorBytes) * sectorBytes
  const shadowEnd = last + sectorBytes + 22 + view.getUint32(last + sectorBytes + 5, true)
  return (at) => (at >= endByte && at < sectorEnd) || (at >= shadowEnd && at < sectorEnd + sectorBytes)
}

describe.skipIf(!HAS_SPECIMENS)(`the real stream${SPECIMENS_NOTE} on a disk of`, () => {
  test.each(SPECIMEN_STREAMS)('$name is accepted, the closed log and the open one', ({ sectorBytes, first, open }) => {
    const closed = sound(specimen(first))
    const current = sound(specimen(open))

    expect(closed.header).toMatchObject({ generation: 1, sectorBytes, pageBytes: 8192, attachments: [] })
    expect(closed.header.version).toMatchObject({ major: 7, minor: 3704, update: 15 })
    expect(current.header.attachments).toMatchObject([
      { databaseId: 1, unicode: true, path: expect.stringMatching(/\\WindowsMail\.MSMessageStore$/) },
    ])
    expect(closed.records).toBeGreaterThan(100)
    expect(current.records).toBeGreaterThan(100)
    expect(checkContinuation(closed.identity, current.identity)).toBeNull()
    expect(verifyBody(openLogBytes(specimen(open)), current.header).state).toBe('sound')
  })

  test.each(SPECIMEN_STREAMS)('$name has a header that is written as it was read', ({ first, open }) => {
    for (const name of [first, open]) {
      const bytes = specimen(name).slice(0, LOG_HEADER_BYTES)
      const read = readLogHeader(bytes)
      if (read.verdict === 'rejected') throw new Error(read.rejection.detail)
      const written = new Uint8Array(LOG_HEADER_BYTES)
      writeLogHeader(written, read.header)

      expect(Buffer.compare(written, bytes)).toBe(0)
    }
  })

  test.each(SPECIMEN_STREAMS)('$name shows every single bit turned outside the exempt slack', ({ first, open }) => {
    for (const name of [first, open]) {
      const log = specimen(name)
      const { endByte, header } = sound(log)
      const exempt = exemptSlack(log)
      // Twice as far as the body reaches: there all of it is, and as much of the unwritten rest.
      const bits = (2 * endByte + 2 * header.sectorBytes - LOG_HEADER_BYTES) * 8
      const missed: number[] = []
      for (let index = 0; index < 2500; index++) {
        const bit = LOG_HEADER_BYTES * 8 + ((index * 7_368_787) % bits)
        if (!exempt(bit >>> 3) && soundWithFlipped(log, bit)) missed.push(bit)
      }
      expect(missed).toEqual([])
    }
  })

  test.each(SPECIMEN_STREAMS)('$name is refused with any single bit of its header turned', ({ open }) => {
    const header = specimen(open).slice(0, LOG_HEADER_BYTES)

    const missed: number[] = []
    for (let bit = 0; bit < LOG_HEADER_BYTES * 8; bit++) {
      if (readLogHeader(withFlippedBit(header, bit)).verdict === 'read') missed.push(bit)
    }

    expect(missed).toEqual([])
  })

  test.each(SPECIMEN_STREAMS)('$name is not sound under another generation', ({ open }) => {
    const log = specimen(open)
    new DataView(log.buffer).setInt32(4, 3, true)

    const verdict = verifyLog(sealHeader(log), { expectedGeneration: asGeneration(3) })

    expect(verdict).toMatchObject({ rejection: { reason: 'corrupt-checksum' } })
  })
})

describe.skipIf(!HAS_SPECIMENS)(`two real streams${SPECIMENS_NOTE}`, () => {
  test('do not continue each other', () => {
    const [a, b] = SPECIMEN_STREAMS

    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const closed = sound(specimen(from.first))
      const foreign = sound(specimen(to.open))
      expect(checkContinuation(closed.identity, foreign.identity)?.reason).toBe('bad-signature')
      const sameSignature = { ...foreign.identity, signature: closed.identity.signature }
      expect(checkContinuation(closed.identity, sameSignature)?.reason).toBe('gap')
    }
  })

  test('have names of five digits behind a base name of hexadecimal letters', () => {
    const parse = logNameParser({ kind: 'ese', baseName: 'edb' })

    expect(parse('edb00001.log')).toEqual({ generation: 1, stream: '' })
    expect(parse('edb.log')).toBeNull()
    expect(parse('edbres00001.jrs')).toBeNull()
  })

  test('keep a reserve log that is the fill pattern from end to end', () => {
    const reserve = new Uint8Array(gunzipSync(specimen('winmail-v7-512B/edbres00001.jrs.gz')))

    expect(endOfPattern(openLogBytes(reserve), 0, reserve.length)).toBe(reserve.length)
    expect(verifyLog(reserve)).toMatchObject({ rejection: { reason: 'corrupt-checksum' } })
  })
})
