import { spawnSync } from 'node:child_process'
import { closeSync, mkdtempSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { pause } from './command.ts'

/*
 * An ext4 without a journal looks past every inode that was freed in the last minutes, one by one, at each create nearby. Whoever
 * runs after a removal of thousands of files would measure that: 320 ms of each GB were spent in `open`, and 840 MB/s became 600.
 */

const CREATES = 64
/** A create takes 20 to 30 µs, and 200 to 800 µs while the kernel looks past freed inodes (measured). */
const SLOW_CREATE_MS = 0.1
const LOOK_EVERY_MS = 10_000
/** The kernel remembers a freed inode for a minute, and for five more while the block that it lay in is not written. */
const WAIT_MS_MAX = 400_000

/** Frees the blocks of all large files below, and keeps every inode. The files go with the bench's directory, at its end. */
export function emptyFiles(directory: string): void {
  const script = 'find "$1" -type f -size +64k -exec truncate -s 0 {} + && sync -f "$1"'
  const { status } = spawnSync('sh', ['-c', script, 'sh', directory], { stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) throw new Error(`the files below ${directory} could not be emptied`)
}

/** Waits until creates below `directory` are as fast as they are on a file system that nobody has just cleaned up. */
export async function untilCreatesAreFast(directory: string, tell: (text: string) => void): Promise<void> {
  const probe = mkdtempSync(join(directory, 'creates-'))
  const deadline = performance.now() + WAIT_MS_MAX
  for (let look = 0; performance.now() < deadline; look++) {
    const begun = performance.now()
    for (let index = 0; index < CREATES; index++) closeSync(openSync(join(probe, `${look}-${index}`), 'wx'))
    const each = (performance.now() - begun) / CREATES
    if (each < SLOW_CREATE_MS) return
    tell(`a create takes ${each.toFixed(2)} ms: files were removed here a moment ago; waiting`)
    await pause(LOOK_EVERY_MS)
  }
  tell('creates stay slow; the figures hold that')
}
