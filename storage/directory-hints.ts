import fs from 'node:fs'

/** A watch on a directory. Its hints may be late, merged or lost; whoever uses it scans as well. */
export interface DirectoryHints {
  close(): void
}

/** What a watch tells. */
export interface HintListener {
  /** A name came or went; null when the system does not say which. */
  onRenamed(name: string | null): void
  /** A file was written to or its attributes changed. */
  onChanged(name: string): void
  /** The watch is dead: the directory was removed, or the system has no more watches. */
  onDead(): void
}

/** Starts a watch; throws when the directory is not there or the system refuses another watch. */
export type WatchDirectory = (path: string, listener: HintListener) => DirectoryHints

/**
 * A bare `fs.watch`. Its cost does not depend on how many files lie in the directory: 0.3 ms from the rename to the event with
 * 10 files as with 100,000, and 6 KB of memory. chokidar watches small directories only (return-watch.ts), never one in
 * which logs pile up: it reads the whole directory again at each change and watches every file (2.7 ms at 10 files, 300 ms at
 * 10,000), and what it adds, finding what an event did not tell, the cursor and the scan do for any size.
 */
export const watchDirectory: WatchDirectory = (path, listener) => {
  const watcher = fs.watch(path)
  watcher.on('change', (event, name) => {
    if (event === 'change' && name !== null) listener.onChanged(String(name))
    else listener.onRenamed(name === null ? null : String(name))
  })
  watcher.on('error', () => listener.onDead())
  return { close: () => watcher.close() }
}
