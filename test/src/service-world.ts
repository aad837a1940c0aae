import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LogFormat } from '../../engine/log-format.ts'
import { type CopyService, type CopyServiceOptions, startCopyService } from '../../src/copy-service.ts'
import { openLogWriter } from '../../src/log-writer.ts'
import { type LogLevel, serviceLog } from '../../src/service-log.ts'
import { type ShareService, type ShareServiceOptions, startShareService } from '../../src/share-service.ts'
import type { CopyStatusDocument } from '../../transport/management-documents.ts'

/** Any free port of this machine. */
export const ANY_PORT = { host: '127.0.0.1', port: 0 } as const

/** The format of the small numbered logs that most tests ship. */
export const NUMBERED: LogFormat = { kind: 'numbered', pattern: 'log-(?<decimal>\\d+)' }
export const ESE: LogFormat = { kind: 'ese', baseName: 'E00' }

/** How long a test waits for a state that has to come; far beyond what it takes. */
const PATIENCE_MS = 30_000

/** Set LOG=debug to see every fact and order of a failing test. */
const log = serviceLog((process.env['LOG'] as LogLevel | undefined) ?? 'silent') // what a developer types

/** Real directories, real services, real worker threads; everything is closed and removed at the end. */
export class ServiceWorld {
  readonly root: string
  readonly logs: string
  #toClose: { close(): Promise<void> }[] = []

  constructor(root: string) {
    this.root = root
    this.logs = join(root, 'active')
  }

  /** A new world with an empty log directory. */
  static async make(): Promise<ServiceWorld> {
    const world = new ServiceWorld(await mkdtemp(join(tmpdir(), 'services-')))
    await mkdir(world.logs)
    return world
  }

  async end(): Promise<void> {
    for (const service of this.#toClose.splice(0).reverse()) await service.close()
    await rm(this.root, { recursive: true, force: true })
  }

  /** Something to be closed at the end, whatever happens. */
  keep<Service extends { close(): Promise<void> }>(service: Service): Service {
    this.#toClose.push(service)
    return service
  }

  async share(options: Partial<ShareServiceOptions> = {}): Promise<ShareService> {
    return this.keep(
      await startShareService({
        logs: this.logs,
        name: 'SG1',
        format: NUMBERED,
        listen: ANY_PORT,
        manage: null,
        log,
        onCrash: crash,
        ...options,
      }),
    )
  }

  async copy(sourceUrl: string, options: Partial<CopyServiceOptions> = {}): Promise<CopyService> {
    return this.keep(
      await startCopyService({ sourceUrl, store: this.store(), manage: null, log, onCrash: crash, ...options }),
    )
  }

  /** Path of a store. */
  store(name = 'passive'): string {
    return join(this.root, name)
  }

  /** Closes numbered logs as a store does: written under another name, then renamed. */
  async closeLogs(first: number, last: number): Promise<void> {
    for (let g = first; g <= last; g++) await this.closeLog(g, `log ${g} `.repeat(100))
  }

  async closeLog(generation: number, content: string): Promise<void> {
    const open = join(this.logs, 'open.tmp')
    await writeFile(open, content)
    await rename(open, join(this.logs, logName(generation)))
  }

  /** Closes real ESE logs of 1 MiB. */
  async closeEseLogs(count: number): Promise<void> {
    const writer = await openLogWriter({ directory: this.logs, baseName: 'E00', seed: 1, nowMs: Date.now })
    for (let i = 0; i < count; i++) await writer.roll()
    await writer.close()
  }

  /** The closed logs in the log directory of a store, or of the source. */
  async logsIn(directory: string = this.logs): Promise<string[]> {
    const names = await readdir(directory)
    return names.filter((name) => /^(log-\d+|E00[0-9A-F]{8}\.log)$/.test(name)).sort()
  }

  logsOf(store: string = this.store()): Promise<string[]> {
    return this.logsIn(join(store, 'logs'))
  }
}

/** Names of numbered logs. */
export function logNames(first: number, last: number): string[] {
  return Array.from({ length: last - first + 1 }, (_, i) => logName(first + i))
}

/** The name of a numbered log: sorted names are sorted generations. */
export function logName(generation: number): string {
  return `log-${String(generation).padStart(6, '0')}`
}

/** A signal that ends a wait which should have ended long ago. */
export function patience(): AbortSignal {
  return AbortSignal.timeout(PATIENCE_MS)
}

/** Waits until a copy has inspected everything up to a generation. */
export function inspected(copy: CopyService, generation: number): Promise<CopyStatusDocument> {
  return copy.whenStatus((status) => status.LastLogInspected >= generation, patience())
}

/** The ids of all events that a service has raised. */
export async function eventIds(service: CopyService | ShareService): Promise<number[]> {
  const events = await service.events.page({ after: 0, limit: 1_000, storageGroup: null })
  return events.map((event) => event.id)
}

/** A digest of every file below a directory: names and bytes. */
export async function digestOf(directory: string): Promise<string> {
  const hash = createHash('sha256')
  const entries = await readdir(directory, { recursive: true, withFileTypes: true })
  const paths = entries.map((entry) => ({ path: join(entry.parentPath, entry.name), isFile: entry.isFile() }))
  for (const { path, isFile } of paths.sort((a, b) => (a.path < b.path ? -1 : 1)))
    hash.update(path).update(isFile ? await readFile(path) : '')
  return hash.digest('hex')
}

function crash(error: unknown): void {
  // A rule of the program broke in a service under test: the run must fail, whatever the test waits for.
  setImmediate(() => {
    throw error
  })
}
