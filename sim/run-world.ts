import { missingOnSource } from '../engine/replication/copier.ts'
import { mustBeSeeded } from '../engine/replication/copy-database.ts'
import { isOutdated } from '../engine/replication/divergence.ts'
import { replayedThrough } from '../engine/replication/replayer.ts'
import { isUnproven, nextNeeded, type ReplicaState } from '../engine/replication/replica-state.ts'
import { STANDBY_LOGS } from '../engine/replication/standby-lag.ts'
import { type Choices, seededChoices } from './choices.ts'
import type { CopyNode } from './copy-node.ts'
import { type Violation, WORLD_STARTS_MS } from './core.ts'
import { describeScenario, drawScenario, isSeeded, type Scenario, type WorldKind } from './fault.ts'
import { LogWriter } from './log-writer.ts'
import { Mischief } from './mischief.ts'
import { Operator } from './operator.ts'
import type { Rules } from './rules.ts'
import { SeedCare } from './seed-care.ts'
import { World } from './world.ts'

/** Virtual time that phase two gets to bring everything home, in milliseconds: the longest waits are 30 s, twice over. */
const PHASE_TWO_MS = 150_000
/** The same where copies are seeded, in milliseconds: a seed that nobody has ended holds the next one up for a minute. */
const SEEDED_PHASE_TWO_MS = 300_000
/** How often phase two looks whether everything is home, in milliseconds. */
const LOOK_MS = 500
/** Happenings that phase two may take: a world that never settles is caught, not waited for. */
const PHASE_TWO_HAPPENINGS_MAX = 200_000
/** Time for restarts and scans before the operator comes, in milliseconds: self-healing is not helped. */
const SETTLING_MS = 12_000

/** What a run came to. */
export interface RunResult {
  /** The first broken promise, or null. */
  readonly violation: Violation | null
  readonly scenario: Scenario
  readonly seen: ReadonlySet<string>
  readonly steps: number
  readonly happenings: number
  /** Virtual time that passed, in milliseconds. */
  readonly virtualMs: number
}

/** What a run may be given besides its choices. */
export interface RunOptions {
  /** Drawn from the choices when absent. */
  readonly scenario?: Scenario
  /** What kind of scenario is drawn. */
  readonly kind?: WorldKind
  readonly rules?: Rules
  readonly tell?: (line: string) => void
}

/**
 * Plays one world to its end. Phase one: faults strike, promises are checked at every step. Phase two: nothing strikes any
 * more, everything is put right, and all closed logs have to arrive and what may go has to go.
 */
export function runWorld(choices: Choices, options: RunOptions = {}): RunResult {
  const scenario = options.scenario ?? drawScenario(choices, options.kind)
  const { rules, tell } = options
  const world = new World({ scenario, choices, ...(rules && { rules }), ...(tell && { tell }) })
  const operator = new Operator(world)
  const mischief = new Mischief(world)
  const writer = new LogWriter(world)
  world.start()
  writer.start()
  mischief.start()
  operator.start()
  const isSafe = world.runUntil(WORLD_STARTS_MS + scenario.phaseOneMs)
  if (isSafe) bringHome({ world, operator, mischief, writer })
  const { violation, seen, steps, happenings, nowMs } = world.core
  return { violation, scenario, seen, steps, happenings, virtualMs: nowMs - WORLD_STARTS_MS }
}

/** A seeded run. */
export function runSeed(seed: number, options: RunOptions = {}): RunResult {
  return runWorld(seededChoices(seed), options)
}

/** A failure in two lines, without its trace. */
export function describeFailure(seed: number, { violation, scenario }: RunResult): string {
  if (violation === null) return `seed ${seed}: no failure`
  const { what, detail, atMs } = violation
  return `seed ${seed}: ${what}: ${detail} (at ${atMs - WORLD_STARTS_MS} ms)\n  ${describeScenario(scenario)}`
}

interface Cast {
  readonly world: World
  readonly operator: Operator
  readonly mischief: Mischief
  readonly writer: LogWriter
}

function bringHome({ world, operator, mischief, writer }: Cast): void {
  const { core } = world
  core.areFaultsOn = false
  mischief.repair()
  writer.finish()
  const isCaredFor = isSeeded(core.scenario)
  const endsMs = core.nowMs + (isCaredFor ? SEEDED_PHASE_TWO_MS : PHASE_TWO_MS)
  const happeningsMax = core.happenings + PHASE_TWO_HAPPENINGS_MAX
  if (!world.runUntil(core.nowMs + SETTLING_MS)) return
  operator.backups.giveUp()
  const care = isCaredFor ? new SeedCare(world, operator) : null
  const healAll = (): void => {
    for (const copy of world.copies) heal(world, { operator, mischief, copy })
  }
  if (care === null) healAll()
  if (care === null && (core.scenario.replays || core.scenario.rates.restore > 0)) {
    // What a database lacks shows only when it was opened: after the Resume of a suspended copy, for one. So does what has diverged.
    if (!world.runUntil(core.nowMs + SETTLING_MS)) return
    healAll()
  }
  closeMore(world)
  if (care === null && core.scenario.rates.restore > 0) {
    // Some copies find out only by that log that they have diverged.
    if (!world.runUntil(core.nowMs + SETTLING_MS)) return
    healAll()
    closeMore(world)
  }
  while (core.violation === null && !isHome(world)) {
    if (core.nowMs >= endsMs || core.happenings >= happeningsMax) {
      core.fail('I19 convergence', whatIsMissing(world))
      return
    }
    care?.look()
    if (world.source.isUp && (world.source.disk.mark?.through ?? 0) < world.generated) operator.mark(world.generated)
    world.runUntil(core.nowMs + LOOK_MS)
  }
  checkStreams(world)
}

/**
 * One log, for copies that came when everything had been truncated. A standby target that was emptied proves by a replay that it is of the
 * stream: it gets as many as it stays behind.
 */
function closeMore(world: World): void {
  const isProvenLate = world.copies.some(
    ({ state }) => state.lag !== null && (isUnproven(state) || state.stream === null),
  )
  for (let logs = isProvenLate ? 1 + STANDBY_LOGS : 1; logs > 0; logs--) world.source.closeLog()
}

/**
 * Only what does not heal by itself gets an operator: suspensions, permanent failures, and stores that lost files. A log that
 * is missing on the source may lie in the store above what was lost: only a new look at it tells. A database that no log
 * brings forward any more is seeded.
 */
function heal(world: World, { operator, mischief, copy }: Healing): void {
  const { state, disk } = copy
  const lostFiles = disk.logs.sortedNames().some((generation) => world.oracle.isExcused(copy.copyId, generation))
  const isBad = disk.database !== null && (disk.database.error !== null || disk.database.isLost)
  const isGiven = state.failure?.kind === 'permanent' || state.failure?.kind === 'ahead' || state.trial !== null
  const needsHelp = isGiven || isMissing(state) || isOutdated(state) || lostFiles || isBad
  const isSeeded = needsHelp && needsSeed(world, copy)
  if (needsHelp && state.suspension === null) operator.suspend(copy, 'repair')
  if (isSeeded) {
    // No I/O is left on the copy once the request is answered.
    world.runUntil(world.core.nowMs + LOOK_MS)
    if (disk.database === null) mischief.emptyCopy(copy)
    else mischief.seedByHand(copy)
  }
  if (needsHelp || state.suspension !== null) operator.resume(copy)
}

interface Healing {
  readonly operator: Operator
  readonly mischief: Mischief
  readonly copy: CopyNode
}

/** Whether the copy has diverged for good, the database is bad, or the log that comes next is nowhere any more. */
function needsSeed({ source, oracle }: World, { disk, state, logs }: CopyNode): boolean {
  if (state.failure !== null && state.failure.kind !== 'transient' && state.stream === null) return true
  // Its newest log is that of another stream, and only the next one could tell, since the source has truncated it.
  const newest = logs.get(state.inspected)?.log
  if (state.failure?.kind === 'permanent' && newest !== undefined && newest !== oracle.truth.get(state.inspected))
    return true
  const next = nextNeeded(state)
  // A scan does not see what lies below the edge of the copy's own deletions.
  const isHere = next >= disk.truncatedBelow && logs.get(next) !== undefined
  const isNowhere = source.disk.logs.get(next) === undefined && !isHere
  if (isMissing(state) && isNowhere) return true
  return (
    disk.database !== null && (disk.database.error !== null || disk.database.isLost || mustBeSeeded(state.database))
  )
}

/** An instance of RTM that was started again has yet to meet it. */
function isMissing(state: ReplicaState): boolean {
  return state.failure?.kind === 'missing' || (state.trial !== null && missingOnSource(state) !== 0)
}

/** The copies that count: enrolled or still welcome. */
function welcomeCopies({ copies, source }: World): readonly CopyNode[] {
  return copies.filter((copy) => !source.disk.disabled.includes(copy.copyId))
}

function isHome(world: World): boolean {
  return whatIsMissing(world) === ''
}

function whatIsMissing(world: World): string {
  const { source, generated } = world
  for (const { state, label } of welcomeCopies(world)) {
    if (state.inspected !== generated || state.failure !== null)
      return `${label} has inspected ${state.inspected} of ${generated}, phase ${state.phase}, ${state.failure?.message ?? 'no failure'}`
    if (isOutdated(state)) return `${label} has not looked at its source, which was restored`
    if (source.disk.takenOver !== null && state.stream !== source.disk.stream)
      return `${label} has not found out what it shares with its source`
    if (state.database !== null && replayedThrough(state) < generated - (state.lag === null ? 0 : STANDBY_LOGS))
      return `${label} has replayed ${replayedThrough(state)} of ${generated}, database ${state.database.phase}`
  }
  const mayTruncate = source.disk.enrolled.length >= world.core.scenario.copiesExpected
  // Those that lost log resilience keeps out of the database file, and no others, are needed for ever where no log follows.
  const needed = Math.max(0, (world.core.scenario.lostLogDepth ?? 1) - 1)
  if (mayTruncate && source.disk.lowest > 0 && source.disk.lowest <= generated - needed)
    return `log ${source.disk.lowest} of the source may go and does not`
  return ''
}

/** I2 in the end: every welcome copy holds one stream of true logs up to the last, and its database the same. */
function checkStreams(world: World): void {
  for (const copy of welcomeCopies(world)) {
    world.oracle.seeds.checkHistory(copy, world.oracle.truth)
    const names = copy.logs.sortedNames().filter((generation) => generation >= copy.disk.truncatedBelow)
    const first = names[0] ?? 0
    names.forEach((generation, index) => {
      if (generation !== first + index) world.core.fail('I2 one stream', `${copy.label} has a hole below ${generation}`)
      if (copy.logs.get(generation)?.log !== world.oracle.truth.get(generation))
        world.core.fail('I12 corruption', `log ${generation} of ${copy.label} is not the true one`)
    })
    const untrue = copy.database?.firstUntrue(world.oracle.truth) ?? null
    if (untrue !== null) world.core.fail('I14 divergence', `the database of ${copy.label} has another log ${untrue}`)
    if (names.at(-1) !== world.generated)
      world.core.fail('I2 one stream', `${copy.label} ends at ${names.at(-1)}, the stream at ${world.generated}`)
  }
}
