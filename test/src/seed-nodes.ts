// Two nodes in this process, one of which has the copies of the other's storage groups, and what an operator of a seed does with them.
import { closeSync, openSync, readdirSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { freePort } from '../../bench/command.ts'
import { ApiConnection } from '../../src/api-connection.ts'
import { parseClusterText } from '../../src/cluster-file.ts'
import { SETTING_KEYS, SETTINGS, type Settings } from '../../src/config.ts'
import { type NodeService, startNodeService } from '../../src/node-service.ts'
import { serviceLog } from '../../src/service-log.ts'
import type { SeedDocument } from '../../transport/management-seed-documents.ts'
import { type CliOutcome, type CliSetting, ccr } from './cli-harness.ts'

const NEVER = new AbortController().signal
/** For what takes as long as the machine takes. */
export const WAIT = { timeout: 40_000, interval: 20 } as const

type NodeName = 'node1' | 'node2'
type Document = Readonly<Record<string, unknown>>

interface Node {
  readonly service: NodeService
  readonly api: ApiConnection
}

/** How the nodes are set. */
export interface SeedNodesPlan {
  readonly directory: string
  readonly groups?: readonly string[]
  readonly settings?: Partial<Settings>
  /** Whether the second node runs from the beginning. */
  readonly startsPassive?: boolean
}

/** `node1` has the active databases, `node2` their copies. */
export class SeedNodes {
  readonly directory: string
  readonly #text: string
  readonly #settings: Partial<Settings>
  readonly #nodes = new Map<NodeName, Node>()
  #lastId = 0

  private constructor({ directory, groups = ['SG1'], settings = {} }: SeedNodesPlan, port: number) {
    this.directory = directory
    this.#settings = settings
    this.#text = `nodes:
  node1: { data: ${join(directory, 'node1')}, listen: 127.0.0.1:${port}, manage: 127.0.0.1:0 }
  node2: { data: ${join(directory, 'node2')}, listen: 127.0.0.1:0, manage: 127.0.0.1:0 }
storageGroups:
${groups.map((name) => `  ${name}: { active: node1, copies: [node2] }`).join('\n')}
`
  }

  static async start(plan: SeedNodesPlan): Promise<SeedNodes> {
    const nodes = new SeedNodes(plan, await freePort())
    await nodes.begin('node1')
    if (plan.startsPassive !== false) await nodes.begin('node2')
    return nodes
  }

  async begin(name: NodeName): Promise<void> {
    const usual = Object.fromEntries(SETTING_KEYS.map((key) => [key, SETTINGS[key].default])) as unknown as Settings // every key has its row
    const shallow = { 'store.checkpointDepth': 1_048_576, 'store.resilience': 'standalone' } as const
    const settings = { ...usual, ...shallow, ...this.#settings } as Settings // all are values of their rows
    const log = serviceLog('error', { write: () => undefined })
    const service = await startNodeService({ cluster: parseClusterText(this.#text, 'x.yaml'), name, settings, log })
    const api = new ApiConnection({ server: service.managementUrl, timeoutMs: 60_000, signal: NEVER })
    this.#nodes.set(name, { service, api })
  }

  async end(name: NodeName): Promise<void> {
    const node = this.#nodes.get(name)
    this.#nodes.delete(name)
    await node?.api.close()
    await node?.service.close()
  }

  async close(): Promise<void> {
    await this.end('node2')
    await this.end('node1')
  }

  /** Runs a command against a node: where the copies are, if none is named. */
  ccr(words: readonly string[], setting: CliSetting & { readonly on?: NodeName } = {}): Promise<CliOutcome> {
    return ccr([...words, '--server', this.#node(setting.on ?? 'node2').service.managementUrl], setting)
  }

  get(name: NodeName, path: string): Promise<unknown> {
    return this.#node(name).api.json('GET', `/api/v1/${path}`)
  }

  post(name: NodeName, path: string, body: object = {}): Promise<unknown> {
    return this.#node(name).api.json('POST', `/api/v1/${path}`, body)
  }

  managementUrl(name: NodeName): string {
    return this.#node(name).service.managementUrl
  }

  /** The port of the active's shares. */
  get sharePort(): number {
    return Number(new URL(this.#node('node1').service.shares[0]?.url ?? 'http://none').port)
  }

  /** Messages of 48 KB: some twenty fill a log. */
  async mail(messages: number, group = 'SG1'): Promise<void> {
    for (let n = 0; n < messages; n++) {
      this.#lastId += 1
      const operations = [{ op: 'insert', mailbox: 1, id: this.#lastId, size: 48_000, seed: this.#lastId }]
      await this.post('node1', `stores/${group}/transactions`, { transactions: [{ operations }] })
    }
  }

  /** Closes the open log of the active. */
  async roll(group = 'SG1'): Promise<number> {
    return ((await this.post('node1', `stores/${group}/roll`)) as { closed: number }).closed
  }

  status(group = 'SG1'): Promise<Document> {
    return this.get('node2', `copies/${group}`) as Promise<Document>
  }

  /** The copy has replayed everything that is written now, and is well. */
  async healthy(group = 'SG1'): Promise<void> {
    const closed = await this.roll(group)
    const reached = async () => {
      const { SummaryCopyStatus, LastLogReplayed } = await this.status(group)
      return { SummaryCopyStatus, isReplayed: Number(LastLogReplayed) >= closed }
    }
    await expect.poll(reached, WAIT).toEqual({ SummaryCopyStatus: 'Healthy', isReplayed: true })
  }

  async suspend(group = 'SG1'): Promise<void> {
    await this.post('node2', `copies/${group}/suspend`)
  }

  /** Compares all pages of both sides. */
  compare(group = 'SG1'): Promise<CliOutcome> {
    const [active, copy] = [this.managementUrl('node1'), this.managementUrl('node2')]
    return ccr(['compare', group, '--active', active, '--copy', copy])
  }

  async events(name: NodeName, group = 'SG1'): Promise<number[]> {
    const path = `events?limit=1000&storageGroup=${group}`
    return ((await this.get(name, path)) as { events: { id: number }[] }).events.map(({ id }) => id)
  }

  async seeds(): Promise<readonly SeedDocument[]> {
    return ((await this.get('node2', 'seeds')) as { seeds: SeedDocument[] }).seeds
  }

  /** Waits until a seed stands like this, and answers it. */
  async seed(id: number, fits: (seed: SeedDocument) => boolean): Promise<SeedDocument> {
    const found = async () => {
      const seed = (await this.get('node2', `seeds/${id}`)) as SeedDocument
      return fits(seed) ? 'fits' : seed
    }
    await expect.poll(found, WAIT).toBe('fits')
    return (await this.get('node2', `seeds/${id}`)) as SeedDocument
  }

  /** The folder of a storage group on a node. */
  path(name: NodeName, ...rest: readonly string[]): string {
    return join(this.directory, name, 'SG1', ...rest)
  }

  /** Names of the logs of a storage group on a node, ascending. */
  logs(name: NodeName): string[] {
    return readdirSync(this.path(name, 'logs'))
      .filter((each) => /^E00[0-9A-F]{8}\.log$/.test(each))
      .sort()
  }

  #node(name: NodeName): Node {
    const node = this.#nodes.get(name)
    if (node === undefined) throw new Error(`${name} does not run`)
    return node
  }
}

/** A full backup of the active truncates its logs, once the copy has what it needs; then log 1 is gone. */
export async function truncate(nodes: SeedNodes): Promise<void> {
  const to = join(nodes.directory, `full-${Date.now()}-${Math.random()}`)
  const { exitCode, stderr } = await nodes.ccr(['backup', 'full', 'SG1', '--to', to], { on: 'node1' })
  expect([exitCode, stderr]).toEqual([0, expect.any(String)])
  await expect.poll(() => nodes.logs('node1')[0], WAIT).not.toBe('E0000000001.log')
}

/** Turns a byte of a file. */
export function damage(path: string, position: number): void {
  const file = openSync(path, 'r+')
  try {
    const byte = new Uint8Array(1)
    readSync(file, byte, 0, 1, position)
    writeSync(file, new Uint8Array([(byte[0] ?? 0) ^ 0xff]), 0, 1, position)
  } finally {
    closeSync(file)
  }
}
