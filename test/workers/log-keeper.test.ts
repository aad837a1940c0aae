// Goal: the files of small logs are made early, and nothing of an abandoned log stays.
// Method: the keeper over files whose calls end when the test says so.
import { describe, expect, it } from 'vitest'
import { asGeneration } from '../../engine/generation.ts'
import { logNameParser } from '../../engine/log-format.ts'
import type { Arrivals, ArrivingFile } from '../../storage/durable-file.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import { type KeptLog, LogKeeper } from '../../workers/log-keeper.ts'
import { createSlab, type Slab } from '../../workers/slab.ts'
import { xxhashWasmFile } from '../../workers/worker-files.ts'
import { NUMBERED } from './pipeline-rig.ts'

/** Files that are made at once and written when the test says so. */
class HeldFiles implements Arrivals {
  readonly made: string[] = []
  readonly removed: string[] = []
  readonly writes: (() => void)[] = []

  async begin({ name }: { readonly name: string }): Promise<ArrivingFile> {
    this.made.push(name)
    return {
      temporaryPath: `/store/${name}`,
      write: () => new Promise((resolve) => this.writes.push(resolve)),
      finish: async () => undefined,
      abandon: async () => {
        this.removed.push(name)
      },
    }
  }

  write(): Promise<string> {
    throw new Error('a keeper writes into the file that it has begun')
  }
}

function keeperOver(slab: Slab, arrivals: Arrivals, format = NUMBERED): LogKeeper {
  const files = nodeFileOperations({ shortCalls: 'inline' })
  const parse = logNameParser(format)
  return new LogKeeper({
    slab,
    files,
    arrivals,
    format,
    parse,
    nextAttempt: () => 'attempt',
    release: (slot) => slab.give(slot),
  })
}

function headOf(generation: number) {
  const name = `${String(generation).padStart(8, '0')}.log`
  return { session: 1, generation: asGeneration(generation), sizeBytes: 4096, logTimeMs: 0, name }
}

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

describe('a keeper of small logs', () => {
  it('makes their files while they come, and gives their slots back as they are written', async () => {
    const slab = await createSlab(xxhashWasmFile(), 5)
    const files = new HeldFiles()
    const keeper = keeperOver(slab, files)
    const kept: KeptLog[] = []
    for (let generation = 1; generation <= 5; generation++) {
      const log = keeper.begin(headOf(generation), (each) => kept.push(each))
      const slot = slab.take()
      if (slot === null) throw new Error('a slab of five has five')
      expect(files.made.length).toBe(generation)
      log.piece(slot, 4096)
      log.end(slab.hash(slot, 4096))
    }
    await settle()
    expect([files.writes.length, slab.free]).toEqual([5, 0])
    files.writes.shift()?.()
    await settle()
    expect([kept.length, slab.free]).toEqual([1, 1])
    for (let rest = 0; rest < 4; rest++) {
      files.writes.shift()?.()
      await settle()
    }
    await keeper.idle()

    expect(kept.map(({ kind }) => kind)).toEqual(['copied', 'copied', 'copied', 'copied', 'copied'])
    expect([slab.free, files.removed]).toEqual([5, []])
  })

  it('removes the file of a log that does not come whole', async () => {
    const slab = await createSlab(xxhashWasmFile(), 1)
    const files = new HeldFiles()
    const keeper = keeperOver(slab, files)
    const log = keeper.begin(headOf(1), () => {
      throw new Error('nothing is told of an abandoned log')
    })
    log.abandon()
    await keeper.idle()

    expect([files.made, files.removed, slab.free]).toEqual([['00000001.log'], ['00000001.log'], 1])
  })
})
