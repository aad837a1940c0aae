import type { PageImage } from '../engine/database/store-order.ts'
import { PIECE_BYTES_MAX } from './durable-file.ts'
import { hasErrno } from './file-error.ts'
import { type FileOperations, type OpenFile, pathIn } from './file-operations.ts'

/** Where the file lies, and what it is read and written with. */
export interface SavedPagesPlace {
  readonly files: FileOperations
  readonly directory: string
  readonly name: string
  /** Makes ids that never repeat, of 32 hexadecimal digits. */
  readonly newId: () => string
}

/**
 * Copies of the pages that are about to be written in place, each in a slot: a sector that says which page of which batch it is,
 * then the page. A batch goes over the one before. What is left of an older and longer one behind it is told apart by the id of its
 * batch, and never answered: a page may have been changed since.
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
  async save(pages: readonly PageImage[], reachWritten: () => void): Promise<void> {
    const { files, newId } = this.#place
    this.#file ??= await this.#open()
    const batch = Buffer.from(newId(), 'hex')
    const slotBytes = SLOT_HEAD_BYTES + (pages[0]?.bytes.length ?? 0)
    const slotsPerPiece = Math.floor(PIECE_BYTES_MAX / slotBytes)
    const piece = new Uint8Array(Math.min(pages.length, slotsPerPiece) * slotBytes)
    for (let from = 0; from < pages.length; from += slotsPerPiece) {
      const slots = pages.slice(from, from + slotsPerPiece)
      for (const [index, page] of slots.entries())
        fillSlot(piece.subarray(index * slotBytes, (index + 1) * slotBytes), page, { batch, index: from + index })
      await files.write(this.#file, { bytes: piece, offset: 0, length: slots.length * slotBytes }, from * slotBytes)
    }
    reachWritten()
    await files.datasync(this.#file)
  }

  /** What the newest batch left, unverified; nothing where there is no file or a crash tore its first slot. */
  async read(): Promise<readonly PageImage[]> {
    const { files, directory, name } = this.#place
    let file: OpenFile
    try {
      file = await files.open(pathIn(directory, name), 'read')
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return []
      throw error
    }
    try {
      return await readBatch(files, file)
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

/** One sector, so that a crash leaves it old or new. */
const SLOT_HEAD_BYTES = 512
/** "SAVEDPG1" in the order of the file. */
const SLOT_MAGIC = 0x3147_5044_4556_4153n
const BATCH_BYTES = 16
const AT = { magic: 0, pageBytes: 8, number: 12, index: 16, batch: 20 } as const
/** The largest page of any version of the engine. */
const PAGE_BYTES_MAX = 32_768

interface SlotHead {
  readonly pageBytes: number
  readonly number: number
  readonly index: number
  readonly batch: string
}

function fillSlot(slot: Uint8Array, page: PageImage, of: { readonly batch: Uint8Array; readonly index: number }): void {
  const view = new DataView(slot.buffer, slot.byteOffset, SLOT_HEAD_BYTES)
  slot.fill(0, 0, SLOT_HEAD_BYTES)
  view.setBigUint64(AT.magic, SLOT_MAGIC, true)
  view.setUint32(AT.pageBytes, page.bytes.length, true)
  view.setUint32(AT.number, page.number, true)
  view.setUint32(AT.index, of.index, true)
  slot.set(of.batch, AT.batch)
  slot.set(page.bytes, SLOT_HEAD_BYTES)
}

/** Null for whatever is no head of a slot: torn, or never written. */
function headOf(bytes: Uint8Array): SlotHead | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, SLOT_HEAD_BYTES)
  const pageBytes = view.getUint32(AT.pageBytes, true)
  if (view.getBigUint64(AT.magic, true) !== SLOT_MAGIC || pageBytes === 0 || pageBytes > PAGE_BYTES_MAX) return null
  return {
    pageBytes,
    number: view.getUint32(AT.number, true),
    index: view.getUint32(AT.index, true),
    batch: Buffer.from(bytes.subarray(AT.batch, AT.batch + BATCH_BYTES)).toString('hex'),
  }
}

async function readBatch(files: FileOperations, file: OpenFile): Promise<readonly PageImage[]> {
  const { sizeBytes } = await files.factsOf(file)
  const start = new Uint8Array(SLOT_HEAD_BYTES)
  if ((await files.read(file, { bytes: start, offset: 0, length: start.length }, 0)) < start.length) return []
  const first = headOf(start)
  if (first === null) return []
  const slotBytes = SLOT_HEAD_BYTES + first.pageBytes
  const pages: PageImage[] = []
  for (let index = 0; (index + 1) * slotBytes <= sizeBytes; index++) {
    const slot = new Uint8Array(slotBytes)
    await files.read(file, { bytes: slot, offset: 0, length: slotBytes }, index * slotBytes)
    const head = headOf(slot)
    // Behind the batch lie the slots of an older one.
    if (head !== null && (head.index !== index || head.batch !== first.batch)) break
    if (head !== null) pages.push({ number: head.number, bytes: slot.slice(SLOT_HEAD_BYTES) })
  }
  return pages
}
