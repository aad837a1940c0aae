import { setImmediate } from 'node:timers/promises'
import { assert } from '../engine/assert.ts'
import type { ReplicationError } from '../engine/error.ts'
import { asGeneration, type Generation, type GenerationRange, NO_GENERATION } from '../engine/generation.ts'
import { asReplicationError, fileError, hasErrno } from './file-error.ts'
import { type FileOperations, pathIn } from './file-operations.ts'
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

/** Files between two looks at the signal and the event loop: 64 unlinks take about 1 ms. */
const FILES_PER_TURN = 64

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
  let turn = 0
  for (const range of deletion.ranges) {
    assert(range.first > progress.through, 'ranges to delete ascend')
    for (let generation = range.first; generation <= range.last; generation = asGeneration(generation + 1)) {
      if (deletion.signal?.aborted === true) {
        progress.aborted = true
        return
      }
      if (await deleteOne(deletion, files, generation)) progress.deleted++
      else progress.missing++
      progress.through = generation
      deletion.onGone?.(generation)
      if (++turn % FILES_PER_TURN === 0) await setImmediate()
    }
  }
}

/** Answers whether there was a file to delete. */
async function deleteOne(deletion: Deletion, files: FileOperations, generation: Generation): Promise<boolean> {
  for (const name of deletion.names.deletable(generation)) {
    assert(deletion.names.parse(name)?.generation === generation, `${name} is the name of generation ${generation}`)
    try {
      await files.unlink(pathIn(deletion.directory, name))
      return true
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error
    }
  }
  return false
}
