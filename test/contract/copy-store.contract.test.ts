// Goal: a copy's store behaves over the real file system as over the modelled disk on which its crashes are proved.
// Method: one suite over both: logs arrive, are published, found again, refused, truncated, and the store is opened anew.
import { randomUUID } from 'node:crypto'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { asGeneration } from '../../engine/generation.ts'
import { eseLogName } from '../../engine/log-format.ts'
import { type CopyStore, openCopyStore } from '../../storage/copy-store.ts'
import { arrivalsIn } from '../../storage/durable-file.ts'
import { type FileOperations, wholeOf } from '../../storage/file-operations.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import type { PublishItem } from '../../storage/publisher.ts'
import { CrashDisk } from '../storage/crash-disk.ts'
import { operationsOver } from '../storage/crash-disk-operations.ts'
import { pageAligned } from '../storage/page-aligned.ts'

interface World {
  readonly files: FileOperations
  readonly root: string
  readonly dispose: () => void
}

const MAKERS: readonly (readonly [string, () => World])[] = [
  ...(['pooled', 'inline'] as const).map((shortCalls) => {
    const make = (): World => {
      const base = fs.mkdtempSync(join(tmpdir(), 'ccr-store-'))
      const dispose = (): void => fs.rmSync(base, { recursive: true })
      return { files: nodeFileOperations({ shortCalls }), root: join(base, 'node2/SG1'), dispose }
    }
    return [`the real file system, short calls ${shortCalls}`, make] as const
  }),
  [
    'the modelled disk',
    () => ({ files: operationsOver(new CrashDisk()), root: '/data/SG1', dispose: () => undefined }),
  ],
]

const LOG_BYTES = 8192
const nameOf = (generation: number): string => eseLogName('E00', asGeneration(generation))
const newId = (): string => randomUUID().replaceAll('-', '')

describe.each(MAKERS)('a store over %s', (_name, make) => {
  let world: World
  let store: CopyStore<number>

  beforeEach(async () => {
    world = make()
    store = await open()
  })
  afterEach(() => world.dispose())

  function open(): Promise<CopyStore<number>> {
    return openCopyStore<number>({
      root: world.root,
      format: { kind: 'ese', baseName: 'E00' },
      files: world.files,
      newId,
      identityOf: (start) => start[0] ?? null,
      sameContent: async (a, b) => (await firstByte(a)) === (await firstByte(b)),
    })
  }

  async function firstByte(path: string): Promise<number | undefined> {
    const file = await world.files.open(path, 'read')
    const bytes = new Uint8Array(1)
    await world.files.read(file, wholeOf(bytes), 0)
    await world.files.close(file)
    return bytes[0]
  }

  async function arrive(generation: number, content = generation): Promise<PublishItem> {
    const log = {
      name: nameOf(generation),
      attemptId: newId(),
      lengthBytes: LOG_BYTES,
      memory: 'page-aligned',
    } as const
    const piece = { bytes: pageAligned(1).fill(content), offset: 0, length: LOG_BYTES }
    const temporaryPath = await arrivalsIn(store.paths.inspector, world.files).write(log, piece)
    return { temporaryPath, finalName: log.name }
  }

  it('publishes what arrived, and a store that is opened anew finds it', async () => {
    const items = [await arrive(5), await arrive(6), await arrive(7)]

    expect(await store.publish(items)).toEqual({ durable: 3, alreadyThere: 0, failure: null })

    const scan = await (await open()).scan()
    expect(scan).toMatchObject({ run: { first: 5, last: 7 }, newest: { generation: 7, identity: 7 }, swept: 0 })
    expect(scan.foreign.total).toBe(0)
    expect(await store.pathOf(asGeneration(6))).toBe(`${store.paths.logs}/${nameOf(6)}`)
    expect(await store.pathOf(asGeneration(8))).toBeNull()
  })

  it('counts the same log as published and keeps both of two that differ', async () => {
    await store.publish([await arrive(5)])

    const same = await store.publish([await arrive(5)])
    const other = await arrive(5, 99)
    const refused = await store.publish([other])

    expect(same).toEqual({ durable: 1, alreadyThere: 1, failure: null })
    expect(refused).toMatchObject({ durable: 0, failure: { code: 'FILE_EXISTS' } })
    expect(await firstByte(`${store.paths.logs}/${nameOf(5)}`)).toBe(5)
    const note = { name: nameOf(5), attemptId: 'a9', reason: 'gap', detail: '', attempt: 1, atIso: '' }
    const kept = await store.quarantine(other.temporaryPath.slice(store.paths.inspector.length + 1), note)
    expect(await firstByte(kept)).toBe(99)
  })

  it('sweeps what never was published', async () => {
    await arrive(5)
    await arrive(6)

    expect(await store.scan()).toMatchObject({ run: null, swept: 2 })
    expect(await world.files.readDirectory(store.paths.inspector)).toEqual([])
  })

  it('truncates, and what was truncated is gone for a store that is opened anew', async () => {
    await store.publish([await arrive(5), await arrive(6), await arrive(7)])

    const outcome = await store.truncateBelow(asGeneration(7))

    expect(outcome).toMatchObject({ deleted: 2, through: 6, failure: null })
    expect((await (await open()).scan()).run).toEqual({ first: 7, last: 7 })
  })
})
