// Goal: the orders about a database reach whoever replays, what he tells reaches the instance, and no stop is forgotten.
// Method: real services over real directories; a replayer in this process that redoes nothing, but keeps the contract.
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DatabaseProgress } from '../../engine/fact.ts'
import { asGeneration, type Generation, previousGeneration } from '../../engine/generation.ts'
import type { CopyService } from '../../src/copy-service.ts'
import type { ConnectReplayer, Replayer } from '../../src/replay-work.ts'
import type { ReplayCommand, ReplayEvent } from '../../workers/messages.ts'
import { eventIds, inspected, logNames, patience, ServiceWorld } from './service-world.ts'

let world: ServiceWorld
beforeEach(async () => {
  world = await ServiceWorld.make()
})
afterEach(() => world.end())

/** A database that is a number. It answers when the event loop turns, as a worker would. */
class FakeReplayer implements Replayer {
  readonly commands: ReplayCommand[] = []
  readonly tell: (event: ReplayEvent) => void
  /** What the next batch ends with, instead of being redone; null for nothing. */
  eseError: number | null = null
  isRunning = true
  #replayed: Generation = asGeneration(0)

  constructor(tell: (event: ReplayEvent) => void) {
    this.tell = tell
  }

  post(command: ReplayCommand): boolean {
    if (!this.isRunning) return false
    this.commands.push(command)
    const event = this.#answer(command)
    if (event !== null) setImmediate(() => this.tell(event))
    return true
  }

  kinds(): readonly string[] {
    return this.commands.map(({ kind }) => kind)
  }

  #answer(command: ReplayCommand): ReplayEvent | null {
    if (command.kind === 'stop') return null
    const { copy } = command
    switch (command.kind) {
      case 'open-database':
        return { kind: 'database-opened', copy, session: command.session, progress: this.#progress() }
      case 'replay-logs':
        return this.#replay(command)
      case 'stop-replaying':
        return { kind: 'replay-stopped', copy, progress: this.#progress() }
      case 'abandon-database':
      case 'digest-pages':
      case 'cancel-digest':
      case 'close-database':
        return null
    }
  }

  #replay({ copy, session, range }: Extract<ReplayCommand, { kind: 'replay-logs' }>): ReplayEvent {
    const { eseError } = this
    this.eseError = null
    if (eseError !== null) {
      const fault = { code: 'DATABASE_REJECTED', message: 'why', eseError, generation: range.first } as const
      return { kind: 'replay-failed', copy, session, fault }
    }
    this.#replayed = range.last
    return { kind: 'logs-replayed', copy, session, progress: this.#progress() }
  }

  #progress(): DatabaseProgress {
    const requiredLow = asGeneration(Math.max(1, previousGeneration(this.#replayed)))
    return { replayedThrough: this.#replayed, logTimeMs: 1_000, requiredLow, requiredHigh: this.#replayed }
  }
}

interface Replaying {
  readonly copy: CopyService
  readonly replayer: FakeReplayer
}

async function aReplayingCopy(url: string, prepare: (replayer: FakeReplayer) => void = () => {}): Promise<Replaying> {
  const made: FakeReplayer[] = []
  const connect: ConnectReplayer = (_copy, tell) => {
    const replayer = new FakeReplayer(tell)
    prepare(replayer)
    made.push(replayer)
    return replayer
  }
  const copy = await world.copy(url, { replayer: connect, replay: true })
  const [replayer] = made
  if (replayer === undefined) throw new Error('the copy connects its replayer when it is opened')
  return { copy, replayer }
}

function replayed(copy: CopyService, generation: number) {
  return copy.whenStatus((status) => status.LastLogReplayed >= generation, patience())
}

describe('a copy with a replayer', () => {
  it('opens its database where its store is, and replays what it has inspected', async () => {
    await world.closeLogs(1, 5)
    const share = await world.share()
    const { copy, replayer } = await aReplayingCopy(share.url)

    const status = await replayed(copy, 5)

    expect(replayer.commands[0]).toMatchObject({
      kind: 'open-database',
      kept: { root: world.store(), format: { kind: 'numbered' } },
    })
    expect(status).toMatchObject({ ReplayQueueLength: 0, LastReplayedLogTime: '1970-01-01T00:00:01.000Z' })
    expect(status).toMatchObject({ LowestRequiredLog: 4, HighestRequiredLog: 5 })
  })

  it('holds its source with what it requires, and lets the rest go', async () => {
    await world.closeLogs(1, 5)
    const share = await world.share()
    const { copy } = await aReplayingCopy(share.url)
    await replayed(copy, 5)

    await share.markBackup(asGeneration(5))
    await share.whenStatus((status) => status.truncatedBelow === 4, patience())

    const held = share.explain().held.flatMap(({ reasons }) => reasons.map(({ rule }) => rule))
    expect(held).toEqual(['required'])
  })

  it('is quiet when Suspend returns, and opens its database again with Resume', async () => {
    await world.closeLogs(1, 3)
    const share = await world.share()
    const { copy, replayer } = await aReplayingCopy(share.url)
    await replayed(copy, 3)

    await copy.suspend('volume work')
    const whenSuspended = replayer.kinds().at(-1)
    await world.closeLogs(4, 4)
    await copy.resume()
    await replayed(copy, 4)

    expect(whenSuspended).toBe('stop-replaying')
    expect(replayer.kinds().slice(replayer.kinds().indexOf('stop-replaying'))).toEqual([
      'stop-replaying',
      'open-database',
      'replay-logs',
    ])
  })

  it('remembers how far its database was when it is started suspended', async () => {
    await world.closeLogs(1, 3)
    const share = await world.share()
    const { copy } = await aReplayingCopy(share.url)
    await replayed(copy, 3)
    await copy.suspend('over night')
    await copy.close()

    const again = await aReplayingCopy(share.url)

    expect(again.copy.status()).toMatchObject({ SummaryCopyStatus: 'Suspended', LastLogReplayed: 3 })
    expect(again.replayer.commands).toEqual([])
  })

  it('sets a log aside that cannot be replayed, and copies it again', async () => {
    await world.closeLogs(1, 3)
    const share = await world.share()
    const { copy } = await aReplayingCopy(share.url, (replayer) => {
      replayer.eseError = -501
    })

    await replayed(copy, 3)

    const kept = await readdir(join(world.store(), 'logs', 'IgnoredLogs', 'InspectionFailed'))
    expect(kept.filter((name) => !name.endsWith('.why.json'))).toHaveLength(1)
    expect(await world.logsOf()).toEqual(logNames(1, 3))
    expect(await eventIds(copy)).toEqual(expect.arrayContaining([465, 9008]))
  })

  it('is Failed while nobody replays, and goes on when somebody does', async () => {
    await world.closeLogs(1, 3)
    const share = await world.share()
    const { copy, replayer } = await aReplayingCopy(share.url)
    await inspected(copy, 3)
    await replayed(copy, 3)
    replayer.isRunning = false
    await world.closeLogs(4, 4)

    const failed = await copy.whenStatus((status) => status.Failed, patience())
    replayer.isRunning = true
    const healthy = await replayed(copy, 4)

    expect(failed.FailedMessage).toContain('the replay worker is not running')
    expect(healthy.Failed).toBe(false)
  })

  it('gives its database up when it is closed', async () => {
    await world.closeLogs(1, 1)
    const share = await world.share()
    const { copy, replayer } = await aReplayingCopy(share.url)
    await replayed(copy, 1)

    await copy.close()

    expect(replayer.kinds().slice(-2)).toEqual(['stop-replaying', 'close-database'])
  })
})
