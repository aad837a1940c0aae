import { dirname } from 'node:path'

/** A watch for one directory that is not there. */
export interface ReturnWatch {
  /** Ends the watch; may be called twice. */
  close(): void
}

/**
 * Watches for a missing directory to come back, through chokidar on its parent: a small directory by nature, where all but the
 * one name is ignored, so that chokidar's habit of reading everything again costs nothing. A hint like any other: where the
 * parent is missing too, the look-ups of the schedule find the directory a little later. chokidar is loaded when it is first
 * needed.
 */
export function watchForReturn(path: string, onBack: () => void): ReturnWatch {
  const parent = dirname(path)
  let close: (() => void) | null = null
  let isClosed = false
  const start = async (): Promise<void> => {
    const { watch } = await import('chokidar')
    if (isClosed) return
    const watcher = watch(parent, { depth: 0, ignored: (name) => name !== parent && name !== path })
    watcher.on('addDir', (name) => {
      if (name === path && !isClosed) onBack()
    })
    watcher.on('error', () => undefined) // only a hint is lost: the schedule looks once a second
    close = () => void watcher.close() // it holds no data, so nobody waits for its end
  }
  void start().catch(() => undefined) // as above: without the package, or without watches, the schedule finds it
  return {
    close: () => {
      isClosed = true
      close?.()
      close = null
    },
  }
}
