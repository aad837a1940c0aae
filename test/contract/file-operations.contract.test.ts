// Goal: the modelled disk behaves as the real one wherever storage relies on it, so that what is proved over it means something.
// Method: one suite over three makings of FileOperations: real with pooled short calls, real with inline ones, modelled.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ErrorCode } from '../../engine/error.ts'
import { isCloneRefused, isDirectRefused } from '../../storage/file-error.ts'
import { ENTRIES_PER_CHUNK_MAX, type FileOperations, wholeOf } from '../../storage/file-operations.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import { CrashDisk, DirectoryNode } from '../storage/crash-disk.ts'
import { operationsOver } from '../storage/crash-disk-operations.ts'
import { pageAligned } from '../storage/page-aligned.ts'

interface World {
  readonly files: FileOperations
  readonly base: string
  readonly plantSymlink: (path: string) => void
  readonly plantFifo: (path: string) => void
  readonly dispose: () => void
}

function realWorld(shortCalls: 'inline' | 'pooled'): World {
  const base = fs.mkdtempSync(join(tmpdir(), 'ccr-files-'))
  return {
    files: nodeFileOperations({ shortCalls }),
    base,
    plantSymlink: (path) => fs.symlinkSync(join(base, 'elsewhere'), path),
    plantFifo: (path) => execFileSync('mkfifo', [path]),
    dispose: () => fs.rmSync(base, { recursive: true }),
  }
}

function modelledWorld(): World {
  const disk = new CrashDisk()
  const base = disk.newDirectory()
  disk.rename(disk.root, [{ name: 'base', node: base }])
  const plant = (path: string, kind: 'symlink' | 'fifo'): void => {
    const parent = disk.find(path.slice(0, path.lastIndexOf('/')))
    if (parent instanceof DirectoryNode)
      disk.rename(parent, [{ name: path.slice(path.lastIndexOf('/') + 1), node: disk.newFile(kind) }])
  }
  return {
    files: operationsOver(disk),
    base: '/base',
    plantSymlink: (path) => plant(path, 'symlink'),
    plantFifo: (path) => plant(path, 'fifo'),
    dispose: () => undefined,
  }
}

const MAKERS: readonly (readonly [string, () => World])[] = [
  ['the real file system, short calls pooled', () => realWorld('pooled')],
  ['the real file system, short calls inline', () => realWorld('inline')],
  ['the modelled disk', modelledWorld],
]

const refusal = (code: ErrorCode, errno?: string): object =>
  expect.objectContaining(errno === undefined ? { code } : { code, fields: expect.objectContaining({ errno }) })

describe.each(MAKERS)('over %s', (_name, make) => {
  let world: World
  let files: FileOperations
  const at = (name: string): string => `${world.base}/${name}`

  async function put(name: string, text: string): Promise<void> {
    const file = await files.open(at(name), 'create')
    await files.write(file, wholeOf(Buffer.from(text)), 0)
    await files.close(file)
  }

  async function get(name: string): Promise<string> {
    const file = await files.open(at(name), 'read')
    const bytes = Buffer.alloc(100)
    const length = await files.read(file, wholeOf(bytes), 0)
    await files.close(file)
    return bytes.toString('utf8', 0, length)
  }

  beforeEach(() => {
    world = make()
    files = world.files
  })
  afterEach(() => world.dispose())

  it('a created file has what was written, at the position and from the part of the buffer that was named', async () => {
    const file = await files.open(at('a'), 'create')

    await files.write(file, { bytes: Buffer.from('xxHELLOxx'), offset: 2, length: 5 }, 0)
    await files.write(file, wholeOf(Buffer.from('P!')), 4)
    await files.datasync(file)
    await files.close(file)

    expect(await get('a')).toBe('HELLP!')
    expect(await files.lookUp(at('a'))).toMatchObject({ kind: 'regular', sizeBytes: 6, names: 1 })
  })

  it('a name that is taken is not created again and keeps its content', async () => {
    await put('a', 'first')

    await expect(files.open(at('a'), 'create')).rejects.toEqual(refusal('FILE_EXISTS', 'EEXIST'))

    expect(await get('a')).toBe('first')
  })

  it('what is missing is told as a missing file or a missing directory', async () => {
    await expect(files.open(at('none'), 'read')).rejects.toEqual(refusal('LOG_MISSING', 'ENOENT'))
    await expect(files.open(at('none'), 'extend')).rejects.toEqual(refusal('LOG_MISSING', 'ENOENT'))
    await expect(files.unlink(at('none'))).rejects.toEqual(refusal('LOG_MISSING', 'ENOENT'))
    await expect(files.open(at('none/a'), 'create')).rejects.toEqual(refusal('DIRECTORY_MISSING', 'ENOENT'))
    await expect(files.syncDirectory(at('none'))).rejects.toEqual(refusal('DIRECTORY_MISSING', 'ENOENT'))
    await expect(files.readDirectory(at('none'))).rejects.toEqual(refusal('DIRECTORY_MISSING', 'ENOENT'))
    await expect(files.makeDirectory(at('none/a'))).rejects.toEqual(refusal('DIRECTORY_MISSING', 'ENOENT'))
    await expect(files.realPath(at('none'))).rejects.toEqual(refusal('DIRECTORY_MISSING', 'ENOENT'))
    expect(await files.lookUp(at('none'))).toBeNull()
  })

  it('a link never replaces, and a file with two names is not opened for reading', async () => {
    await put('a', 'one')
    await put('b', 'two')

    await files.link(at('a'), at('c'))

    await expect(files.link(at('a'), at('b'))).rejects.toEqual(refusal('FILE_EXISTS', 'EEXIST'))
    expect(await files.lookUp(at('c'))).toMatchObject({ names: 2 })
    await expect(files.open(at('c'), 'read')).rejects.toEqual(refusal('FILE_NOT_REGULAR'))
    await files.unlink(at('a'))
    expect(await get('c')).toBe('one')
    expect(await get('b')).toBe('two')
  })

  it('a clone has the content of then and goes its own way, or is refused and leaves nothing', async () => {
    await put('a', 'then')
    await put('b', 'kept')

    const refused = await files.clone(at('a'), at('c')).then(
      () => false,
      (error: unknown) => isCloneRefused(error) || Promise.reject(error),
    )

    if (refused) expect(await files.lookUp(at('c'))).toBeNull()
    else {
      await put('a', 'now')
      expect(await get('c')).toBe('then')
      await expect(files.clone(at('a'), at('b'))).rejects.toEqual(refusal('FILE_EXISTS', 'EEXIST'))
    }
    expect(await get('b')).toBe('kept')
  })

  it('a rename replaces', async () => {
    await put('a', 'new')
    await put('b', 'old')

    await files.rename(at('a'), at('b'))

    expect(await get('b')).toBe('new')
    expect(await files.lookUp(at('a'))).toBeNull()
  })

  it('a symlink is not followed and a FIFO does not block', async () => {
    await put('elsewhere', 'secret')
    world.plantSymlink(at('link'))
    world.plantFifo(at('fifo'))

    await expect(files.open(at('link'), 'read')).rejects.toEqual(refusal('FILE_NOT_REGULAR'))
    await expect(files.open(at('link'), 'create')).rejects.toEqual(refusal('FILE_EXISTS'))
    await expect(files.open(at('fifo'), 'read')).rejects.toEqual(refusal('FILE_NOT_REGULAR'))
    expect(await files.lookUp(at('link'))).toMatchObject({ kind: 'symlink' })
    expect(await files.lookUp(at('fifo'))).toMatchObject({ kind: 'fifo' })
  })

  it('direct writes keep aligned memory and refuse other memory', async () => {
    const slot = pageAligned(1).fill(0x55)
    for (const mode of ['create-direct', 'create-direct-synchronous'] as const) {
      const file = await files.open(at(mode), mode)
      await files.write(file, { bytes: slot, offset: 0, length: 8192 }, 0)
      const refused = await files.write(file, { bytes: slot, offset: 1, length: 100 }, 8192).catch((error) => error)
      await files.close(file)

      expect(isDirectRefused(refused)).toBe(true)
      expect(await files.lookUp(at(mode))).toMatchObject({ sizeBytes: 8192 })
    }
  })

  it('a file is extended in place', async () => {
    await put('a', 'one\n')
    const file = await files.open(at('a'), 'extend')

    await files.write(file, wholeOf(Buffer.from('two\n')), 4)
    await files.datasync(file)
    await files.close(file)

    expect(await get('a')).toBe('one\ntwo\n')
  })

  it('a log is overwritten in place, read through the same descriptor, and never made by it', async () => {
    await put('a', 'one two three')
    const file = await files.open(at('a'), 'overwrite-synchronous')

    await files.write(file, wholeOf(Buffer.from('TWO')), 4)
    const bytes = Buffer.alloc(7)
    await files.read(file, wholeOf(bytes), 0)
    await files.close(file)

    expect([bytes.toString(), await get('a')]).toEqual(['one TWO', 'one TWO three'])
    await expect(files.open(at('none'), 'overwrite-synchronous')).rejects.toEqual(refusal('LOG_MISSING', 'ENOENT'))
    world.plantFifo(at('pipe'))
    await expect(files.open(at('pipe'), 'overwrite-synchronous')).rejects.toEqual(refusal('FILE_NOT_REGULAR'))
  })

  it('directories are made once, listed, walked in chunks and known for what they are', async () => {
    await files.makeDirectory(at('d'))
    const names = Array.from({ length: ENTRIES_PER_CHUNK_MAX + 10 }, (_, index) => `f${index}`)
    for (const name of names) await files.close(await files.open(at(`d/${name}`), 'create'))

    const walked: string[] = []
    for await (const chunk of files.walkDirectory(at('d'))) for (const entry of chunk) walked.push(entry.name)

    expect(walked.sort()).toEqual(names.sort())
    expect([...(await files.readDirectory(at('d')))].sort()).toEqual(names)
    await expect(files.makeDirectory(at('d'))).rejects.toEqual(refusal('FILE_EXISTS', 'EEXIST'))
    await files.syncDirectory(at('d'))
    expect(await files.lookUp(at('d'))).toMatchObject({ kind: 'directory' })
    expect(await files.realPath(at('d'))).toMatch(/\/d$/)
    expect(await files.freeBytes(at('d'))).toBeGreaterThan(0)
  })

  it('a time of modification is set, and an open file keeps its facts when its name goes', async () => {
    await put('a', 'text')
    await files.setModified(at('a'), 1_195_689_600_000)
    const file = await files.open(at('a'), 'read')

    await files.unlink(at('a'))

    expect(await files.factsOf(file)).toMatchObject({ sizeBytes: 4, modifiedMs: 1_195_689_600_000, names: 0 })
    await files.close(file)
  })
})
