import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { stringify } from 'yaml'
import { ReplicationError } from '../../engine/error.ts'
import type { ScenarioWorld } from '../../engine/scenario/step.ts'
import { Network } from './network.ts'
import { RealNode, STORAGE_GROUP } from './real-node.ts'

/** What a world of processes is made with. */
export interface RealWorldParts {
  readonly world: ScenarioWorld
  /** An empty directory. */
  readonly data: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
}

/** Between two looks whether the copies are connected, and how long that may take, in milliseconds. */
const LOOK_MS = 50
const CONNECT_MS_MAX = 60_000

/** The nodes of a scenario and the networks between them: each node a process, each copy behind a network of its own. */
export class RealWorld {
  readonly active: RealNode
  readonly copies: readonly RealNode[]
  readonly data: string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Ends whatever is under way. */
  readonly signal: AbortSignal
  readonly #networks: readonly Network[]
  /** Copies that are there from the beginning. */
  readonly #early: number

  private constructor(parts: RealWorldParts, networks: readonly Network[]) {
    const { data, signal } = parts
    // A setting of whoever runs the scenario is none of the scenario's.
    this.env = Object.fromEntries(Object.entries(parts.env).filter(([name]) => !name.startsWith('CCR_')))
    this.data = data
    this.signal = signal
    this.#networks = networks
    this.#early = parts.world.copies - parts.world.late.length
    const node = (name: string, source: string): RealNode =>
      new RealNode({ name, config: writeConfig(parts, name, source), data, env: this.env, signal })
    this.active = node('active', '127.0.0.1:0')
    this.copies = networks.map((network, index) => node(`copy${index + 1}`, network.address))
  }

  /** Starts all nodes, and waits until every copy is connected. What it could not start is ended again. */
  static async start(parts: RealWorldParts): Promise<RealWorld> {
    const networks: Network[] = []
    let world: RealWorld | null = null
    try {
      for (let copy = 0; copy < parts.world.copies; copy++) networks.push(await Network.open())
      world = new RealWorld(parts, networks)
      await world.startNode(world.active)
      for (const copy of world.copies) if (!parts.world.late.includes(copy.name)) await world.startNode(copy)
      await world.#untilConnected()
      return world
    } catch (error) {
      await world?.close()
      await Promise.all(networks.map((network) => network.close()))
      throw error
    }
  }

  /** A node by its name in the scenario. */
  node(name: string): RealNode {
    const node = [this.active, ...this.copies].find((each) => each.name === name)
    if (node === undefined) throw new Error(`the world has no ${name}`)
    return node
  }

  /** The network in front of a copy. */
  network(copy: string): Network {
    const network = this.#networks[this.copies.findIndex(({ name }) => name === copy)]
    if (network === undefined) throw new Error(`the world has no ${copy}`)
    return network
  }

  /** Starts a node; the networks lead to the active wherever it listens now. */
  async startNode(node: RealNode): Promise<void> {
    const port = await node.start()
    if (port !== null) for (const network of this.#networks) network.leadTo(port)
  }

  /** Ends a node. The networks lead nowhere without the active, whose port may be given to anybody. */
  async endNode(node: RealNode, how: 'crash' | 'stop'): Promise<void> {
    if (node === this.active) for (const network of this.#networks) network.leadTo(0)
    await node.end(how)
  }

  /** Ends every process, then the networks. Idempotent. */
  async close(): Promise<void> {
    await Promise.all(this.copies.map((copy) => copy.end('stop')))
    await this.active.end('stop')
    await Promise.all(this.#networks.map((network) => network.close()))
  }

  async #untilConnected(): Promise<void> {
    const givesUpMs = performance.now() + CONNECT_MS_MAX
    for (;;) {
      const { copies } = await this.active.client.share(STORAGE_GROUP)
      if (copies.filter(({ connected }) => connected === true).length === this.#early) return
      if (performance.now() > givesUpMs)
        throw new ReplicationError({
          code: 'WAIT_TIMED_OUT',
          message: `the copies have not connected within ${CONNECT_MS_MAX} ms`,
          hint: `The logs of the nodes are in ${this.data}; --data keeps them.`,
        })
      await delay(LOOK_MS)
    }
  }
}

/** The configuration of one node: it sees the active where its network is. */
function writeConfig({ world, data }: RealWorldParts, name: string, source: string): string {
  const names = ['active', ...Array.from({ length: world.copies }, (_, index) => `copy${index + 1}`)]
  const node = (each: string): object => ({
    data: join(data, each),
    listen: each === 'active' ? source : '127.0.0.1:0',
    manage: '127.0.0.1:0',
  })
  // The active expects as many copies as it is told of.
  const copies = names.slice(1).filter((each) => each === name || !world.late.includes(each))
  const config = {
    ...settingsOf(world),
    nodes: Object.fromEntries(names.map((each) => [each, node(each)])),
    storageGroups: { [STORAGE_GROUP]: { active: 'active', copies: copies.map((each) => copyOf(world, each)) } },
  }
  const path = join(data, `${name}.yaml`)
  mkdirSync(data, { recursive: true })
  writeFileSync(path, stringify(config))
  return path
}

/** A copy as the configuration writes it. */
function copyOf({ standby }: ScenarioWorld, node: string): string | object {
  if (standby === null || !standby.copies.includes(node)) return node
  const { replayLagMs, truncationLagMs } = standby.lag
  return { node, kind: 'scr', replayLag: `${replayLagMs}ms`, truncationLag: `${truncationLagMs}ms` }
}

/** Settings in their sections. What a scenario says by a word of its own comes first, and what it says as a setting last. */
function settingsOf({ gate, circular, release, settings }: ScenarioWorld): Readonly<Record<string, object>> {
  const words = {
    'truncation.passiveGate': gate,
    'store.circularLogging': circular ? 'on' : 'off',
    'copy.release': release,
  }
  const all = { ...words, ...settings }
  const sections: Record<string, Record<string, string | number>> = {}
  for (const [key, value] of Object.entries(all)) {
    const [section = '', name = ''] = key.split('.')
    sections[section] = { ...sections[section], [name]: value }
  }
  return sections
}
