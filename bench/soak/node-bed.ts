import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { DATABASE_HEADERS_BYTES_MAX, readDatabaseHeader } from '../../engine/database/database-header-copies.ts'
import { logNameParser } from '../../engine/log-format.ts'
import { freePort, waitUntil } from '../command.ts'
import {
  type BegunCommand,
  beginCcr,
  type FinishedCommand,
  readJson,
  runCcr,
  type Service,
  type StartOptions,
  spawnNode,
  untilLive,
} from '../product.ts'

/** The nodes of a bed: the store is active on the first, its copy lies on the second. */
export type NodeName = 'active' | 'passive'

/** A shallow checkpoint and little memory: pages go to the file soon, and so may logs. */
const SETTINGS = {
  share: { scanInterval: 1_000 },
  copy: { cache: '4MiB' },
  store: { cacheBytes: '4MiB', checkpointDepth: '1MiB', resilience: 'standalone' },
  log: { level: 'warn' },
}
const NAMES: readonly NodeName[] = ['active', 'passive']
/** Longer than a start with all logs redone, on a machine with much else to do. */
const START_MS = 60_000
/** Longer than any backup of a test. */
const BACKUP_MS = 60_000

/** A cluster of two `ccr node` processes with the storage group SG1, in a directory of its own. */
export class NodeBed {
  readonly directory: string
  readonly #config: string
  readonly #ports: Readonly<Record<NodeName, number>>
  readonly #services = new Map<NodeName, Service>()
  readonly #begun: BegunCommand[] = []

  private constructor(directory: string, ports: Readonly<Record<NodeName, number>>) {
    this.directory = directory
    this.#config = join(directory, 'ccr.yaml')
    this.#ports = ports
  }

  /** Makes the directory; nothing runs yet. */
  static async make(copies: readonly NodeName[] = ['passive']): Promise<NodeBed> {
    const directory = mkdtempSync(join(tmpdir(), 'ccr-nodes-'))
    const bed = new NodeBed(directory, { active: await freePort(), passive: await freePort() })
    const nodes: Record<string, object> = {}
    for (const name of NAMES)
      nodes[name] = {
        data: join(directory, name),
        listen: `127.0.0.1:${await freePort()}`,
        manage: `127.0.0.1:${bed.#ports[name]}`,
      }
    mkdirSync(join(directory, 'sets'))
    writeFileSync(bed.#config, stringify({ ...SETTINGS, nodes, storageGroups: { SG1: { active: 'active', copies } } }))
    return bed
  }

  /** Starts a node, again where it was ended, and waits until it answers. */
  async start(name: NodeName, options: StartOptions = {}): Promise<Service> {
    const node = spawnNode(this.#config, name, { ...options, managePort: this.#ports[name] })
    this.#services.set(name, node)
    await untilLive(node)
    return node
  }

  /** A node that was started. */
  node(name: NodeName): Service {
    const node = this.#services.get(name)
    if (node === undefined) throw new Error(`${name} was not started`)
    return node
  }

  /** The folder of the storage group on a node. */
  root(name: NodeName): string {
    return join(this.directory, name, 'SG1')
  }

  set(name: string): string {
    return join(this.directory, 'sets', name)
  }

  /** What the load remembers. */
  get ledger(): string {
    return join(this.directory, 'sg1.ledger')
  }

  /** Runs a command against a node to its end. */
  ccr(on: NodeName, ...words: readonly string[]): Promise<FinishedCommand> {
    return runCcr([...words, '--server', this.node(on).manage])
  }

  /** As {@link ccr}; what fails is thrown with what it said. */
  async must(on: NodeName, ...words: readonly string[]): Promise<string> {
    const { exitCode, stdout, stderr } = await this.ccr(on, ...words)
    if (exitCode !== 0)
      throw new Error(`ccr ${words.join(' ')} ended with ${exitCode}: ${stderr}${this.node(on).said()}`)
    return stdout
  }

  /** Begins a command; it is ended with the bed. */
  begin(on: NodeName, ...words: readonly string[]): BegunCommand {
    const begun = beginCcr([...words, '--server', `http://127.0.0.1:${this.#ports[on]}`])
    this.#begun.push(begun)
    return begun
  }

  /** A load that remembers what was acknowledged. */
  load(...words: readonly string[]): BegunCommand {
    return this.begin('active', 'load', 'SG1', '--ledger', this.ledger, '--mailboxes', '20', '--json', ...words)
  }

  /** Reads every message back that a load was told to be there. */
  async check(ledger: string = this.ledger): Promise<{
    readonly sound: boolean
    readonly messages: number
    readonly findings: readonly unknown[]
  }> {
    const { stdout, stderr } = await this.ccr('active', 'load', 'SG1', '--check', '--ledger', ledger, '--json')
    if (stdout === '') throw new Error(stderr)
    return JSON.parse(stdout) // its own test knows its shape
  }

  /** Waits until a document of a node has what is wanted, and answers it. */
  async until(
    on: NodeName,
    path: string,
    fits: (document: Readonly<Record<string, unknown>>) => boolean,
  ): Promise<Readonly<Record<string, unknown>>> {
    let last: unknown = null
    const reached = async (): Promise<boolean> => {
      const node = this.node(on)
      if (!node.running()) throw new Error(`${on} has ended:\n${node.said()}`)
      last = (await readJson(`${node.manage}/api/v1/${path}`)) ?? last
      return last !== null && fits(last as Readonly<Record<string, unknown>>) // an object, by the schema of the API
    }
    await waitUntil(path, reached, START_MS, 20).catch((cause: unknown) => {
      throw new Error(`${String(cause)}; last ${JSON.stringify(last)}\n${this.node(on).said()}`)
    })
    return last as Readonly<Record<string, unknown>> // as above
  }

  /** Waits until no backup is under way on a node. */
  async untilNoBackup(on: NodeName): Promise<void> {
    const isOver = ({ phase }: { phase: string }): boolean => phase === 'completed' || phase === 'failed'
    await waitUntil(
      'backups are over',
      async () => {
        const list = (await readJson(`${this.node(on).manage}/api/v1/backups`)) as {
          backups: { phase: string }[]
        } | null
        return list?.backups.every(isOver) ?? false
      },
      BACKUP_MS,
      20,
    )
  }

  /** Waits until the passive has replayed all that the active has closed. */
  async untilReplayed(): Promise<void> {
    const { generated } = await this.until('active', 'shares/SG1', ({ generated: last }) => Number(last) > 0)
    await this.until(
      'passive',
      'copies/SG1',
      ({ LastLogReplayed, Failed }) => Failed !== true && Number(LastLogReplayed) >= Number(generated),
    )
  }

  /** Generations of the closed logs on the disk of a node, ascending. */
  closedLogs(on: NodeName): number[] {
    return closedLogsIn(join(this.root(on), 'logs'))
  }

  async close(): Promise<void> {
    for (const begun of this.#begun) begun.kill()
    for (const service of this.#services.values()) await service.kill()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** Generations of the closed logs in a directory, ascending. */
function closedLogsIn(directory: string): number[] {
  const parse = logNameParser({ kind: 'ese', baseName: 'E00' })
  return readdirSync(directory)
    .flatMap((name): number[] => {
      const parsed = parse(name)
      return parsed === null ? [] : [parsed.generation]
    })
    .sort((a, b) => a - b)
}

/** The first log that a database on a disk needs, by its header; null for one that needs none. */
export function requiredBy(root: string): number | null {
  const read = readDatabaseHeader(
    readFileSync(join(root, 'database', 'priv1.edb')).subarray(0, DATABASE_HEADERS_BYTES_MAX),
  )
  if (read.verdict !== 'read') throw new Error(`the header of ${root} is damaged`)
  const { minRequired } = read.header.required
  return minRequired === 0 ? null : minRequired
}
