// Goal: what one fact changes at the source and what it must leave alone: enrolment, marks, deletions, what is announced.
// Method: single steps of the source; each line was written against a mutant that the stories let live.
import { describe, expect, it } from 'vitest'
import type { Announcement, ClosedLogs, EnrolledCopy, SourceFact } from '../../../engine/fact.ts'
import { asGeneration, NO_GENERATION } from '../../../engine/generation.ts'
import type { SourceOrder } from '../../../engine/order.ts'
import { stepSource } from '../../../engine/source/source-instance.ts'
import { type SourceState, startSource } from '../../../engine/source/source-state.ts'
import { aSource, aSourceCopy, REPORT } from './build.ts'

const NOTHING: ClosedLogs = {
  lowest: NO_GENERATION,
  closedThrough: NO_GENERATION,
  generated: NO_GENERATION,
  logTimeMs: 0,
}

function unstarted(): SourceState {
  return startSource('SG1', { copiesExpected: 1, passiveGate: 'inspected' })
}

function started(change: Partial<Extract<SourceFact, { kind: 'share-started' }>> = {}): SourceFact {
  return {
    kind: 'share-started',
    nowMs: 0,
    enrolled: [],
    disabled: [],
    mark: null,
    truncatedBelow: NO_GENERATION,
    stream: 0,
    ...change,
  }
}

function scanned(lowest: number, generated: number, change: Partial<ClosedLogs & { nowMs: number }> = {}): SourceFact {
  const { nowMs, ...closed } = { nowMs: 10, ...change }
  return {
    kind: 'directory-scanned',
    nowMs,
    closed: {
      lowest: asGeneration(lowest),
      closedThrough: asGeneration(generated),
      generated: asGeneration(generated),
      logTimeMs: generated * 1_000,
      ...closed,
    },
  }
}

function enrolled(copyId: string, label = `${copyId}:/store`): SourceFact {
  return { kind: 'copy-enrolled', nowMs: 20, copy: { copyId, label } }
}

function backedUp(through: number): SourceFact {
  return { kind: 'backup-completed', nowMs: 30, through: asGeneration(through), requestId: 7 }
}

function deleted(first: number, last: number): SourceFact {
  return {
    kind: 'logs-deleted',
    nowMs: 40,
    range: { first: asGeneration(first), last: asGeneration(last) },
    alreadyMissing: 0,
  }
}

function play(state: SourceState, ...facts: readonly SourceFact[]): SourceState {
  return facts.reduce((now, fact) => stepSource(now, fact)[0], state)
}

function ordersOf(state: SourceState, fact: SourceFact): readonly SourceOrder[] {
  return stepSource(state, fact)[1]
}

function kindsOf(state: SourceState, fact: SourceFact): readonly string[] {
  return ordersOf(state, fact).map((order) => (order.kind === 'raise-event' ? `event ${order.id}` : order.kind))
}

/** What was announced last. */
function announcementOf(state: SourceState): Announcement | null {
  return state.announced
}

describe('a start', () => {
  it('happens once', () => {
    expect(() => play(unstarted(), started(), started())).toThrow('a source starts once')
  })

  it('comes before anything is announced', () => {
    expect(ordersOf(unstarted(), scanned(1, 5))).toEqual([])
    expect(kindsOf(unstarted(), started())).toEqual(['announce'])
  })

  it('knows its copies by order of their identifiers, and none of them is connected', () => {
    const copies: readonly EnrolledCopy[] = ['c2', 'c3', 'c1'].map((copyId) => ({ copyId, label: copyId }))

    expect(play(unstarted(), started({ enrolled: copies })).copies).toMatchObject([
      { copyId: 'c1', connected: false, report: null, lastReportMs: 0 },
      { copyId: 'c2', connected: false, report: null, lastReportMs: 0 },
      { copyId: 'c3', connected: false, report: null, lastReportMs: 0 },
    ])
  })
})

describe('a source that took its role over from another node', () => {
  const takenOver = { after: asGeneration(5), shares: [{ stream: 0, through: asGeneration(5) }] }
  const source = play(unstarted(), started({ stream: 1, takenOver }), scanned(1, 5))

  it('says since which log, and what it shares', () => {
    expect(source.announced).toMatchObject({ stream: 1, takenOver })
  })

  it('says so no more when its logs were restored', () => {
    const closed = { lowest: asGeneration(1), closedThrough: asGeneration(3), generated: asGeneration(3), logTimeMs: 0 }
    const restored = play(source, {
      kind: 'stream-restored',
      nowMs: 9,
      closed,
      truncatedBelow: NO_GENERATION,
      mark: null,
    })

    expect(restored.announced).toMatchObject({ stream: 2 })
    expect(restored.announced).not.toHaveProperty('takenOver')
  })
})

describe('a copy that introduces itself', () => {
  it('is enrolled, told as event 9003, and accepted', () => {
    const source = play(aSource([]), enrolled('c2'), enrolled('c3'), enrolled('c1'))

    expect(kindsOf(aSource([]), enrolled('c1'))).toEqual(['record-enrolment', 'event 9003', 'accept-copy', 'announce'])
    expect(source.copies).toMatchObject([
      { copyId: 'c1', connected: true, report: null, lastReportMs: 0 },
      { copyId: 'c2' },
      { copyId: 'c3' },
    ])
  })

  it('again is connected, and nothing is recorded', () => {
    const source = play(aSource([aSourceCopy({ connected: false })]), { kind: 'time-passed', nowMs: 10 })

    expect(kindsOf(source, enrolled('c1', 'node2:/store'))).toEqual(['accept-copy'])
    expect(play(source, enrolled('c1', 'node2:/store')).copies).toEqual([aSourceCopy()])
  })

  it('under another label is recorded anew without an event, and keeps what it reported', () => {
    const source = play(aSource([aSourceCopy({ connected: false })]), { kind: 'time-passed', nowMs: 10 })

    expect(kindsOf(source, enrolled('c1', 'node3:/store'))).toEqual(['record-enrolment', 'accept-copy'])
    expect(play(source, enrolled('c1', 'node3:/store')).copies).toEqual([aSourceCopy({ label: 'node3:/store' })])
  })

  it('as the 65th is turned away; one of the 64 may come under another label', () => {
    const copies = Array.from({ length: 64 }, (_, index) => aSourceCopy({ copyId: `c${100 + index}` }))
    const full = play(aSource(copies), { kind: 'time-passed', nowMs: 10 })
    const almost = play(aSource(copies.slice(1)), { kind: 'time-passed', nowMs: 10 })

    expect(ordersOf(full, enrolled('c1'))).toEqual([
      { kind: 'refuse-copy', copyId: 'c1', message: 'SG1 has 64 copies already, which is the limit' },
    ])
    expect(kindsOf(almost, enrolled('c1'))).toContain('accept-copy')
    expect(kindsOf(full, enrolled('c100'))).toEqual(['record-enrolment', 'accept-copy'])
  })

  it('after it was disabled is turned away', () => {
    const source = play(aSource([aSourceCopy()]), { kind: 'copy-disabled', nowMs: 10, copyId: 'c1', requestId: 7 })

    expect(ordersOf(source, enrolled('c1'))).toEqual([
      { kind: 'refuse-copy', copyId: 'c1', message: 'copy c1 was disabled at the source of SG1' },
    ])
  })
})

describe('the time of the newest log', () => {
  it.each([
    ['is that of the log that is closed', [scanned(1, 5)], 5_000],
    ['is that of a later one', [scanned(1, 5), scanned(1, 6)], 6_000],
    ['stays when the newest logs vanish', [scanned(1, 5), scanned(1, 3)], 5_000],
    ['stays when all logs vanish', [scanned(1, 5), { ...scanned(1, 5), closed: NOTHING } as SourceFact], 5_000],
    ['is mended by a scan that knows it better', [scanned(1, 5, { logTimeMs: 0 }), scanned(1, 5)], 5_000],
  ])('%s', (_, scans, logTimeMs) => {
    expect(play(unstarted(), started(), ...scans).logTimeMs).toBe(logTimeMs)
  })
})

describe('a backup', () => {
  const source = play(aSource([aSourceCopy()]), { kind: 'time-passed', nowMs: 10 })

  it('through a log that is not closed is refused', () => {
    const hint = 'Name a generation that is closed; the open log is never part of a backup of logs.'
    const refusal = (message: string): unknown => [
      { kind: 'answer-operator', requestId: 7, remark: '', refusal: { code: 'STATE_REFUSED', message, hint } },
    ]

    expect(ordersOf(source, backedUp(11))).toEqual(
      refusal('SG1 cannot be backed up through log 11: the newest closed log is 10'),
    )
    expect(ordersOf(play(unstarted(), started()), backedUp(1))).toEqual(
      refusal('SG1 cannot be backed up through log 1: no log is closed yet'),
    )
  })

  it('is recorded and answered; that nothing can go is told as event 225, but not while logs are going', () => {
    const held = { ...source, truncating: null, copies: [], mark: null }
    const answer = { kind: 'answer-operator', requestId: 7, refusal: null, remark: '' }

    expect(source.truncating).not.toBeNull()
    expect(ordersOf(source, backedUp(10))).toEqual([
      { kind: 'record-mark', mark: { through: 10, atMs: 30 } },
      { kind: 'raise-event', id: 9005, values: ['0000000A'] },
      answer,
    ])
    expect(kindsOf(held, backedUp(10))).toEqual(['record-mark', 'event 9005', 'event 225', 'answer-operator'])
  })
})

describe('a deletion that is over', () => {
  const deleting = play(aSource([aSourceCopy()]), { kind: 'time-passed', nowMs: 10 })

  it('moves the lower edge up at once', () => {
    expect(announcementOf(play(deleting, deleted(1, 7)))).toMatchObject({ lowest: 8, closedThrough: 10, generated: 10 })
  })

  it('leaves what comes after the contiguous run to the next scan', () => {
    expect(announcementOf(play(deleting, deleted(1, 10)))).toMatchObject({ lowest: 0, closedThrough: 0, generated: 10 })
    expect(play(deleting, deleted(1, 10)).closed).toEqual(NOTHING)
  })

  it('does not bring back what a scan has missed meanwhile', () => {
    expect(announcementOf(play(deleting, scanned(9, 10), deleted(1, 7)))).toMatchObject({
      lowest: 9,
      closedThrough: 10,
    })
  })

  it('says nothing of a directory that was lost meanwhile', () => {
    const lost = play(deleting, {
      kind: 'directory-lost',
      nowMs: 15,
      fault: { code: 'DIRECTORY_MISSING', message: 'gone' },
    })

    expect(announcementOf(play(lost, deleted(1, 7)))).toMatchObject({ lowest: 0, closedThrough: 0, generated: 10 })
  })
})

describe('the operator who disables a copy', () => {
  it('is answered without a remark', () => {
    const orders = ordersOf(aSource([aSourceCopy()]), { kind: 'copy-disabled', nowMs: 10, copyId: 'c1', requestId: 7 })

    expect(orders).toContainEqual({ kind: 'answer-operator', requestId: 7, refusal: null, remark: '' })
  })
})

describe('a source whose logs were restored', () => {
  const closed = { lowest: asGeneration(1), closedThrough: asGeneration(4), generated: asGeneration(4), logTimeMs: 4 }
  const restored = { kind: 'stream-restored', nowMs: 50, closed, truncatedBelow: NO_GENERATION, mark: null } as const

  it('forgets what was known of the logs before, durably, and announces another stream', () => {
    const [state, orders] = stepSource(aSource([aSourceCopy()]), restored)

    expect(state).toMatchObject({ stream: 1, generated: 4, truncatedBelow: 0, mark: null, gap: null })
    expect(orders.map(({ kind }) => kind)).toEqual(['record-restore', 'raise-event', 'announce'])
    expect(orders.at(-1)).toMatchObject({ announcement: { stream: 1, generated: 4, closedThrough: 4 } })
  })

  it('lets nothing go on the word of a copy that has not looked since, and goes on when it has', () => {
    const copy = aSourceCopy()
    const [state] = stepSource(aSource([copy]), restored)
    const [marked, before] = stepSource(state, {
      kind: 'backup-completed',
      nowMs: 60,
      through: asGeneration(4),
      requestId: 1,
    })
    const report = { ...REPORT, inspected: asGeneration(4), stream: 1 }
    const [, after] = stepSource(marked, { kind: 'copy-reported', nowMs: 70, copyId: copy.copyId, report })

    expect(before.some(({ kind }) => kind === 'truncate-logs')).toBe(false)
    expect(after).toContainEqual({ kind: 'truncate-logs', range: { first: 1, last: 4 } })
  })

  it('knows nothing of what the new database of the active needs', () => {
    const [state] = stepSource({ ...aSource([], { active: 'mailbox' }), activeRequired: asGeneration(3) }, restored)

    expect(state.activeRequired).toBe(0)
  })
})
