import { assert } from '../engine/assert.ts'
import {
  BATCH_ID_BYTES,
  fillSlot,
  readSavedPages,
  SAVED_PAGES_BYTES_MAX,
  SLOT_HEAD_BYTES,
} from '../engine/database/saved-page-file.ts'
import type { DatabaseOrder, SavedPage } from '../engine/database/store-order.ts'
import { PIECE_BYTES_MAX } from './durable-file.ts'
import { hasErrno } from './file-error.ts'
import { type FileOperations, type OpenFile, pathIn, wholeOf } from './file-operations.ts'

type Batch = Extract<DatabaseOrder, { order: 'save-pages' }>

/** Where the file lies, and what it is read and written with. */
export interface SavedPagesPlace {
  readonly files: FileOperations
  readonly directory: string
  readonly name: string
  /** Makes ids that never repeat, of 32 hexadecimal digits. */
  readonly newId: () => string
}

/**
 * Copies of the pages that are about to be written in place, each in a slot of `saved-page-file.ts`. A batch goes over the one before.
 *
 * A class, since it keeps the file open.
 */
export class SavedPages {
  readonly #place: SavedPagesPlace
  #file: OpenFile | null = null

  constructor(place: SavedPagesPlace) {
    this.#place = place
  }

  /** Writes a batch, and makes it durable. At least one page, all of one length. */
  async save({ pages, headerDigest }: Batch, reachWritten: () => void): Promise<void> {
    const { files, newId } = this.#place
    this.#file ??= await this.#open()
    const batch = Buffer.from(newId(), 'hex')
    assert(batch.length === BATCH_ID_BYTES, 'the id of a batch fills its field')
    const slotBytes = SLOT_HEAD_BYTES + (pages[0]?.bytes.length ?? 0)
    const slotsPerPiece = Math.floor(PIECE_BYTES_MAX / slotBytes)
    const piece = new Uint8Array(Math.min(pages.length, slotsPerPiece) * slotBytes)
    for (let from = 0; from < pages.length; from += slotsPerPiece) {
      const slots = pages.slice(from, from + slotsPerPiece)
      for (const [index, page] of slots.entries()) {
        const place = { batch, index: from + index, headerDigest }
        fillSlot(piece.subarray(index * slotBytes, (index + 1) * slotBytes), page, place)
      }
      await files.write(this.#file, { bytes: piece, offset: 0, length: slots.length * slotBytes }, from * slotBytes)
    }
    reachWritten()
    await files.datasync(this.#file)
  }

  /** What the newest batch left, as far as it is whole; nothing where there is no file. */
  async read(): Promise<readonly SavedPage[]> {
    const { files, directory, name } = this.#place
    let file: OpenFile
    try {
      file = await files.open(pathIn(directory, name), 'read')
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return []
      throw error
    }
    try {
      return readSavedPages(await contentOf(files, file))
    } finally {
      await files.close(file)
    }
  }

  /** Removes the file, durably: its pages are those of another database. */
  async remove(): Promise<void> {
    const { files, directory, name } = this.#place
    await this.close()
    try {
      await files.unlink(pathIn(directory, name))
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error
    }
    await files.syncDirectory(directory)
  }

  async close(): Promise<void> {
    const file = this.#file
    this.#file = null
    if (file !== null) await this.#place.files.close(file)
  }

  /** Its name is durable before a page is: a page in place relies on it. */
  async #open(): Promise<OpenFile> {
    const { files, directory, name } = this.#place
    const path = pathIn(directory, name)
    if ((await files.lookUp(path)) === null) await files.close(await files.open(path, 'create'))
    const file = await files.open(path, 'extend')
    try {
      await files.syncDirectory(directory)
    } catch (error) {
      await files.close(file)
      throw error
    }
    return file
  }
}

async function contentOf(files: FileOperations, file: OpenFile): Promise<Uint8Array> {
  const { sizeBytes } = await files.factsOf(file)
  const bytes = new Uint8Array(Math.min(sizeBytes, SAVED_PAGES_BYTES_MAX))
  const length = await files.read(file, wholeOf(bytes), 0)
  return bytes.subarray(0, length)
}
