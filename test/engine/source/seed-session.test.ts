// Goal: a seed is one session of its storage group like any backup, but lets nothing go, leaves nothing behind, and ends with its copy.
// Method: facts by hand into the source's step; conflicts in both directions.
import { describe, expect, it } from 'vitest'
import type { SourceFact } from '../../../engine/fact.ts'
import { asGeneration } from '../../../engine/generation.ts'
import type { SourceOrder } from '../../../engine/order.ts'
import { type BackupRequest, whyNotDismount } from '../../../engine/source/backup-session.ts'
import { stepSource } from '../../../engine/source/source-instance.ts'
import type { SourceState } from '../../../engine/source/source-state.ts'
import { aSource, aSourceCopy } from './build.ts'

const NOW = 50_000
const g = asGeneration
const FULL: BackupRequest = { scope: 'full', method: 'streaming', surrogate: null }
const OTHER_SEED = seedOf('c2')

function seedOf(copyId = 'c1', from = 0): BackupRequest {
  return { scope: 'copy', method: 'streaming', surrogate: null, seed: { copyId, from: g(from) } }
}

function passiveOf(copyId: string): BackupRequest {
  return {
    scope: 'full',
    method: 'vss',
    surrogate: { copyId, range: { first: g(3), last: g(7) }, required: g(3) },
  }
}

function source(change: Partial<SourceState> = {}): SourceState {
  const copies = [aSourceCopy(), aSourceCopy({ copyId: 'c2' })]
  return { ...aSource(copies, { active: 'mailbox' }), mark: null, activeRequired: g(5), ...change }
}

type Untimed<Fact> = Fact extends unknown ? Omit<Fact, 'nowMs'> : never

interface Told {
  readonly state: SourceState
  readonly orders: readonly SourceOrder[]
}

function tell(state: SourceState, fact: Untimed<SourceFact>, nowMs = NOW): Told {
  const [next, orders] = stepSource(state, { ...fact, nowMs } as SourceFact) // as the shell does it
  return { state: next, orders }
}

function ask(state: SourceState, request: BackupRequest): Told {
  return tell(state, { kind: 'backup-asked', requestId: 1, request })
}

function refusalOf({ orders }: Told): number | null {
  const answer = orders.find((order) => order.kind === 'answer-operator')
  return answer?.kind === 'answer-operator' ? (answer.refusal?.eseError ?? null) : null
}

function eventsOf({ orders }: Told): number[] {
  return orders.flatMap((order) => (order.kind === 'raise-event' ? [order.id] : []))
}

/** A seed whose last page was read, and whose log 11 was closed. */
function prepared(): Told {
  const { state } = ask(source(), seedOf())
  const wanted = tell(state, { kind: 'backup-logs-wanted', requestId: 2, session: 1 })
  return tell(wanted.state, { kind: 'backup-prepared', session: 1, closed: g(11), checkpoint: g(7) })
}

describe('a seed', () => {
  it('begins as a session of its copy, pins what the database needs, and wakes after a minute', () => {
    const begun = ask(source(), seedOf())

    expect([refusalOf(begun), eventsOf(begun)]).toEqual([null, [240]])
    expect(begun.state.session).toMatchObject({ id: 1, pinnedFrom: 5, phase: 'begun', heardMs: NOW })
    expect(begun.orders).toContainEqual({ kind: 'wake-at', atMs: NOW + 60_000 })
  })

  it('pins from the log that pages of before need', () => {
    expect(ask(source(), seedOf('c1', 2)).state.session?.pinnedFrom).toBeLessThanOrEqual(2)
  })

  it('ends with nothing recorded and nothing let go, and is released', () => {
    const ready = prepared()
    expect(eventsOf(ready)).toEqual([243])
    expect(ready.state.session).toMatchObject({ grants: 0, range: { first: 5, last: 11 } })

    const ended = tell(ready.state, {
      kind: 'backup-ended',
      requestId: 3,
      session: 1,
      outcome: 'completed',
      logsRead: true,
      reason: '',
    })

    expect([ended.state.session, ended.state.mark, ended.state.backups]).toEqual([null, null, source().backups])
    expect(ended.orders.map(({ kind }) => kind)).toEqual(['release-backup', 'raise-event', 'answer-operator'])
    expect(eventsOf(ended)).toEqual([244])
  })

  it('that is given up, or whose copy is disabled or silent for a minute, is released with 9022', () => {
    const { state } = ask(source(), seedOf())
    const aborted = tell(state, {
      kind: 'backup-ended',
      requestId: 3,
      session: 1,
      outcome: 'aborted',
      logsRead: false,
      reason: 'x',
    })
    const heard = tell(state, { kind: 'backup-continued', session: 1 }, NOW + 59_000).state

    expect([aborted.state.session, eventsOf(aborted)]).toEqual([null, [9022]])
    expect(tell(state, { kind: 'time-passed' }, NOW + 59_999).state.session).not.toBeNull()
    expect(eventsOf(tell(state, { kind: 'time-passed' }, NOW + 60_000))).toContain(9022)
    expect(tell(heard, { kind: 'time-passed' }, NOW + 118_999).state.session).not.toBeNull()
    expect(tell(heard, { kind: 'time-passed' }, NOW + 119_000).state.session).toBeNull()
  })
})

describe('one session for a storage group', () => {
  it.each([
    ['a backup of the active', FULL, seedOf(), -505],
    ['a backup of the passive', passiveOf('c2'), seedOf(), -617],
    ['a backup of the copy itself', passiveOf('c1'), seedOf(), -617],
    ['a seed of another copy', OTHER_SEED, seedOf(), -505],
    ['a seed', seedOf(), FULL, -505],
    ['a seed', seedOf(), passiveOf('c2'), -505],
    ['a seed of the same copy', seedOf(), passiveOf('c1'), -505],
  ] as const)('%s keeps the next from beginning', (_, first, second, error) => {
    const { state } = ask(source(), first)

    const refused = ask(state, second)

    expect([refusalOf(refused), refused.state.session]).toEqual([error, state.session])
  })

  it('a copy that begins its seed anew has forgotten the one before', () => {
    const again = ask(ask(source(), seedOf()).state, seedOf())

    expect([refusalOf(again), eventsOf(again), again.state.session?.id]).toEqual([null, [9022, 240], 2])
    expect(tell(again.state, { kind: 'backup-logs-wanted', requestId: 4, session: 1 }).state.session?.phase).toBe(
      'begun',
    )
  })

  it('a database is not dismounted meanwhile', () => {
    expect(whyNotDismount(ask(source(), seedOf()).state.session)).toMatchObject({ error: -505, why: /^seed 1/ })
  })
})

describe('a seed is refused', () => {
  it.each([
    [
      'where another program writes the logs',
      { options: { ...source().options, active: 'external' } },
      seedOf(),
      -1003,
    ],
    ['for a copy that is not enrolled', {}, seedOf('c9'), -1003],
    ['at the last generations', { generated: g(0x7ffffff0 - 1) }, seedOf(), -519],
    [
      'where the logs are gone that pages of before need',
      { closed: { lowest: g(4), closedThrough: g(10), generated: g(10), logTimeMs: 0 } },
      seedOf('c1', 3),
      -569,
    ],
  ] as const)('%s', (_, change, request, error) => {
    const refused = ask(source(change as Partial<SourceState>), request)

    expect([refusalOf(refused), refused.state.session]).toEqual([error, null])
  })

  it('but not with circular logging, under which the store keeps what it needs', () => {
    expect(refusalOf(ask(source({ options: { ...source().options, active: 'circular' } }), seedOf()))).toBeNull()
  })
})
