import { readdir } from 'node:fs/promises'
import { readIdentity, verifyLog } from '../engine/database/log-file.ts'
import { ReplicationError } from '../engine/error.ts'
import type { CopiedLog, StoreContents } from '../engine/fact.ts'
import {
  type Generation,
  type GenerationRange,
  NO_GENERATION,
  nextGeneration,
  previousGeneration,
} from '../engine/generation.ts'
import { type LogFormat, logNameParser } from '../engine/log-format.ts'
import type { LogIdentity, Rejection } from '../engine/log-identity.ts'
import type { ReplicaOrder } from '../engine/order.ts'
import type { DeletionOutcome } from '../storage/ascending-deletion.ts'
import { type CopyStore, openCopyStore } from '../storage/copy-store.ts'
import { errnoOf } from '../storage/file-error.ts'
import { type FileOperations, pathIn } from '../storage/file-operations.ts'
import { type QuarantineNote, quarantineFile } from '../storage/quarantine.ts'
import { bytesOf, haveSameContent } from '../storage/same-content.ts'
import {
  type ClearedFiles,
  clearForSeed,
  findForSeed,
  publishSeed,
  type SeedFindings,
  type SeedPlaces,
} from '../storage/seed-folder.ts'
import { STORE_MARKER_NAME } from '../storage/store-marker.ts'
import type { StoreNames } from '../storage/store-places.ts'
import type { Clock } from './clock.ts'
import { freshId, type RandomBytes } from './fresh-id.ts'
import { INTENT_FILE } from './intent-keeper.ts'
import type { ServiceLog } from './service-log.ts'

type SetAsideOrder = Extract<ReplicaOrder, { kind: 'set-aside-log' }>

/** What a {@link CopyDisk} works with. */
export interface CopyDiskParts {
  /** Absolute path of the store. */
  readonly root: string
  /** The identity under which the copy is enrolled; the store is made with it. */
  readonly copyId: string
  readonly files: FileOperations
  readonly clock: Clock
  readonly random: RandomBytes
  readonly log: ServiceLog
  /** Whether a scan tells when each log was closed: a look at every file. */
  readonly needsLogTimes: boolean
}

/** Damaged logs that are set aside in a row; more of them are no accident but a broken disk. */
const DAMAGED_MAX = 3

const EMPTY: StoreContents = { run: null, identity: null, logTimeMs: 0 }

/**
 * The main thread's part of a copy's disk: finding out what is there, quarantine, deletion. (Arriving logs are the copy
 * worker's.) One thing at a time; `stop` ends what is under way, and after it the disk is quiet.
 */
export class CopyDisk {
  readonly #parts: CopyDiskParts
  #store: CopyStore<LogIdentity> | null = null
  /** How often each log was refused since the store was last checked. */
  readonly #attempts = new Map<Generation, number>()
  #format: LogFormat | null = null
  #stopping = new AbortController()
  #last: Promise<unknown> = Promise.resolve()

  constructor(parts: CopyDiskParts) {
    this.#parts = parts
  }

  /** Whether the store's directories are made and open. A new copy has none before its source said what it ships. */
  get isOpen(): boolean {
    return this.#store !== null
  }

  /**
   * Opens the store, making it when it is new.
   *
   * @param mustExist the store was there before: a missing one is a vanished volume
   *
   * Errors: `STORE_FOREIGN`, `DIRECTORY_MISSING`, `DIRECTORY_CONFLICT`, and those of the file system.
   */
  open(format: LogFormat, mustExist: boolean): Promise<void> {
    return this.#inTurn(() => this.#open(format, mustExist))
  }

  /** Sweeps `inspector/` and finds the run of logs that the copy goes on from. An unmade store is empty. */
  check(): Promise<StoreContents> {
    return this.#inTurn(async () => {
      this.#attempts.clear()
      for (let damaged = 0; ; damaged++) {
        const contents = await this.#scan()
        if (contents !== null) return contents
        if (damaged === DAMAGED_MAX) throw tooDamaged(this.#parts.root)
      }
    })
  }

  /** Throws `DIRECTORY_MISSING` when the store was removed, unmounted or exchanged. */
  checkStillThere(): Promise<void> {
    return this.#inTurn(async () => this.#store?.checkStillThere())
  }

  /** Deletes the logs of a range; stops between two files when the disk is to be quiet. */
  truncate(range: GenerationRange): Promise<DeletionOutcome> {
    return this.#inTurn(async (signal) => {
      await this.#opened().checkStillThere()
      // What the store found at its last look lacks what the copy worker has published since.
      if (this.#format !== null) await this.#open(this.#format, true)
      return this.#opened().truncateBelow(nextGeneration(range.last), { signal })
    })
  }

  /** Keeps a refused log for the operator, with a note of why. One that is gone already was kept before. */
  quarantine(log: CopiedLog, rejection: Rejection): Promise<void> {
    return this.#inTurn(async () => {
      const attempt = (this.#attempts.get(log.generation) ?? 0) + 1
      this.#attempts.set(log.generation, attempt)
      try {
        await this.#opened().quarantine(log.arrivingName, this.#note(log.name, { ...rejection, attempt }))
      } catch (error) {
        if (!(error instanceof ReplicationError && error.code === 'LOG_MISSING')) throw error
      }
    })
  }

  /** Removes a log that arrived only to be compared. One that is gone already was removed before. */
  discard({ arrivingName }: CopiedLog): Promise<void> {
    return this.#inTurn(() => this.#opened().discard(arrivingName))
  }

  /** Takes an inspected log that proved damaged out of the log directory. One that is gone already was taken before. */
  setAside({ generation, attempt, reason, detail }: SetAsideOrder): Promise<void> {
    return this.#inTurn(async () => {
      // The store knows the name.
      const note = this.#note('', { attempt, reason, detail })
      const kept = await this.#opened().setLogAside(generation, note)
      this.#parts.log.error({ root: this.#parts.root, generation, kept }, 'inspected-log-damaged')
    })
  }

  /** What a seed would find here. Changes nothing. */
  findForSeed(names: StoreNames): Promise<SeedFindings> {
    return this.#inTurn(() => findForSeed(this.#parts.files, names))
  }

  /** Removes the logs and the checkpoint of before, and forgets how far they were truncated: another stream of them comes. */
  clearForSeed(names: StoreNames, what: ClearedFiles): Promise<void> {
    return this.#inTurn(async () => {
      const store = this.#opened()
      await store.checkStillThere()
      await clearForSeed(this.#parts.files, names, what)
      if (what.logs) await store.forgetTruncation()
    })
  }

  /** Puts a database that was read whole into its place, which may be elsewhere. */
  publishSeed(names: StoreNames, places: SeedPlaces): Promise<void> {
    return this.#inTurn(async () => {
      await this.#opened().checkStillThere()
      await publishSeed(this.#parts.files, names, places)
    })
  }

  /** What the header of an inspected log says that it is; null where it is not there or says nothing. */
  identify(generation: Generation): Promise<LogIdentity | null> {
    return this.#inTurn(() => this.#opened().identityOf(generation))
  }

  /** Whether a log in `inspector/` has the bytes of the copy's own one, or that one has decayed or is gone. */
  matches({ generation, arrivingName }: CopiedLog): Promise<boolean> {
    return this.#inTurn(async () => {
      const { files } = this.#parts
      const path = await this.#opened().pathOf(generation)
      const arrived = pathIn(this.#opened().paths.inspector, arrivingName)
      if (path === null || (await haveSameContent(files, path, arrived))) return true
      const isVerifiable = this.#format?.kind === 'ese'
      return isVerifiable && verifyLog(await bytesOf(files, path)).verdict === 'rejected'
    })
  }

  /**
   * Takes logs that are other ones than those of the source out of the log directory, the highest first. False when the disk was to be quiet
   * before the last of them was.
   */
  setAsideDiverged({ first, last }: GenerationRange, detail: string): Promise<boolean> {
    return this.#inTurn(async (signal) => {
      for (let generation = last; generation >= first; generation = previousGeneration(generation)) {
        if (signal.aborted) return false
        // The store knows the name.
        const note = this.#note('', { reason: 'diverged', detail, attempt: 1 })
        const kept = await this.#opened().setDivergedAside(generation, note)
        if (kept !== null) this.#parts.log.warn({ root: this.#parts.root, generation, kept }, 'diverged-log-set-aside')
      }
      return true
    })
  }

  /** Ends what is under way at the next file, and resolves when the disk is quiet. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    for (let last: unknown = null; last !== this.#last; await last) last = this.#last
    this.#stopping = new AbortController()
  }

  async #open(format: LogFormat, mustExist: boolean): Promise<void> {
    const { root, files, copyId } = this.#parts
    const ids = this.#ids()
    const store = await openCopyStore<LogIdentity>({
      root,
      format,
      files,
      newId: () => ids.next().value,
      identityOf: (start, name) => identityOf(format, { start, name }),
      // Only the copy worker publishes.
      sameContent: () => Promise.reject(new Error('the main thread publishes no log')),
      mustExist,
    })
    if (store.copyId !== copyId) throw otherStore(root, store.copyId, copyId)
    this.#store = store
    this.#format = format
  }

  #inTurn<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = this.#stopping
    const done = this.#last.then(() => work(signal))
    this.#last = done.catch(() => undefined) // whoever asked has the error
    return done
  }

  #opened(): CopyStore<LogIdentity> {
    if (this.#store === null) throw new Error('must hold: nothing is kept or deleted before the store is open')
    return this.#store
  }

  /** Null when the newest log was damaged and has been set aside: then what is left has to be looked at anew. */
  async #scan(): Promise<StoreContents | null> {
    const store = this.#store
    if (store === null) return EMPTY
    const { run, newest, ranges, swept, foreign, gaps, openLogs } = await store.scan()
    if (swept > 0 || foreign.total > 0 || gaps.length > 0 || openLogs.length > 0)
      this.#parts.log.info({ root: this.#parts.root, swept, foreign, gaps: gaps.length, openLogs }, 'store-checked')
    if (run === null || newest === null) return EMPTY
    if (newest.identity !== null) {
      const above = ranges.at(-1)?.last ?? run.last
      const found = { run, identity: newest.identity, logTimeMs: newest.facts.modifiedMs }
      const contents = above > run.last ? { ...found, above } : found
      return this.#parts.needsLogTimes ? { ...contents, logTimes: await store.logTimes(run) } : contents
    }
    const note = this.#note(newest.name, {
      reason: 'corrupt-checksum',
      detail: 'the header of the newest inspected log cannot be read any more',
      attempt: 1,
    })
    const move = { fromDirectory: store.paths.logs, fromName: newest.name, toDirectory: store.paths.inspectionFailed }
    const kept = await quarantineFile(this.#parts.files, move, note)
    this.#parts.log.error({ root: this.#parts.root, generation: newest.generation, kept }, 'inspected-log-damaged')
    return null
  }

  #note(name: string, why: Pick<QuarantineNote, 'reason' | 'detail' | 'attempt'>): QuarantineNote {
    const { clock, random } = this.#parts
    return { name, attemptId: freshId(random), ...why, atIso: new Date(clock.nowMs()).toISOString() }
  }

  /** The identity of the copy first, for the marker of a new store; then ids for attempts to write. */
  *#ids(): Generator<string, string> {
    yield this.#parts.copyId
    for (;;) yield freshId(this.#parts.random)
  }
}

/**
 * Refuses a directory that holds something, but neither a store nor the beginning of one: a mistyped path must not gain a
 * store among somebody's files. Errors: `STORE_FOREIGN`.
 */
export async function refuseForeignRoot(root: string): Promise<void> {
  const names: readonly string[] = await readdir(root).catch((error: unknown) => {
    if (errnoOf(error) === 'ENOENT') return []
    throw error
  })
  if (names.includes(STORE_MARKER_NAME) || names.includes(INTENT_FILE)) return
  const stranger = names.find((name) => !/^(store\.lock(\..*)?|lost\+found)$/.test(name))
  if (stranger === undefined) return
  throw new ReplicationError({
    code: 'STORE_FOREIGN',
    message: `${root} holds ${JSON.stringify(stranger)} and is no store of a copy`,
    hint: 'Give an empty or new directory.',
    fields: { path: root },
  })
}

function identityOf(format: LogFormat, log: { readonly start: Uint8Array; readonly name: string }): LogIdentity | null {
  const parsed = logNameParser(format)(log.name)
  const generation: Generation = parsed?.generation ?? NO_GENERATION
  if (format.kind === 'numbered')
    return { generation, signature: parsed?.stream ?? '', createTime: '', previousCreateTime: '' }
  const read = readIdentity(log.start)
  return read.verdict === 'read' && read.identity.generation === generation ? read.identity : null
}

function tooDamaged(root: string): ReplicationError {
  return new ReplicationError({
    code: 'LOG_REJECTED',
    message: `more than ${DAMAGED_MAX} of the newest logs in ${root} cannot be read`,
    hint: 'Check the disk; what was set aside lies in logs/IgnoredLogs/InspectionFailed.',
    fields: { path: root },
  })
}

function otherStore(root: string, found: string, expected: string): ReplicationError {
  return new ReplicationError({
    code: 'STORE_FOREIGN',
    message: `${root} belongs to copy ${found}, its journal to copy ${expected}`,
    hint: 'Put the journal and the store that belong together back, or give an empty directory.',
    fields: { path: root },
  })
}
