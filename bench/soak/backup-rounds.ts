import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { BackupScope } from '../../engine/database/backup-slot.ts'
import { seededChoices } from '../../sim/choices.ts'
import { type BackupManifest, parseManifest } from '../../storage/backup-manifest.ts'
import { pause } from '../command.ts'
import { NodeBed, type NodeName, requiredBy } from './node-bed.ts'

/** How many rounds, and by which choices. */
export interface BackupKillPlan {
  readonly rounds: number
  readonly seed: number
  tell(text: string): void
}

/** What came of them. */
export interface BackupKillOutcome {
  /** Each round in words, for the message of a failure. */
  readonly story: readonly string[]
  /** Sets that the last restore was made of. */
  readonly restored: readonly string[]
  /** Acknowledged messages that were found behind it. */
  readonly messages: number
  /** Logs that the active has deleted on the way: a run without any proves nothing about truncation. */
  readonly truncated: number
  /** Empty when all is well. */
  readonly faults: readonly string[]
}

/** A backup of some megabytes takes longer than a kill waits. */
const SLOW = ['--rate', '16M']
const MOMENT_MS_MAX = 900
const SCOPES: readonly BackupScope[] = ['full', 'incremental', 'differential', 'copy']
const VICTIMS = ['active', 'passive', 'command'] as const
const AT_WORK = ['--rate', '150/s', '--size', '4K..40K', '--clients', '8']
/** Errors of a backup that has nothing to build on. */
const BUILDS_ON_NOTHING = /\(error -5(60|69)\)/
/** Messages that the logs alone have, behind the last set. */
const BEHIND_MS = 500

/**
 * Takes backups of random kind and copy of a cluster under load, and kills one node or the command that takes them at a random moment.
 * After each kill the disks are judged while nothing moves, and a backup must work again. At the end the database is thrown away, and the
 * last chain of sets is restored and rolled forward.
 */
export async function runBackupKills(plan: BackupKillPlan): Promise<BackupKillOutcome> {
  const run = new BackupKills(await NodeBed.make(), seededChoices(plan.seed))
  try {
    return await run.all(plan)
  } finally {
    await run.bed.close()
  }
}

class BackupKills {
  readonly bed: NodeBed
  readonly #below: (bound: number) => number
  readonly #story: string[] = []
  readonly #faults: string[] = []
  /** Names of all sets that were wanted, in the order of time. */
  readonly #sets: string[] = []

  constructor(bed: NodeBed, choices: { below(bound: number): number }) {
    this.bed = bed
    this.#below = (bound) => choices.below(bound)
  }

  async all({ rounds, tell }: BackupKillPlan): Promise<BackupKillOutcome> {
    const { bed } = this
    await Promise.all([bed.start('active'), bed.start('passive')])
    const working = bed.load(...AT_WORK)
    await bed.until('passive', 'copies/SG1', ({ LastLogReplayed }) => Number(LastLogReplayed) >= 2)
    for (let n = 1; n <= rounds && this.#faults.length === 0; n++) {
      await this.#round()
      tell(`round ${n}: ${this.#story.at(-1)}`)
    }
    await pause(BEHIND_MS)
    working.interrupt()
    const { exitCode, stderr } = await working.done
    if (exitCode !== 130) this.#faults.push(`the load ended with ${exitCode}: ${stderr}`)
    return await this.#restore()
  }

  async #round(): Promise<void> {
    const { bed } = this
    const of: NodeName = this.#below(2) === 0 ? 'active' : 'passive'
    const method = of === 'active' && this.#below(2) === 0 ? 'streaming' : 'vss'
    const scope = SCOPES[this.#below(SCOPES.length)] ?? 'full'
    const victim = VICTIMS[this.#below(VICTIMS.length)] ?? 'command'
    const backup = bed.begin(of, ...this.#words({ scope, method, of }), ...SLOW)
    await pause(this.#below(MOMENT_MS_MAX))
    if (victim === 'command') backup.kill()
    else await bed.node(victim).kill()
    await this.#judge()
    if (victim !== 'command') await bed.start(victim)
    const { exitCode } = await backup.done
    this.#story.push(`${scope} ${method} of ${of}, ${victim} killed: ${exitCode ?? 'killed'}`)
    await bed.untilNoBackup(of)
    await bed.until('active', 'stores/SG1', ({ state }) => state === 'running')
    await bed.until('passive', 'copies/SG1', ({ SourceConnected }) => SourceConnected === true)
    await this.#backUpAgain({ method, of })
  }

  /** Of the same copy: a backup of a passive that was forgotten holds up those of the active for a minute, as it must. */
  async #backUpAgain({ method, of }: Pick<Wanted, 'method' | 'of'>): Promise<void> {
    const scope = SCOPES[this.#below(SCOPES.length)] ?? 'full'
    const { exitCode, stderr } = await this.bed.ccr(of, ...this.#words({ scope, method, of }))
    if (exitCode === 0) return
    if (!BUILDS_ON_NOTHING.test(stderr)) this.#faults.push(`the next backup ended with ${exitCode}: ${stderr}`)
    else await this.bed.must(of, ...this.#words({ scope: 'full', method, of }))
  }

  /** Both nodes stand still, or are dead. */
  async #judge(): Promise<void> {
    const { bed } = this
    const standing = (['active', 'passive'] as const).map((name) => bed.node(name)).filter((node) => node.running())
    for (const { pid } of standing) process.kill(pid, 'SIGSTOP')
    try {
      this.#faults.push(...this.#faultsOnDisks())
    } finally {
      for (const { pid } of standing) process.kill(pid, 'SIGCONT')
    }
  }

  #faultsOnDisks(): string[] {
    const { bed } = this
    const required = { active: requiredBy(bed.root('active')), passive: requiredBy(bed.root('passive')) }
    return faultsOfTruncation({ logs: bed.closedLogs('active'), backedUpThrough: this.#latestChain().last, required })
  }

  async #restore(): Promise<BackupKillOutcome> {
    const { bed } = this
    const root = bed.root('active')
    await bed.must('active', 'dismount', 'SG1')
    this.#faults.push(...this.#faultsOnDisks())
    const truncated = (bed.closedLogs('active')[0] ?? 1) - 1
    rmSync(join(root, 'database'), { recursive: true })
    const restored = this.#latestChain().names
    await bed.must('active', 'restore', 'SG1', '--from', ...restored.map((name) => bed.set(name)))
    await bed.must('active', 'mount', 'SG1')
    const { messages, findings } = await bed.check()
    for (const finding of findings) this.#faults.push(`after the restore: ${JSON.stringify(finding)}`)
    return { story: this.#story, restored, messages, truncated, faults: this.#faults }
  }

  #words({ scope, method, of }: Wanted): string[] {
    const name = `${this.#sets.length + 1}-${scope}`
    this.#sets.push(name)
    return ['backup', scope, 'SG1', '--of', of, '--method', method, '--to', this.bed.set(name)]
  }

  /** The last full set with the incremental ones behind it, and the last log that they have. A set whose backup was not told of is one, too. */
  #latestChain(): { readonly names: readonly string[]; readonly last: number } {
    let names: string[] = []
    let last = 0
    for (const name of this.#sets) {
      const manifest = this.#manifestOf(name)
      if (manifest?.scope === 'full') [names, last] = [[name], manifest.logs?.last ?? manifest.closed]
      if (manifest?.scope === 'incremental' && manifest.logs !== null && manifest.logs.last > last)
        [names, last] = [[...names, name], manifest.logs.last]
    }
    return { names, last }
  }

  #manifestOf(name: string): BackupManifest | null {
    const path = join(this.bed.set(name), 'manifest.json')
    return existsSync(path) ? parseManifest(readFileSync(path, 'utf8'), path) : null
  }
}

interface Wanted {
  readonly scope: BackupScope
  readonly method: 'vss' | 'streaming'
  readonly of: NodeName
}

/** What a judge of a truncation sees. */
export interface TruncatedDisks {
  /** Closed logs of the active, ascending. */
  readonly logs: readonly number[]
  /** Sets have everything through this log, as far as it was ever needed; 0 for none. */
  readonly backedUpThrough: number
  /** The first log that each database needs, by its header; null for none. */
  readonly required: { readonly active: number | null; readonly passive: number | null }
}

/** Judges by disks alone: what is gone is in a set, neither database needs it, and what is left has no gap. Source: I1 and I6. */
export function faultsOfTruncation({ logs, backedUpThrough, required }: TruncatedDisks): string[] {
  const lowest = logs[0] ?? 1
  const faults: string[] = []
  if (logs.some((generation, index) => generation !== lowest + index))
    faults.push(`there is a gap in ${logs.join(' ')}`)
  const gone = `the logs below ${lowest} are gone`
  if (lowest > backedUpThrough + 1) faults.push(`${gone}, and the sets end with ${backedUpThrough}`)
  for (const [side, needed] of Object.entries(required))
    if (needed !== null && needed < lowest) faults.push(`${gone}, and the ${side} needs ${needed}`)
  return faults
}
