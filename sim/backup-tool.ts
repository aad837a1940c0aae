import type { BackupScope } from '../engine/database/backup-slot.ts'
import type { BackupFact } from '../engine/fact.ts'
import { type Generation, type GenerationRange, higherOf, NO_GENERATION, nextGeneration } from '../engine/generation.ts'
import type { Refusal } from '../engine/order.ts'
import { type BackupRequest, copyOfSession, lastBackedUp, logsToRead } from '../engine/source/backup-session.ts'
import type { CopyNode } from './copy-node.ts'
import type { World } from './world.ts'

/** How long the tool takes to read what it copies, in milliseconds, at least, and how much longer at most. */
const READ_MS = 30
const READ_MS_SPREAD = 600
/** How often it looks for an answer, in milliseconds. */
const LOOK_MS = 1
/** How often the service of a copy says that its backup goes on, in milliseconds. */
const CONTINUE_MS = 10_000
/** How many looks it waits for one before it gives up. */
const LOOKS_MAX = 5_000

/** What a tool does when it has read everything: one that is `held` goes on when it is released. */
type ToolEnding = (typeof ENDINGS)[number]

/** A backup as somebody asks a tool for it. */
interface ToolRequest {
  readonly scope: BackupScope
  readonly method: 'streaming' | 'vss'
  /** Null for the active. */
  readonly copy: CopyNode | null
  readonly ending: ToolEnding
}

/** What a story asks a tool for, in its words. */
export function toolRequest(
  words: { readonly scope: string; readonly method: string; readonly ending: string },
  copy: CopyNode | null,
): ToolRequest {
  const scope = SCOPES.find((known) => known === words.scope)
  const method = METHODS.find((known) => known === words.method)
  const ending = ENDINGS.find((known) => known === words.ending)
  if (scope === undefined || method === undefined || ending === undefined)
    throw new Error(`no such backup in a story: ${Object.values(words).join(' ')}`)
  return { scope, method, ending, copy }
}

const SCOPES = ['full', 'incremental', 'copy', 'differential'] as const
const METHODS = ['streaming', 'vss'] as const
const ENDINGS = ['completed', 'aborted', 'vanished', 'twice', 'held'] as const

/** A backup whose tool has read everything, and has not said so. */
interface HeldBackup {
  readonly session: number
  readonly request: ToolRequest
  /** Null for a set that is not whole. */
  readonly range: GenerationRange | null
}

/** A fact without its time, member by member of the union. */
type Untimed<Fact> = Fact extends unknown ? Omit<Fact, 'nowMs'> : never

/**
 * A backup tool: it asks for a backup, reads what it needs from the disks, whatever the source says of them, and tells how it ended.
 * A log that it cannot read, or that is not the true one, makes it give up.
 */
export class BackupTool {
  readonly #world: World
  #held: HeldBackup | null = null
  /** What became of the last backup, for stories. */
  outcome = ''
  /** Why the last backup was refused; null when it was not. */
  refusal: Refusal | null = null

  constructor(world: World) {
    this.#world = world
  }

  /** Takes a backup from its beginning to its end. */
  take(request: ToolRequest): void {
    const { source, copies } = this.#world
    if (!source.isUp || (request.copy !== null && !copies.includes(request.copy))) return
    this.outcome = 'under way'
    this.refusal = null
    const asked = this.#requestOf(request)
    if (asked === null) {
      this.outcome = 'the copy has nothing to back up'
      return
    }
    // What the database needs is known before anybody is asked: it is in the file that is read first.
    const from = asked.surrogate?.range.first ?? source.disk.required ?? NO_GENERATION
    this.#ask((requestId) => this.#notice({ kind: 'backup-asked', requestId, request: asked }), {
      done: () => this.#begun(request, asked, from),
    })
  }

  /** Ends the backup that is held. Answers false where there is none: a process that ended has forgotten it. */
  release(ending: 'completed' | 'aborted'): boolean {
    const held = this.#held
    if (held === null) return false
    this.#held = null
    this.outcome = 'under way'
    this.refusal = null
    this.#end(held.session, { ...held.request, ending }, held.range)
    return true
  }

  /** Gives up what a tool has left behind on the active, which would hold its logs for ever; one of a passive ends by itself. */
  giveUp(): void {
    const { source, oracle } = this.#world
    const { session } = source.state
    if (!source.isUp || session === null || copyOfSession(session) !== null) return
    oracle.backups.ended(session.id)
    const end = { kind: 'backup-ended', session: session.id, outcome: 'aborted', logsRead: false } as const
    this.#ask((requestId) => this.#notice({ ...end, requestId, reason: 'an operator gave it up' }), {
      done: () => undefined,
    })
  }

  #begun(request: ToolRequest, asked: BackupRequest, from: Generation): void {
    const { source, core, oracle } = this.#world
    const { session } = source.state
    if (session === null) return
    const first = request.scope === 'full' || request.scope === 'copy' ? from : session.pinnedFrom
    const { surrogate } = asked
    if (surrogate === null) oracle.backups.begun(session.id, first === NO_GENERATION ? session.pinnedFrom : first)
    if (surrogate !== null && request.copy !== null) {
      const isWhole = this.#isWhole(surrogate.range, request.copy)
      core.after(core.delay(READ_MS), () => this.#end(session.id, request, isWhole ? surrogate.range : null))
      return
    }
    core.after(READ_MS + core.choices.below(READ_MS_SPREAD), () => {
      this.#ask((requestId) => this.#notice({ kind: 'backup-logs-wanted', requestId, session: session.id }), {
        done: () => this.#prepared(session.id, request),
      })
    })
  }

  #prepared(id: number, request: ToolRequest): void {
    const { source, core } = this.#world
    const { session } = source.state
    if (session?.id !== id || session.range === null) return
    const { range } = session
    if (request.method === 'vss') {
      const thawed = { kind: 'backup-thawed', nowMs: core.nowMs, session: id, frozenMs: 1, timedOut: false } as const
      source.notice(thawed)
    }
    core.after(core.delay(READ_MS), () =>
      this.#end(id, request, this.#isWhole(logsToRead(session), null) ? range : null),
    )
  }

  /** Says how it ended, unless the tool has vanished; `range` null is a set that is not whole. */
  #end(id: number, request: ToolRequest, range: GenerationRange | null): void {
    const { oracle } = this.#world
    const { ending, scope } = request
    if (ending === 'held') {
      this.#hold({ session: id, request, range })
      return
    }
    if (ending === 'vanished') {
      this.outcome = 'the tool has vanished'
      return
    }
    const isComplete = ending !== 'aborted' && range !== null
    const outcome = isComplete ? 'completed' : 'aborted'
    const reason = isComplete ? '' : range === null ? 'a log could not be read' : 'the tool gave up'
    const end = { kind: 'backup-ended', session: id, outcome, logsRead: true, reason } as const
    if (isComplete) oracle.backups.written(id, { scope, range })
    else oracle.backups.ended(id)
    this.#ask((requestId) => this.#notice({ ...end, requestId }), {
      done: () => {
        this.outcome = outcome
      },
    })
    if (ending === 'twice') this.#ask((requestId) => this.#notice({ ...end, requestId }), { done: () => undefined })
  }

  /** Its service says that it is still at it, as long as it runs and the source does. */
  #hold(held: HeldBackup): void {
    const { source } = this.#world
    const { copy } = held.request
    this.outcome = 'held'
    this.#held = held
    const forget = (): void => {
      if (this.#held === held) this.#held = null
    }
    source.whenDead(forget)
    copy?.whenDead(forget)
    if (copy !== null) this.#continue(held, copy)
  }

  #continue(held: HeldBackup, copy: CopyNode): void {
    const { core, links } = this.#world
    if (this.#held !== held) return
    const link = links.find(({ copyId }) => copyId === copy.copyId)
    if (link?.isPartitioned === false) this.#notice({ kind: 'backup-continued', session: held.session })
    core.after(CONTINUE_MS, () => this.#continue(held, copy))
  }

  #requestOf({ scope, method, copy }: ToolRequest): BackupRequest | null {
    if (copy === null) return { scope, method, surrogate: null }
    const { database } = copy.disk
    const { copyId } = copy
    const { inspected } = copy.state
    if (database === null || inspected === 0 || inspected < database.header.low) return null
    const required = database.header.low
    // What the header of the passive says of the backups before: it has replayed what the active recorded.
    const next = nextGeneration(lastBackedUp(this.#world.source.state.backups))
    const first = scope === 'incremental' || scope === 'differential' ? next : required
    if (first > inspected) return null
    return {
      scope,
      method,
      surrogate: { copyId, required: higherOf(first, required), range: { first, last: inspected } },
    }
  }

  #isWhole(logs: GenerationRange | null, copy: CopyNode | null): boolean {
    if (logs === null) return true
    const { source, oracle } = this.#world
    const there = copy === null ? source.disk.logs : copy.logs
    for (let g = logs.first as number; g <= logs.last; g++) {
      const generation = g as Generation // between two generations
      if (there.get(generation)?.log !== oracle.truth.get(generation)) return false
    }
    return true
  }

  #notice(fact: Untimed<BackupFact>): void {
    const { source, core } = this.#world
    source.notice({ ...fact, nowMs: core.nowMs } as BackupFact) // what was an Omit of one member is that member again
  }

  #ask(put: (requestId: number) => void, then: { readonly done: () => void }): void {
    const requestId = this.#world.oracle.operatorAsks({ kind: 'backup' })
    put(requestId)
    this.#await(requestId, then.done, LOOKS_MAX)
  }

  #await(requestId: number, done: () => void, looks: number): void {
    const { core, oracle } = this.#world
    const answered = oracle.answers.get(requestId)
    if (answered !== undefined) {
      const { refusal } = answered.answer
      if (refusal === null) done()
      else {
        this.refusal = refusal
        this.outcome = `refused: ${refusal.message}`
      }
      return
    }
    if (looks > 0) core.after(LOOK_MS, () => this.#await(requestId, done, looks - 1))
  }
}
