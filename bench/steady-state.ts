import { execFileSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, readSync, rmdirSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The memory that the contenders share. On a virtual machine a page that lay idle costs its first touch several times what it
 * costs later, so a run that grows the page cache measures the hypervisor; a full cache of fixed size is what a server has.
 */
export const STEADY_STATE_BYTES: number = 1024 ** 3

/** The state that every contender starts from. */
export interface SteadyState {
  /** What was arranged, or why it could not be; printed with the results. */
  readonly description: string
  /** Fills the cache anew: what the contender before has deleted left holes in it. */
  fill(): void
  /** Puts this process back where it was. */
  leave(): void
}

const PIECE_BYTES = 1024 ** 2

/**
 * Moves this process, and so all that it starts, into a memory cgroup of 1 GiB (version 1 or 2), and writes a file of that size
 * whose pages fill it. Where no cgroup can be made it says so and goes on: the figures then depend on how much memory was idle.
 */
export function enterSteadyState(directory: string): SteadyState {
  const filler = join(directory, 'cache-filler')
  const cgroup = makeCgroup()
  writeFiller(filler)
  const fill = (): void => readWhole(filler)
  if (typeof cgroup === 'string')
    return { description: `no memory cgroup (${cgroup}); cache of any size`, fill, leave: () => undefined }
  fill()
  return {
    description: `one memory cgroup of 1 GiB (${cgroup.version}), cache filled before each run`,
    fill,
    leave: cgroup.leave,
  }
}

interface Cgroup {
  readonly version: string
  readonly leave: () => void
}

function makeCgroup(): Cgroup | string {
  const line = readFileSync('/proc/self/cgroup', 'utf8')
    .split('\n')
    .find((each) => /^\d+:memory:/.test(each))
  const own = line?.split(':')[2]
  // Below the group that this process is in, so that limits which somebody else set hold on.
  const [parent, limitName, version] =
    own === undefined
      ? [unifiedGroup(), 'memory.max', 'version 2']
      : [join('/sys/fs/cgroup/memory', own), 'memory.limit_in_bytes', 'version 1']
  const group = join(parent, `ccr-bench-${process.pid}`)
  try {
    mkdirSync(group)
    writeFileSync(join(group, limitName), String(STEADY_STATE_BYTES))
    writeFileSync(join(group, 'cgroup.procs'), String(process.pid))
  } catch (error) {
    removeQuietly(group)
    return error instanceof Error ? error.message : String(error)
  }
  return { version, leave: () => leaveGroup(parent, group) }
}

function unifiedGroup(): string {
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/'
  return join('/sys/fs/cgroup', own)
}

function leaveGroup(parent: string, group: string): void {
  writeFileSync(join(parent, 'cgroup.procs'), String(process.pid))
  removeQuietly(group)
}

function removeQuietly(group: string): void {
  try {
    rmdirSync(group)
  } catch {
    // A process that is still ending is in it; an empty group costs nothing.
  }
}

function writeFiller(path: string): void {
  const piece = Buffer.alloc(PIECE_BYTES, 0x5a)
  const file = openSync(path, 'w')
  for (let written = 0; written < STEADY_STATE_BYTES; written += PIECE_BYTES) writeSync(file, piece)
  closeSync(file)
  execFileSync('sync', ['-f', path])
}

function readWhole(path: string): void {
  const piece = Buffer.alloc(PIECE_BYTES)
  const file = openSync(path, 'r')
  while (readSync(file, piece) > 0);
  closeSync(file)
}
