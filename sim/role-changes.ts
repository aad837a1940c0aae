import { type Generation, NO_GENERATION, nextGeneration } from '../engine/generation.ts'
import { replayedThrough } from '../engine/replication/replayer.ts'
import type { FormerActive } from './copy-disk.ts'
import type { CopyNode } from './copy-node.ts'
import type { NOTED_MOVE_SITUATIONS } from './move-situations.ts'
import type { ToyLog } from './toy-log.ts'
import type { World } from './world.ts'

/** An unscheduled outage of the active, and what comes of it. */
export interface Failover {
  /** Whose node takes over, if its database can be mounted. */
  readonly to: CopyNode
  readonly isPowerCut: boolean
  /** How many logs more can still be read from the node that failed, at most. */
  readonly salvaged: number
  /** Until the cluster is sure that the node is down, in milliseconds. */
  readonly noticedAfterMs: number
  /** Until that node is there again after the other has taken over, in milliseconds. */
  readonly awayMs: number
}

/** How long an operator waits until a copy has all logs of the dismounted active, in milliseconds, and between two looks. */
const MOVE_MS_MAX = 3_000
const LOOK_MS = 20

/** The node of the active as it was left. */
interface Left extends FormerActive {
  readonly newest: Generation
}

/** What the new active goes on from. */
interface Taken {
  readonly left: Left
  readonly logs: readonly ToyLog[]
  /** The stream that they belong to; null for none. */
  readonly stream: number | null
}

/**
 * Changes the roles of two nodes: that of the active and that of a copy. The source of the world is the role of the active, whichever node
 * has it, and so is each copy: what changes its place are the disks.
 */
export class RoleChanges {
  readonly #world: World
  /** The copy that the last change is about, from the outage until both nodes have their roles. */
  #to: CopyNode | null = null
  /** Copies whose node was the active and has not come back, or has not looked at the new one. */
  readonly #returning = new Set<CopyNode>()
  /** Told when the node of a former active is there again. */
  onReturn: (copy: CopyNode) => void = () => undefined

  constructor(world: World) {
    this.#world = world
  }

  /** Whether a change is under way. */
  get isUnderWay(): boolean {
    return this.#to !== null
  }

  /** Whether the node of a copy could be the active now, as far as can be seen from outside. */
  isEligible(copy: CopyNode): boolean {
    const { source, oracle } = this.#world
    const { database, standby } = copy
    const isSound = database !== null && !database.isLost && !database.isHalf && database.error === null
    const isWelcome = !source.disk.disabled.includes(copy.copyId) && !oracle.seeds.isUnderWay(copy.copyId)
    return copy.isUp && standby === null && isSound && isWelcome
  }

  /** The node of the active dies. */
  failOver(failover: Failover): void {
    const { source, core } = this.#world
    if (this.isUnderWay) return
    this.#to = failover.to
    this.#noteOutage(failover.to)
    source.restartsByItself = false
    source.die(failover.isPowerCut)
    const left = this.#leave(false)
    core.after(failover.noticedAfterMs, () => this.#takeOver(failover, left))
  }

  /** An operator dismounts the active and mounts the database of a copy when that has every log; else the active is mounted again. */
  move(to: CopyNode, awayMs: number): void {
    const { core, source } = this.#world
    if (this.isUnderWay || !source.isAtRest || !this.isEligible(to)) return
    this.#to = to
    source.closeLog()
    this.#world.isDismounted = true
    this.#moveWhenEqual(to, awayMs, core.nowMs + MOVE_MS_MAX)
  }

  #moveWhenEqual(to: CopyNode, awayMs: number, untilMs: number): void {
    const { core, source, generated } = this.#world
    const isReady = source.isAtRest && this.isEligible(to)
    if (isReady && isHealthy(to, source.disk.stream) && replayedThrough(to.state) === generated) {
      this.#note('a scheduled move')
      source.restartsByItself = false
      source.die(false)
      this.#takeOver({ to, awayMs, salvaged: 0 }, this.#leave(true))
    } else if (core.nowMs < untilMs) core.after(LOOK_MS, () => this.#moveWhenEqual(to, awayMs, untilMs))
    else this.#stay('a move is given up')
  }

  /** The active of before goes on. */
  #stay(why: (typeof NOTED_MOVE_SITUATIONS)[number]): void {
    const { source } = this.#world
    this.#note(why)
    this.#to = null
    this.#world.isDismounted = false
    source.restartsByItself = true
    source.start()
  }

  /** What the node of the active has at its end. */
  #leave(isDismounted: boolean): Left {
    const { source, oracle, active } = this.#world
    const { disk } = source
    if (active === null) throw new Error('only a store of ours changes its node')
    this.#world.isDismounted = true
    const image = active.left(oracle.truth, isDismounted)
    if (!isDismounted && image.high > disk.highest) this.#note('a former active has changes of its open log')
    const { stream, truncatedBelow, highest: newest } = disk
    return { logs: filesOf(disk.logs), image, stream, truncatedBelow, newest }
  }

  #takeOver({ to, awayMs, salvaged }: Pick<Failover, 'to' | 'awayMs' | 'salvaged'>, left: Left): void {
    if (!this.isEligible(to)) {
      this.#stay('no copy can take over')
      return
    }
    to.restartsByItself = false
    this.#noteTarget(to)
    to.die(false)
    const logs = mountableLogs(to)
    const newest = logs.at(-1)
    if (newest === undefined) {
      to.restartsByItself = true
      to.start()
      this.#stay('no copy can take over')
      return
    }
    const behind = logsBehind(newest, left, salvaged)
    // Whatever was thought of its logs before: those of the node that failed continue them.
    const stream = behind.length > 0 ? left.stream : to.disk.stream
    this.#exchange(to, { left, logs: [...logs, ...behind], stream })
    this.#to = null
    this.#world.core.after(awayMs, () => this.#return(to))
  }

  #exchange(to: CopyNode, { left, logs, stream }: Taken): void {
    const { source, oracle } = this.#world
    const last = logs.at(-1)
    if (last === undefined) throw new Error('a database is mounted with its logs')
    const { disk } = to
    const lost = left.newest - last.generation
    const isOfActive = oracle.truth.get(last.generation) === last
    this.#note(
      !isOfActive ? 'a copy that has diverged takes over' : lost > 0 ? 'closed logs are lost' : 'no closed log is lost',
    )
    const required = disk.database?.header.low ?? NO_GENERATION
    source.disk.exchange({
      logs: new Map(logs.map((log) => [log.generation, log])),
      last: last.generation,
      stream,
      required,
      truncatedBelow: disk.truncatedBelow,
    })
    const lowestOfFormer = [...left.logs.keys()][0] ?? NO_GENERATION
    this.#world.rolesChanged(to, last, { lowestOfFormer, formerEdge: left.truncatedBelow, mounted: disk.database })
    disk.exchange(left)
    this.#returning.add(to)
    this.#world.isDismounted = false
    source.restartsByItself = true
    source.start()
  }

  #return(copy: CopyNode): void {
    copy.restartsByItself = true
    copy.start()
    this.onReturn(copy)
  }

  #noteOutage(to: CopyNode): void {
    const { source, copies, oracle } = this.#world
    const { session } = source.state
    if (copies.some(({ copyId }) => oracle.seeds.isUnderWay(copyId))) this.#note('an active fails during a seed')
    if (session !== null && session.request.seed === undefined) this.#note('an active fails during a backup')
    for (const copy of this.#returning) {
      if (copy.isUp && isHealthy(copy, source.disk.stream)) this.#returning.delete(copy)
      else if (copy !== to) this.#note('an active fails before the one before it is back')
    }
  }

  #noteTarget(to: CopyNode): void {
    if (to.state.suspension !== null) this.#note('a suspended copy takes over')
    if (this.#returning.delete(to)) this.#note('a former active takes over again before it has looked')
  }

  #note(situation: (typeof NOTED_MOVE_SITUATIONS)[number]): void {
    this.#world.core.seen.add(situation)
    const { core } = this.#world
    core.tell?.(core.line('world', `! ${situation}`))
  }
}

function isHealthy({ state }: CopyNode, stream: number): boolean {
  return state.suspension === null && state.failure === null && state.look === 'none' && state.stream === stream
}

/**
 * The logs with which the database of a copy, whose process has ended, can be mounted, in one run; none where it needs others. Source: a
 * database whose header requires a log that is not there cannot be mounted (-543).
 */
function mountableLogs({ disk, database }: CopyNode): readonly ToyLog[] {
  const { run } = disk.scan()
  if (run === null || database === null) return []
  const { low, high } = database.header
  const isWhole = run.first <= low && low <= run.last + 1 && high <= run.last
  const isInRun = ({ generation }: ToyLog): boolean => generation >= run.first && generation <= run.last
  return isWhole ? [...filesOf(disk.logs).values()].filter(isInRun) : []
}

/** So many logs at most of those that a node has left which continue a log. */
function logsBehind({ identity, generation }: ToyLog, { logs }: Pick<Left, 'logs'>, atMost: number): readonly ToyLog[] {
  const next = logs.get(nextGeneration(generation))
  const isNext = next !== undefined && next.identity.previousCreateTime === identity.createTime
  return isNext && atMost > 0 ? [next, ...logsBehind(next, { logs }, atMost - 1)] : []
}

function filesOf(directory: FormerActiveLogs): ReadonlyMap<Generation, ToyLog> {
  const files = new Map<Generation, ToyLog>()
  for (const generation of directory.sortedNames()) {
    const log = directory.get(generation)?.log
    if (log !== undefined) files.set(generation, log)
  }
  return files
}

type FormerActiveLogs = World['source']['disk']['logs']
