// Goal: recovery gives up no log that a database relies on, and no log at all that nobody accepted to lose.
// Method: streams of eight logs with one fault each, over the three parts of the range that a header knows; random ones.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EndOfLog } from '../../../engine/database/end-of-log.ts'
import type { RequiredRange } from '../../../engine/database/lost-log-resilience.ts'
import { planRecovery, type RecoveryEvidence, type RecoveryPlan } from '../../../engine/database/recovery-plan.ts'
import { asGeneration } from '../../../engine/generation.ts'
import type { RejectionReason } from '../../../engine/log-identity.ts'

/** Required are 3 to 5, committed are up to 7; the open log is 8. */
const RANGE: RequiredRange = {
  minRequired: asGeneration(3),
  maxRequired: asGeneration(5),
  maxCommitted: asGeneration(7),
  committedCreateTime: 'time of 7',
}

const NOTHING = {
  minRequired: 0,
  maxRequired: 0,
  maxCommitted: 0,
  committedCreateTime: '',
} as unknown as RequiredRange // no range

interface StreamPlan {
  readonly from?: number
  readonly missing?: readonly number[]
  readonly rejected?: Readonly<Record<number, RejectionReason>>
  /** The state of the open log's end; null where there is no open log. */
  readonly open?: EndOfLog['state'] | null
  readonly openGeneration?: number
  readonly prepared?: boolean
  readonly ignoreLostLogs?: boolean
  readonly range?: Partial<RequiredRange>
}

function aStream(plan: StreamPlan = {}): RecoveryEvidence {
  const openGeneration = plan.openGeneration ?? 8
  const log = (generation: number) => {
    const reason = plan.rejected?.[generation]
    return {
      generation: asGeneration(generation),
      createTime: `time of ${generation}`,
      rejection: reason === undefined ? null : { reason, detail: `log ${generation} is ${reason}` },
    }
  }
  const closed = []
  for (let generation = plan.from ?? 3; generation < openGeneration; generation++)
    if (!(plan.missing ?? []).includes(generation)) closed.push(log(generation))
  const state = plan.open === undefined ? 'sound' : plan.open
  return {
    range: { ...RANGE, ...plan.range },
    closed,
    open: state === null ? null : { ...log(openGeneration), end: { state, detail: 'its end' } },
    hasPreparedLog: plan.prepared ?? true,
    ignoreLostLogs: plan.ignoreLostLogs ?? false,
  }
}

/** A plan in one line. */
function told(plan: RecoveryPlan): string {
  if (plan.plan === 'refuse') return `refuse ${plan.error} at ${plan.generation}`
  const discard = plan.discardFrom === null ? '' : ` discard ${plan.discardFrom}`
  const lost = plan.mount.verdict === 'lossy' ? ` lost ${plan.mount.lost.first}-${plan.mount.lost.last}` : ''
  return `through ${plan.through} ${plan.open}${discard}${lost}${plan.warning === null ? '' : ` (${plan.warning})`}`
}

const plan = (stream: StreamPlan): string => told(planRecovery(aStream(stream)))

describe('the open log', () => {
  test.each([
    ['goes on when it is whole', 'sound', 'through 8 continue'],
    ['is taken from its shadow', 'shadow', 'through 8 take-shadow'],
    ['is cut where a crash tore it', 'torn', 'through 8 cut'],
  ] as const)('%s', (_, open, expected) => {
    expect(plan({ open })).toBe(expected)
  })

  test('is given up when it is damaged, if somebody accepts that', () => {
    expect(plan({ open: 'corrupt' })).toBe('refuse -501 at 8')
    expect(plan({ open: 'corrupt', ignoreLostLogs: true })).toBe('through 7 create discard 8 (587)')
  })

  test('that is damaged and committed is lost with all that was in it', () => {
    const stream = { open: 'corrupt', openGeneration: 7 } as const

    expect(plan(stream)).toBe('refuse -586 at 7')
    expect(plan({ ...stream, ignoreLostLogs: true })).toBe('through 6 create discard 7 lost 7-7 (587)')
  })

  test('that is damaged and required is fatal', () => {
    const stream = { open: 'corrupt', openGeneration: 5 } as const

    expect(plan(stream)).toBe('refuse -501 at 5')
    expect(plan({ ...stream, ignoreLostLogs: true })).toBe('refuse -501 at 5')
  })

  test('is created anew where a crash between two renames took it', () => {
    expect(plan({ open: null, prepared: true })).toBe('through 7 create')
  })

  test('is missed where nothing explains that it is not there', () => {
    const stream = { open: null, prepared: false, range: NOTHING } as const

    expect(plan(stream)).toBe('refuse -528 at 8')
    expect(plan({ ...stream, ignoreLostLogs: true })).toBe('through 7 create')
  })

  test('is not missed by a database that knows of no log behind the last one, as one that was restored', () => {
    expect(plan({ open: null, prepared: false })).toBe('through 7 create')
    expect(plan({ open: null, prepared: false, openGeneration: 7 })).toBe('refuse -528 at 7')
  })

  test('of another history does not go on', () => {
    expect(plan({ rejected: { 8: 'gap' } })).toBe('refuse -515 at 8')
    expect(plan({ rejected: { 8: 'bad-signature' }, ignoreLostLogs: true })).toBe('through 7 create discard 8 (587)')
  })
})

describe('a closed log', () => {
  test.each([
    ['damaged', 'corrupt-checksum', -501],
    ['of another stream', 'bad-signature', -530],
    ['that does not continue the one before', 'gap', -515],
    ['under a wrong name', 'generation-mismatch', -513],
  ] as const)('%s is fatal while the database relies on it', (_, reason, error) => {
    for (const ignoreLostLogs of [false, true]) {
      expect(plan({ rejected: { 4: reason }, ignoreLostLogs })).toBe(`refuse ${error} at 4`)
      expect(plan({ rejected: { 5: reason }, ignoreLostLogs })).toBe(`refuse ${error} at 5`)
    }
  })

  test.each([
    ['damaged', 'corrupt-checksum', -586],
    ['of another stream', 'bad-signature', -582],
    ['that does not continue the one before', 'gap', -582],
  ] as const)('%s can be given up while it is only committed', (_, reason, error) => {
    expect(plan({ rejected: { 6: reason } })).toBe(`refuse ${error} at 6`)
    expect(plan({ rejected: { 6: reason }, ignoreLostLogs: true })).toBe('through 5 create discard 6 lost 6-7 (587)')
  })

  test('that is missing ends the stream before it', () => {
    expect(plan({ missing: [4] })).toBe('refuse -528 at 4')
    expect(plan({ missing: [4], ignoreLostLogs: true })).toBe('refuse -528 at 4')
    expect(plan({ missing: [6] })).toBe('refuse -582 at 6')
    expect(plan({ missing: [6], ignoreLostLogs: true })).toBe('through 5 create discard 6 lost 6-7 (587)')
    expect(plan({ missing: [7] })).toBe('refuse -582 at 7')
  })

  test('that the database needs first may not be missing', () => {
    expect(plan({ from: 4 })).toBe('refuse -543 at 3')
    expect(plan({ from: 4, ignoreLostLogs: true })).toBe('refuse -543 at 3')
    expect(plan({ from: 1 })).toBe('through 8 continue')
  })

  test('that is the newest of all may be older than what the database knows of', () => {
    expect(plan({ open: null, openGeneration: 7 })).toBe('refuse -582 at 7')
    expect(plan({ open: null, openGeneration: 7, ignoreLostLogs: true })).toBe('through 6 create lost 7-7 (585)')
    expect(plan({ open: null, openGeneration: 5, ignoreLostLogs: true })).toBe('refuse -543 at 5')
  })

  test('with the number that the header knows, but another creation time, is of another history', () => {
    const range = { maxRequired: asGeneration(7), committedCreateTime: 'another time' }

    expect(plan({ range })).toBe('refuse -515 at 7')
    expect(plan({ range: { committedCreateTime: 'another time' } })).toBe('through 8 continue')
  })
})

describe('a database', () => {
  test('that was shut down in order needs no log, but its stream must be whole', () => {
    expect(plan({ range: NOTHING })).toBe('through 8 continue')
    expect(plan({ range: NOTHING, rejected: { 4: 'corrupt-checksum' } })).toBe('refuse -501 at 4')
    expect(told(planRecovery({ ...aStream({ range: NOTHING, open: null }), closed: [] }))).toBe('through 0 create')
  })

  test('whose logs are all gone cannot be recovered', () => {
    expect(told(planRecovery({ ...aStream({ open: null, ignoreLostLogs: true }), closed: [] }))).toBe(
      'refuse -543 at 3',
    )
  })
})

describe('every plan', () => {
  const anyStream: fc.Arbitrary<StreamPlan> = fc.record({
    from: fc.integer({ min: 1, max: 4 }),
    missing: fc.uniqueArray(fc.integer({ min: 3, max: 8 }), { maxLength: 2 }),
    rejected: fc.dictionary(fc.constantFrom('4', '5', '6', '7', '8'), fc.constantFrom('gap', 'corrupt-checksum'), {
      maxKeys: 2,
    }),
    open: fc.constantFrom('sound', 'shadow', 'torn', 'corrupt', null),
    openGeneration: fc.integer({ min: 3, max: 10 }),
    prepared: fc.boolean(),
    ignoreLostLogs: fc.boolean(),
  })

  test('replays at least what is required, and gives up nothing that nobody accepted', () => {
    fc.assert(
      fc.property(anyStream, (stream) => {
        const made = planRecovery(aStream(stream))
        if (made.plan === 'refuse') return
        expect(made.through).toBeGreaterThanOrEqual(RANGE.maxRequired)
        if (stream.ignoreLostLogs === true) return
        expect(made).toMatchObject({ discardFrom: null, warning: null, mount: { verdict: 'complete' } })
        expect(made.through).toBeGreaterThanOrEqual(RANGE.maxCommitted)
      }),
      { numRuns: 1000 },
    )
  })

  test('that accepts losses recovers whatever one that accepts none does, and no less of it', () => {
    fc.assert(
      fc.property(anyStream, (stream) => {
        const strict = planRecovery(aStream({ ...stream, ignoreLostLogs: false }))
        if (strict.plan === 'recover')
          expect(planRecovery(aStream({ ...stream, ignoreLostLogs: true }))).toEqual(strict)
      }),
      { numRuns: 1000 },
    )
  })
})
