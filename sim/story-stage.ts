import { asGeneration, type Generation } from '../engine/generation.ts'
import type { EventOrder } from '../engine/order.ts'
import { toolRequest } from './backup-tool.ts'
import { listedChoices } from './choices.ts'
import type { CopyNode } from './copy-node.ts'
import { CALM_SCENARIO, type Scenario } from './fault.ts'
import type { Link } from './link.ts'
import { Mischief } from './mischief.ts'
import { Operator } from './operator.ts'
import { copyExplanationLines, eventLines, explanationLines, fileLines, shareLines, statusLines } from './story-view.ts'
import { DAMAGES, type Damage, damagedLog } from './toy-log.ts'
import { World } from './world.ts'

/** How long the world goes on after each command by itself, in milliseconds: long enough for a log to travel. */
const SETTLE_MS = 100

/** Kinds that say the same as another line, or nothing: left out unless the story asks for `trace full`. */
const NOISE =
  /[<>] (wake-at|time-passed|directory-scanned|scan-directory|logs-announced|report-progress|record-enrolment|copy-enrolled|accept-copy)\b/

/** What every log does on its way: left out by `trace quiet`, where stories have many logs. */
const SHIPPING = /[<>] (copy-logs|log-copied|inspect-logs|logs-inspected|copy-reported)\b/

type Command = (words: readonly string[]) => readonly string[] | undefined

/** The stage of a story: one calm world, and the commands that happen to it. */
export class StoryStage {
  #world: World
  #operator: Operator
  #mischief: Mischief
  #lines: string[] = []
  readonly #events: { readonly who: string; readonly order: EventOrder }[] = []
  #settleMs = SETTLE_MS
  #trace: string | undefined
  readonly #commands: ReadonlyMap<string, Command>

  constructor() {
    this.#world = this.#build(CALM_SCENARIO)
    this.#operator = new Operator(this.#world)
    this.#mischief = new Mischief(this.#world)
    this.#commands = new Map(
      Object.entries({
        ...this.#timeCommands(),
        ...this.#diskCommands(),
        ...this.#databaseCommands(),
        ...this.#operatorCommands(),
        ...this.#roleCommands(),
        ...this.#views(),
      }),
    )
  }

  /** Plays one command line; answers what it printed and what happened meanwhile. */
  play(line: string): readonly string[] {
    const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '')
    const command = this.#commands.get(words[0] ?? '')
    if (command === undefined) throw new Error(`no such command in a story: ${line}`)
    const told = command(words.slice(1)) ?? []
    const { core } = this.#world
    if (!VIEWS.has(words[0] ?? '')) this.#world.runUntil(core.nowMs + this.#settleMs)
    const happened = this.#lines.filter((entry) => this.#isTold(entry))
    this.#lines = []
    return [...told, ...happened]
  }

  #build(scenario: Scenario): World {
    const world = new World({ scenario, choices: listedChoices([]), tell: (line) => this.#lines.push(line) })
    world.core.onEvent = (who, order) => this.#events.push({ who, order })
    return world
  }

  #timeCommands(): Record<string, Command> {
    return {
      world: (words) => this.#rebuild(words),
      trace: ([how]) => this.#show(how),
      pause: () => this.#settleFor(0),
      go: () => this.#settleFor(SETTLE_MS),
      start: ([who]) => this.#start(who),
      advance: ([time = '']) => void this.#world.runUntil(this.#world.core.nowMs + milliseconds(time)),
      close: ([range = '']) => each(range, (generation) => this.#world.close(generation)),
      crash: ([who]) => void this.#process(who).die(false),
      'power-cut': ([who]) => void this.#process(who).die(true),
      partition: ([who]) => void this.#link(who).partition(),
      heal: ([who]) => void this.#link(who).heal(),
    }
  }

  #diskCommands(): Record<string, Command> {
    return {
      corrupt: ([range = '', damage]) => each(range, (generation) => this.#corrupt(generation, asDamage(damage))),
      misread: ([generation = '', damage, times = '1']) =>
        void this.#sourceDisk.misreads.set(asLog(generation), { damage: asDamage(damage), times: Number(times) }),
      delete: ([range = '', , who]) => each(range, (generation) => this.#delete(generation, who)),
      'restore-backup': ([through = '']) => this.#restore(asLog(through)),
      empty: ([who]) => void this.#mischief.emptyCopy(this.#copy(who)),
      'put-back': ([range = '']) => each(range, (generation) => this.#putBack(generation)),
      hold: ([generation = '']) => void this.#sourceDisk.held.add(asLog(generation)),
      release: ([generation = '']) => void this.#sourceDisk.held.delete(asLog(generation)),
      fill: ([who]) => this.#setFull(who, true),
      free: ([who]) => this.#setFull(who, false),
      vanish: ([who]) => this.#setGone(who, true),
      restore: ([who]) => this.#setGone(who, false),
    }
  }

  #databaseCommands(): Record<string, Command> {
    return {
      rot: ([generation = '', who]) => void this.#mischief.rotOnCopy(this.#copy(who), asLog(generation)),
      'fail-replay': ([number = '', times = '', ...message]) =>
        void this.#mischief.spoilDatabase(this.#copy(), {
          eseError: Number(number),
          times: times === 'always' ? Number.POSITIVE_INFINITY : Number(times),
          message: message.join(' '),
        }),
      'lose-database': ([who]) => void this.#mischief.loseDatabase(this.#copy(who)),
      seed: (words) => void this.#operator.seeds.take({ copy: this.#copyIn(words), ...USUAL_SEED }),
      'seed-by-hand': ([who]) => void this.#mischief.seedByHand(this.#copy(who)),
    }
  }

  #operatorCommands(): Record<string, Command> {
    return {
      suspend: (words) => this.#answerTo(this.#operator.suspend(this.#copyIn(words), commentIn(words))),
      resume: (words) => this.#answerTo(this.#operator.resume(this.#copyIn(words))),
      freeze: ([who]) => this.#answerTo(this.#operator.freeze(this.#copy(who))),
      thaw: ([who]) => this.#answerTo(this.#operator.thaw(this.#copy(who))),
      mark: ([through = '']) => this.#answerTo(this.#operator.mark(Number(through))),
      backup: (words) => this.#backUp(words),
      'give-up-backup': () => void this.#operator.backups.giveUp(),
      disable: ([who = '']) => this.#answerTo(this.#operator.disable(who)),
    }
  }

  /** From the change on `source` is the node of the copy that is named, and the copy the node of the active before. */
  #roleCommands(): Record<string, Command> {
    return {
      'fail-over': (words) => {
        const salvaged = settingIn(words, 'salvage', 0)
        this.#operator.roles.failOver({ to: this.#copyIn(words), isPowerCut: true, salvaged, ...NODE_TIMES })
      },
      move: (words) => void this.#operator.roles.move(this.#copyIn(words), NODE_TIMES.awayMs),
    }
  }

  #views(): Record<string, Command> {
    return {
      status: ([who]) =>
        (who === undefined ? this.#world.copies : [this.#copy(who)]).flatMap(({ state }) => statusLines(state)),
      explain: ([who]) =>
        who === undefined
          ? explanationLines(this.#world.source.state)
          : copyExplanationLines(this.#copy(who).state, this.#world.core.nowMs),
      events: () => eventLines(this.#events.splice(0)),
      share: () => shareLines(this.#world.source.state),
      files: ([who]) => fileLines(who === 'source' ? this.#world.source.disk : this.#copy(who).disk),
    }
  }

  /** Has a backup taken, and runs until the tool has ended; one that vanishes leaves its session behind. */
  #backUp([scope = '', method = '', of, ending = 'completed']: readonly string[]): readonly string[] {
    const { core } = this.#world
    const { backups } = this.#operator
    backups.take(toolRequest({ scope, method, ending }, of === 'active' ? null : this.#copy(of)))
    const givesUpMs = core.nowMs + 20 * SETTLE_MS
    while (backups.outcome === 'under way' && core.nowMs < givesUpMs) this.#world.runUntil(core.nowMs + 1)
    return [backups.outcome]
  }

  #rebuild(words: readonly string[]): undefined {
    const setting = (name: string, usual: number): number => settingIn(words, name, usual)
    const scenario: Scenario = {
      ...CALM_SCENARIO,
      copies: setting('copies', 1),
      copiesExpected: setting('expected', 1),
      replays: words.includes('databases'),
      activeLag: words.some((word) => word.startsWith('active=')) ? setting('active', 0) : null,
      passiveGate: words.includes('gate=inspected') ? 'inspected' : 'replayed',
      ...(words.includes('release=rtm') && { release: 'rtm' }),
      lostLogDepth: setting('depth', 1),
      ...(words.includes('scr') && { standby: lagsIn(words, setting('copies', 1)) }),
    }
    this.#world = this.#build(scenario)
    this.#operator = new Operator(this.#world)
    this.#mischief = new Mischief(this.#world)
  }

  #show(how: string | undefined): undefined {
    this.#trace = how
  }

  #isTold(entry: string): boolean {
    if (this.#trace === 'full') return true
    return !NOISE.test(entry) && !(this.#trace === 'quiet' && SHIPPING.test(entry))
  }

  #settleFor(ms: number): undefined {
    this.#settleMs = ms
  }

  #setFull(who: string | undefined, isFull: boolean): undefined {
    this.#disk(who).isFull = isFull
  }

  #start(who: string | undefined): undefined {
    if (who === undefined) this.#world.start()
    else this.#process(who).start()
  }

  #corrupt(generation: Generation, damage: Damage): void {
    const log = this.#world.oracle.truth.get(generation)
    if (log !== undefined) this.#sourceDisk.place(damagedLog(log, damage))
  }

  #delete(generation: Generation, who: string | undefined): void {
    if (who === undefined || who === 'source') this.#mischief.deleteOnSource(generation)
    else this.#mischief.deleteOnCopy(this.#copy(who), generation)
  }

  #putBack(generation: Generation): void {
    const log = this.#world.oracle.truth.get(generation)
    if (log !== undefined) this.#sourceDisk.place(log)
    this.#world.source.directoryChanged()
  }

  #restore(through: Generation): readonly string[] {
    if (through >= this.#world.generated) return ['restored, and rolled forward to the newest log: no log has changed']
    return [this.#world.restore(through) ? 'restored' : 'the source is not at rest']
  }

  #setGone(who: string | undefined, isGone: boolean): undefined {
    this.#disk(who).isGone = isGone
    if (who === 'source') this.#world.source.directoryChanged()
  }

  /** Runs until the request is answered, so that its answer stands first. */
  #answerTo(requestId: number): readonly string[] {
    const { core, oracle } = this.#world
    const givesUpMs = core.nowMs + 10 * SETTLE_MS
    while (!oracle.answers.has(requestId) && core.violation === null && core.nowMs < givesUpMs)
      this.#world.runUntil(core.nowMs + 1)
    const answered = oracle.answers.get(requestId)
    if (answered === undefined) return ['no answer']
    const { refusal, remark } = answered.answer
    if (refusal !== null) return [`refused (${refusal.code}): ${refusal.message}`, `hint: ${refusal.hint}`]
    return [remark === '' ? 'done' : `done: ${remark}`]
  }

  get #sourceDisk(): World['source']['disk'] {
    return this.#world.source.disk
  }

  #disk(who: string | undefined): { isFull: boolean; isGone: boolean } {
    return who === 'source' ? this.#sourceDisk : this.#copy(who).disk
  }

  #process(who: string | undefined): { die(isPowerCut: boolean): void; start(): void } {
    return who === 'source' ? this.#world.source : this.#copy(who)
  }

  #copyIn(words: readonly string[]): CopyNode {
    return this.#copy(words.find((word) => /^copy\d$/.test(word)))
  }

  #copy(who = 'copy1'): CopyNode {
    const copy = this.#world.copies.find(({ label }) => label === who)
    if (copy === undefined) throw new Error(`no such copy in this story: ${who}`)
    return copy
  }

  #link(who = 'copy1'): Link {
    const link = this.#world.links.find(({ copyId }) => copyId === who)
    if (link === undefined) throw new Error(`no such copy in this story: ${who}`)
    return link
  }
}

/** A seed as an operator usually asks for it. */
const USUAL_SEED = { deleteExistingFiles: true, confirm: true, manualResume: false, ending: 'completed' } as const

/** When the cluster is sure that a node is down, and when that node is there again after its place was taken, in milliseconds. */
const NODE_TIMES = { noticedAfterMs: 2_000, awayMs: 10_000 } as const

/** Commands that only look: no time passes. */
const VIEWS: ReadonlySet<string> = new Set([
  'status',
  'explain',
  'events',
  'share',
  'files',
  'world',
  'trace',
  'pause',
  'go',
])

/** The lags of all copies, or with the word `mixed` of every second one, from the first on. */
function lagsIn(words: readonly string[], copies: number): Scenario['standby'] & object {
  const lag = (name: string): number =>
    milliseconds(words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1) ?? '0s')
  const lags = { replayLagMs: lag('replay-lag'), truncationLagMs: lag('truncation-lag') }
  return Array.from({ length: copies }, (_, index) => (words.includes('mixed') && index % 2 === 1 ? null : lags))
}

function settingIn(words: readonly string[], name: string, usual: number): number {
  return Number(words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1) ?? usual)
}

function each(range: string, act: (generation: Generation) => void): undefined {
  const [first = '', last = first] = range.split('-')
  for (let g = asLog(first); g <= asLog(last); g = asGeneration(g + 1)) act(g)
}

function asLog(word: string): Generation {
  return asGeneration(Number(word))
}

function asDamage(word: string | undefined): Damage {
  const damage = DAMAGES.find((known) => known === word)
  if (damage === undefined) throw new Error(`no such damage in a story: ${word}; one of ${DAMAGES.join(', ')}`)
  return damage
}

function commentIn(words: readonly string[]): string | null {
  return words.find((word) => !/^copy\d$/.test(word)) ?? null
}

function milliseconds(word: string): number {
  const [, value = '', unit = ''] = /^(\d+)(ms|s|m|h)$/.exec(word) ?? []
  const factor = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }[unit]
  if (factor === undefined) throw new Error(`no such time in a story: ${word}`)
  return Number(value) * factor
}
