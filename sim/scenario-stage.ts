import { asGeneration, type Generation, nextGeneration } from '../engine/generation.ts'
import type { StageAnswer, StageQuestion } from '../engine/scenario/play.ts'
import type { Act, ActRefusal, ScenarioWorld } from '../engine/scenario/step.ts'
import { listedChoices, seededChoices } from './choices.ts'
import type { CopyNode } from './copy-node.ts'
import { WORLD_STARTS_MS } from './core.ts'
import { CALM_SCENARIO, type Scenario } from './fault.ts'
import type { Link } from './link.ts'
import { Mischief } from './mischief.ts'
import { Operator } from './operator.ts'
import { ENGINE_RULES, type Rules } from './rules.ts'
import { ANSWER_MS_MAX, copyOf, refused, ScenarioBackups } from './scenario-backups.ts'
import { ScenarioSeeds } from './scenario-seeds.ts'
import { type RaisedEvent, sightOf } from './scenario-sight.ts'
import type { SourceNode } from './source-node.ts'
import { damagedLog } from './toy-log.ts'
import { World } from './world.ts'

/** How long the world goes on after each act by itself, in milliseconds: long enough for a log to travel. */
const SETTLE_MS = 100
/** From the start until nodes are up and copies connected, in milliseconds. */
const BUILD_MS = 1_000
/** Between two logs that are closed, in milliseconds. */
const CLOSE_MS = 10
/** Delays of a seeded run vary by up to this, in milliseconds. */
const JITTER_MS = 20
/** Messages that a toy log stands for: some 10 KB each. */
const MESSAGES_A_LOG = 100
/** Lines of the trace that are kept. */
const TRACE_LINES_MAX = 40

/** The toy world as the stage of a scenario: it answers what the machine of a scenario asks, in virtual time. */
export class ScenarioStage {
  readonly #seed: number | null
  readonly #product: string
  readonly #rules: Rules
  #world: World
  #operator: Operator
  #mischief: Mischief
  #backups: ScenarioBackups
  #lines: string[] = []
  #events: RaisedEvent[] = []

  /**
   * @param seed varies the delays of everything; null for the shortest ones
   * @param product version of the product that makes backup sets: `1.2.3`
   * @param rules those of the product; tests plant bugs
   */
  constructor(seed: number | null, product: string, rules: Rules = ENGINE_RULES) {
    this.#seed = seed
    this.#product = product
    this.#rules = rules
    this.#world = this.#build(CALM_SCENARIO)
    this.#operator = new Operator(this.#world)
    this.#mischief = new Mischief(this.#world)
    this.#backups = this.#backupsOf(this.#operator)
  }

  /** The last lines of the trace. */
  get trace(): readonly string[] {
    return this.#lines
  }

  /** Answers a question. Throws when a promise of the product broke, or when something cannot be done in the toy world. */
  answer(question: Exclude<StageQuestion, { ask: 'tell' }>): StageAnswer {
    switch (question.ask) {
      case 'build':
        this.#begin(question.world)
        return null
      case 'act':
        return this.#act(question.act)
      case 'look':
        return sightOf(this.#world, this.#events)
      case 'pass':
        if (question.ms > 0) this.#pass(question.ms) // what broke was told by the step in which it did
        return this.#world.core.nowMs - WORLD_STARTS_MS - BUILD_MS
    }
  }

  #begin(wanted: ScenarioWorld): void {
    const { copies, late, databases, gate, circular, toyLag, standby, release } = wanted
    const names = Array.from({ length: copies }, (_, index) => `copy${index + 1}`)
    this.#world = this.#build({
      ...CALM_SCENARIO,
      copies,
      copiesExpected: copies - late.length,
      circular,
      replays: databases,
      activeLag: databases ? toyLag.active : null,
      copyLag: toyLag.copy,
      idles: toyLag.idle,
      passiveGate: gate,
      release,
      standby: names.map((name) => (standby?.copies.includes(name) ? standby.lag : null)),
      jitterMs: this.#seed === null ? 0 : JITTER_MS,
    })
    this.#operator = new Operator(this.#world)
    this.#mischief = new Mischief(this.#world)
    this.#backups = this.#backupsOf(this.#operator)
    this.#world.source.start()
    for (const copy of this.#world.copies) if (!late.includes(copy.copyId)) copy.start()
    this.#pass(BUILD_MS)
  }

  #build(scenario: Scenario): World {
    this.#lines = []
    this.#events = []
    const choices = this.#seed === null ? listedChoices([]) : seededChoices(this.#seed)
    const world = new World({ scenario, choices, rules: this.#rules, tell: (line) => this.#keep(line) })
    world.core.onEvent = (who, order) => this.#events.push({ who, order })
    return world
  }

  #backupsOf({ backups }: Operator): ScenarioBackups {
    return new ScenarioBackups({
      world: this.#world,
      tool: backups,
      product: this.#product,
      pass: (ms) => this.#pass(ms),
    })
  }

  #keep(line: string): void {
    this.#lines.push(line)
    if (this.#lines.length > TRACE_LINES_MAX) this.#lines.shift()
  }

  #pass(ms: number): void {
    const { core } = this.#world
    this.#world.runUntil(core.nowMs + ms)
    if (core.violation !== null) throw new Error(`a promise broke: ${core.violation.what}: ${core.violation.detail}`)
  }

  #act(act: Act<number>): ActRefusal | null {
    const refusal = this.#carryOut(act)
    this.#pass(SETTLE_MS)
    return refusal
  }

  #carryOut(act: Act<number>): ActRefusal | null {
    switch (act.kind) {
      case 'close':
        return this.#close(act.logs)
      case 'load':
        return this.#close(act.logs ?? Math.ceil((act.messages ?? 0) / MESSAGES_A_LOG))
      case 'suspend':
        return this.#answerTo(this.#operator.suspend(this.#copy(act.copy), act.comment))
      case 'resume':
        return this.#answerTo(this.#operator.resume(this.#copy(act.copy)))
      case 'disable':
        return this.#answerTo(this.#operator.disable(act.copy))
      case 'mark':
        return this.#answerTo(this.#operator.mark(act.through))
      case 'backup':
        return this.#backups.backUp(act)
      case 'restore':
        return this.#backups.restore(act)
      case 'age':
        return this.#backups.age(act)
      case 'empty':
        return this.#empty(this.#copy(act.copy))
      case 'release':
        return this.#release(act.outcome)
      case 'seed':
        return this.#seeds.seed(act)
      case 'file':
        this.#seeds.file(act)
        return null
      case 'database':
        return this.#refuse(act)
      case 'network':
        this.#link(act.copy)[act.change === 'cut' ? 'partition' : 'heal']()
        return null
      case 'node':
        this.#changeNode(this.#node(act.node), act.change)
        return null
      case 'corrupt-log':
      case 'corrupt-transfer':
      case 'delete-logs':
        this.#spoil(act)
        return null
    }
  }

  #release(outcome: 'completed' | 'aborted'): ActRefusal | null {
    const seeded = this.#seeds.release(outcome)
    return seeded === undefined ? this.#backups.release(outcome) : seeded
  }

  get #seeds(): ScenarioSeeds {
    return new ScenarioSeeds({ world: this.#world, tool: this.#operator.seeds, pass: (ms) => this.#pass(ms) })
  }

  #close(logs: number): ActRefusal | null {
    const { source, core } = this.#world
    if (!source.isUp && core.scenario.activeLag !== null) return refused('NODE_UNREACHABLE', 'the active is down')
    for (let closed = 0; closed < logs; closed++) {
      this.#world.close(nextGeneration(this.#world.generated))
      this.#pass(CLOSE_MS)
    }
    return null
  }

  #refuse({ change }: Extract<Act<number>, { kind: 'database' }>): ActRefusal {
    const refusal = change === 'dismount' ? this.#backups.refuseDismount() : null
    if (refusal !== null) return refusal
    throw new Error('the toy world has no database to dismount or mount: put the step into a block real:')
  }

  #empty(copy: CopyNode): ActRefusal | null {
    if (copy.disk.suspension === null) return refused('STATE_REFUSED', 'the copy is not suspended')
    this.#mischief.emptyCopy(copy)
    return null
  }

  #changeNode(node: SourceNode | CopyNode, change: 'crash' | 'stop' | 'start'): void {
    node.restartsByItself = change === 'start'
    if (change === 'start') node.start()
    else node.die(false)
  }

  #spoil(act: Extract<Act<number>, { kind: 'corrupt-log' | 'corrupt-transfer' | 'delete-logs' }>): void {
    switch (act.kind) {
      case 'corrupt-transfer':
        this.#link(act.copy).spoilt.set(asGeneration(act.log), act.times)
        return
      case 'corrupt-log':
        this.#corrupt(asGeneration(act.log), act)
        return
      case 'delete-logs':
        for (let g = asGeneration(act.first); g <= act.last; g = nextGeneration(g)) {
          if (act.on === 'active') this.#mischief.deleteOnSource(g)
          else this.#mischief.deleteOnCopy(this.#copy(act.on), g)
        }
    }
  }

  #corrupt(generation: Generation, { on, how }: Extract<Act<number>, { kind: 'corrupt-log' }>): void {
    const { source } = this.#world
    const log = (on === 'active' ? source.disk.logs : this.#copy(on).logs).get(generation)?.log
    if (log === undefined) throw new Error(`log ${generation} is not there to be damaged`)
    if (on === 'active') source.disk.place(damagedLog(log, how))
    else this.#mischief.rotOnCopy(this.#copy(on), generation, how)
  }

  /** Runs until the request is answered. */
  #answerTo(requestId: number): ActRefusal | null {
    const { core, oracle } = this.#world
    if (requestId === 0) return refused('NODE_UNREACHABLE', 'the node is down')
    const givesUpMs = core.nowMs + ANSWER_MS_MAX
    while (!oracle.answers.has(requestId) && core.nowMs < givesUpMs) this.#pass(1)
    const answered = oracle.answers.get(requestId)
    if (answered === undefined) return refused('WAIT_TIMED_OUT', 'the request was not answered')
    const { refusal } = answered.answer
    return refusal === null ? null : refused(refusal.code, refusal.message, refusal.eseError)
  }

  #node(name: string): SourceNode | CopyNode {
    return name === 'active' ? this.#world.source : this.#copy(name)
  }

  #copy(name: string): CopyNode {
    return copyOf(this.#world, name)
  }

  #link(name: string): Link {
    const link = this.#world.links.find(({ copyId }) => copyId === name)
    if (link === undefined) throw new Error(`the world has no ${name}`)
    return link
  }
}
