// Goal: the auditor of the kill rounds and power cuts can be believed: it fires on every planted fault and on no legal state.
// Method: a source and a copy made of plain files, one change each, and the sentence that must (or must not) come of it.
import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Audit, auditStore } from '../../bench/soak/store-verifier.ts'

const LOGS = [1, 2, 3, 4, 5, 6].map((generation) => {
  const bytes = Buffer.alloc(8192, generation)
  return { generation, name: nameOf(generation), bytes, sha256: createHash('sha256').update(bytes).digest('hex') }
})

let root = ''

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ccr-verifier-'))
  mkdirSync(inSource('.ccr'), { recursive: true })
  mkdirSync(inCopy('inspector'), { recursive: true })
  mkdirSync(inCopy('IgnoredLogs/InspectionFailed'), { recursive: true })
})
afterEach(() => rmSync(root, { recursive: true }))

describe('legal states', () => {
  it('are a copy that holds exactly what it acknowledged', () => {
    place({ source: [1, 6], copy: [1, 4] })

    expect(auditStore(anAudit({ acknowledged: 4 }))).toEqual([])
  })

  it('are a copy that holds more than it could tell before it was killed', () => {
    place({ source: [1, 6], copy: [1, 6] })

    expect(auditStore(anAudit({ acknowledged: 3 }))).toEqual([])
  })

  it('are an arriving log, and the open log of the source', () => {
    place({ source: [1, 6], copy: [1, 3] })
    writeFileSync(inCopy('inspector/E0000000004.log.0a.tmp'), 'half')
    writeFileSync(inSource('E00.log'), 'open')
    writeFileSync(inSource('E00tmp.log'), 'next')

    expect(auditStore(anAudit({ acknowledged: 3 }))).toEqual([])
  })

  it('are both sides truncated through the mark, each a while after the other', () => {
    place({ source: [4, 6], copy: [3, 6] })

    expect(auditStore(anAudit({ acknowledged: 6, marked: 3 }))).toEqual([])
  })

  it('are a copy that is not there yet', () => {
    place({ source: [1, 6], copy: [1, 0] })
    rmSync(join(root, 'store'), { recursive: true })

    expect(auditStore(anAudit({ acknowledged: 0 }))).toEqual([])
  })
})

describe('faults', () => {
  it('are an acknowledged log that is missing', () => {
    place({ source: [1, 6], copy: [1, 3] })

    expect(auditStore(anAudit({ acknowledged: 4 }))).toEqual([
      'copy: 4 was acknowledged, but 3 is the highest log that is whole',
    ])
  })

  it.each([
    ['empty', Buffer.alloc(0)],
    ['short', Buffer.alloc(4096, 4)],
    ['of zeros', Buffer.alloc(8192)],
    ['changed in one bit', flipped()],
    ['another generation', Buffer.alloc(8192, 5)],
  ])('are an acknowledged log that is %s', (_what, bytes) => {
    place({ source: [1, 6], copy: [1, 4] })
    writeFileSync(inCopy(nameOf(4)), bytes)

    expect(auditStore(anAudit({ acknowledged: 4 }))).toContain(
      `copy: ${nameOf(4)} (${bytes.length} bytes) is not what was closed`,
    )
  })

  it('are a partial log that nobody has acknowledged, in the log directory', () => {
    place({ source: [1, 6], copy: [1, 3] })
    writeFileSync(inCopy(nameOf(4)), 'half')

    expect(auditStore(anAudit({ acknowledged: 3 }))).toEqual([`copy: ${nameOf(4)} (4 bytes) is not what was closed`])
  })

  it('are a temporary file in the log directory', () => {
    place({ source: [1, 6], copy: [1, 3] })
    writeFileSync(inCopy('E0000000004.log.0a.tmp'), 'half')

    expect(auditStore(anAudit({ acknowledged: 3 }))).toEqual([
      'copy: E0000000004.log.0a.tmp is no log that was ever closed',
    ])
  })

  it('are a gap', () => {
    place({ source: [1, 6], copy: [1, 5] })
    rmSync(inCopy(nameOf(3)))

    expect(auditStore(anAudit({ acknowledged: 2 }))).toEqual(['copy: 3 is missing between 1 and 5'])
  })

  it('are acknowledged logs that the copy has deleted without a mark', () => {
    place({ source: [1, 6], copy: [3, 6] })

    expect(auditStore(anAudit({ acknowledged: 6, marked: 1 }))).toEqual([
      'copy: 2 was acknowledged and is gone, and nobody has marked it as backed up',
    ])
  })

  it('are a source truncated beyond the mark', () => {
    place({ source: [4, 6], copy: [1, 6] })

    expect(auditStore(anAudit({ acknowledged: 6, marked: 2 }))).toEqual([
      'source: 3 was deleted, but only 2 was marked as backed up',
    ])
  })

  it('are a source truncated beyond what the copy holds', () => {
    place({ source: [5, 6], copy: [1, 3] })

    expect(auditStore(anAudit({ acknowledged: 3, marked: 4 }))).toEqual([
      'source: 4 was deleted, but the copy holds only 3',
    ])
  })

  it('are a source that deletes from the middle', () => {
    place({ source: [1, 6], copy: [1, 6] })
    rmSync(inSource(nameOf(2)))

    expect(auditStore(anAudit({ acknowledged: 6, marked: 6 }))).toEqual([
      'source: 1 is there, but 2 was deleted: not ascending',
    ])
  })

  it('are a changed log on the source', () => {
    place({ source: [1, 6], copy: [1, 6] })
    writeFileSync(inSource(nameOf(6)), flipped())

    expect(auditStore(anAudit({ acknowledged: 6 }))).toContain(
      `source: ${nameOf(6)} (8192 bytes) is not what was closed`,
    )
  })

  it('are leftovers once everything is at rest', () => {
    place({ source: [1, 6], copy: [1, 6] })
    writeFileSync(inCopy('inspector/E0000000004.log.0a.tmp'), 'half')
    writeFileSync(inCopy('IgnoredLogs/InspectionFailed/E0000000002.log'), 'bad')

    expect(auditStore({ ...anAudit({ acknowledged: 6 }), settled: true })).toEqual([
      'copy: inspector/E0000000004.log.0a.tmp is left over',
      'copy: IgnoredLogs/InspectionFailed/E0000000002.log is left over',
    ])
  })
})

function anAudit(known: { acknowledged: number; marked?: number }): Audit {
  return {
    truth: LOGS,
    acknowledged: known.acknowledged,
    marked: known.marked ?? 0,
    sourceDirectory: join(root, 'source'),
    store: join(root, 'store'),
    settled: false,
  }
}

function place(ranges: { source: readonly [number, number]; copy: readonly [number, number] }): void {
  for (const { generation, name, bytes } of LOGS) {
    const within = ([first, last]: readonly [number, number]): boolean => generation >= first && generation <= last
    if (within(ranges.source)) writeFileSync(inSource(name), bytes)
    if (within(ranges.copy)) writeFileSync(inCopy(name), bytes)
  }
}

function flipped(): Buffer {
  const bytes = Buffer.alloc(8192, 6)
  bytes.writeUInt8(bytes.readUInt8(5000) ^ 1, 5000)
  return bytes
}

function nameOf(generation: number): string {
  return `E00${String(generation).padStart(8, '0')}.log`
}

function inSource(name: string): string {
  return join(root, 'source', name)
}

function inCopy(name: string): string {
  return join(root, 'store/logs', name)
}
