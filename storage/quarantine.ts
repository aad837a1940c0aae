import { ReplicationError } from '../engine/error.ts'
import { replaceDurably } from './durable-file.ts'
import { type FileOperations, pathIn } from './file-operations.ts'

/** Why a log is kept apart, as the operator reads it in the note beside it. */
export interface QuarantineNote {
  /** The name that the log would have had. */
  readonly name: string
  readonly attemptId: string
  readonly reason: string
  readonly detail: string
  /** Which attempt it was: 1 to 3. */
  readonly attempt: number
  /** ISO 8601. */
  readonly atIso: string
}

/** Where a file comes from and where it is kept. */
export interface QuarantineMove {
  readonly fromDirectory: string
  readonly fromName: string
  readonly toDirectory: string
}

/**
 * Moves a file out of the way, durably, together with a note `<file>.why.json`; nothing is replaced and nothing is deleted.
 * The note comes first: a note without a file is harmless, a file without a note is a riddle. Answers the path of the file.
 *
 * Errors: `FILE_EXISTS` for an attempt id used twice, and those of the file system.
 */
export async function quarantineFile(
  files: FileOperations,
  move: QuarantineMove,
  note: QuarantineNote,
): Promise<string> {
  const keptName = `${note.name}.${note.attemptId}`
  const from = pathIn(move.fromDirectory, move.fromName)
  const kept = pathIn(move.toDirectory, keptName)
  if ((await files.lookUp(kept)) !== null) throw taken(kept)
  const bytes = new TextEncoder().encode(`${JSON.stringify(note, null, 2)}\n`)
  const noteName = `${keptName}.why.json`
  await replaceDurably(files, { directory: move.toDirectory, name: noteName, attemptId: note.attemptId, bytes })
  await syncContent(files, from)
  await files.link(from, kept)
  await files.syncDirectory(move.toDirectory) // or a crash could leave neither name
  await files.unlink(from)
  await files.syncDirectory(move.fromDirectory)
  return kept
}

async function syncContent(files: FileOperations, path: string): Promise<void> {
  const file = await files.open(path, 'read')
  try {
    await files.datasync(file)
  } finally {
    await files.close(file)
  }
}

function taken(path: string): ReplicationError {
  return new ReplicationError({
    code: 'FILE_EXISTS',
    message: `${path} is there already`,
    hint: 'Nothing was overwritten; an attempt id was used twice, which is a fault of the program: report it.',
    fields: { path },
  })
}
