import { setTimeout as delay } from 'node:timers/promises'
import { ReplicationError } from '../../engine/error.ts'
import type { SeedAct } from '../../engine/scenario/step.ts'
import type { SeedDocument } from '../../transport/management-seed-documents.ts'
import { readSeed } from '../seed/format-seed.ts'
import { type RealNode, STORAGE_GROUP } from './real-node.ts'
import type { RealWorld } from './real-world.ts'

/** As slow as a seed may be: a small database takes minutes. */
const HELD_RATE = '16K'
/** Between two looks, and how long a seed may take, in milliseconds. */
const LOOK_MS = 50
const ENDED_MS_MAX = 600_000

/** The seeds of a scenario with processes: their nodes carry them out. */
export class RealSeeds {
  readonly #world: RealWorld
  #held: { readonly node: RealNode; readonly id: number } | null = null

  constructor(world: RealWorld) {
    this.#world = world
  }

  get isHolding(): boolean {
    return this.#held !== null
  }

  /** Errors: why it was refused, or failed. */
  async seed({ copy, deleteExistingFiles, confirm, manualResume, held }: SeedAct): Promise<void> {
    const node = this.#world.node(copy)
    if (held) await setRate(node, HELD_RATE)
    const body = { storageGroup: STORAGE_GROUP, deleteExistingFiles, deleteCheckpoint: confirm, manualResume }
    const { id } = readSeed(await node.connection.json('POST', '/api/v1/seeds', body))
    if (held) {
      this.#held = { node, id }
      return
    }
    const { error } = await ended(node, id)
    if (error !== null) throw ReplicationError.fromJSON(error)
  }

  /** Ends the seed that is held, and waits until it has ended. Errors: why it failed where it was to complete. */
  async release(outcome: 'completed' | 'aborted'): Promise<void> {
    const held = this.#held
    if (held === null) return
    this.#held = null
    const { node, id } = held
    if (outcome === 'aborted') await node.connection.json('POST', `/api/v1/seeds/${id}/give-up`, {})
    await setRate(node, 'off')
    const { error } = await ended(node, id)
    if (outcome === 'completed' && error !== null) throw ReplicationError.fromJSON(error)
  }

  /** A copy that ends takes the seed with it that it holds. */
  forget(node: string): void {
    if (this.#held?.node.name === node) this.#held = null
  }
}

async function setRate(node: RealNode, setting: string): Promise<void> {
  await node.connection.json('POST', '/api/v1/seed-rate', { setting })
}

async function ended(node: RealNode, id: number): Promise<SeedDocument> {
  const givesUpMs = performance.now() + ENDED_MS_MAX
  for (;;) {
    const seed = readSeed(await node.connection.json('GET', `/api/v1/seeds/${id}`))
    if (seed.phase === 'completed' || seed.phase === 'failed') return seed
    if (performance.now() > givesUpMs)
      throw new ReplicationError({
        code: 'WAIT_TIMED_OUT',
        message: `the seed is at ${seed.percent} % after ${ENDED_MS_MAX} ms`,
        hint: 'Look at it with "ccr seed".',
      })
    await delay(LOOK_MS)
  }
}
