import { trailerOf, trailerPage } from '../engine/database/backup-trailer.ts'
import type { DatabaseHeader } from '../engine/database/database-header.ts'
import { checkContinuation } from '../engine/database/log-chain.ts'
import { signatureDigits } from '../engine/database/redo-mark.ts'
import { ReplicationError } from '../engine/error.ts'
import { asGeneration, formatGeneration, type Generation, type GenerationRange } from '../engine/generation.ts'
import type { BackupManifest, SetFile } from '../storage/backup-manifest.ts'
import { abandonSet, beginSet, finishSet, setPlaces } from '../storage/backup-set.ts'
import { asReplicationError, hasErrno, isCloneRefused } from '../storage/file-error.ts'
import { pathIn } from '../storage/file-operations.ts'
import { logNamesOf } from '../storage/log-names.ts'
import type { BackupQuery, SetDescription } from './backup-messages.ts'
import { type CheckedDatabase, DatabasePass } from './checked-database.ts'
import type { CheckedContent, CheckingParts } from './checked-file.ts'
import { type CheckedLog, checkCheckpoint, checkLog, rejectedLog } from './checked-log.ts'
import { inParallel } from './in-parallel.ts'

/** What a {@link SetWriter} works with. */
export interface SetWriterParts extends CheckingParts {
  /** Makes ids that never repeat, of 32 hexadecimal digits. */
  readonly newId: () => string
}

/** A query of its own kind. */
type Asked<Ask extends BackupQuery['ask']> = Extract<BackupQuery, { ask: Ask }>

/**
 * Logs that are copied at a time: what one waits for the disk, another verifies. Each may hold three slots, so that no two ever wait for
 * each other's.
 */
const LOGS_AT_ONCE = 4

/** Writes one backup set. A call that fails leaves it worth nothing: it is to be abandoned. */
export class SetWriter {
  readonly #parts: SetWriterParts
  readonly #root: string
  readonly #wasMade: boolean
  /** Paths within the set of all that was begun. */
  readonly #written: string[] = []
  readonly #files: SetFile[] = []
  #database: { readonly header: DatabaseHeader; readonly required: GenerationRange | null } | null = null
  #streaming: { readonly pass: DatabasePass; readonly path: string } | null = null
  /** Of the stream: where its first log begins, and its last one ends. */
  #logs: { readonly first: CheckedLog; readonly last: CheckedLog } | null = null

  private constructor(parts: SetWriterParts, root: string, wasMade: boolean) {
    this.#parts = parts
    this.#root = root
    this.#wasMade = wasMade
  }

  /** Makes the directories of a set. Errors: `STATE_REFUSED` when there is something, and those of the file system. */
  static async begin(parts: SetWriterParts, root: string): Promise<SetWriter> {
    return new SetWriter(parts, root, await beginSet(parts.files, root))
  }

  /**
   * Copies a database; of one that is in use the file is null, and {@link endDatabase} ends it.
   *
   * @param onTaken called when the file of a snapshot may change again
   */
  async copyDatabase({ path, mode }: Asked<'copy-database'>, onTaken: () => void): Promise<SetFile | null> {
    const inSet = `database/${nameOf(path)}`
    if (mode === 'streaming') {
      const to = this.#begin(inSet)
      const pass = await DatabasePass.open(this.#parts, { from: path, to, state: 'in-use' })
      await pass.readOn() // a pass that fails has ended
      this.#streaming = { pass, path: inSet }
      return null
    }
    const checked = await this.#copySnapshot(path, inSet, onTaken)
    this.#database = { header: checked.header, required: requiredBy(checked.header) }
    return this.#add(inSet, checked)
  }

  /** Ends a streaming copy. */
  async endDatabase({ last }: Asked<'end-database'>): Promise<SetFile> {
    const streaming = this.#streaming
    if (streaming === null) throw outOfOrder('no streaming copy of a database is under way')
    this.#streaming = null
    const checked = await streaming.pass.finish((header) => trailerPage(trailerOf(header, last), header.pageBytes))
    const first = asGeneration(trailerOf(checked.header, last).backup.firstGeneration)
    this.#database = { header: checked.header, required: { first, last } }
    return this.#add(streaming.path, checked)
  }

  /** Copies a checkpoint file. */
  async copyCheckpoint({ path }: Asked<'copy-checkpoint'>): Promise<SetFile> {
    const inSet = `logs/${nameOf(path)}`
    return this.#add(inSet, await checkCheckpoint(this.#parts, { from: path, to: this.#begin(inSet) }))
  }

  /** Copies logs, in ascending order; the first continues those that were copied before. */
  async copyLogs({ directory, baseName, range }: Asked<'copy-logs'>): Promise<SetFile[]> {
    const names = logNamesOf({ kind: 'ese', baseName })
    const added: SetFile[] = []
    for (let first = range.first; first <= range.last; first = asGeneration(first + LOGS_AT_ONCE)) {
      const length = Math.min(range.last - first + 1, LOGS_AT_ONCE)
      const batch = Array.from({ length }, (_, index) => asGeneration(first + index))
      const copied = await inParallel(batch, LOGS_AT_ONCE, (generation) =>
        this.#copyLog({ directory, candidates: names.candidates(generation), generation }),
      )
      for (const { name, log } of copied) {
        this.#continueWith(name, log)
        added.push(this.#add(`logs/${name}`, log))
      }
    }
    return added
  }

  /** Writes the manifest. Errors: `BACKUP_REJECTED`, `STREAM_MISMATCH`, and those of the file system. */
  async finish(description: SetDescription): Promise<BackupManifest> {
    if (this.#streaming !== null) throw outOfOrder('the streaming copy of the database is not ended')
    const header = this.#logs?.first.header ?? null
    const version = header?.version ?? null
    const manifest: BackupManifest = {
      ...description,
      logFormat: version === null ? null : `${version.major},${version.minor},${version.update}`,
      logSignature: this.#signature(),
      logs:
        this.#logs === null
          ? null
          : { first: this.#logs.first.identity.generation, last: this.#logs.last.identity.generation },
      required: this.#database?.required ?? null,
      files: this.#files,
    }
    await finishSet(this.#parts.files, { root: this.#root, attemptId: this.#parts.newId() }, manifest)
    return manifest
  }

  /** Removes what was written. */
  async abandon(): Promise<void> {
    await this.#streaming?.pass.abandon().catch(asReplicationError) // its file goes by its name
    this.#streaming = null
    await abandonSet(this.#parts.files, { root: this.#root, wasMade: this.#wasMade, written: this.#written })
  }

  /** The set has the blocks at once, or soon from a file beside the database, or a copy that is made now. */
  async #copySnapshot(path: string, inSet: string, onTaken: () => void): Promise<CheckedDatabase> {
    const to = this.#begin(inSet)
    if (await this.#clone(path, to)) {
      onTaken()
      const checked = await this.#readWhole(to, null)
      await this.#sync(to)
      return checked
    }
    const beside = `${path}.${this.#parts.newId()}.tmp`
    if (!(await this.#clone(path, beside))) {
      const checked = await this.#readWhole(path, to)
      onTaken()
      return checked
    }
    onTaken()
    try {
      return await this.#readWhole(beside, to)
    } finally {
      await this.#parts.files.unlink(beside)
    }
  }

  async #readWhole(from: string, to: string | null): Promise<CheckedDatabase> {
    const pass = await DatabasePass.open(this.#parts, { from, to, state: 'whole' })
    await pass.readOn()
    return await pass.finish(null)
  }

  /** Answers whether blocks can be shared. */
  async #clone(from: string, to: string): Promise<boolean> {
    const facts = await this.#parts.files.lookUp(from)
    if (facts?.kind !== 'regular') return false // whoever opens it says what it is
    try {
      await this.#parts.files.clone(from, to)
      return true
    } catch (error) {
      if (!isCloneRefused(error)) throw error
      return false
    }
  }

  async #sync(path: string): Promise<void> {
    const { files } = this.#parts
    const file = await files.open(path, 'read')
    try {
      await files.datasync(file)
    } finally {
      await files.close(file)
    }
  }

  async #copyLog(of: LogToCopy): Promise<CopiedLog> {
    const { directory, candidates, generation } = of
    for (const [index, name] of candidates.entries()) {
      const from = pathIn(directory, name)
      try {
        return { name, log: await checkLog(this.#parts, { from, to: this.#begin(`logs/${name}`) }, generation) }
      } catch (error) {
        if (!hasErrno(error, 'ENOENT') || index === candidates.length - 1) throw error
      }
    }
    throw outOfOrder(`log ${formatGeneration(generation)} has no name`)
  }

  #continueWith(name: string, log: CheckedLog): void {
    const before = this.#logs
    if (before === null) {
      this.#logs = { first: log, last: log }
      return
    }
    const rejection = checkContinuation(before.last.identity, log.identity)
    if (rejection !== null) throw rejectedLog(name, log.identity.generation, rejection)
    this.#logs = { ...before, last: log }
  }

  /** That of the logs, which the database must share. */
  #signature(): string {
    const ofLogs = this.#logs?.first.identity.signature ?? null
    const ofDatabase = this.#database === null ? null : signatureDigits(this.#database.header.logSignature)
    if (ofLogs === null || ofDatabase === null || ofLogs === ofDatabase) return ofLogs ?? ofDatabase ?? ''
    throw new ReplicationError({
      code: 'STREAM_MISMATCH',
      message: `the logs have the signature ${ofLogs}, the database is of the stream ${ofDatabase}`,
      hint: 'Look at both with ccr dump; they are not of the same storage group, or one of them was replaced.',
    })
  }

  #begin(inSet: string): string {
    this.#written.push(inSet)
    return pathIn(setPlaces(this.#root).root, inSet)
  }

  #add(path: string, { bytes, xxh64 }: CheckedContent): SetFile {
    const file = { path, bytes, xxh64 }
    this.#files.push(file)
    return file
  }
}

interface LogToCopy {
  readonly directory: string
  readonly candidates: readonly string[]
  readonly generation: Generation
}

interface CopiedLog {
  readonly name: string
  readonly log: CheckedLog
}

/** What a database needs that nobody changes, by its own word; null when it was closed in order. */
function requiredBy({ required }: DatabaseHeader): GenerationRange | null {
  return required.minRequired === 0 ? null : { first: required.minRequired, last: required.maxRequired }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

function outOfOrder(why: string): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `the set cannot be written: ${why}`,
    hint: 'This is a fault of the program that asked: report it.',
  })
}
