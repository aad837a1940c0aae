import { ReplicationError } from '../engine/error.ts'
import type { Announcement } from '../engine/fact.ts'
import { type Generation, NO_GENERATION } from '../engine/generation.ts'
import type { FileOperations } from '../storage/file-operations.ts'
import type { StreamedLog } from '../transport/log-sender.ts'
import type { ServedLogs, ServedShare } from '../transport/log-share-app.ts'
import type { StreamedShares } from '../transport/log-stream-server.ts'
import type { ServedLog } from '../transport/log-transfer.ts'
import type { SeededDatabase } from '../transport/seed-source.ts'
import { PIECE_BYTES_MAX } from '../transport/wire.ts'
import { ChecksumCache } from './checksum-cache.ts'
import { HashAhead } from './hash-ahead.ts'
import type { SharedDirectory } from './messages.ts'
import type { SeedSources } from './seed-sources.ts'
import { type FoundLog, LogFinder } from './shared-directory.ts'
import { refuseOversized, SharedLog } from './shared-log.ts'
import type { Slab, Slot } from './slab.ts'

interface Share {
  readonly shared: SharedDirectory
  readonly finder: LogFinder
  announcement: Announcement | null
  /** Begins at the time of the start, so that no number of an earlier run, which a client may still name, comes again. */
  announcementNumber: number
  /** Told at the next announcement, or when the share closes. */
  readonly waiting: Set<() => void>
}

/** What a source says before it has read its directory. */
const NOTHING_YET: Announcement = {
  lowest: NO_GENERATION,
  closedThrough: NO_GENERATION,
  generated: NO_GENERATION,
  missing: NO_GENERATION,
  truncatedBelow: NO_GENERATION,
  stream: 0,
  logTimeMs: 0,
}

/** All storage groups of one source: what the HTTP listener and the log stream serve. */
export class SharedLogs implements ServedLogs, StreamedShares {
  readonly #files: FileOperations
  readonly #slab: Slab
  readonly #now: () => number
  readonly #firstNumber: number
  readonly #cache = new ChecksumCache()
  readonly #ahead = new HashAhead({
    hash: (share, generation) => this.#hashUnasked(share, generation),
    hasRoom: () => this.#cache.hasRoom,
  })
  readonly #shares = new Map<string, Share>()
  /** The slot in which logs for plain HTTP are hashed, one at a time; the log stream never waits for it. */
  readonly #hashSlot: Slot
  #hashing: Promise<unknown> = Promise.resolve()

  readonly #seeds: SeedSources

  /** `startedAtMs` is the time of day; `now` a clock that never goes back. Both count milliseconds. */
  constructor(parts: {
    files: FileOperations
    slab: Slab
    seeds: SeedSources
    now: () => number
    startedAtMs: number
  }) {
    this.#seeds = parts.seeds
    this.#firstNumber = parts.startedAtMs
    this.#files = parts.files
    this.#slab = parts.slab
    this.#now = parts.now
    const slot = parts.slab.take()
    if (slot === null) throw new Error('a slab has at least one slot')
    this.#hashSlot = slot
  }

  /** Opens a share, or opens it anew. */
  openShare(shared: SharedDirectory): void {
    this.closeShare(shared.share)
    const finder = new LogFinder(shared, this.#files, this.#now)
    this.#shares.set(shared.share, {
      shared,
      finder,
      announcement: null,
      announcementNumber: this.#firstNumber,
      waiting: new Set(),
    })
  }

  closeShare(name: string): void {
    const share = this.#shares.get(name)
    this.#shares.delete(name)
    this.#cache.forget(name)
    this.#ahead.forget(name)
    if (share !== undefined) wakeAll(share)
  }

  /** Hashes nothing more that nobody asks for. */
  close(): void {
    this.#ahead.close()
  }

  announce(name: string, announcement: Announcement): void {
    const share = this.#shares.get(name)
    if (share === undefined) return
    // Logs of a backup lie in the place of those that were hashed: they are no changed ones.
    if (share.announcement !== null && share.announcement.stream !== announcement.stream) this.#cache.forget(name)
    this.#ahead.announced(name, share.announcement, announcement)
    share.announcement = announcement
    share.announcementNumber += 1
    wakeAll(share)
  }

  names(): readonly string[] {
    return [...this.#shares.keys()].sort()
  }

  describe(name: string): ServedShare | null {
    const share = this.#shares.get(name)
    if (share === undefined) return null
    const { shared, announcement, announcementNumber } = share
    const { format, store } = shared
    return { format, store, announcement: announcement ?? NOTHING_YET, announcementNumber }
  }

  async whenAnnounced(name: string, afterNumber: number, signal: AbortSignal): Promise<void> {
    const share = this.#shares.get(name)
    if (share === undefined || share.announcementNumber !== afterNumber || signal.aborted) return
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        share.waiting.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      share.waiting.add(wake)
      signal.addEventListener('abort', wake)
    })
  }

  /** Opens a log for the log stream. */
  async open(name: string, generation: Generation): Promise<StreamedLog> {
    this.#ahead.served(name, generation)
    return this.#read(name, generation, await this.#find(name, generation))
  }

  /** Opens a log for plain HTTP, which states the checksum before the first byte. */
  async openLog(name: string, generation: Generation): Promise<ServedLog> {
    const found = await this.#find(name, generation)
    try {
      const log = this.#read(name, generation, found)
      const checksum = await this.#hashInTurn(log)
      return {
        name: log.name,
        sizeBytes: log.sizeBytes,
        logTimeMs: log.logTimeMs,
        checksumHex: checksum.toString(16).padStart(16, '0'),
        read: (buffer, position) =>
          this.#files.read(found.file, { bytes: buffer, offset: 0, length: buffer.length }, position),
        close: () => log.close(),
      }
    } catch (error) {
      await this.#files.close(found.file)
      throw error
    }
  }

  seededDatabase(name: string, session: number): SeededDatabase {
    return this.#seeds.find(name, session)
  }

  async #find(name: string, generation: Generation): Promise<FoundLog> {
    const share = this.#shares.get(name)
    if (share === undefined) throw notShared(name)
    const found = await share.finder.open(generation, share.announcement)
    try {
      refuseOversized(found)
      return found
    } catch (error) {
      await this.#files.close(found.file)
      throw error
    }
  }

  #read(name: string, generation: Generation, found: FoundLog): SharedLog {
    return new SharedLog(found, {
      share: name,
      generation,
      files: this.#files,
      slab: this.#slab,
      cache: this.#cache,
      provesItself: this.#shares.get(name)?.shared.format.kind === 'ese',
    })
  }

  /** Logs that nobody has asked for are hashed too. Whoever asks for one later is told what is wrong with it. */
  async #hashUnasked(name: string, generation: Generation): Promise<void> {
    try {
      const log = this.#read(name, generation, await this.#find(name, generation))
      await this.#hashInTurn(log).finally(() => log.close())
    } catch (error) {
      if (!(error instanceof ReplicationError)) throw error
    }
  }

  #hashInTurn(log: SharedLog): Promise<bigint> {
    const hashed = this.#hashing.then(() => this.#hashAll(log))
    this.#hashing = hashed.catch(() => undefined) // whoever asked for that log is told
    return hashed
  }

  async #hashAll(log: SharedLog): Promise<bigint> {
    for (let position = 0; position < log.sizeBytes && !log.isKnown; position += PIECE_BYTES_MAX)
      await log.read(this.#hashSlot, position, Math.min(PIECE_BYTES_MAX, log.sizeBytes - position))
    return log.checksum()
  }
}

function wakeAll(share: Share): void {
  for (const wake of [...share.waiting]) wake()
}

function notShared(name: string): ReplicationError {
  return new ReplicationError({
    code: 'SHARE_UNKNOWN',
    message: `no share named ${JSON.stringify(name)}`,
    hint: 'GET /shares lists the shares of this source.',
    fields: { storageGroup: name },
  })
}
