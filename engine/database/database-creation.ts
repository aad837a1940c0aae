import type { TreeShape } from './b-tree.ts'
import { type Blocked, type ChangeWriter, isBlocked, macroBytes, NO_AUTHOR, type RecordDraft } from './change-writer.ts'
import { NO_DBTIME } from './dbtime.ts'
import type { LogEnvironment } from './log-environment.ts'
import {
  CREATE_DATABASE_FIXED_BYTES,
  type CreateDatabase,
  pathBytesOf,
  writeCreateDatabase,
} from './log-record-database.ts'
import { INIT2_BYTES, writeInit2 } from './log-record-engine.ts'
import { CREATE_SINGLE_EXTENT_BYTES, writeCreateSingleExtent } from './log-record-tree.ts'
import type { LogTime } from './log-time.ts'
import { PAGE_FLAGS } from './page.ts'
import { SPACE_PAGE, SPACE_RECORD_BYTES, spaceRecord } from './space.ts'
import { SPACE_OBJECT } from './tree-change.ts'

/** A database that comes into being in a new stream of logs. */
interface DatabaseCreation {
  /** Of the engine, as the headers of the stream tell it. */
  readonly environment: LogEnvironment
  readonly time: LogTime
  readonly database: Pick<CreateDatabase, 'signature' | 'path'>
  /** Its trees; their roots are the pages behind page 1, without gaps. */
  readonly trees: readonly TreeShape[]
}

/** A page that is the root of a tree, or the space. */
interface NewRoot {
  readonly page: number
  readonly objectId: number
  readonly flags: number
}

/**
 * Writes what a stream begins with: the start of the engine, the database, and its pages, all of them empty, as one macro. The
 * log is new and is large enough for that.
 *
 * @returns null when it is done
 */
export function createDatabase(writer: ChangeWriter, creation: DatabaseCreation): Blocked | null {
  const databaseId = writer.redo.databaseId
  const database = { ...creation.database, databaseId, session: 0, options: 0, pagesMax: 0 }
  const databaseBytes = CREATE_DATABASE_FIXED_BYTES + pathBytesOf(database.path)
  const roots: NewRoot[] = [
    { page: SPACE_PAGE, objectId: SPACE_OBJECT, flags: PAGE_FLAGS.root | PAGE_FLAGS.leaf | PAGE_FLAGS.spaceTree },
    ...creation.trees.map(({ rootPage, objectId }) => ({ page: rootPage, objectId, flags: ROOT_LEAF })),
  ]
  const drafts = [...roots.map(() => ({ bytes: CREATE_SINGLE_EXTENT_BYTES })), { bytes: SPACE_RECORD_BYTES }]
  const blocked = writer.lacksRoom(INIT2_BYTES + databaseBytes + macroBytes(drafts)) ?? makePages(writer, roots)
  if (blocked !== null) return blocked
  writer.write({ bytes: INIT2_BYTES, lay: (log, at) => writeInit2(log, at, creation) })
  writer.write({ bytes: databaseBytes, lay: (log, at) => writeCreateDatabase(log, at, database) })
  const dbtime = writer.nextDbtime()
  const space = { firstFree: 0, lastPage: roots.length }
  writer.writeMacro(dbtime, [
    ...roots.map((root) => rootRecord(writer, root, dbtime)),
    spaceRecord(writer, space, { dbtime, dbtimeBefore: NO_DBTIME }),
  ])
  return null
}

const ROOT_LEAF = PAGE_FLAGS.root | PAGE_FLAGS.leaf

function makePages(writer: ChangeWriter, roots: readonly NewRoot[]): Blocked | null {
  for (const { page } of roots) {
    const blocked = writer.makePage(page)
    if (isBlocked(blocked)) return blocked
  }
  return null
}

function rootRecord({ redo }: ChangeWriter, { page, objectId, flags }: NewRoot, dbtime: number): RecordDraft {
  const change = { ...NO_AUTHOR, databaseId: redo.databaseId, page, line: 0, dbtime, dbtimeBefore: NO_DBTIME }
  const tree = { objectId, parentPage: SPACE_PAGE, extentPages: 1, pageFlags: flags }
  return {
    bytes: CREATE_SINGLE_EXTENT_BYTES,
    lay: (log, at) => writeCreateSingleExtent(log, at, { ...change, ...tree }),
  }
}
