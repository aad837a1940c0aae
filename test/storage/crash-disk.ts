// A disk that can lose power: a volatile tree that programs see and a durable tree that survives, with what lies between them.
// The worst that POSIX allows: a sync of a file keeps no name, a sync of a directory keeps no other directory.
import type { FileKind } from '../../storage/file-operations.ts'

/** Free decisions of a crash: an integer in `[0, bound)`; 0 is the mildest. */
export type Choose = (bound: number) => number

/** How names that no sync has reached survive: in the order of the operations (ext4, xfs), or any of them (the worst case). */
export type NamePolicy = 'ordered prefix' | 'any subset'

/** A disk loses data in runs of this length. */
const SECTOR_BYTES = 512

interface UnsyncedWrite {
  readonly position: number
  readonly bytes: Buffer
  /** It went over durable sectors, each of which a disk keeps old or makes new; the others may become anything. */
  readonly overwrites: boolean
}

/** A file: what programs read, what survives, and what was written since the last sync. */
export class FileNode {
  readonly kind: FileKind
  readonly inode: number
  content: Buffer<ArrayBuffer> = Buffer.alloc(0)
  durable: Buffer<ArrayBuffer> = Buffer.alloc(0)
  unsynced: UnsyncedWrite[] = []
  names = 0
  modifiedMs = 0

  constructor(kind: FileKind, inode: number) {
    this.kind = kind
    this.inode = inode
  }

  write(position: number, bytes: Buffer): void {
    this.content = patched(this.content, position, bytes)
    this.unsynced.push({ position, bytes, overwrites: false })
  }

  /** A write into sectors that are durable and allocated: a crash leaves each of them old or new, in any order. */
  overwrite(position: number, bytes: Buffer): void {
    this.content = patched(this.content, position, bytes)
    this.unsynced.push({ position, bytes, overwrites: true })
  }

  /** A sync that answers success. After one that failed, what it should have kept is not tried again: Linux marks it clean. */
  sync(): void {
    for (const { position, bytes } of this.unsynced) this.durable = patched(this.durable, position, bytes)
    this.unsynced = []
  }

  syncFailed(): void {
    this.unsynced = []
  }

  /** The content after a power cut. */
  survivor(choose: Choose): Buffer<ArrayBuffer> {
    let bytes = this.durable
    const mode = this.unsynced.length === 0 ? 0 : choose(5)
    for (const write of this.unsynced) {
      for (let at = 0; at < write.bytes.length; at += SECTOR_BYTES) {
        const sector = write.bytes.subarray(at, at + SECTOR_BYTES)
        const fate = fateOf(write, { mode, index: at / SECTOR_BYTES, choose })
        bytes = afterFate(bytes, { position: write.position + at, sector, fate })
      }
    }
    return bytes
  }
}

/** Of an overwritten sector: kept or dropped, by itself in mode 4, every other one in modes 2 and 3. */
function fateOf(write: UnsyncedWrite, of: { mode: number; index: number; choose: Choose }): number {
  const { mode, index, choose } = of
  if (!write.overwrites) return mode === 4 ? choose(4) : mode
  if (mode === 4) return choose(2)
  return mode < 2 ? mode : (index + mode) % 2
}

/** 0 kept, 1 dropped, 2 zeroed (the length survives without the data), 3 garbage. */
function afterFate(
  bytes: Buffer<ArrayBuffer>,
  { position, sector, fate }: { position: number; sector: Buffer; fate: number },
): Buffer<ArrayBuffer> {
  if (fate === 1) return bytes
  if (fate === 0) return patched(bytes, position, sector)
  return patched(bytes, position, Buffer.alloc(sector.length, fate === 2 ? 0 : 0xa5))
}

function patched(bytes: Buffer, position: number, piece: Buffer): Buffer<ArrayBuffer> {
  const next = Buffer.alloc(Math.max(bytes.length, position + piece.length))
  bytes.copy(next)
  piece.copy(next, position)
  return next
}

/** What happened to names of a directory: all of `changes` together or none of them. A null removes the name. */
interface NameOperation {
  readonly sequence: number
  readonly changes: readonly { readonly name: string; readonly node: DiskNode | null }[]
}

/** A directory: the names that programs see, those that survive, and what happened since the last sync. */
export class DirectoryNode {
  readonly kind = 'directory'
  readonly inode: number
  readonly entries = new Map<string, DiskNode>()
  readonly durable = new Map<string, DiskNode>()
  unsynced: NameOperation[] = []
  modifiedMs = 0

  constructor(inode: number) {
    this.inode = inode
  }

  change(operation: NameOperation): void {
    apply(this.entries, operation)
    this.unsynced.push(operation)
  }

  sync(): void {
    for (const operation of this.unsynced) apply(this.durable, operation)
    this.unsynced = []
  }

  syncFailed(): void {
    this.unsynced = []
  }
}

/** Whatever has a name. */
export type DiskNode = FileNode | DirectoryNode

function apply(names: Map<string, DiskNode>, operation: NameOperation): void {
  for (const { name, node } of operation.changes) {
    if (node === null) names.delete(name)
    else names.set(name, node)
  }
}

/** The disk. {@link CrashDisk.afterPowerCut} makes one of those that a power cut could leave. */
export class CrashDisk {
  readonly root: DirectoryNode
  #inodes = 1
  #sequence = 0

  constructor() {
    this.root = new DirectoryNode(this.#inodes++)
  }

  newFile(kind: FileKind = 'regular'): FileNode {
    return new FileNode(kind, this.#inodes++)
  }

  newDirectory(): DirectoryNode {
    return new DirectoryNode(this.#inodes++)
  }

  /** Changes names of one directory at once. Time of modification is a count of changes. */
  rename(directory: DirectoryNode, changes: NameOperation['changes']): void {
    for (const { name, node } of changes) {
      const before = directory.entries.get(name)
      if (before instanceof FileNode) before.names--
      if (node instanceof FileNode) node.names++
    }
    directory.change({ sequence: this.#sequence++, changes })
    directory.modifiedMs = this.#sequence
  }

  /** The node of an absolute path, or null. */
  find(path: string): DiskNode | null {
    let node: DiskNode = this.root
    for (const name of path.split('/').filter((part) => part !== '')) {
      const next: DiskNode | undefined = node instanceof DirectoryNode ? node.entries.get(name) : undefined
      if (next === undefined) return null
      node = next
    }
    return node
  }

  /** A disk as a power cut now could leave it. This one stays as it is, so that many cuts can be tried. */
  afterPowerCut(policy: NamePolicy, choose: Choose): CrashDisk {
    const survivor = new CrashDisk()
    const kept = keptOperations(this.root, policy, choose)
    copyTree(this.root, survivor.root, { survivor, kept, choose, files: new Map() })
    return survivor
  }
}

function keptOperations(root: DirectoryNode, policy: NamePolicy, choose: Choose): ReadonlySet<NameOperation> {
  const all = [...directoriesBelow(root)]
    .flatMap((directory) => directory.unsynced)
    .sort((a, b) => a.sequence - b.sequence)
  if (policy === 'ordered prefix') return new Set(all.slice(0, all.length - choose(all.length + 1)))
  const kept = new Set<NameOperation>()
  for (const directory of directoriesBelow(root)) {
    // Operations on the same name depend on each other: of those a prefix survives.
    const stopped = new Set<string>()
    for (const operation of directory.unsynced) {
      const names = operation.changes.map(({ name }) => name)
      if (!names.some((name) => stopped.has(name)) && choose(2) === 0) kept.add(operation)
      else for (const name of names) stopped.add(name)
    }
  }
  return kept
}

/** Directories that programs see or that may survive. */
function* directoriesBelow(directory: DirectoryNode, seen = new Set<DirectoryNode>()): Generator<DirectoryNode> {
  if (seen.has(directory)) return
  seen.add(directory)
  yield directory
  for (const node of [...directory.durable.values(), ...directory.entries.values()]) {
    if (node instanceof DirectoryNode) yield* directoriesBelow(node, seen)
  }
}

interface Copying {
  readonly survivor: CrashDisk
  readonly kept: ReadonlySet<NameOperation>
  readonly choose: Choose
  readonly files: Map<FileNode, FileNode>
}

function copyTree(from: DirectoryNode, to: DirectoryNode, copying: Copying): void {
  const names = new Map(from.durable)
  for (const operation of from.unsynced) if (copying.kept.has(operation)) apply(names, operation)
  for (const [name, node] of names) {
    const copy = node instanceof FileNode ? copyFile(node, copying) : copying.survivor.newDirectory()
    copying.survivor.rename(to, [{ name, node: copy }])
    if (node instanceof DirectoryNode && copy instanceof DirectoryNode) copyTree(node, copy, copying)
  }
  to.sync()
}

function copyFile(node: FileNode, { survivor, choose, files }: Copying): FileNode {
  const known = files.get(node)
  if (known !== undefined) return known
  const copy = survivor.newFile(node.kind)
  copy.content = node.survivor(choose)
  copy.durable = copy.content
  files.set(node, copy)
  return copy
}
