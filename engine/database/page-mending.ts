import { readPage } from './page-reading.ts'
import { askPage, askSavedPages, execute, type StoreMachine } from './store-machine.ts'
import type { PageImage } from './store-order.ts'

/**
 * Puts back what a crash tore: of the batch that was written last there are saved images, and a page of it that is bad in its
 * place gets its own. Before anything else is written, since the next batch overwrites the images.
 *
 * @returns the pages that were mended
 */
export function* mendPages(): StoreMachine<readonly number[]> {
  const torn: PageImage[] = []
  for (const { number, bytes } of yield* askSavedPages()) {
    const saved = readPage(number, bytes)
    if (saved.reading === 'bad') continue
    const inPlace = readPage(number, yield* askPage(number))
    if (inPlace.reading === 'bad') torn.push({ number, bytes: saved.bytes })
  }
  if (torn.length === 0) return []
  const pages = torn.sort((a, b) => a.number - b.number)
  yield* execute([{ order: 'write-pages', pages }, { order: 'sync-database' }])
  return pages.map(({ number }) => number)
}
