// FileOperations over the crash-consistent disk: every call is counted, so that a test can cut the power or fail at each of them.
import { type FileOperation, fileError } from '../../storage/file-error.ts'
import {
  createsFile,
  DIRECT_ALIGNMENT_BYTES,
  type DirectoryEntry,
  type FileFacts,
  type FileOperations,
  type OpenFile,
  type OpenMode,
  type Piece,
} from '../../storage/file-operations.ts'
import { type CrashDisk, DirectoryNode, type DiskNode, FileNode } from './crash-disk.ts'

/** Thrown by each call from the crash on: the process is dead, and no code of it may go on. */
export class Crashed extends Error {
  override readonly name = 'Crashed'
}

/** An error to inject once: the `at`-th call (from 1) of an operation fails with this errno. */
export interface InjectedFault {
  readonly operation: FileOperation
  readonly at: number
  readonly errno: string
}

/** How a run over the disk ends or fails. */
export interface RunPlan {
  /** The process dies in its n-th call that changes or syncs something (from 1); never when absent. */
  readonly crashAt?: number
  readonly faults?: readonly InjectedFault[]
  /** The file system refuses direct I/O when opening, after it has created the file, as Linux does. */
  readonly refusesDirect?: boolean
  /** The file system shares blocks. */
  readonly clones?: boolean
}

/** FileOperations of one process over a disk. */
export interface ModelOperations extends FileOperations {
  /** Calls so far that changed or synced something: the points at which to crash. */
  readonly steps: () => number
  /** Files open now. */
  readonly openFiles: () => number
}

/** The file operations of a new process over `disk`. */
export function operationsOver(disk: CrashDisk, plan: RunPlan = {}): ModelOperations {
  const calls = new Calls(disk, plan)
  return {
    steps: () => calls.steps,
    openFiles: () => calls.open.size,
    ...openCalls(calls),
    ...nameCalls(calls),
    ...makingCalls(calls),
    ...directoryCalls(calls),
  }
}

interface Handle {
  readonly node: FileNode
  readonly mode: OpenMode
}

/** The state of one process. */
class Calls {
  readonly disk: CrashDisk
  readonly plan: RunPlan
  readonly open = new Map<number, Handle>()
  steps = 0
  nextDescriptor = 3
  #dead = false
  readonly #counts = new Map<FileOperation, number>()

  constructor(disk: CrashDisk, plan: RunPlan) {
    this.disk = disk
    this.plan = plan
  }

  /** Counts a call; throws when the process is dead or a fault was planned for it. `partly` is what a fault or crash leaves done. */
  enter(operation: FileOperation, path: string, partly: () => void = () => undefined): void {
    if (this.#dead) throw new Crashed()
    const count = (this.#counts.get(operation) ?? 0) + 1
    this.#counts.set(operation, count)
    const changes = !READING.has(operation)
    if (changes && ++this.steps === this.plan.crashAt) {
      this.#dead = true
      partly()
      throw new Crashed()
    }
    const fault = this.plan.faults?.find((planned) => planned.operation === operation && planned.at === count)
    if (fault === undefined) return
    partly()
    throw fileError({ operation, path, errno: fault.errno })
  }

  fail(operation: FileOperation, path: string, errno: string): never {
    throw fileError({ operation, path, errno })
  }

  handle(file: OpenFile): Handle {
    const handle = this.open.get(file.descriptor)
    if (handle === undefined) throw new Error(`a closed file was used: ${file.path}`)
    return handle
  }

  parent(operation: FileOperation, path: string): { readonly directory: DirectoryNode; readonly name: string } {
    const slash = path.lastIndexOf('/')
    const directory = this.disk.find(path.slice(0, slash))
    if (directory === null) return this.fail(operation, path, 'ENOENT')
    if (!(directory instanceof DirectoryNode)) return this.fail(operation, path, 'ENOTDIR')
    return { directory, name: path.slice(slash + 1) }
  }

  directory(operation: FileOperation, path: string): DirectoryNode {
    const node = this.disk.find(path)
    if (node === null) return this.fail(operation, path, 'ENOENT')
    return node instanceof DirectoryNode ? node : this.fail(operation, path, 'ENOTDIR')
  }
}

const READING: ReadonlySet<FileOperation> = new Set([
  'open',
  'read',
  'look up',
  'read directory',
  'free bytes',
  'real path',
  'close',
])

function openCalls(calls: Calls): Pick<FileOperations, 'open' | 'write' | 'read' | 'datasync' | 'close' | 'factsOf'> {
  return {
    open: async (path, mode) => openFile(calls, path, mode),
    write: async (file, piece, position) => writePiece(calls, file, { piece, position }),
    read: async (file, piece, position) => {
      calls.enter('read', file.path)
      const source = calls.handle(file).node.content.subarray(position, position + piece.length)
      piece.bytes.set(source, piece.offset)
      return source.length
    },
    datasync: async (file) => {
      const { node } = calls.handle(file)
      // Of a sync that fails, or that the power cut meets, nothing is known: here it kept nothing.
      calls.enter('datasync', file.path, () => calls.plan.crashAt !== calls.steps && node.syncFailed())
      node.sync()
    },
    close: async (file) => {
      calls.handle(file)
      calls.open.delete(file.descriptor)
      calls.enter('close', file.path)
    },
    factsOf: async (file) => {
      calls.enter('look up', file.path)
      return factsOf(calls.handle(file).node)
    },
  }
}

function openFile(calls: Calls, path: string, mode: OpenMode): OpenFile {
  const creates = createsFile(mode)
  calls.enter(creates ? 'create' : 'open', path)
  const node = creates ? createFile(calls, path, mode) : existingFile(calls, path)
  const descriptor = calls.nextDescriptor++
  calls.open.set(descriptor, { node, mode })
  return { descriptor, path }
}

function createFile(calls: Calls, path: string, mode: OpenMode): FileNode {
  const { directory, name } = calls.parent('create', path)
  if (directory.entries.has(name)) return calls.fail('create', path, 'EEXIST')
  const node = calls.disk.newFile()
  calls.disk.rename(directory, [{ name, node }])
  if (mode !== 'create' && calls.plan.refusesDirect === true) return calls.fail('create', path, 'EINVAL')
  return node
}

function existingFile(calls: Calls, path: string): FileNode {
  const node = calls.disk.find(path)
  if (node === null) return calls.fail('open', path, 'ENOENT')
  if (node instanceof DirectoryNode) return calls.fail('open', path, 'EISDIR')
  if (node.kind !== 'regular' || node.names !== 1)
    return calls.fail('open', path, node.kind === 'symlink' ? 'ELOOP' : 'ENXIO')
  return node
}

function writePiece(
  calls: Calls,
  file: OpenFile,
  { piece, position }: { readonly piece: Piece; readonly position: number },
): void {
  const { node, mode } = calls.handle(file)
  const bytes = Buffer.from(piece.bytes.slice(piece.offset, piece.offset + piece.length))
  const direct = mode === 'create-direct' || mode === 'create-direct-synchronous'
  if (
    direct &&
    [piece.length, piece.bytes.byteOffset + piece.offset, position].some((n) => n % DIRECT_ALIGNMENT_BYTES > 0)
  )
    calls.fail('write', file.path, 'EINVAL')
  const overwrites = mode === 'overwrite-synchronous'
  if (overwrites && position + bytes.length > node.content.length)
    throw new Error(`${file.path} is written beyond its ${node.content.length} bytes`)
  calls.enter('write', file.path, () => {
    if (overwrites) node.overwrite(position, bytes)
    else node.write(position, bytes.subarray(0, bytes.length >> 1))
  })
  node.write(position, bytes)
  if (overwrites || mode === 'create-direct-synchronous') node.sync()
}

function nameCalls(
  calls: Calls,
): Pick<FileOperations, 'link' | 'clone' | 'rename' | 'unlink' | 'lookUp' | 'setModified'> {
  return {
    link: async (from, to) => {
      calls.enter('link', to)
      const node = calls.disk.find(from)
      if (!(node instanceof FileNode)) return calls.fail('link', to, 'ENOENT')
      const { directory, name } = calls.parent('link', to)
      if (directory.entries.has(name)) calls.fail('link', to, 'EEXIST')
      calls.disk.rename(directory, [{ name, node }])
    },
    clone: async (from, to) => {
      calls.enter('clone', to)
      const node = calls.disk.find(from)
      if (!(node instanceof FileNode)) return calls.fail('clone', to, 'ENOENT')
      if (calls.plan.clones !== true) return calls.fail('clone', to, 'ENOTSUP')
      const { directory, name } = calls.parent('clone', to)
      if (directory.entries.has(name)) calls.fail('clone', to, 'EEXIST')
      const copy = calls.disk.newFile()
      copy.write(0, Buffer.from(node.content))
      calls.disk.rename(directory, [{ name, node: copy }])
    },
    rename: async (from, to) => {
      calls.enter('rename', to)
      renameNode(calls, from, to)
    },
    unlink: async (path) => {
      calls.enter('unlink', path)
      const { directory, name } = calls.parent('unlink', path)
      const node = directory.entries.get(name)
      if (node === undefined) return calls.fail('unlink', path, 'ENOENT')
      if (node instanceof DirectoryNode) calls.fail('unlink', path, 'EISDIR')
      calls.disk.rename(directory, [{ name, node: null }])
    },
    lookUp: async (path) => {
      calls.enter('look up', path)
      const node = calls.disk.find(path)
      return node === null ? null : factsOf(node)
    },
    setModified: async (path, modifiedMs) => {
      calls.enter('set modified', path)
      const node = calls.disk.find(path)
      if (node === null) return calls.fail('set modified', path, 'ENOENT')
      node.modifiedMs = modifiedMs
    },
  }
}

function makingCalls(calls: Calls): Pick<FileOperations, 'makeDirectory' | 'removeDirectory'> {
  return {
    makeDirectory: async (path) => {
      calls.enter('make directory', path)
      const { directory, name } = calls.parent('make directory', path)
      if (directory.entries.has(name)) calls.fail('make directory', path, 'EEXIST')
      calls.disk.rename(directory, [{ name, node: calls.disk.newDirectory() }])
    },
    removeDirectory: async (path) => {
      calls.enter('remove directory', path)
      const { directory, name } = calls.parent('remove directory', path)
      const node = directory.entries.get(name)
      if (node === undefined) return calls.fail('remove directory', path, 'ENOENT')
      if (!(node instanceof DirectoryNode)) return calls.fail('remove directory', path, 'ENOTDIR')
      if (node.entries.size > 0) calls.fail('remove directory', path, 'ENOTEMPTY')
      calls.disk.rename(directory, [{ name, node: null }])
    },
  }
}

function renameNode(calls: Calls, from: string, to: string): void {
  const source = calls.parent('rename', from)
  const target = calls.parent('rename', to)
  const node = source.directory.entries.get(source.name)
  if (node === undefined) throw fileError({ operation: 'rename', path: to, errno: 'ENOENT' })
  if (source.directory !== target.directory) {
    calls.disk.rename(target.directory, [{ name: target.name, node }])
    calls.disk.rename(source.directory, [{ name: source.name, node: null }])
    return
  }
  calls.disk.rename(source.directory, [
    { name: target.name, node },
    { name: source.name, node: null },
  ])
}

function directoryCalls(
  calls: Calls,
): Pick<FileOperations, 'readDirectory' | 'walkDirectory' | 'syncDirectory' | 'freeBytes' | 'realPath'> {
  return {
    readDirectory: async (path) => {
      calls.enter('read directory', path)
      return [...calls.directory('read directory', path).entries.keys()]
    },
    walkDirectory: (path) => walk(calls, path),
    syncDirectory: async (path) => {
      const directory = calls.directory('sync directory', path)
      calls.enter('sync directory', path, () => calls.plan.crashAt !== calls.steps && directory.syncFailed())
      directory.sync()
    },
    freeBytes: async (path) => {
      calls.enter('free bytes', path)
      calls.directory('free bytes', path)
      return 2 ** 40
    },
    realPath: async (path) => {
      calls.enter('real path', path)
      return calls.disk.find(path) === null ? calls.fail('real path', path, 'ENOENT') : path
    },
  }
}

async function* walk(calls: Calls, path: string): AsyncGenerator<readonly DirectoryEntry[]> {
  calls.enter('read directory', path)
  // Backwards: nobody may rely on an order.
  const entries = [...calls.directory('read directory', path).entries].reverse()
  if (entries.length > 0) yield entries.map(([name, node]) => ({ name, kind: node.kind }))
}

function factsOf(node: DiskNode): FileFacts {
  const isFile = node instanceof FileNode
  return {
    kind: node.kind,
    sizeBytes: isFile ? node.content.length : 4096,
    modifiedMs: node.modifiedMs,
    inode: node.inode,
    device: 1,
    names: isFile ? node.names : 2,
  }
}
