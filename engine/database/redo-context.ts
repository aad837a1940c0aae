import { OpenMacros } from './open-macros.ts'
import { openPage, PAGE_BYTES, type Page } from './page.ts'
import { PageChanger } from './page-changer.ts'
import type { PagePool } from './page-pool.ts'
import { judgeRedo, type RedoChange, type RedoVerdict } from './redo.ts'

/** The database that records are redone on, and what a redo remembers from one record to the next. */
export interface RedoContext {
  readonly pool: PagePool
  /** Records of other databases are skipped. */
  readonly databaseId: number
  /**
   * Whether the records that come now belong to the present life of the database. Its owner sets it: false up to the position
   * where the header says that it was attached last, true behind it. Until then records are skipped.
   */
  attached: boolean
  /** The highest generation that the database says it needs; `Infinity` where none says so. Its owner sets it. */
  generationMaxRequired: number
  /**
   * The macros that are open; a checkpoint may not go beyond the oldest of them. At a RecoveryUndo2 a context with none has to take
   * over: a crash has cut those that are open there, and their sessions change pages again outside of them.
   */
  readonly macros: OpenMacros
  /** What changes single pages. */
  readonly changer: PageChanger
  /** A page to open the page image of a split in; nothing in it outlives a record. */
  readonly image: Page
  /** What was judged last; `attached` and `beyondRequired` are of the record at hand. */
  readonly change: { -readonly [Field in keyof RedoChange]: RedoChange[Field] }
}

/** A database to redo on. `pageBytes` is 8 KB by default, as in Exchange 2007. */
interface RedoTarget {
  readonly pool: PagePool
  readonly databaseId: number
  readonly pageBytes?: number
}

/** Begins to redo on a database that is attached and needs every generation, until its owner says otherwise. */
export function openRedo({ pool, databaseId, pageBytes = PAGE_BYTES }: RedoTarget): RedoContext {
  const image = openPage(new Uint8Array(pageBytes))
  return {
    pool,
    databaseId,
    attached: true,
    generationMaxRequired: Number.POSITIVE_INFINITY,
    macros: new OpenMacros(),
    changer: new PageChanger(image),
    image,
    change: { attached: true, beyondRequired: false, pageDbtime: 0, dbtimeBefore: 0, dbtime: 0 },
  }
}

/** Judges a page as it is against a record; {@link RedoContext.change} tells of it afterwards. */
export function judgePage(
  { change }: RedoContext,
  found: Pick<RedoChange, 'pageDbtime' | 'dbtimeBefore' | 'dbtime'>,
): RedoVerdict {
  change.pageDbtime = found.pageDbtime
  change.dbtimeBefore = found.dbtimeBefore
  change.dbtime = found.dbtime
  return judgeRedo(change)
}
