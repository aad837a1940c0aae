import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { hasProgram, runNow, runOrThrow } from './command.ts'
import { OWN_MOUNTS } from './soak/cut-disk.ts'

/** A file system of its own for millions of names. */
export interface ScratchDisk {
  readonly path: string
  /** What it is, for the description of a measure. */
  readonly description: string
  close(): void
}

/** Set for the process that runs inside a mount namespace of its own. */
const INSIDE = 'CCR_BENCH_OWN_MOUNTS'
/** Sparse: only what is written takes room on the real disk. */
const IMAGE_SIZE = '40G'

/**
 * Runs this program anew with mounts of its own, so that whatever becomes of it nothing stays mounted; answers its exit code.
 * Null when it is inside already or may not be: then it goes on as it is.
 */
export function runWithOwnMounts(): number | null {
  if (process.env[INSIDE] !== undefined || process.getuid?.() !== 0) return null
  if (runNow([...OWN_MOUNTS, 'true']) !== 0) return null
  process.env[INSIDE] = '1'
  return runNow([...OWN_MOUNTS, process.execPath, ...process.argv.slice(1)], 'inherit') ?? 1
}

/**
 * An ext4 without a journal in an image file: ten million names are made in minutes and gone in a moment, which the real disk
 * needs half an hour for. A plain directory where nothing may be mounted.
 */
export function makeScratchDisk(directory: string, inodes: number): ScratchDisk {
  const path = join(directory, 'scratch-disk')
  mkdirSync(path)
  if (process.env[INSIDE] === undefined || !hasProgram('mkfs.ext4'))
    return { path, description: 'on the real disk', close: () => rmSync(path, { recursive: true }) }
  const image = `${path}.image`
  runOrThrow('truncate', '-s', IMAGE_SIZE, image)
  runOrThrow('mkfs.ext4', '-q', '-F', '-O', '^has_journal', '-N', String(inodes), image)
  runOrThrow('mount', '-o', 'loop,noatime', image, path)
  const close = (): void => {
    runOrThrow('umount', path)
    rmSync(image)
  }
  return { path, description: 'on an ext4 without a journal, in an image file', close }
}
