import { assert } from '../engine/assert.ts'
import { ReplicationError } from '../engine/error.ts'
import { PUBLISH_BATCH_MAX } from './durable-file.ts'
import { asReplicationError, hasErrno } from './file-error.ts'
import { type FileOperations, pathIn } from './file-operations.ts'

/** A log whose content is durable under its temporary name. */
export interface PublishItem {
  readonly temporaryPath: string
  readonly finalName: string
}

/** What a batch came to. */
export interface PublishOutcome {
  /** How many items, counted from the front of the batch, are durable under their final names: these may be acknowledged. */
  readonly durable: number
  /** How many of them had been there already with the same content. */
  readonly alreadyThere: number
  /** Why the item after the durable ones is not published; null when all are. Items from there on keep their temporary files. */
  readonly failure: ReplicationError | null
}

/** Where a publisher puts its logs. */
export interface PublishTarget {
  /** The copy's `logs`. */
  readonly directory: string
  /** The copy's `logs/inspector`, on the same volume. */
  readonly temporaryDirectory: string
  /** Decides a taken name: whether the two files have the same content. Their digests decide, not their names. */
  readonly sameContent: (temporaryPath: string, finalPath: string) => Promise<boolean>
}

/** Gives arrived logs their final names. Batches run one after the other, in the order of the calls. */
export interface Publisher {
  /**
   * Publishes a batch in the order given, which is ascending. Never replaces a file: a taken name with other content ends the
   * batch with `FILE_EXISTS`. A failed sync of the directory poisons the publisher: the names of the batch are taken back and
   * every later call answers the same `SYNC_FAILED`, until the store is opened anew.
   */
  publish(batch: readonly PublishItem[]): Promise<PublishOutcome>
}

/** A publisher into `target`. It keeps nothing open and needs no closing. */
export function publisherInto(target: PublishTarget, files: FileOperations): Publisher {
  const run: PublishRun = { target, files, poison: null }
  let last: Promise<unknown> = Promise.resolve()
  return {
    publish: (batch) => {
      assert(batch.length <= PUBLISH_BATCH_MAX, `a batch has at most ${PUBLISH_BATCH_MAX} logs`)
      const outcome = last.then(() => publishBatch(run, batch))
      last = outcome.catch(() => undefined) // the caller of that batch has its error; the next batch runs all the same
      return outcome
    },
  }
}

interface PublishRun {
  readonly target: PublishTarget
  readonly files: FileOperations
  poison: ReplicationError | null
}

/** What linking came to before the directory was synced. */
interface Linked {
  /** Final paths that this batch made, in order; those that were there before do not count. */
  readonly made: string[]
  inPlace: number
  failure: ReplicationError | null
}

async function publishBatch(run: PublishRun, batch: readonly PublishItem[]): Promise<PublishOutcome> {
  if (run.poison !== null) return { durable: 0, alreadyThere: 0, failure: run.poison }
  const linked = await linkInOrder(run, batch)
  if (linked.inPlace > 0) {
    const failure = await syncBoth(run, linked)
    if (failure !== null) return failure
  }
  return { durable: linked.inPlace, alreadyThere: linked.inPlace - linked.made.length, failure: linked.failure }
}

async function linkInOrder(run: PublishRun, batch: readonly PublishItem[]): Promise<Linked> {
  const linked: Linked = { made: [], inPlace: 0, failure: null }
  for (const item of batch) {
    try {
      const finalPath = pathIn(run.target.directory, item.finalName)
      if (await linkOrFind(run, item, finalPath)) linked.made.push(finalPath)
      linked.inPlace++
      // Only now: a crash in between leaves a second name, which the sweep at the next start removes.
      await run.files.unlink(item.temporaryPath)
    } catch (error) {
      linked.failure = asReplicationError(error)
      break
    }
  }
  return linked
}

/** Answers true when the name was made, false when the same content had it already. */
async function linkOrFind(run: PublishRun, item: PublishItem, finalPath: string): Promise<boolean> {
  const { target, files } = run
  try {
    await files.link(item.temporaryPath, finalPath)
    return true
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) throw await missingPart(run, error)
    if (!hasErrno(error, 'EEXIST')) throw error
  }
  if (!(await target.sameContent(item.temporaryPath, finalPath))) throw otherContent(item, finalPath)
  // Whoever put it there may not have synced it.
  const found = await files.open(finalPath, 'read')
  try {
    await files.datasync(found)
  } finally {
    await files.close(found)
  }
  return false
}

async function missingPart(run: PublishRun, error: unknown): Promise<unknown> {
  if ((await run.files.lookUp(run.target.directory)) !== null) return error
  return new ReplicationError({
    code: 'DIRECTORY_MISSING',
    message: `the copy's log directory ${run.target.directory} is gone`,
    hint: 'Mount the volume or restore the directory; it is not made anew by itself.',
    cause: error,
    fields: { path: run.target.directory },
  })
}

function otherContent(item: PublishItem, finalPath: string): ReplicationError {
  return new ReplicationError({
    code: 'FILE_EXISTS',
    message: `${item.finalName} is there already with other content`,
    hint: 'Both files are kept. Compare them: either the source wrote the log twice, or the copy holds another stream.',
    fields: { path: finalPath },
  })
}

async function syncBoth(run: PublishRun, linked: Linked): Promise<PublishOutcome | null> {
  try {
    await run.files.syncDirectory(run.target.directory)
  } catch (error) {
    run.poison = asReplicationError(error)
    await takeBack(run, linked.made)
    return { durable: 0, alreadyThere: 0, failure: run.poison }
  }
  try {
    await run.files.syncDirectory(run.target.temporaryDirectory)
  } catch (error) {
    // The published names are durable; but a disk that fails a sync gets no more work.
    run.poison = asReplicationError(error)
    linked.failure ??= run.poison
  }
  return null
}

/** Names that may not survive must not look published to the next start, when a second sync would answer success. */
async function takeBack(run: PublishRun, paths: readonly string[]): Promise<void> {
  for (const path of [...paths].reverse()) {
    try {
      await run.files.unlink(path)
    } catch (error) {
      asReplicationError(error)
      return
    }
  }
}
