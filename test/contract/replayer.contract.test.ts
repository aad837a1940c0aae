// Goal: whoever replays logs keeps the contract that the engine relies on: a toy database as a real one.
// Method: one suite over each replayer that there is, the toy of the simulation and the worker over real files; commands in, events
// out, logs spoilt and processes ended in between. A stop, which is always answered, shows that nothing else was going to come.
import { rmSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ReplicaFact } from '../../engine/fact.ts'
import { asGeneration, type Generation } from '../../engine/generation.ts'
import { listedChoices } from '../../sim/choices.ts'
import { CopyDisk } from '../../sim/copy-disk.ts'
import { Core } from '../../sim/core.ts'
import { CALM_SCENARIO } from '../../sim/fault.ts'
import { ReplayWork } from '../../sim/replay-work.ts'
import { ToyDatabase } from '../../sim/toy-database.ts'
import { damagedLog, type ToyLog, trueLog } from '../../sim/toy-log.ts'
import type { KeptDatabase, ReplayCommand, ReplayEvent } from '../../workers/messages.ts'
import { ReplayRig } from '../workers/replay-rig.ts'

/** A replayer with the directory of inspected logs that it reads. */
interface Rig {
  readonly post: (command: ReplayCommand) => void
  readonly kept: KeptDatabase
  /** The next event, which has to come; as much time passes as it takes. */
  readonly next: () => Promise<ReplayEvent>
  readonly putLogs: (first: number, last: number) => void
  /** A byte of an inspected log changes. */
  readonly spoilLog: (generation: number) => void
  readonly removeLog: (generation: number) => void
  /** The process dies with all that is in memory, and another one takes its place. */
  readonly kill: () => Promise<void>
  readonly close: () => Promise<void>
}

const KEPT = { root: '', format: { kind: 'ese', baseName: 'E00' } } as const

const g = asGeneration

/** The replayer of the toy world. Its time is virtual, so nobody waits. */
class ToyRig implements Rig {
  readonly kept = KEPT
  readonly #core = new Core(CALM_SCENARIO, listedChoices([]), null)
  readonly #disk = new CopyDisk({ syncsBeforeScan: true, replays: true })
  readonly #truth = new Map<Generation, ToyLog>()
  readonly #events: ReplayEvent[] = []
  readonly #work: ReplayWork
  #life = 0

  constructor() {
    const database = this.#disk.database ?? new ToyDatabase()
    this.#work = new ReplayWork({
      core: this.#core,
      disk: this.#disk,
      database,
      leftOut: new Set(),
      later: (delayMs, happen) => this.#later(delayMs, happen),
      notice: (fact) => this.#notice(fact),
      touch: () => {},
      opens: () => {},
      makesAnew: () => {},
      redoes: () => {},
      misses: () => {},
      wasTrue: (log) => this.#truth.get(log.generation) === log,
    })
  }

  post(command: ReplayCommand): void {
    if (command.kind !== 'open-database' && command.kind !== 'replay-logs' && command.kind !== 'stop-replaying') return
    const before = this.#events.length
    this.#work.perform(command, () => {
      const isTold = this.#events.slice(before).some(({ kind }) => kind === 'replay-stopped')
      if (!isTold) this.#events.push({ kind: 'replay-stopped', copy: 0, progress: null })
    })
  }

  next(): Promise<ReplayEvent> {
    while (this.#events.length === 0 && this.#core.advance());
    const event = this.#events.shift()
    return event === undefined ? Promise.reject(new Error('nothing will come any more')) : Promise.resolve(event)
  }

  putLogs(first: number, last: number): void {
    for (let at = first; at <= last; at++) {
      const log = trueLog(g(at), at * 1_000)
      this.#truth.set(log.generation, log)
      this.#disk.logs.place(log.generation, log)
    }
  }

  spoilLog(generation: number): void {
    const log = this.#disk.logs.get(g(generation))?.log
    if (log !== undefined) this.#disk.logs.place(log.generation, damagedLog(log, 'body'))
  }

  removeLog(generation: number): void {
    this.#disk.logs.unlink(g(generation))
  }

  kill(): Promise<void> {
    this.#life++
    this.#work.abandon()
    this.#events.length = 0
    return Promise.resolve()
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  #later(delayMs: number, happen: () => void): void {
    const life = this.#life
    this.#core.after(delayMs, () => {
      if (life === this.#life) happen()
    })
  }

  #notice(fact: ReplicaFact): void {
    // The toy tells facts; an event is one without its time and with the number of the copy.
    const { nowMs: _, ...rest } = { ...fact, copy: 0 }
    this.#events.push(rest as unknown as ReplayEvent) // the work of a database tells no other facts
  }
}

/** The replay worker, with a real database and the logs of a real store. */
class WorkerRig implements Rig {
  readonly #rig = new ReplayRig()
  readonly kept = this.#rig.disk.kept

  post(command: ReplayCommand): void {
    this.#rig.post(command)
  }

  next(): Promise<ReplayEvent> {
    return this.#rig.next()
  }

  putLogs(first: number, last: number): void {
    this.#rig.disk.putLogs(first, last)
  }

  spoilLog(generation: number): void {
    this.#rig.disk.turnBit(this.#rig.disk.logPath(generation), 5000)
  }

  removeLog(generation: number): void {
    rmSync(this.#rig.disk.logPath(generation))
  }

  kill(): Promise<void> {
    return this.#rig.restart()
  }

  close(): Promise<void> {
    return this.#rig.close()
  }
}

const RIGS: readonly (readonly [string, () => Rig])[] = [
  ['the toy world', () => new ToyRig()],
  ['the replay worker', () => new WorkerRig()],
]

describe.each(RIGS)('the replayer of %s', (_name, make) => {
  let rig: Rig
  beforeEach(() => {
    rig = make()
  })
  afterEach(() => rig.close())

  it('says of a database that is not made yet that it needs every log', async () => {
    expect(await opened(rig)).toMatchObject({ replayedThrough: 0, requiredLow: 1 })
  })

  it('tells progress that never goes back, through the end of the batch', async () => {
    await openWith(10)
    replay(1, 10)

    const told = await progressThrough(rig, 10)

    for (const [index, progress] of told.entries()) {
      expect(progress.replayedThrough).toBeGreaterThanOrEqual(told[index - 1]?.replayedThrough ?? 0)
      expect(progress.requiredLow).toBeGreaterThanOrEqual(told[index - 1]?.requiredLow ?? 1)
      expect(progress.requiredLow).toBeLessThanOrEqual(progress.replayedThrough + 1)
    }
  })

  it('writes pages out when no log comes, and tells it once', async () => {
    await openWith(3)
    replay(1, 3)
    await progressThrough(rig, 3)

    const event = await rig.next()

    expect(event).toMatchObject({ kind: 'checkpoint-moved', progress: { replayedThrough: 3 } })
    // A real header always requires the log that it was written in.
    expect(event.kind === 'checkpoint-moved' && event.progress.requiredLow).toBeGreaterThanOrEqual(3)
    expect(await untilStopped(rig)).toHaveLength(1)
  })

  it('comes to rest at the boundary of a log, and tells nothing of the batch after that', async () => {
    await openWith(10)
    replay(1, 10)
    await rig.next()

    const stopped = (await untilStopped(rig)).at(-1)

    const again = await opened(rig, 2)
    expect(stopped).toMatchObject({ progress: { replayedThrough: again.replayedThrough } })
  })

  it('answers a stop also where nothing is open', async () => {
    expect(await untilStopped(rig)).toEqual([{ kind: 'replay-stopped', copy: 0, progress: null }])
  })

  it('finds after a crash what the header promised, and can go on from there', async () => {
    await openWith(10)
    replay(1, 10)
    const before = (await progressThrough(rig, 10)).at(-1)
    await rig.kill()

    const after = await opened(rig)

    // Meanwhile pages may have been written out, as nothing came.
    expect(after.requiredLow).toBeGreaterThanOrEqual(before?.requiredLow ?? 0)
    expect(after.replayedThrough).toBeGreaterThanOrEqual(after.requiredLow - 1)
    replay(after.replayedThrough + 1, 10)
    expect((await progressThrough(rig, 10)).at(-1)?.replayedThrough).toBe(10)
  })

  it.each([
    [-501, 'that has changed', (harmed: Rig) => harmed.spoilLog(3)],
    [-543, 'that is gone', (harmed: Rig) => harmed.removeLog(3)],
  ] as const)('fails with %i at a log %s, and says no more in that session', async (eseError, _what, harm) => {
    await openWith(5)
    harm(rig)
    replay(1, 5)

    let event = await rig.next()
    while (event.kind === 'logs-replayed') event = await rig.next()

    expect(event).toMatchObject({ kind: 'replay-failed', session: 1, fault: { eseError, generation: 3 } })
    expect(await untilStopped(rig)).toHaveLength(1)
  })

  async function openWith(logs: number): Promise<void> {
    rig.putLogs(1, logs)
    await opened(rig)
  }

  function replay(first: number, last: number): void {
    rig.post({ kind: 'replay-logs', copy: 0, session: 1, range: { first: g(first), last: g(last) } })
  }
})

async function opened(rig: Rig, session = 1) {
  rig.post({ kind: 'open-database', copy: 0, session, kept: rig.kept })
  const event = await rig.next()
  if (event.kind !== 'database-opened') throw new Error(`not opened, but ${JSON.stringify(event)}`)
  return event.progress
}

async function progressThrough(rig: Rig, last: number) {
  const told = []
  for (let event = await rig.next(); event.kind === 'logs-replayed'; event = await rig.next()) {
    told.push(event.progress)
    if (event.progress.replayedThrough === last) return told
  }
  throw new Error(`the batch ended before log ${last}`)
}

/** Stops the replay; everything that is told up to the answer. */
async function untilStopped(rig: Rig): Promise<readonly ReplayEvent[]> {
  rig.post({ kind: 'stop-replaying', copy: 0 })
  const events: ReplayEvent[] = []
  do events.push(await rig.next())
  while (events.at(-1)?.kind !== 'replay-stopped')
  return events
}
