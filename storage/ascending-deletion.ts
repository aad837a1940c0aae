import { setImmediate } from 'node:timers/promises'
import { assert } from '../engine/assert.ts'
import type { ReplicationError } from '../engine/error.ts'
import { asGeneration, type Generation, type GenerationRange, NO_GENERATION } from '../engine/generation.ts'
import { asReplicationError, fileError, hasErrno } from './file-error.ts'
import { type FileOperations, pathIn, type RemovalProgress } from './file-operations.ts'
import type { LogNames } from './log-names.ts'

/** What to delete, and where. */
export interface Deletion {
  readonly directory: string
  readonly names: LogNames
  /** Ascending and without overlap. */
  readonly ranges: readonly GenerationRange[]
  /** Stops the deletion between two files; what is deleted by then stays deleted. */
  readonly signal?: AbortSignal
  /** Called for each generation that is gone now. */
  readonly onGone?: (generation: Generation) => void
  readonly listener?: RemovalListener
}

/** How far a deletion came. */
export interface DeletionOutcome {
  readonly deleted: number
  /** How many were gone before. */
  readonly missing: number
  /** Every generation of the ranges up to here is gone, durably; {@link NO_GENERATION} when none is. */
  readonly through: Generation
  /** The first real error, at which the deletion stopped; null when it came to its end or was aborted. */
  readonly failure: ReplicationError | null
  readonly aborted: boolean
}

/** What is told of single names while they are deleted. */
export interface RemovalListener {
  /** The name is about to be unlinked. */
  expect(name: string): void
  /** The name was not there, or could not be unlinked. */
  withdraw(name: string): void
}

/** Files between two looks at the signal and the event loop: 64 unlinks take about 1 ms. */
const FILES_PER_TURN = 64
/** From so many files on they are handed to {@link FileOperations.unlinkInOrder}: fewer are gone before a thread has started. */
const FILES_IN_ORDER_MIN = 256
/** Files handed over at once: enough that the way to the thread and back does not count, few enough names for one turn. */
const FILES_PER_REMOVAL = 2048
/** Removals handed over at a time: the thread never waits for this one, which reads the events of what has gone meanwhile. */
export const REMOVALS_AHEAD = 2

/**
 * Deletes closed logs in strictly ascending order, so that after a crash in the middle the rest is still one stream, and syncs
 * the directory once at the end. A log that is gone already counts as missing. The first real error stops it, since to go on
 * would leave a hole. Only {@link LogNames.deletable} names that the format's parser reads as that very generation are deleted.
 */
export async function deleteAscending(deletion: Deletion, files: FileOperations): Promise<DeletionOutcome> {
  const progress: Progress = { deleted: 0, missing: 0, through: NO_GENERATION, failure: null, aborted: false }
  try {
    await refuseMissingDirectory(deletion.directory, files)
    await deleteRanges(deletion, files, progress)
    if (progress.missing > 0) await refuseMissingDirectory(deletion.directory, files)
  } catch (error) {
    progress.failure = asReplicationError(error)
  }
  if (progress.deleted === 0) return progress
  try {
    await files.syncDirectory(deletion.directory)
  } catch (error) {
    return { ...progress, through: NO_GENERATION, failure: asReplicationError(error) }
  }
  return progress
}

/** In a directory that is gone every log would count as deleted already. */
async function refuseMissingDirectory(directory: string, files: FileOperations): Promise<void> {
  if ((await files.lookUp(directory)) === null) {
    throw fileError({ operation: 'read directory', path: directory, errno: 'ENOENT' })
  }
}

interface Progress {
  deleted: number
  missing: number
  through: Generation
  failure: ReplicationError | null
  aborted: boolean
}

async function deleteRanges(deletion: Deletion, files: FileOperations, progress: Progress): Promise<void> {
  const { unlinkInOrder } = files
  const count = deletion.ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0)
  if (unlinkInOrder === undefined || count < FILES_IN_ORDER_MIN) await deleteOneByOne(deletion, files, progress)
  else await deleteTogether(deletion, unlinkInOrder, progress)
}

async function deleteOneByOne(deletion: Deletion, files: FileOperations, progress: Progress): Promise<void> {
  let turn = 0
  for (const generation of ascending(deletion.ranges)) {
    if (deletion.signal?.aborted === true) {
      progress.aborted = true
      return
    }
    const names = namesOf(deletion, generation)
    expectAll(deletion, names)
    const { removed, failure } = await unlinkFirstOf(names, deletion.directory, files)
    withdrawOthers(deletion, names, removed)
    if (failure !== null) throw failure
    gone(deletion, progress, { generation, name: removed })
    if (++turn % FILES_PER_TURN === 0) await setImmediate()
  }
}

/** While some batches are removed, the names of the next are made. */
async function deleteTogether(
  deletion: Deletion,
  unlinkInOrder: NonNullable<FileOperations['unlinkInOrder']>,
  progress: Progress,
): Promise<void> {
  const { directory, signal } = deletion
  const stop = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  const abort = (): void => void Atomics.store(stop, 0, 1)
  const generations = ascending(deletion.ranges)
  const handOver = (): Removal | null => {
    if (signal?.aborted === true) abort()
    const batch = nextBatch(deletion, generations)
    if (batch.generations.length === 0) return null
    for (const names of batch.files) expectAll(deletion, names)
    return { batch, removed: settledRemoval(unlinkInOrder({ directory, files: batch.files, stop })) }
  }
  signal?.addEventListener('abort', abort, { once: true })
  try {
    const underWay: (Removal | null)[] = Array.from({ length: REMOVALS_AHEAD }, handOver)
    let failure: unknown = null
    for (let removal = underWay.shift(); removal != null; removal = underWay.shift()) {
      const { removed, error } = await removal.removed
      takeRemoved(deletion, progress, { batch: removal.batch, removed })
      failure ??= error
      if (error !== null) abort()
      const isWhole = removed.removed.length === removal.batch.files.length
      if (error === null && !isWhole) progress.aborted = true
      if (error === null && isWhole) underWay.push(handOver())
    }
    if (failure === null) return
    progress.aborted = false
    throw failure
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

/** A batch that is removed by somebody else. */
interface Removal {
  readonly batch: Batch
  readonly removed: Promise<Settled>
}

interface Settled {
  readonly removed: RemovalProgress
  /** Null when nothing went wrong. */
  readonly error: unknown
}

/** Never rejects: others are awaited first. */
async function settledRemoval(removal: Promise<RemovalProgress>): Promise<Settled> {
  try {
    const removed = await removal
    return { removed, error: removed.failure === null ? null : fileError({ operation: 'unlink', ...removed.failure }) }
  } catch (error) {
    return { removed: { removed: [], failure: null }, error }
  }
}

interface Batch {
  readonly generations: readonly Generation[]
  /** The names of each generation. */
  readonly files: readonly (readonly string[])[]
}

function nextBatch(deletion: Deletion, from: Iterator<Generation>): Batch {
  const generations: Generation[] = []
  while (generations.length < FILES_PER_REMOVAL) {
    const next = from.next()
    if (next.done === true) break
    generations.push(next.value)
  }
  return { generations, files: generations.map((generation) => namesOf(deletion, generation)) }
}

function takeRemoved(
  deletion: Deletion,
  progress: Progress,
  { batch, removed }: { readonly batch: Batch; readonly removed: RemovalProgress },
): void {
  for (const [index, generation] of batch.generations.entries()) {
    const name = removed.removed[index]
    withdrawOthers(deletion, batch.files[index] ?? [], name ?? null)
    if (name !== undefined) gone(deletion, progress, { generation, name })
  }
}

function gone(
  deletion: Deletion,
  progress: Progress,
  { generation, name }: { readonly generation: Generation; readonly name: string | null },
): void {
  if (name === null) progress.missing++
  else progress.deleted++
  progress.through = generation
  deletion.onGone?.(generation)
}

function* ascending(ranges: readonly GenerationRange[]): Generator<Generation, undefined> {
  let through: Generation = NO_GENERATION
  for (const { first, last } of ranges) {
    assert(first > through, 'ranges to delete ascend')
    for (let generation = first; generation <= last; generation = asGeneration(generation + 1)) yield generation
    through = last
  }
}

function namesOf({ names }: Deletion, generation: Generation): readonly string[] {
  const deletable = names.deletable(generation)
  for (const name of deletable)
    assert(names.parse(name)?.generation === generation, `${name} is the name of generation ${generation}`)
  return deletable
}

function expectAll({ listener }: Deletion, names: readonly string[]): void {
  if (listener !== undefined) for (const name of names) listener.expect(name)
}

function withdrawOthers({ listener }: Deletion, names: readonly string[], removed: string | null): void {
  if (listener !== undefined) for (const name of names) if (name !== removed) listener.withdraw(name)
}

/** The name that was removed, null when there was no file. */
async function unlinkFirstOf(
  names: readonly string[],
  directory: string,
  files: FileOperations,
): Promise<{ readonly removed: string | null; readonly failure: ReplicationError | null }> {
  for (const name of names) {
    try {
      await files.unlink(pathIn(directory, name))
      return { removed: name, failure: null }
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) return { removed: null, failure: asReplicationError(error) }
    }
  }
  return { removed: null, failure: null }
}
