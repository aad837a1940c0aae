// Goal: whoever replays logs keeps the contract that the engine relies on: a toy database as a real one.
// Method: one suite over each replayer that there is; commands in, events out, logs spoilt and processes killed in between.
import { describe, expect, it } from 'vitest'
import type { ReplicaFact } from '../../engine/fact.ts'
import { asGeneration, type Generation } from '../../engine/generation.ts'
import { listedChoices } from '../../sim/choices.ts'
import { CopyDisk } from '../../sim/copy-disk.ts'
import { Core } from '../../sim/core.ts'
import { CALM_SCENARIO } from '../../sim/fault.ts'
import { ReplayWork } from '../../sim/replay-work.ts'
import { ToyDatabase } from '../../sim/toy-database.ts'
import { damagedLog, type ToyLog, trueLog } from '../../sim/toy-log.ts'
import type { ReplayCommand, ReplayEvent } from '../../workers/messages.ts'

/** A replayer with the directory of inspected logs that it reads. */
interface Rig {
  readonly post: (command: ReplayCommand) => void
  /** The next event; as much time passes as it takes. Null when nothing is under way and nothing more will come. */
  readonly next: () => Promise<ReplayEvent | null>
  readonly putLogs: (first: number, last: number) => void
  /** A byte of an inspected log changes. */
  readonly spoilLog: (generation: number) => void
  readonly removeLog: (generation: number) => void
  /** The process dies with all that is in memory, and another one takes its place. */
  readonly kill: () => void
}

const g = asGeneration

/** The replayer of the toy world. Its time is virtual, so nobody waits. */
class ToyRig implements Rig {
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
      makesAnew: () => {},
      redoes: () => {},
      truth: (generation) => this.#truth.get(generation),
    })
  }

  post(command: ReplayCommand): void {
    if (command.kind === 'close-database') return
    const before = this.#events.length
    this.#work.perform(command, () => {
      const isTold = this.#events.slice(before).some(({ kind }) => kind === 'replay-stopped')
      if (!isTold) this.#events.push({ kind: 'replay-stopped', copy: 0, progress: null })
    })
  }

  next(): Promise<ReplayEvent | null> {
    while (this.#events.length === 0 && this.#core.advance());
    return Promise.resolve(this.#events.shift() ?? null)
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

  kill(): void {
    this.#life++
    this.#work.abandon()
    this.#events.length = 0
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

const RIGS: readonly (readonly [string, () => Rig])[] = [['the toy world', () => new ToyRig()]]

const KEPT = { logsDirectory: '', databaseDirectory: '', format: { kind: 'ese', baseName: 'E00' } } as const

describe.each(RIGS)('the replayer of %s', (_name, make) => {
  it('says of a database that is not made yet that it needs every log', async () => {
    const rig = make()

    expect(await opened(rig)).toMatchObject({ replayedThrough: 0, requiredLow: 1 })
  })

  it('tells progress that never goes back, through the end of the batch', async () => {
    const rig = await anOpenRig(10)
    rig.post({ kind: 'replay-logs', copy: 0, session: 1, range: { first: g(1), last: g(10) } })

    const told = await progressThrough(rig, 10)

    for (const [index, progress] of told.entries()) {
      expect(progress.replayedThrough).toBeGreaterThanOrEqual(told[index - 1]?.replayedThrough ?? 0)
      expect(progress.requiredLow).toBeGreaterThanOrEqual(told[index - 1]?.requiredLow ?? 1)
      expect(progress.requiredLow).toBeLessThanOrEqual(progress.replayedThrough + 1)
    }
  })

  it('writes pages out when no log comes, and tells it', async () => {
    const rig = await anOpenRig(3)
    rig.post({ kind: 'replay-logs', copy: 0, session: 1, range: { first: g(1), last: g(3) } })
    await progressThrough(rig, 3)

    const event = await rig.next()

    expect(event).toMatchObject({ kind: 'checkpoint-moved', progress: { replayedThrough: 3, requiredLow: 4 } })
    expect(await rig.next()).toBeNull()
  })

  it('comes to rest at the boundary of a log, and tells nothing of the batch after that', async () => {
    const rig = await anOpenRig(10)
    rig.post({ kind: 'replay-logs', copy: 0, session: 1, range: { first: g(1), last: g(10) } })
    await rig.next()
    rig.post({ kind: 'stop-replaying', copy: 0 })

    const events = await everything(rig)

    expect(events.at(-1)?.kind).toBe('replay-stopped')
    const again = await opened(rig, 2)
    expect(events.at(-1)).toMatchObject({ progress: { replayedThrough: again.replayedThrough } })
  })

  it('answers a stop also where nothing is open', async () => {
    const rig = make()
    rig.post({ kind: 'stop-replaying', copy: 0 })

    expect(await everything(rig)).toEqual([{ kind: 'replay-stopped', copy: 0, progress: null }])
  })

  it('finds after a crash what the header promised, and can go on from there', async () => {
    const rig = await anOpenRig(10)
    rig.post({ kind: 'replay-logs', copy: 0, session: 1, range: { first: g(1), last: g(10) } })
    const before = (await progressThrough(rig, 10)).at(-1)
    rig.kill()

    const after = await opened(rig)

    expect(after.requiredLow).toBe(before?.requiredLow)
    expect(after.replayedThrough).toBeGreaterThanOrEqual(after.requiredLow - 1)
    const range = { first: g(after.replayedThrough + 1), last: g(10) }
    rig.post({ kind: 'replay-logs', copy: 0, session: 1, range })
    expect((await progressThrough(rig, 10)).at(-1)?.replayedThrough).toBe(10)
  })

  it.each([
    [-501, 'that has changed', (rig: Rig) => rig.spoilLog(3)],
    [-543, 'that is gone', (rig: Rig) => rig.removeLog(3)],
  ] as const)('fails with %i at a log %s, and says no more in that session', async (eseError, _what, harm) => {
    const rig = await anOpenRig(5)
    harm(rig)
    rig.post({ kind: 'replay-logs', copy: 0, session: 1, range: { first: g(1), last: g(5) } })

    const events = await everything(rig)

    expect(events.at(-1)).toMatchObject({ kind: 'replay-failed', session: 1, fault: { eseError, generation: 3 } })
  })

  async function anOpenRig(logs: number): Promise<Rig> {
    const rig = make()
    rig.putLogs(1, logs)
    await opened(rig)
    return rig
  }
})

async function opened(rig: Rig, session = 1) {
  rig.post({ kind: 'open-database', copy: 0, session, kept: KEPT })
  const event = await rig.next()
  if (event?.kind !== 'database-opened') throw new Error(`not opened, but ${event?.kind}`)
  return event.progress
}

async function progressThrough(rig: Rig, last: number) {
  const told = []
  for (let event = await rig.next(); event?.kind === 'logs-replayed'; event = await rig.next()) {
    told.push(event.progress)
    if (event.progress.replayedThrough === last) return told
  }
  throw new Error(`the batch ended before log ${last}`)
}

async function everything(rig: Rig): Promise<readonly ReplayEvent[]> {
  const events: ReplayEvent[] = []
  for (let event = await rig.next(); event !== null; event = await rig.next()) events.push(event)
  return events
}
