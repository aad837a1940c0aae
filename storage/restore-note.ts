import { ReplicationError } from '../engine/error.ts'
import { replaceDurably } from './durable-file.ts'
import { type FileOperations, pathIn } from './file-operations.ts'
import { StrictJsonError, strictList, strictObject, strictText, strictWhole, strictWord } from './strict-json.ts'
import { readTextFile } from './text-file.ts'

/**
 * What a restore is about to do, or has done in part: the content of `restore.json` in the folder of a storage group. It is written when
 * everything that goes into the folder lies verified and durable in {@link STAGED_NAME}, and removed at the very end. How far the restore is
 * is seen on the disk: each of its moves can be made again.
 */
export interface RestoreNote {
  /** Directories of the sets, in their order. */
  readonly sets: readonly string[]
  readonly mode: 'roll-forward' | 'point-in-time'
  readonly method: 'vss' | 'streaming'
  readonly beganMs: number
  /** The folder, beside `logs` and `database`, that takes what is replaced. */
  readonly replaced: string
  /** Paths below the folder of the storage group that go there. */
  readonly aside: readonly string[]
  /** Paths that come from {@link STAGED_NAME}. */
  readonly staged: readonly string[]
}

/** The name of the note. */
export const NOTE_NAME = 'restore.json'
/** Where files lie until all of them are there: beside `logs` and `database`, on the same volume. */
export const STAGED_NAME = 'restoring'

/** A million logs have paths of 24 characters. */
const NOTE_BYTES_MAX = 256 * 1024 * 1024
const PATHS_MAX = 2_000_000
const TIME_MS_MAX = 4_102_444_800_000

const path = strictText(/^(logs|database)\/[A-Za-z0-9_][A-Za-z0-9_. -]{0,127}$/)
const note = strictObject<RestoreNote & { readonly version: number }>({
  version: strictWhole(1, 1),
  sets: strictList(strictText(/^.{1,4096}$/su), 1000),
  mode: strictWord(['roll-forward', 'point-in-time']),
  method: strictWord(['vss', 'streaming']),
  beganMs: strictWhole(0, TIME_MS_MAX),
  replaced: strictText(/^replaced-[0-9TZ-]{1,40}$/),
  aside: strictList(path, PATHS_MAX),
  staged: strictList(path, PATHS_MAX),
})

/** Reads the note of a restore that is under way; null where there is none. Errors: `DATABASE_REJECTED` for one that is unreadable. */
export async function readRestoreNote(files: FileOperations, root: string): Promise<RestoreNote | null> {
  const at = pathIn(root, NOTE_NAME)
  if ((await files.lookUp(at)) === null) return null
  const text = (await readTextFile(files, at, NOTE_BYTES_MAX)) ?? ''
  try {
    const { version: _, ...read } = note(JSON.parse(text), '')
    return read
  } catch (cause) {
    if (!(cause instanceof StrictJsonError) && !(cause instanceof SyntaxError)) throw cause
    throw new ReplicationError({
      code: 'DATABASE_REJECTED',
      message: `${at} cannot be read: ${cause.message}`,
      hint: `A restore was interrupted here, by another version perhaps: finish it with that one. What it replaced lies in ${root}/replaced-…`,
      cause,
      fields: { path: at },
    })
  }
}

/** Writes the note, durably: from then on no store starts here. */
export async function writeRestoreNote(
  files: FileOperations,
  place: { readonly root: string; readonly attemptId: string },
  content: RestoreNote,
): Promise<void> {
  const bytes = new TextEncoder().encode(`${JSON.stringify({ version: 1, ...content }, null, 1)}\n`)
  await replaceDurably(files, { directory: place.root, name: NOTE_NAME, attemptId: place.attemptId, bytes })
}

/** Removes the note, durably: the restore is done. */
export async function removeRestoreNote(files: FileOperations, root: string): Promise<void> {
  await files.unlink(pathIn(root, NOTE_NAME))
  await files.syncDirectory(root)
}

/** Whether a restore of the folder was begun and is not done. The folder need not be there. */
export async function restoreUnderWay(files: FileOperations, root: string): Promise<boolean> {
  return (await files.lookUp(pathIn(root, NOTE_NAME))) !== null
}

/** Refuses a folder of which a restore is not done: files of two times lie in it. Errors: `DATABASE_REJECTED`. */
export async function refuseHalfRestored(files: FileOperations, root: string): Promise<void> {
  if (!(await restoreUnderWay(files, root))) return
  throw new ReplicationError({
    code: 'DATABASE_REJECTED',
    message: `a restore of ${root} was interrupted: its files are partly those of before`,
    hint: 'Run ccr restore again, with the same sets: it goes on where it was.',
    fields: { path: root },
  })
}
