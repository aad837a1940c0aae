// Goal: backups begin, are prepared and end as Exchange has it: what each grants, what is refused with which number, what a session pins.
// Method: facts by hand into the source's step, at the numbers of the scenarios that are told of the real system.
import { describe, expect, it } from 'vitest'
import type { BackupScope } from '../../../engine/database/backup-slot.ts'
import type { CopyReport, SourceFact } from '../../../engine/fact.ts'
import { asGeneration } from '../../../engine/generation.ts'
import type { SourceOrder } from '../../../engine/order.ts'
import { type BackupRequest, logsToRead } from '../../../engine/source/backup-session.ts'
import { stepSource } from '../../../engine/source/source-instance.ts'
import type { SourceState } from '../../../engine/source/source-state.ts'
import { aSource, aSourceCopy, REPORT } from './build.ts'

const NOW = 50_000

type Untimed<Fact> = Fact extends unknown ? Omit<Fact, 'nowMs'> : never

/** Plays facts one after the other; keeps the orders of all. */
class Play {
  state: SourceState
  readonly orders: SourceOrder[] = []
  nowMs = NOW

  constructor(state: SourceState) {
    this.state = state
  }

  tell(fact: Untimed<SourceFact>): this {
    const [state, orders] = stepSource(this.state, { ...fact, nowMs: this.nowMs } as SourceFact)
    this.state = state
    this.orders.push(...orders)
    return this
  }

  ask(request: BackupRequest): this {
    return this.tell({ kind: 'backup-asked', requestId: 1, request })
  }

  prepare(closed: number, checkpoint: number): this {
    const session = this.state.lastBackupId
    this.tell({ kind: 'backup-logs-wanted', requestId: 2, session })
    const found = { closed: asGeneration(closed), checkpoint: asGeneration(checkpoint) }
    return this.tell({ kind: 'backup-prepared', session, ...found })
  }

  end(outcome: 'completed' | 'aborted' = 'completed', logsRead = true): this {
    const session = this.state.lastBackupId
    return this.tell({ kind: 'backup-ended', requestId: 3, session, outcome, logsRead, reason: '' })
  }

  record(): this {
    return this.tell({ kind: 'backup-recorded', session: this.state.lastBackupId })
  }

  whole(request: BackupRequest, closed: number, checkpoint: number): this {
    return this.ask(request).prepare(closed, checkpoint).end().record()
  }

  get refusals(): readonly (number | undefined)[] {
    return this.orders.flatMap((order) =>
      order.kind === 'answer-operator' && order.refusal !== null ? [order.refusal.eseError] : [],
    )
  }

  get events(): readonly number[] {
    return this.orders.flatMap((order) => (order.kind === 'raise-event' ? [order.id] : []))
  }

  get truncated(): readonly string[] {
    return this.orders.flatMap((order) =>
      order.kind === 'truncate-logs' ? [`${order.range.first}-${order.range.last}`] : [],
    )
  }
}

function request(scope: BackupScope, method: 'streaming' | 'vss' = 'streaming'): BackupRequest {
  return { scope, method, surrogate: null }
}

function ofPassive(scope: BackupScope, [first, last]: readonly [number, number]): BackupRequest {
  const range = { first: asGeneration(first), last: asGeneration(last) }
  return { scope, method: 'vss', surrogate: { copyId: 'c1', range, required: range.first } }
}

/** An active with closed logs 1 to `closed`, whose copy has replayed through `replayed`, and needs the logs from `required` on. */
function active(closed: number, checkpoint: number, [replayed, required]: readonly [number, number]): SourceState {
  const report = {
    ...REPORT,
    inspected: asGeneration(replayed),
    replayed: asGeneration(replayed),
    requiredLow: asGeneration(required),
  }
  const state = aSource([aSourceCopy({ report })], { passiveGate: 'replayed', active: 'mailbox' })
  const generated = asGeneration(closed)
  return {
    ...state,
    closed: { lowest: asGeneration(1), closedThrough: generated, generated, logTimeMs: 0 },
    generated,
    mark: null,
    activeRequired: asGeneration(checkpoint),
  }
}

describe('what a backup lets go', () => {
  it('is what lies below the checkpoint, for a streaming full one of an active whose copy has everything', () => {
    const play = new Play(active(100, 81, [101, 102])).whole(request('full'), 101, 81)

    expect(play.truncated).toEqual(['1-80'])
    expect(play.state.backups.full).toMatchObject({ range: { first: 81, last: 101 }, method: 'streaming' })
    expect(play.events).toEqual([210, 223, 213, 224])
  })

  it('is less while a copy lags, and goes later without another backup', () => {
    const play = new Play(active(140, 121, [100, 101])).whole(request('full'), 141, 121)
    expect(play.truncated).toEqual(['1-100'])

    play.tell({ kind: 'logs-deleted', range: { first: asGeneration(1), last: asGeneration(100) }, alreadyMissing: 0 })
    play.nowMs += 2_000
    const report = {
      ...REPORT,
      inspected: asGeneration(141),
      replayed: asGeneration(141),
      requiredLow: asGeneration(142),
    }
    const closed = {
      lowest: asGeneration(101),
      closedThrough: asGeneration(141),
      generated: asGeneration(141),
      logTimeMs: 0,
    }
    play.tell({ kind: 'directory-scanned', closed }).tell({ kind: 'copy-reported', copyId: 'c1', report })

    expect(play.truncated).toEqual(['1-100', '101-120'])
  })

  it('is what the passive itself does not need, for a snapshot of a passive that lags', () => {
    const play = new Play(active(1040, 1021, [1000, 991]))
      .ask(ofPassive('full', [991, 1000]))
      .end()
      .record()

    expect(play.truncated).toEqual(['1-990'])
    expect(play.state.backups.full).toMatchObject({ surrogate: true, method: 'vss', range: { first: 991, last: 1000 } })
  })

  it('ends below the last closed log for a snapshot of the active, even where the checkpoint is above it', () => {
    const play = new Play(active(100, 200, [101, 102])).whole(request('full', 'vss'), 101, 200)

    expect(play.state.mark?.through).toBe(100)
  })

  it.each(['copy', 'differential'] as const)('is nothing for a %s backup', (scope) => {
    const play = new Play(active(100, 81, [100, 101])).whole(request('full'), 101, 41)
    const before = play.state.mark
    play.whole(request(scope), 102, 101)

    expect(play.state.mark).toBe(before)
    expect(play.state.backups[scope]).toMatchObject({ scope })
    expect(play.state.backups.full?.atMs).toBe(NOW)
  })

  it('is nothing when it was aborted, and then no slot changes', () => {
    const play = new Play(active(100, 81, [100, 101])).ask(request('full')).prepare(101, 81).end('aborted')

    expect([play.truncated, play.state.mark, play.state.backups.full, play.state.session]).toEqual([
      [],
      null,
      null,
      null,
    ])
    expect(play.events).toContain(214)
    expect(play.orders.map(({ kind }) => kind)).toContain('release-backup')
  })

  it('is nothing when not all logs were read: event 520, -616', () => {
    const play = new Play(active(100, 81, [100, 101])).ask(request('full')).prepare(101, 81).end('completed', false)

    expect([play.refusals, play.truncated]).toEqual([[-616], []])
    expect(play.events).toContain(520)
  })

  it('is nothing when the freeze timed out: event 2004, -2402', () => {
    const play = new Play(active(100, 81, [100, 101])).ask(request('full', 'vss')).prepare(101, 81)
    play.tell({ kind: 'backup-thawed', session: 1, frozenMs: 20_000, timedOut: true }).end()

    expect([play.refusals, play.state.mark, play.state.session]).toEqual([[-2402], null, null])
    expect(play.events).toEqual([2005, 1_002_001, 2004, 2007])
  })
})

describe('a backup is refused', () => {
  it('while another is under way: -505, and -617 while one of the passive is', () => {
    const play = new Play(active(100, 81, [100, 91])).ask(request('full')).ask(request('copy', 'vss'))
    expect(play.refusals).toEqual([-505])

    play
      .end('aborted')
      .ask(ofPassive('full', [91, 100]))
      .ask(request('full'))
    expect(play.refusals).toEqual([-505, -617])
  })

  it('when it builds on a full one that is not there, or was taken in the other way: event 206, -560', () => {
    const play = new Play(active(100, 81, [100, 101])).ask(request('incremental'))
    play.whole(request('full', 'vss'), 101, 81).ask(request('incremental')).ask(request('differential'))

    expect(play.refusals).toEqual([-560, -560, -560])
    expect(play.events.filter((id) => id === 206)).toHaveLength(3)
  })

  it('when logs are gone that no backup has: event 459, -569', () => {
    const play = new Play(active(100, 81, [100, 101])).whole(request('full'), 101, 81)
    const closed = {
      lowest: asGeneration(103),
      closedThrough: asGeneration(104),
      generated: asGeneration(104),
      logTimeMs: 0,
    }
    play.tell({ kind: 'directory-scanned', closed }).ask(request('incremental'))

    expect(play.refusals).toEqual([-569])
    expect(play.events).toContain(459)
  })

  it('under circular logging, when it is of logs only or of the passive: -526', () => {
    const state = active(100, 81, [100, 91])
    const circular = { ...state, options: { ...state.options, active: 'circular' as const } }
    const play = new Play(circular).ask(request('incremental')).ask(ofPassive('full', [91, 100]))
    expect(play.refusals).toEqual([-526, -526])

    play.whole(request('full'), 101, 81)
    expect([play.state.mark, play.events.at(-2)]).toEqual([null, 225])
  })

  it('when a passive is ahead of its source, or nobody knows it: -1003', () => {
    const state = active(100, 81, [100, 91])
    const play = new Play(state).ask(ofPassive('full', [91, 102]))
    play.ask({ ...ofPassive('full', [91, 100]), surrogate: { ...passiveRange(), copyId: 'c9' } })

    expect(play.refusals).toEqual([-1003, -1003])
  })

  it('when the logs were restored and the passive has not looked at them: -1003', () => {
    const play = new Play({ ...active(100, 81, [100, 91]), stream: 1 }).ask(ofPassive('full', [91, 100]))

    expect(play.refusals).toEqual([-1003])
  })

  it('when the stream is near its end: -519', () => {
    const play = new Play(active(0x7fffffe0, 81, [100, 101])).ask(request('full'))

    expect(play.refusals).toEqual([-519])
  })
})

describe('the order of a backup', () => {
  it('is begun, prepared, ended: anything else is refused with -521', () => {
    const play = new Play(active(100, 81, [100, 101])).ask(request('full')).end()
    expect([play.refusals, play.state.session]).toEqual([[-521], null])

    play.ask(request('full')).prepare(101, 81)
    play.tell({ kind: 'backup-logs-wanted', requestId: 4, session: 2 }).end().end()
    expect(play.refusals).toEqual([-521, -521, -521])
    expect(play.record().state.backups.full).not.toBeNull()
  })

  it('a success that is told after it was taken in is refused, and changes nothing', () => {
    const play = new Play(active(100, 81, [101, 102])).whole(request('full'), 101, 81)
    const { mark, backups } = play.state
    play.end()

    expect(play.refusals).toEqual([undefined])
    expect([play.state.mark, play.state.backups]).toEqual([mark, backups])
  })

  it('an incremental one reads what was closed since the one before', () => {
    const play = new Play(active(100, 81, [101, 102])).whole(request('full'), 101, 81)
    play.ask(request('incremental')).prepare(110, 95)
    const { session } = play.state

    expect(session === null ? null : logsToRead(session)).toEqual({ first: 102, last: 110 })
    expect(play.end().record().state.mark?.through).toBe(94)
  })

  it('a full one clears what was built on the one before it', () => {
    const play = new Play(active(100, 81, [101, 102])).whole(request('full'), 101, 81)
    play.whole(request('incremental'), 102, 81).whole(request('differential'), 103, 81).whole(request('full'), 104, 81)

    expect([play.state.backups.incremental, play.state.backups.differential]).toEqual([null, null])
  })
})

describe('a backup under way', () => {
  it('pins what it needs, and the explanation says so', () => {
    const state = { ...active(100, 41, [100, 101]), mark: { through: asGeneration(90), atMs: 0 } }
    const play = new Play(state).ask(request('full'))
    play.tell({ kind: 'store-checkpointed', required: asGeneration(95) })
    expect(play.truncated).toEqual(['1-40'])

    play.tell({ kind: 'logs-deleted', range: { first: asGeneration(1), last: asGeneration(40) }, alreadyMissing: 0 })
    play.nowMs += 60_000
    play.end('aborted')
    expect(play.truncated).toEqual(['1-40', '41-90'])
  })

  it('of a passive ends when its copy is silent for a minute, is disabled, or begins anew', () => {
    const play = new Play(active(100, 81, [100, 91])).ask(ofPassive('full', [91, 100]))
    play.nowMs += 59_000
    play.tell({ kind: 'backup-continued', session: 1 })
    play.nowMs += 59_000
    expect(play.tell({ kind: 'time-passed' }).state.session?.id).toBe(1)

    play.nowMs += 1_000
    expect(play.tell({ kind: 'time-passed' }).state.session).toBeNull()

    play.ask(ofPassive('full', [91, 100])).ask(ofPassive('full', [92, 100]))
    expect([play.refusals, play.state.session?.id]).toEqual([[], 3])

    play.tell({ kind: 'copy-disabled', requestId: 9, copyId: 'c1' })
    expect(play.state.session).toBeNull()
  })

  it('whose store fails is over, and whoever waits is told', () => {
    const play = new Play(active(100, 81, [100, 101])).ask(request('full'))
    play.tell({ kind: 'backup-logs-wanted', requestId: 2, session: 1 })
    play.tell({ kind: 'backup-broken', session: 1, fault: { code: 'DISK_FULL', message: 'no room for another log' } })

    const answers = play.orders.flatMap((order) => (order.kind === 'answer-operator' ? [order] : []))
    expect(answers.at(-1)?.refusal?.message).toBe(
      'backup 1 (full, streaming, of the active) was given up: no room for another log',
    )
    expect(play.state.session).toBeNull()
  })
})

function passiveRange(): {
  copyId: string
  required: ReturnType<typeof asGeneration>
  range: { first: ReturnType<typeof asGeneration>; last: ReturnType<typeof asGeneration> }
} {
  return { copyId: 'c1', required: asGeneration(91), range: { first: asGeneration(91), last: asGeneration(100) } }
}

describe('the word of a copy that is being seeded', () => {
  const seed: BackupRequest = {
    scope: 'copy',
    method: 'streaming',
    surrogate: null,
    seed: { copyId: 'c1', from: asGeneration(0) },
  }
  const inspectedOf = ({ state }: Play): number | undefined => state.copies[0]?.report?.inspected
  const begun = (): Play =>
    new Play({ ...aSource([aSourceCopy()], { active: 'mailbox' }), activeRequired: asGeneration(5) }).ask(seed)
  const says = (change: Partial<CopyReport>): Untimed<SourceFact> => {
    return { kind: 'copy-reported', copyId: 'c1', report: { ...REPORT, ...change } }
  }

  it('of before counts only as far as it holds of the new database', () => {
    const play = begun()

    expect(inspectedOf(play)).toBe(4)
    expect(inspectedOf(play.tell(says({ inspected: asGeneration(9) })))).toBe(4)
  })

  it('counts again when it speaks of the seed', () => {
    const play = begun().tell(says({ inspected: asGeneration(4), condition: 'suspended' }))

    expect(inspectedOf(play.tell(says({ inspected: asGeneration(9) })))).toBe(9)
  })

  it('counts again over another connection', () => {
    const play = begun().tell({ kind: 'copy-enrolled', copy: { copyId: 'c1', label: 'node2:/store' } })

    expect(inspectedOf(play)).toBe(4)
    expect(inspectedOf(play.tell(says({ inspected: asGeneration(9) })))).toBe(9)
  })

  it('counts again when nothing can be on its way any more', () => {
    const play = begun()
    play.nowMs += 60_000

    expect(inspectedOf(play.tell(says({ inspected: asGeneration(9) })))).toBe(9)
  })
})
