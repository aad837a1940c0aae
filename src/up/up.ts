import { once } from 'node:events'
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { stringify } from 'yaml'
import { LOG_BYTES_2007 } from '../../engine/database/prepared-log.ts'
import { ReplicationError } from '../../engine/error.ts'
import { authorityOf, parseListenAddress } from '../../transport/loopback.ts'
import type { JsonObject, StatusDocument } from '../api-answer.ts'
import { ApiClient } from '../api-client.ts'
import type { CliIo } from '../cli-io.ts'
import type { Settings } from '../config.ts'
import { whenAborted } from '../service-process.ts'
import { type ChildCommand, type ChildOutcome, documentOf, startCommand } from './child-command.ts'
import { type ChildService, startChild } from './child-service.ts'
import { numberIn, type UpMoment, type UpPlaces, type UpSummary, type Verdict } from './view.ts'

/** How two nodes are brought up. */
export interface UpOptions {
  readonly io: CliIo
  readonly settings: Settings
  /** Messages per second of the load. */
  readonly rate: number
  /** Null: a temporary directory, removed at the end. */
  readonly data: string | null
  /** When the load is to end: at a signal, or when the time is over. */
  readonly signal: AbortSignal
  readonly onPlaces: (places: UpPlaces) => void
  /** Called about once a second. */
  readonly onMoment: (moment: UpMoment) => void
}

const STORAGE_GROUP = 'SG1'
const ACTIVE = 'node1'
const PASSIVE = 'node2'
/** A person reads a line a second. */
const MOMENT_MS = 1000
/** Between two looks at the services, in milliseconds. */
const LOOK_MS = 200
/** Logs that stay on both sides, so that there is something to look at; everything older is marked as backed up: 100 MiB. */
const LOGS_KEPT = 100
/** The exit code of a check that found something. */
const CHECK_FAILED = 3

/**
 * Brings two nodes up in processes of their own, with a load in a third, until the signal; then has the messages and both databases
 * checked, and stops everything.
 */
export async function runUp(options: UpOptions): Promise<UpSummary> {
  const data = options.data === null ? mkdtempSync(join(tmpdir(), 'ccr-up-')) : resolve(options.data)
  const closing: (() => Promise<void>)[] = []
  if (options.data === null) closing.push(() => rm(data, { recursive: true, force: true }))
  try {
    const up = await start(options, data, closing)
    return await up.run()
  } finally {
    // In reverse order: the load, the copy, the store, and the files under them at the end.
    for (const close of closing.reverse()) await close()
  }
}

async function start(options: UpOptions, data: string, closing: (() => Promise<void>)[]): Promise<Up> {
  mkdirSync(data, { recursive: true })
  const config = join(data, 'ccr.yaml')
  writeFileSync(config, stringify(await clusterOf(options.settings, data)))
  const service = async (name: string): Promise<ChildService> => {
    const logPath = join(data, `${name}.log`)
    const child = await startChild({ line: ['node', '--config', config, '--name', name], logPath, env: options.io.env })
    closing.push(child.stop)
    return child
  }
  const active = await service(ACTIVE)
  const passive = await service(PASSIVE)
  const place = (name: string, { started }: ChildService) => ({
    name,
    managementUrl: started.managementUrl,
    folder: join(data, name, STORAGE_GROUP),
    log: join(data, `${name}.log`),
  })
  const places: UpPlaces = {
    data,
    temporary: options.data === null,
    config,
    active: place(ACTIVE, active),
    passive: place(PASSIVE, passive),
    ledger: join(data, 'load.ledger'),
  }
  options.onPlaces(places)
  const line = ['load', STORAGE_GROUP, '--rate', `${options.rate}/s`, '--ledger', places.ledger]
  const load = startCommand({ line: [...line, '--server', places.active.managementUrl], env: options.io.env })
  closing.push(async () => {
    load.stop()
    await load.ended
  })
  return new Up({ options, places, active, passive, load })
}

/** The configuration of the cluster, at the addresses of the settings where they are free. */
async function clusterOf(settings: Settings, data: string): Promise<object> {
  const node = async (name: string, listen: string, manage: string): Promise<object> => ({
    data: join(data, name),
    listen: await freeAddress(listen),
    manage: await freeAddress(manage),
  })
  return {
    copy: { release: settings['copy.release'] },
    nodes: {
      [ACTIVE]: await node(ACTIVE, settings['share.listen'], settings['share.manage']),
      [PASSIVE]: await node(PASSIVE, '127.0.0.1:0', settings['copy.manage']),
    },
    storageGroups: { [STORAGE_GROUP]: { active: ACTIVE, copies: [PASSIVE] } },
  }
}

interface UpParts {
  readonly options: UpOptions
  readonly places: UpPlaces
  readonly active: ChildService
  readonly passive: ChildService
  readonly load: ChildCommand
}

/** The running part: looks, marks, tells, and checks at the end. */
class Up {
  readonly #parts: UpParts
  readonly #source: ApiClient
  readonly #copy: ApiClient
  readonly #startedMs = performance.now()
  readonly #looking = new AbortController()
  #marked = 0
  #store: JsonObject | null = null
  #status: StatusDocument | null = null
  #lowest = 0

  constructor(parts: UpParts) {
    this.#parts = parts
    const client = (server: string): ApiClient =>
      new ApiClient({ server, timeoutMs: parts.options.settings['client.timeout'], signal: this.#looking.signal })
    this.#source = client(parts.places.active.managementUrl)
    this.#copy = client(parts.places.passive.managementUrl)
  }

  async run(): Promise<UpSummary> {
    const { options, active, passive, load } = this.#parts
    const looking = this.#look()
    try {
      // A service that ends by itself ends everything: nothing would move any more.
      await Promise.race([whenAborted(options.signal), active.ended, passive.ended, load.ended])
      load.stop()
      const loaded = documentOf(await load.ended, 'the load', [0, 130, 143, CHECK_FAILED])
      const elapsedMs = performance.now() - this.#startedMs
      return await this.#check(loaded, elapsedMs)
    } finally {
      this.#looking.abort('over')
      await looking
      await Promise.all([this.#source.close(), this.#copy.close()])
    }
  }

  async #check(load: Readonly<Record<string, unknown>>, elapsedMs: number): Promise<UpSummary> {
    const { ledger, active, passive } = this.#parts.places
    const messages = await this.#verdict(['load', STORAGE_GROUP, '--check', '--ledger', ledger], active.managementUrl)
    const summaryCopyStatus = this.#status?.SummaryCopyStatus ?? 'ServiceDown'
    const comparable = this.#status !== null && !['Suspended', 'Failed'].includes(summaryCopyStatus)
    const sides = ['--active', active.managementUrl, '--copy', passive.managementUrl]
    const databases = comparable ? await this.#verdict(['compare', STORAGE_GROUP, ...sides], null) : null
    return { elapsedMs, load, messages, databases, summaryCopyStatus }
  }

  async #verdict(line: readonly string[], server: string | null): Promise<Verdict> {
    const outcome: ChildOutcome = await startCommand({
      line: [...line, ...(server === null ? [] : ['--server', server])],
      env: this.#parts.options.io.env,
    }).ended
    const document = documentOf(outcome, `ccr ${line[0] ?? ''}`, [0, CHECK_FAILED])
    return { sound: outcome.exitCode === 0, document }
  }

  /** Looks at both nodes again and again until it is over, and tells once a second. */
  async #look(): Promise<void> {
    const { signal } = this.#looking
    let told = { atMs: this.#startedMs, commits: 0, generation: 0 }
    while (!signal.aborted) {
      await this.#glance().catch((error: unknown) => {
        // A node that is gone is shown as such; whether that matters is said at the end.
        if (!(error instanceof ReplicationError) && !signal.aborted) throw error
        this.#status = null
      })
      const nowMs = performance.now()
      if (nowMs - told.atMs >= MOMENT_MS && !signal.aborted) {
        const now = { atMs: nowMs, commits: this.#commits(), generation: numberIn(this.#store, 'openGeneration') }
        this.#tell(told, now)
        told = now
      }
      await delay(LOOK_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  async #glance(): Promise<void> {
    this.#store = await this.#source.store(STORAGE_GROUP)
    this.#lowest = numberIn(await this.#source.share(STORAGE_GROUP), 'lowest')
    this.#status = await this.#copy.copy(STORAGE_GROUP)
    await this.#markBackup(numberIn(this.#status, 'LastLogReplayed') - LOGS_KEPT)
  }

  /** Tells the source that older logs are backed up, a bundle at a time, so that both sides truncate. */
  async #markBackup(through: number): Promise<void> {
    if (through < this.#marked + LOGS_KEPT / 4) return
    await this.#source.markBackup(STORAGE_GROUP, through)
    this.#marked = through
  }

  #commits(): number {
    const transactions = this.#store?.['transactions']
    // A document of our own; a member of another kind counts as none.
    return typeof transactions === 'object' ? numberIn(transactions as JsonObject | null, 'committed') : 0
  }

  #tell(before: { atMs: number; commits: number; generation: number }, now: typeof before): void {
    const seconds = (now.atMs - before.atMs) / 1000
    const logs = before.generation === 0 ? 0 : Math.max(0, now.generation - before.generation)
    this.#parts.options.onMoment({
      elapsedMs: now.atMs - this.#startedMs,
      store: this.#store,
      copy: this.#status,
      lowest: this.#lowest,
      commitsPerSecond: Math.max(0, now.commits - before.commits) / seconds,
      logBytesPerSecond: (logs * LOG_BYTES_2007) / seconds,
    })
  }
}

/** The address itself, or one with a free port on the same host when somebody listens there already. */
async function freeAddress(text: string): Promise<string> {
  const { host, port } = parseListenAddress(text)
  if ((await boundPort(host, port)) !== null) return text
  return authorityOf({ host, port: (await boundPort(host, 0)) ?? 0 })
}

/** The port that could be listened at a moment ago, or null. */
async function boundPort(host: string, port: number): Promise<number | null> {
  const probe = createServer()
  try {
    probe.listen({ host, port, exclusive: true })
    await once(probe, 'listening')
    const address = probe.address()
    return typeof address === 'object' && address !== null ? address.port : null
  } catch {
    return null
  } finally {
    await new Promise((closed) => probe.close(closed))
  }
}
