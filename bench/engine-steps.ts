// Measures the engine alone: steps per second in the toy world on one core, in the steady state of log shipping.
// Three numbers: the step functions with nothing around them, the calm toy world, and the toy world with every check on.
import type { ReplicaFact } from '../engine/fact.ts'
import { asGeneration, type Generation } from '../engine/generation.ts'
import { stepReplica } from '../engine/replication/replica-instance.ts'
import { type ReplicaState, startReplica } from '../engine/replication/replica-state.ts'
import { listedChoices } from '../sim/choices.ts'
import { WORLD_STARTS_MS } from '../sim/core.ts'
import { CALM_SCENARIO } from '../sim/fault.ts'
import { trueLog } from '../sim/toy-log.ts'
import { World } from '../sim/world.ts'

/** To reach, and then go for: steps per second in the toy world. */
const TO_REACH = 200_000
const GO_FOR = 500_000
/** Logs of one round, and rounds: the first warms up and does not count; the median of the others is told with its spread. */
const LOGS = 10_000
const ROUNDS = 10
/** Logs closed at once: a busy storage group. */
const BURST = 20

interface Round {
  readonly steps: number
  /** Seconds of CPU of the whole process, its collector included: other programs on the machine do not count. */
  readonly seconds: number
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** Ships logs through a world with one source and one copy. */
function shipThroughWorld(isGuarded: boolean): Round {
  const world = new World({ scenario: CALM_SCENARIO, choices: listedChoices([]), isGuarded })
  world.start()
  world.runUntil(WORLD_STARTS_MS + 200)
  const before = world.core.steps
  const began = cpuSeconds()
  for (let last = 0; last < LOGS; last += BURST) {
    for (let g = last + 1; g <= last + BURST; g++) world.close(asGeneration(g))
    world.runUntil(world.core.nowMs + 40)
  }
  const seconds = cpuSeconds() - began
  if (world.copies[0]?.state.inspected !== LOGS)
    throw new Error(`not all logs arrived: ${world.copies[0]?.state.inspected}`)
  return { steps: world.core.steps - before, seconds }
}

/** Feeds one replica the facts of shipping, with its orders carried out at once and nothing else around it. */
function stepAlone(): Round {
  const contents = { run: null, identity: null, logTimeMs: 0 }
  let state = startReplica('SG1')
  let steps = 0
  const step = (fact: ReplicaFact): void => {
    state = stepReplica(state, fact)[0]
    steps++
  }
  step({ kind: 'copy-started', nowMs: 1, contents, suspension: null, stream: 0 })
  step({ kind: 'source-connected', nowMs: 1 })
  const began = cpuSeconds()
  for (let g = 1; g <= LOGS; g++) for (const fact of factsOf(asGeneration(g), () => state)) step(fact)
  return { steps, seconds: cpuSeconds() - began }
}

function* factsOf(generation: Generation, now: () => ReplicaState): Generator<ReplicaFact> {
  const { identity, logTimeMs } = trueLog(generation, generation)
  const announcement = {
    lowest: asGeneration(1),
    closedThrough: generation,
    generated: generation,
    missing: asGeneration(0),
    truncatedBelow: asGeneration(0),
    stream: 0,
    logTimeMs,
  }
  const log = { generation, name: 'E00.log', arrivingName: 'a', identity, logTimeMs, rejection: null }
  const nowMs = generation
  yield { kind: 'logs-announced', nowMs, announcement }
  yield { kind: 'log-copied', nowMs, session: now().session, log }
  yield { kind: 'logs-inspected', nowMs, session: now().session, range: { first: generation, last: generation } }
}

function measure(name: string, round: () => Round): number {
  const rates: number[] = []
  for (let n = 0; n < ROUNDS; n++) {
    const { steps, seconds } = round()
    if (n > 0) rates.push(steps / seconds)
  }
  rates.sort((a, b) => a - b)
  const median = rates[rates.length >> 1] ?? 0
  const text = (rate: number): string => Math.round(rate).toLocaleString('en-US').padStart(10)
  console.log(
    `${name.padEnd(44)}${text(median)} steps/s of CPU  (${text(rates[0] ?? 0)} to ${text(rates.at(-1) ?? 0)})`,
  )
  return median
}

measure('the step of a copy, nothing around it', stepAlone)
const inWorld = measure('the toy world, one source and one copy', () => shipThroughWorld(false))
measure('the same with every check at every step', () => shipThroughWorld(true))
const verdict = inWorld >= GO_FOR ? 'beyond what we go for' : inWorld >= TO_REACH ? 'reached' : 'missed'
console.log(`to reach ${TO_REACH.toLocaleString('en-US')}, then go for ${GO_FOR.toLocaleString('en-US')}: ${verdict}`)
process.exitCode = inWorld >= TO_REACH ? 0 : 1
