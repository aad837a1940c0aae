import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, mkdtempSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { pause } from './command.ts'

/*
 * An ext4 without a journal looks past every inode that was freed in the last minutes, one by one, at each create nearby. Whoever
 * runs after a removal of thousands of files would measure that: 320 ms of each GB were spent in `open`, and 840 MB/s became 600.
 */

/** As many as a run makes, or it meets the freed ones behind those that were tried. */
const CREATES = 2_048
/** A create takes 20 to 30 µs, and 200 to 800 µs while the kernel looks past freed inodes (measured). */
const SLOW_CREATE_MS = 0.1
const LOOK_EVERY_MS = 1_000
/** The kernel remembers a freed inode for a minute, and for five more while the block that it lay in is not written. */
const WAIT_MS_MAX = 400_000

/** Frees the blocks of all large files below, and keeps every inode. The files go with the bench's directory, at its end. */
export function emptyFiles(directory: string): void {
  const script = 'find "$1" -type f -size +64k -exec truncate -s 0 {} + && sync -f "$1"'
  const { status } = spawnSync('sh', ['-c', script, 'sh', directory], { stdio: ['ignore', 'ignore', 'inherit'] })
  if (status !== 0) throw new Error(`the files below ${directory} could not be emptied`)
}

/**
 * Makes a directory below `root` in which creates are as fast as on a file system that nobody has just cleaned up. An ext4 spreads
 * the directories of one that is marked as a top (`chattr +T`) over the disk, so that what others removed near `root` does not count:
 * 15 µs there at a time when a create next to it took 340 (measured). Elsewhere it waits.
 */
export async function makeFastDirectory(root: string, tell: (text: string) => void): Promise<string> {
  spawnSync('chattr', ['+T', root], { stdio: 'ignore' }) // a file system without the mark has no such trouble either
  const deadline = performance.now() + WAIT_MS_MAX
  for (let look = 1; ; look++) {
    const directory = join(root, `run-${look}`)
    mkdirSync(directory)
    const each = millisecondsOfCreate(directory)
    if (each < SLOW_CREATE_MS) return directory
    if (performance.now() > deadline) {
      tell('creates stay slow; the figures hold that')
      return directory
    }
    tell(`a create takes ${each.toFixed(2)} ms: files were removed near it a moment ago; looking elsewhere`)
    await pause(LOOK_EVERY_MS)
  }
}

function millisecondsOfCreate(directory: string): number {
  const probe = mkdtempSync(join(directory, 'creates-'))
  const begun = performance.now()
  for (let index = 0; index < CREATES; index++) closeSync(openSync(join(probe, String(index)), 'wx'))
  return (performance.now() - begun) / CREATES
}
