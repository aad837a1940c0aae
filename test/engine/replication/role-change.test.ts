// Goal: a copy whose source is another node since a change of roles finds out what both have in common, when there is something to compare.
// Method: single steps of a copy with ten logs, or none, before a source that took over after some log.
import { describe, expect, it } from 'vitest'
import type { TakenOver } from '../../../engine/fact.ts'
import { asGeneration } from '../../../engine/generation.ts'
import { copyStatus } from '../../../engine/replication/copy-status.ts'
import { aCopiedLog, aCopy, announcing, only, ordersOf, play } from './build.ts'
import { DivergedCopy, eventsOf, filed, NEWEST, setAside } from './diverged-copy.ts'

/** A source that took over with this newest log, which it shares with stream 0. */
function since(after: number): { readonly takenOver: TakenOver } {
  const through = asGeneration(after)
  return { takenOver: { after: through, shares: [{ stream: 0, through }] } }
}

describe('a copy with more logs than a new active', () => {
  const silent = { generated: asGeneration(7), ...since(7) }

  it('waits, and is not Failed, as long as that has written nothing', () => {
    const copy = new DivergedCopy({ first: 8, says: silent })

    expect(copyStatus(copy.state)).toMatchObject({ summary: 'Initializing', failed: false })
    expect(copyStatus(copy.state).remark).toMatch(/logs 00000008 to 0000000A; .*00000007/)
    expect(eventsOf(copy)).not.toContain(2058)
    expect([...only(copy.orders, 'compare-log'), ...only(copy.orders, 'replay-logs')]).toEqual([])
  })

  it('begins the search with the newest log of the source when that has written one', () => {
    const copy = new DivergedCopy({ first: 8, says: silent })
    copy.hears({ generated: asGeneration(8) })

    expect(only(copy.orders, 'compare-log').map(({ generation }) => generation)).toEqual([8, 7])
    expect(setAside(copy)).toEqual([[8, NEWEST]])
    expect(eventsOf(copy)).not.toContain(2058)
    expect(copy.state).toMatchObject({ failure: null, stream: 1, inspected: 7 })
  })

  it('is Failed then, where its database has some of them', () => {
    const copy = new DivergedCopy({ first: 8, says: silent, progress: filed(6, 7, 9) })
    expect(copy.state.failure).toBeNull()
    copy.hears({ generated: asGeneration(8) })

    expect(eventsOf(copy)).toContain(2058)
    expect(copy.state.failure?.message).toMatch(/its database already has changes .*00000009/)
  })

  it('is told from one ahead of a source whose newest log is the same', () => {
    const copy = new DivergedCopy({ first: 99, says: { generated: asGeneration(8), ...since(7) } })

    expect(setAside(copy)).toEqual([])
    expect(copy.state.failure).toMatchObject({ kind: 'ahead' })
  })

  it('waits for the log that both have, where its lowest is above all of the source', () => {
    const copy = new DivergedCopy({
      first: 8,
      says: { generated: asGeneration(0), lowest: asGeneration(0), ...since(0) },
    })

    expect(copy.state.failure).toBeNull()
  })
})

describe('a search that meets a log which another program holds', () => {
  const says = since(7)

  it('is begun anew after a while', () => {
    const copy = new DivergedCopy({ first: 8, says, held: [7, 8, 9] })

    expect(setAside(copy)).toEqual([])
    expect(copy.state).toMatchObject({ phase: 'waiting', look: 'wanted', failure: { kind: 'transient' } })
    expect(only(copy.orders, 'wake-at')).toHaveLength(1)
  })

  it('is not begun anew where the source has lost it', () => {
    const copy = new DivergedCopy({ first: 8, says, missing: [1, 2, 3, 4, 5, 6, 7, 8, 9] })

    expect(copy.state.failure).toMatchObject({ kind: 'permanent' })
  })
})

describe('a database with changes of a log that is not here', () => {
  const open = filed(8, 9, NEWEST + 1)

  it('is compared with nothing before the source has written that log', () => {
    const copy = new DivergedCopy({
      first: 11,
      progress: open,
      says: { generated: asGeneration(NEWEST), ...since(NEWEST) },
    })

    expect(copy.state.failure).toBeNull()
    expect(only(copy.orders, 'replay-logs')).toEqual([])
  })

  it('has to be seeded when it has', () => {
    const copy = new DivergedCopy({ first: 11, progress: open, says: since(NEWEST) })

    expect(copy.state.failure?.message).toMatch(/changes of logs through 0000000B, .*seeded/)
    expect(only(copy.orders, 'replay-logs')).toEqual([])
  })

  it('goes on where the source has the same one', () => {
    const copy = new DivergedCopy({ first: 99, progress: open, says: since(NEWEST + 1) })

    expect(copy.state).toMatchObject({ failure: null, stream: 1 })
  })

  it('has to be seeded where the source does not know the stream of the copy', () => {
    const copy = new DivergedCopy({ first: 99, stream: null, progress: open, says: since(NEWEST + 1) })
    copy.hears({ generated: asGeneration(NEWEST + 3) })

    expect(copy.state.failure).toMatchObject({ kind: 'permanent' })
  })

  it.each([
    ['was lost with another node', 0, filed(8, 9, 12), true],
    ['is that of nobody knows which stream', null, filed(8, 9, 10), true],
    ['is that of the source too', 0, filed(8, 9, 10), false],
    ['was brought by somebody after it was shut down in order', null, filed(8, 9, 0), false],
  ])('has to be seeded or not where no log is here and what it has %s', (_, stream, progress, isSeeded) => {
    const copy = new DivergedCopy({ first: 99, isEmpty: true, stream, progress, says: since(NEWEST) })

    expect(copy.state.failure !== null).toBe(isSeeded)
  })
})

it('replays what comes next, as the proof, where every log was set aside', () => {
  const copy = new DivergedCopy({ from: 3, lowest: 3, first: 3, progress: filed(2, 3, 2), says: since(2) })

  expect(setAside(copy)).toEqual([[3, NEWEST]])
  expect(copy.state).toMatchObject({ look: 'by-replay', failure: null })
})

it('compares what is left where not every log could be set aside', () => {
  const copy = new DivergedCopy({ from: 3, lowest: 3, first: 3, progress: filed(2, 3, 2), says: since(2) })
  const run = { first: asGeneration(3), last: asGeneration(4) }
  const { identity, logTimeMs } = aCopiedLog(4)
  const { session } = copy.state
  const orders = ordersOf(
    copy.state,
    { kind: 'store-checked', nowMs: 8, session, contents: { run, identity, logTimeMs } },
    { kind: 'time-passed', nowMs: 9 },
  )

  expect(
    play(copy.state, { kind: 'store-checked', nowMs: 8, session, contents: { run, identity, logTimeMs } }).look,
  ).toBe('asked')
  expect(only(orders, 'replay-logs')).toEqual([])
})

it('looks again by itself after a change of roles, and gives up what is in memory only', () => {
  const copy = play(aCopy(5), { kind: 'logs-announced', nowMs: 1, announcement: announcing(1, 5) })
  const announcement = announcing(1, 6, { stream: 1, ...since(5) })
  const orders = ordersOf(copy, { kind: 'logs-announced', nowMs: 2, announcement })

  expect(orders.map(({ kind }) => kind)).toEqual(['stop-copying', 'compare-log'])
})

it('asks again for the newest log each time that the next one does not continue it, until that has failed three times', () => {
  const copy = play(aCopy(5), { kind: 'logs-announced', nowMs: 1, announcement: announcing(1, 7, { stream: 1 }) })
  const { session } = copy
  const missed = {
    kind: 'copy-failed',
    nowMs: 2,
    session,
    generation: asGeneration(5),
    fault: { code: 'FILE_HELD', message: '' },
  } as const
  const strange = aCopiedLog(6, { identity: { ...aCopiedLog(6).identity, previousCreateTime: 'another' } })
  const comes = { kind: 'log-copied', nowMs: 3, session, log: strange } as const
  const flipped = { ...comes, log: aCopiedLog(6, { rejection: { reason: 'corrupt-checksum', detail: 'x' } }) } as const

  const orders = ordersOf(copy, missed, flipped, comes)

  expect(only(orders, 'compare-log')).toHaveLength(1)
})
