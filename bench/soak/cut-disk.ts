import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { hasProgram, runNow, runOrThrow } from '../command.ts'

/** File systems whose power can be cut. */
export type CutFileSystem = 'ext4' | 'xfs'

/**
 * The least image, mount options, and how each is made. ext4 by default saves what is renamed over another file
 * (`auto_da_alloc`), which would hide a missing sync.
 */
const KINDS: Readonly<Record<CutFileSystem, { size: string; options: string; make: readonly string[] }>> = {
  ext4: { size: '64M', options: 'loop,noauto_da_alloc', make: ['mkfs.ext4', '-q', '-F'] },
  xfs: { size: '320M', options: 'loop', make: ['mkfs.xfs', '-q', '-f'] },
}

/** _IOR('X', 125, __u32): FS_IOC_SHUTDOWN. */
const SHUTDOWN_REQUEST = 0x8004587d
/** FS_SHUTDOWN_FLAGS_NOLOGFLUSH: what the journal holds in memory is lost, as when the power fails. */
const NO_LOG_FLUSH = 2
const SHUTDOWN_SCRIPT = `open(my $d, "<", $ARGV[0]) or die "open: $!";
my $flags = pack("L", ${NO_LOG_FLUSH}); ioctl($d, ${SHUTDOWN_REQUEST}, $flags) or die "ioctl: $!";`

/** Words before a command that give it mounts of its own, which nobody else sees or keeps. */
export const OWN_MOUNTS: readonly string[] = ['unshare', '-m', '--propagation', 'private']

/** Why power cannot be cut here, or null. */
export function cutMissing(fileSystem: CutFileSystem): string | null {
  if (process.getuid?.() !== 0) return 'only root can mount'
  const [program = ''] = KINDS[fileSystem].make
  if (!hasProgram(program)) return `${program} is absent`
  const status = runNow([...OWN_MOUNTS, 'true'])
  return status === 0 ? null : 'a mount namespace of our own is not permitted'
}

/**
 * A disk of its own, in an image, whose power can be cut. Only inside a mount namespace of this process: daemons that copy
 * somebody's mounts would keep it mounted, and a dead file system with it.
 */
export class CutDisk {
  /** Where it is mounted. */
  readonly path: string
  readonly #image: string
  readonly #options: string
  #mounted = false

  constructor(directory: string, fileSystem: CutFileSystem) {
    const kind = KINDS[fileSystem]
    this.path = join(directory, `mount-${fileSystem}`)
    this.#image = join(directory, `image-${fileSystem}`)
    this.#options = kind.options
    mkdirSync(this.path, { recursive: true })
    runOrThrow('truncate', '-s', kind.size, this.#image)
    runOrThrow(...kind.make, this.#image)
  }

  mount(): void {
    runOrThrow('mount', '-o', this.#options, this.#image, this.path)
    this.#mounted = true
  }

  /** Cuts the power: nothing that is not durable by now ever will be. Every call fails until the disk is mounted anew. */
  cut(): void {
    runOrThrow('perl', '-e', SHUTDOWN_SCRIPT, this.path)
  }

  /** Nobody may have anything open on it. */
  unmount(): void {
    if (this.#mounted) runOrThrow('umount', this.path)
    this.#mounted = false
  }

  /** Removes the image too. */
  close(): void {
    this.unmount()
    rmSync(this.#image, { force: true })
  }
}
