import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Act, ActRefusal, BackupAct } from '../../engine/scenario/step.ts'
import { composeManifest, parseManifest, rejectedSet } from '../../storage/backup-manifest.ts'
import { MANIFEST_NAME } from '../../storage/backup-set.ts'
import { endedWithin, startCommand } from '../up/child-command.ts'
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

  constructor(world: RealWorld) {
    this.#world = world
  }

  /** By the command that people use, in a process of its own. */
  async backUp({ scope, method, of, to, outcome }: BackupAct): Promise<ActRefusal | null> {
    if (outcome !== 'completed')
      throw new Error('a backup that does not complete is for the toy world: put the step into a block virtual:')
    const directory = this.#directoryOf(to ?? `unnamed-${++this.#unnamed}`)
    const line = ['backup', scope, STORAGE_GROUP, '--of', sideOf(of), '--method', method, '--to', directory]
    return await this.#byCommand(line, this.#world.node(of))
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
    const { env } = this.#world
    const command = startCommand({ line: [...line, '--server', node.connection.origin], env })
    const { exitCode, complaint } = await endedWithin(command, BACKUP_MS_MAX)
    if (exitCode === 0) return null
    const told: unknown = JSON.parse(complaint)
    return refusalOf(typeof told === 'object' && told !== null ? { ...told } : {}, exitCode ?? 1)
  }

  #directoryOf(name: string): string {
    return join(this.#world.data, 'sets', name)
  }
}

function sideOf(owner: string): 'active' | 'passive' {
  return owner === 'active' ? 'active' : 'passive'
}
