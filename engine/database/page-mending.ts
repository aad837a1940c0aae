import type { DatabaseHeader } from './database-header.ts'
import { openPage, pageDbtime } from './page.ts'
import { readPage } from './page-reading.ts'
import { digestHeader } from './saved-page-file.ts'
import { askPage, askSavedPages, execute, type StoreMachine } from './store-machine.ts'
import type { PageImage, SavedPage } from './store-order.ts'

/**
 * Puts back what a crash tore: of the batch that was written last there are saved images. Before anything else is written, since the
 * next batch overwrites them.
 *
 * - *The header is the one that the batch was saved under*: a page that is not its image to the byte gets it. Whether it is torn its own
 *   checksum cannot always tell, nor is that needed: whatever the write left, its image is what was to lie there.
 * - *It is another one*: a header waits until all pages are durable, so the crash tore none of these, or the images are those of another
 *   file. Only a page that is bad gets its image.
 *
 * @param database the header that lies in the file
 * @returns the pages that were put back, ascending
 */
export function* mendPages(database: DatabaseHeader): StoreMachine<readonly number[]> {
  const headerDigest = digestHeader(database)
  const due: PageImage[] = []
  for (const saved of yield* askSavedPages()) {
    const inPlace = yield* askPage(saved.number)
    const image = saved.headerDigest === headerDigest ? imageOfLast(saved, inPlace) : imageOfBad(saved, inPlace)
    if (image !== null) due.push({ number: saved.number, bytes: image })
  }
  if (due.length === 0) return []
  const pages = due.sort((a, b) => a.number - b.number)
  yield* execute([{ order: 'write-pages', pages }, { order: 'sync-database' }])
  return pages.map(({ number }) => number)
}

/** The image, unless it lies there; nor does it go over a sound page that is newer, which the file of nobody's crash can have. */
function imageOfLast({ number, bytes }: SavedPage, inPlace: Uint8Array): Uint8Array | null {
  if (bytes.every((byte, at) => byte === inPlace[at])) return null
  const found = readPage(number, inPlace)
  const isSound = found.reading === 'sound' && found.corrected.length === 0
  return isSound && pageDbtime(openPage(inPlace)) > pageDbtime(openPage(bytes)) ? null : bytes
}

function imageOfBad({ number, bytes }: SavedPage, inPlace: Uint8Array): Uint8Array | null {
  const saved = readPage(number, bytes)
  return saved.reading === 'sound' && readPage(number, inPlace).reading === 'bad' ? saved.bytes : null
}
