import { asGeneration } from '../engine/generation.ts'
import { BackupTool } from './backup-tool.ts'
import type { CopyNode } from './copy-node.ts'
import { RoleChanges } from './role-changes.ts'
import { isBeyondRepair, SeedTool } from './seed-tool.ts'
import type { World } from './world.ts'

/** How often the operator looks in, in milliseconds. */
const TICK_MS = 200
/** A backup reports its mark now and then, without any fault: once in so many looks. */
const MARK_EVERY_LOOKS = 10

/** How many logs a restore takes back, at most: beyond what a copy replays in one batch. */
const RESTORED_LOGS_MAX = 40
/** How long after a command the next one of the same work comes, in milliseconds, at most. */
const NEXT_COMMAND_MS_MAX = 4_000
/** Between a Suspend and the seed after it, in milliseconds. */
const SUSPEND_MS = 100

/** How long a copy is cut off before its active fails, in milliseconds, at most. */
const CUT_OFF_MS_MAX = 3_000
/** Until the cluster knows that the active is down, in milliseconds: a few heartbeats, scaled to the hours of a toy world. */
const NOTICED_MS_MIN = 300
const NOTICED_MS_SPREAD = 2_000
/** How long the node of a former active is away, in milliseconds, at most, and how soon an operator sees to it. */
const AWAY_MS_MAX = 12_000
const SOON_MS_MAX = 1_500
/** How many logs can still be read from the disk of a node that failed, below this. */
const SALVAGED_LOGS_MAX = 12

/** Full ones more often, since the others build on them; and most of them complete. */
const SCOPES = ['full', 'full', 'full', 'incremental', 'incremental', 'copy', 'differential'] as const
const ENDINGS = ['completed', 'completed', 'completed', 'completed', 'aborted', 'vanished', 'twice'] as const

/** Runs the commands of an operator: each with its number, so that the oracle can hold the answer against what follows. */
export class Operator {
  readonly #world: World
  #looks = 0
  /** The tool that takes backups. */
  readonly backups: BackupTool
  /** The tool that seeds copies. */
  readonly seeds: SeedTool
  /** Changes of roles. */
  readonly roles: RoleChanges

  constructor(world: World) {
    this.#world = world
    this.roles = new RoleChanges(world)
    this.roles.onReturn = (copy) => this.#returned(copy)
    this.backups = new BackupTool(world)
    this.seeds = new SeedTool(world)
  }

  /** Begins to run commands at random, legal and illegal ones; ends by itself when faults are switched off. */
  start(): void {
    const { core } = this.#world
    core.after(TICK_MS, () => {
      if (!core.areFaultsOn) return
      if (++this.#looks % MARK_EVERY_LOOKS === 0) this.mark(this.#world.generated)
      if (core.strikes('operator')) this.#someCommand()
      if (core.strikes('backup')) this.#someBackup()
      if (core.strikes('restore')) this.#someRestore()
      if (core.strikes('seed')) this.#someSeed()
      if (core.strikes('failover')) this.#someFailover()
      if (core.strikes('move')) this.#someMove()
      this.start()
    })
  }

  /** Suspend-StorageGroupCopy. Null is "no comment given". Answers the request's number. */
  suspend(copy: CopyNode, comment: string | null): number {
    if (!copy.isUp) return 0
    const requestId = this.#world.oracle.operatorAsks({ kind: 'suspend', copyId: copy.copyId, comment })
    copy.notice({ kind: 'operator-suspended', nowMs: this.#world.core.nowMs, requestId, comment })
    return requestId
  }

  /** Resume-StorageGroupCopy. */
  resume(copy: CopyNode): number {
    if (!copy.isUp) return 0
    const requestId = this.#world.oracle.operatorAsks({ kind: 'resume', copyId: copy.copyId })
    copy.notice({ kind: 'operator-resumed', nowMs: this.#world.core.nowMs, requestId })
    return requestId
  }

  /** Somebody copies the files of a copy from now on. */
  freeze(copy: CopyNode): number {
    if (!copy.isUp) return 0
    const requestId = this.#world.oracle.operatorAsks({ kind: 'freeze', copyId: copy.copyId })
    copy.notice({ kind: 'operator-froze', nowMs: this.#world.core.nowMs, requestId })
    return requestId
  }

  /** They are copied. */
  thaw(copy: CopyNode): number {
    if (!copy.isUp) return 0
    const requestId = this.#world.oracle.operatorAsks({ kind: 'thaw', copyId: copy.copyId })
    copy.notice({ kind: 'operator-thawed', nowMs: this.#world.core.nowMs, requestId })
    return requestId
  }

  /** A backup product says "backed up through". Any number, also a foolish one. */
  mark(through: number): number {
    const { source, oracle, core } = this.#world
    if (!source.isUp) return 0
    const generation = asGeneration(through)
    const requestId = oracle.operatorAsks({ kind: 'mark', through: generation })
    source.notice({ kind: 'backup-completed', nowMs: core.nowMs, through: generation, requestId })
    return requestId
  }

  /** Disable-StorageGroupCopy, by identifier; it may be unknown. */
  disable(copyId: string): number {
    const { source, oracle, core } = this.#world
    if (!source.isUp) return 0
    const requestId = oracle.operatorAsks({ kind: 'disable', copyId })
    source.notice({ kind: 'copy-disabled', nowMs: core.nowMs, copyId, requestId })
    return requestId
  }

  /** In some worlds a backup of the passive comes instead, which freezes it for a while; drawn from what is drawn already. */
  #markOrSnapshot(copy: CopyNode, through: number): void {
    const { core } = this.#world
    if (core.scenario.logs % 3 !== 0 || through % 4 !== 3) {
      this.mark(through)
      return
    }
    this.freeze(copy)
    core.after(20 * through, () => this.thaw(copy))
  }

  #someCommand(): void {
    const { core, copies, generated } = this.#world
    const { choices } = core
    const copy = copies[choices.below(copies.length)]
    if (copy === undefined) return
    const command = choices.below(12)
    if (command < 3) this.suspend(copy, choices.below(2) === 0 ? null : `comment ${choices.below(3)}`)
    else if (command < 7) this.resume(copy)
    else if (command < 11) this.#markOrSnapshot(copy, choices.below(generated + 3))
    else this.disable(choices.below(2) === 0 ? 'copy9' : copy.copyId)
  }

  /** Some copies are suspended before, or afterwards, and some are forgotten. */
  #someRestore(): void {
    const { core, copies } = this.#world
    const { choices } = core
    for (const copy of copies) if (choices.below(2) === 0) this.suspend(copy, 'restore')
    core.after(choices.below(NEXT_COMMAND_MS_MAX), () => {
      const back = 1 + choices.below(RESTORED_LOGS_MAX)
      if (this.#world.generated <= back || !this.#world.restore(asGeneration(this.#world.generated - back))) return
      for (const copy of copies) if (choices.below(4) > 0) this.#lookAgain(copy)
    })
  }

  #lookAgain(copy: CopyNode): void {
    const { core } = this.#world
    core.after(core.choices.below(NEXT_COMMAND_MS_MAX), () => {
      this.suspend(copy, 'restore')
      core.after(core.choices.below(NEXT_COMMAND_MS_MAX), () => this.resume(copy))
    })
  }

  /** A copy that cannot go on above all; it is suspended before, in most cases. */
  #someSeed(): void {
    const { core, copies } = this.#world
    const { choices } = core
    const bad = copies.filter((copy) => copy.isUp && isBeyondRepair(copy))
    const among = bad.length > 0 && choices.below(4) > 0 ? bad : copies
    const copy = among[choices.below(among.length)]
    if (copy === undefined) return
    const request = {
      copy,
      deleteExistingFiles: choices.below(8) > 0,
      confirm: true,
      manualResume: choices.below(2) === 0,
      ending: choices.below(4) === 0 ? 'aborted' : 'completed',
    } as const
    if (choices.below(8) > 0) this.suspend(copy, null)
    core.after(SUSPEND_MS, () => this.seeds.take(request))
  }

  /** In most of them the copy has not kept up: it could not reach the active for a moment. */
  #someFailover(): void {
    const { core, links } = this.#world
    const { choices } = core
    const to = this.#someHeir()
    if (to === undefined) return
    const link = links.find(({ copyId }) => copyId === to.copyId)
    const isCutOff = choices.below(3) > 0
    if (isCutOff) link?.partition()
    core.after(isCutOff ? choices.below(CUT_OFF_MS_MAX) : 0, () => {
      link?.heal()
      this.roles.failOver({
        to,
        isPowerCut: choices.below(2) === 0,
        salvaged: choices.below(4) === 0 ? choices.below(SALVAGED_LOGS_MAX) : 0,
        noticedAfterMs: NOTICED_MS_MIN + choices.below(NOTICED_MS_SPREAD),
        awayMs: choices.below(AWAY_MS_MAX),
      })
    })
  }

  #someMove(): void {
    const { choices } = this.#world.core
    const to = this.#someHeir()
    if (to !== undefined) this.roles.move(to, choices.below(AWAY_MS_MAX))
  }

  #someHeir(): CopyNode | undefined {
    const { core, copies } = this.#world
    const heirs = copies.filter((copy) => this.roles.isEligible(copy))
    return heirs[core.choices.below(Math.max(1, heirs.length))]
  }

  /** Some former actives are suspended as soon as they are back. */
  #returned(copy: CopyNode): void {
    const { core } = this.#world
    const { choices } = core
    if (!core.areFaultsOn || choices.below(4) > 0) return
    core.after(choices.below(SOON_MS_MAX), () => {
      this.suspend(copy, 'back')
      core.after(choices.below(NEXT_COMMAND_MS_MAX), () => this.resume(copy))
    })
  }

  #someBackup(): void {
    const { core, copies } = this.#world
    const { choices } = core
    const copy = choices.below(3) === 0 ? copies[choices.below(copies.length)] : undefined
    const scope = SCOPES[choices.below(SCOPES.length)] ?? 'full'
    const method = copy !== undefined || choices.below(2) === 0 ? 'vss' : 'streaming'
    const ending = ENDINGS[choices.below(ENDINGS.length)] ?? 'completed'
    this.backups.take({ scope, method, copy: copy ?? null, ending })
  }
}
