import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { waitUntil } from '../../bench/command.ts'
import {
  type CopyFigures,
  copyFigures,
  type Service,
  type ShareService,
  type StartOptions,
  startCopy,
  startShare,
} from '../../bench/product.ts'
import { asGeneration } from '../../engine/generation.ts'
import { eseLogName } from '../../engine/log-format.ts'
import { logsOfStore } from '../workers/replay-rig.ts'

/** A directory with room for a source and a copy, and the processes that were started for it. */
export class ProcessBed {
  readonly directory: string = mkdtempSync(join(tmpdir(), 'ccr-process-'))
  readonly source: string = join(this.directory, 'source')
  readonly store: string = join(this.directory, 'store')
  readonly #started: Service[] = []

  constructor() {
    mkdirSync(this.source)
  }

  /** Where the copy keeps its logs. */
  get copied(): string {
    return join(this.store, 'logs')
  }

  async share(options: StartOptions = {}): Promise<ShareService> {
    const service = await startShare(this.source, options)
    this.#started.push(service)
    return service
  }

  /** Starts a copy in {@link store}, or in another directory of the bed. */
  async copy(
    share: Pick<ShareService, 'listen'>,
    options: StartOptions & { readonly store?: string } = {},
  ): Promise<Service> {
    const { store = 'store', ...start } = options
    const service = await startCopy(`${share.listen}/shares/SG1`, join(this.directory, store), start)
    this.#started.push(service)
    return service
  }

  /** The first logs of a mailbox store, from one to another, appear in the source as their writer closes them. */
  closeStoreLogs(first: number, last: number): void {
    const logs = logsOfStore(last)
    for (let generation = first; generation <= last; generation++) {
      const path = join(this.source, eseLogName('E00', asGeneration(generation)))
      writeFileSync(`${path}.tmp`, logs[generation - 1] ?? new Uint8Array(0))
      renameSync(`${path}.tmp`, path)
    }
  }

  /** Names of the logs that are published on the copy, ascending. */
  copiedNames(): string[] {
    return readdirSync(this.copied, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => entry.name)
      .sort()
  }

  /** Names whose content differs between source and copy, or that the copy does not have. */
  differing(names: readonly string[]): string[] {
    return names.filter((name) => {
      try {
        return !readFileSync(join(this.source, name)).equals(readFileSync(join(this.copied, name)))
      } catch {
        return true
      }
    })
  }

  async close(): Promise<void> {
    for (const service of this.#started.reverse()) await service.stop()
    rmSync(this.directory, { recursive: true, force: true })
  }
}

/** Waits for a status that fits, and answers it. */
export async function untilStatus(
  copy: Service,
  what: string,
  fits: (figures: CopyFigures) => boolean,
): Promise<CopyFigures> {
  let last: CopyFigures | null = null
  const reached = async (): Promise<boolean> => {
    last = await copyFigures(copy)
    return last !== null && fits(last)
  }
  await waitUntil(what, reached, STATUS_MS).catch((cause: unknown) => {
    throw new Error(`${String(cause)}; last status ${JSON.stringify(last)}\n${copy.said()}`)
  })
  if (last === null) throw new Error('a status was waited for')
  return last
}

/** Longer than the slowest retry of the copy. */
const STATUS_MS = 50_000
