import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ReplicationError } from '../../engine/error.ts'
import type { Act, ActRefusal, BackupAct } from '../../engine/scenario/step.ts'
import { composeManifest, parseManifest, rejectedSet } from '../../storage/backup-manifest.ts'
import { MANIFEST_NAME } from '../../storage/backup-set.ts'
import { documentIn, documentOf, endedWithin, startCommand } from '../up/child-command.ts'
import { HeldBackup } from './held-backup.ts'
import { type RealNode, STORAGE_GROUP } from './real-node.ts'
import type { RealWorld } from './real-world.ts'
import { refusalOf } from './refusal.ts'

type RestoreAct = Extract<Act<number>, { kind: 'restore' }>

/** As long as a backup or a restore may take, in milliseconds. */
const BACKUP_MS_MAX = 600_000

/** The backups of a scenario with processes, and the sets that they leave. */
export class RealSets {
  readonly #world: RealWorld
  #unnamed = 0
  #held: HeldBackup | null = null

  constructor(world: RealWorld) {
    this.#world = world
  }

  /** By the command that people use, in a process of its own; one that is held goes on in its node. */
  async backUp(act: BackupAct): Promise<ActRefusal | null> {
    const { scope, method, of, to, outcome } = act
    if (outcome === 'held') return await this.#hold(act)
    if (outcome !== 'completed')
      throw new Error('a backup that does not complete is for the toy world: put the step into a block virtual:')
    const directory = this.#newDirectory(to)
    const line = ['backup', scope, STORAGE_GROUP, '--of', sideOf(of), '--method', method, '--to', directory]
    return await this.#byCommand(line, this.#world.node(of))
  }

  /** Ends the backup that is held, and waits until it has ended. Errors: `STATE_REFUSED` where none is held; those of the node. */
  async release(outcome: 'completed' | 'aborted'): Promise<void> {
    const held = this.#held
    if (held === null) throw noneHeld()
    this.#held = null
    if (outcome === 'completed') await held.tell('rate', { bytesPerSecond: null })
    else await held.tell('give-up', {})
    await held.ended(outcome)
  }

  /** A node that ends takes the backup with it that it holds. */
  forget(node: string): void {
    if (this.#held?.node.name === node) this.#held = null
  }

  /** Into the active, whose database has to be dismounted. */
  async restore({ from, pointInTime }: RestoreAct): Promise<ActRefusal | null> {
    const directories = from.map((name) => this.#directoryOf(name))
    const line = ['restore', STORAGE_GROUP, '--from', ...directories, ...(pointInTime ? ['--point-in-time'] : [])]
    return await this.#byCommand(line, this.#world.active)
  }

  /** Rewrites what the manifest of a set says of the program that made it. Errors: `BACKUP_REJECTED` where there is no such set. */
  age({ set, product }: Extract<Act<number>, { kind: 'age' }>): void {
    const path = join(this.#directoryOf(set), MANIFEST_NAME)
    if (!existsSync(path)) throw rejectedSet(path, 'is not there')
    writeFileSync(path, composeManifest({ ...parseManifest(readFileSync(path, 'utf8'), path), product }))
  }

  /** By a command of ours in a process of its own; what it complains of is the refusal. */
  async #byCommand(line: readonly string[], node: RealNode): Promise<ActRefusal | null> {
    const { env, signal } = this.#world
    const command = startCommand({ line: [...line, '--server', node.connection.origin], env })
    const outcome = await endedWithin(command, BACKUP_MS_MAX, signal)
    if (outcome.exitCode === 0) return null
    // One that does not tell why was not refused: it failed.
    const told = documentIn(outcome.complaint) ?? documentOf(outcome, `ccr ${line[0]}`, [])
    return refusalOf(told, outcome.exitCode ?? 1)
  }

  async #hold({ scope, method, of, to }: BackupAct): Promise<null> {
    const directory = this.#newDirectory(to)
    const order = { storageGroup: STORAGE_GROUP, of: sideOf(of), scope, method, directory }
    this.#held = await HeldBackup.begin(this.#world.node(of), order)
    return null
  }

  #newDirectory(name: string | null): string {
    return this.#directoryOf(name ?? `unnamed-${++this.#unnamed}`)
  }

  #directoryOf(name: string): string {
    return join(this.#world.data, 'sets', name)
  }
}

function sideOf(owner: string): 'active' | 'passive' {
  return owner === 'active' ? 'active' : 'passive'
}

function noneHeld(): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: 'no backup is held',
    hint: 'Begin one with held: true; a node that ends takes its backup with it.',
  })
}
