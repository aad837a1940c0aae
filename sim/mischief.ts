import { type Generation, NO_GENERATION } from '../engine/generation.ts'
import type { CopyNode } from './copy-node.ts'
import { type FaultName, isSeeded } from './fault.ts'
import type { Link } from './link.ts'
import type { ToyReplayError } from './toy-database.ts'
import { DAMAGES, type Damage, damagedLog } from './toy-log.ts'
import type { World } from './world.ts'

/** How often each fault of the clock gets its occasion, in milliseconds. */
const TICK_MS = 200
/** How long a passing fault lasts, in milliseconds, at most. */
const LASTS_MS_MAX = 8_000

const BAD_PAGE = { eseError: -1018, message: 'page 17 fails its checksum' }

/** Does what the world does to disks, processes and networks, at random times, and undoes it in the end. */
export class Mischief {
  readonly #world: World
  /** Logs of the source that somebody deleted or changed, and nobody has put right yet. */
  readonly #spoilt = new Set<Generation>()
  /** Logs of copies that somebody deleted. */
  readonly #taken: { readonly copy: CopyNode; readonly generation: Generation }[] = []

  constructor(world: World) {
    this.#world = world
  }

  /** Begins; ends by itself when faults are switched off. */
  start(): void {
    const { core } = this.#world
    core.after(core.delay(TICK_MS), () => {
      if (!core.areFaultsOn) return
      this.#strikeCopies()
      this.#strikeSource()
      this.start()
    })
  }

  /** Puts everything right: files back, disks free, networks whole. */
  repair(): void {
    const { source, copies, links, oracle } = this.#world
    for (const link of links) link.heal()
    source.disk.isGone = false
    source.disk.isFull = false
    source.disk.held.clear()
    for (const generation of [...this.#spoilt]) if (this.#isWanted(generation)) this.#putBack(generation)
    for (const copy of copies) {
      copy.disk.isGone = false
      copy.disk.isFull = false
      this.#replaceUntrueLogs(copy)
    }
    for (const { copy, generation } of this.#taken) {
      const log = oracle.truth.get(generation)
      const isGone = generation >= copy.disk.truncatedBelow && copy.logs.get(generation) === undefined
      if (copy.state.stream !== source.disk.stream) continue
      if (log !== undefined && isGone && oracle.isOwed(copy.copyId, generation)) copy.logs.place(generation, log)
    }
    source.directoryChanged()
  }

  /** What every copy has, and something above it, needs not be put back: a copy compares its newest log with that of its source. */
  #isWanted(generation: Generation): boolean {
    const { copies, core } = this.#world
    // Whoever has to begin anew needs them all.
    if (isSeeded(core.scenario)) return true
    return copies.some(({ state }) => state.inspected <= generation) || core.choices.below(2) === 0
  }

  #strikeCopies(): void {
    const { core } = this.#world
    if (core.strikes('kill-copy')) this.#someCopy().die(false)
    if (core.strikes('power-cut-copy')) this.#someCopy().die(true)
    if (core.strikes('deleted-on-copy')) this.#deleteSomewhereOn(this.#someCopy())
    if (core.strikes('full-disk-copy')) this.#forAWhile(this.#someCopy().disk, 'isFull')
    if (core.strikes('vanished-on-copy')) this.#forAWhile(this.#someCopy().disk, 'isGone')
    if (core.strikes('partition')) this.#partition(this.#someLink())
    if (core.strikes('bad-page')) this.spoilDatabase(this.#someCopy(), { ...BAD_PAGE, times: Number.POSITIVE_INFINITY })
    if (core.strikes('lost-database')) this.loseDatabase(this.#someCopy())
    if (core.strikes('rotten-log')) this.#rotSomewhereOn(this.#someCopy())
  }

  /** The database of a copy meets an error, so many times or until it is exchanged. */
  spoilDatabase(copy: CopyNode, error: ToyReplayError): void {
    const { database } = copy.disk
    if (database !== null) database.error = error
  }

  /** Somebody deletes the database of a copy. */
  loseDatabase(copy: CopyNode): void {
    const { database } = copy.disk
    if (database !== null) database.isLost = true
  }

  /** A log of a copy decays, or is changed otherwise. */
  rotOnCopy(copy: CopyNode, generation: Generation, damage: Damage = 'body'): void {
    const log = copy.logs.get(generation)?.log
    if (log === undefined) return
    this.#world.oracle.excuse(copy.copyId, generation)
    copy.logs.place(generation, damagedLog(log, damage))
  }

  /**
   * An operator brings a copy of the source's database, taken while it was dismounted: the old logs go, the copy goes on with
   * the first log that is closed after that. The copy has to be suspended. Source: the offline seed of Exchange 2007.
   */
  seedByHand(copy: CopyNode): void {
    const { oracle, generated } = this.#world
    for (const generation of copy.logs.sortedNames()) {
      oracle.excuse(copy.copyId, generation)
      copy.logs.unlink(generation)
    }
    copy.logs.sync()
    oracle.replay.excuse(copy.copyId, copy.state.database?.progress.requiredLow)
    copy.disk.database?.bring(generated)
  }

  /** An operator empties the directories of a copy, logs and database. The copy has to be suspended. */
  emptyCopy(copy: CopyNode): void {
    for (const generation of copy.logs.sortedNames()) {
      this.#world.oracle.excuse(copy.copyId, generation)
      copy.logs.unlink(generation)
    }
    copy.logs.sync()
    // No longer held by anybody: whoever opens it next finds none.
    this.#world.oracle.replay.excuse(copy.copyId, copy.state.database?.progress.requiredLow)
    copy.disk.database?.bring(NO_GENERATION)
  }

  #rotSomewhereOn(copy: CopyNode): void {
    // What is in the database file is read no more.
    const required = copy.disk.database?.header.low ?? NO_GENERATION
    const names = copy.logs.sortedNames().filter((generation) => generation >= required)
    const generation = names[this.#world.core.choices.below(Math.max(1, names.length))]
    if (generation !== undefined) this.rotOnCopy(copy, generation)
  }

  #strikeSource(): void {
    const { core, source } = this.#world
    if (core.strikes('kill-source')) source.die(false)
    if (core.strikes('power-cut-source')) source.die(true)
    if (core.strikes('full-disk-source')) this.#forAWhile(source.disk, 'isFull')
    if (core.strikes('vanished-on-source')) this.#forAWhile(source.disk, 'isGone')
    this.#strikeLog('deleted-on-source', (generation) => this.#deleteForAWhile(generation))
    this.#strikeLog('rest-flip', (generation) => this.#spoil(generation))
    this.#strikeLog('held-on-source', (generation) => this.#hold(generation))
  }

  #strikeLog(fault: FaultName, strike: (generation: Generation) => void): void {
    const { core, source } = this.#world
    if (!core.strikes(fault)) return
    const names = source.disk.logs.sortedNames()
    const generation = names[core.choices.below(Math.max(1, names.length))]
    if (generation !== undefined) strike(generation)
  }

  /** Somebody deletes a log on the source. */
  deleteOnSource(generation: Generation): void {
    const { source } = this.#world
    source.disk.unlink(generation)
    source.disk.logs.sync()
    source.directoryChanged()
    this.#spoilt.add(generation)
  }

  #deleteForAWhile(generation: Generation): void {
    this.deleteOnSource(generation)
    this.#later(() => this.#putBack(generation), this.#world.core.choices.below(2) === 0)
  }

  #spoil(generation: Generation): void {
    const { core, source } = this.#world
    const log = source.disk.logs.get(generation)?.log
    const damage = DAMAGES[core.choices.below(DAMAGES.length)]
    if (log === undefined || damage === undefined) return
    source.disk.place(damagedLog(log, damage))
    this.#spoilt.add(generation)
    this.#later(() => this.#putBack(generation), core.choices.below(2) === 0)
  }

  #hold(generation: Generation): void {
    const { held } = this.#world.source.disk
    held.add(generation)
    this.#later(() => held.delete(generation), true)
  }

  #putBack(generation: Generation): void {
    const { source, oracle } = this.#world
    const log = oracle.truth.get(generation)
    this.#spoilt.delete(generation)
    if (log === undefined) return
    // What was truncated meanwhile is not put back: it is gone rightly. One that still lies there, spoilt, may be needed: a
    // deletion that was cut short stays so while a copy that has lost logs copies them again.
    const isGone = source.disk.logs.get(generation) === undefined
    if (isGone && (generation < source.disk.truncatedBelow || oracle.logs.truncated.has(generation))) return
    source.disk.place(log)
    source.directoryChanged()
  }

  #deleteSomewhereOn(copy: CopyNode): void {
    const { choices, scenario } = this.#world.core
    // Without its newest inspected log a store is empty before the copy knows. On a file system that keeps no order a power cut
    // may then leave a higher log of a batch alone, and no scan can tell: two faults at once that only a seed repairs.
    const isSpared = (generation: Generation): boolean =>
      scenario.survival === 'any' && generation >= copy.state.inspected
    const names = copy.logs.sortedNames().filter((generation) => !isSpared(generation))
    const generation = names[choices.below(Math.max(1, names.length))]
    if (generation !== undefined) this.deleteOnCopy(copy, generation)
  }

  /** Somebody deletes a log of a copy. */
  deleteOnCopy(copy: CopyNode, generation: Generation): void {
    this.#world.oracle.excuse(copy.copyId, generation)
    copy.logs.unlink(generation)
    copy.logs.sync()
    this.#taken.push({ copy, generation })
  }

  #replaceUntrueLogs(copy: CopyNode): void {
    for (const generation of copy.logs.sortedNames()) {
      const log = this.#world.oracle.truth.get(generation)
      const held = copy.logs.get(generation)?.log
      // One of before a restore is no damage: the copy itself has to find out.
      const isDamaged = held !== undefined && !this.#world.oracle.wasTrue(held)
      if (log !== undefined && isDamaged) copy.logs.place(generation, log)
    }
  }

  #partition(link: Link): void {
    link.partition()
    this.#later(() => link.heal(), true)
  }

  #forAWhile<Flag extends 'isFull' | 'isGone'>(disk: Record<Flag, boolean>, flag: Flag): void {
    disk[flag] = true
    this.#later(() => {
      disk[flag] = false
    }, true)
  }

  #later(undo: () => void, isUndone: boolean): void {
    const { core } = this.#world
    if (isUndone) core.after(core.choices.below(LASTS_MS_MAX), undo)
  }

  #someCopy(): CopyNode {
    const { copies, core } = this.#world
    const copy = copies[core.choices.below(copies.length)]
    if (copy === undefined) throw new Error('a world has copies')
    return copy
  }

  #someLink(): Link {
    const { links, core } = this.#world
    const link = links[core.choices.below(links.length)]
    if (link === undefined) throw new Error('a world has links')
    return link
  }
}
