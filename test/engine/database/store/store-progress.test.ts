// Goal: an operation gets what it lacks, or waits for it, and is never half of an operation of the store.
// Method: operations that say by hand what they lack, over a real store on a model disk.
import { describe, expect, it } from 'vitest'
import { type Blocked, ChangeWriter } from '../../../../engine/database/change-writer.ts'
import { openRedo } from '../../../../engine/database/redo-context.ts'
import { advance } from '../../../../engine/database/store-progress.ts'
import { ModelStoreDisk } from './model-store-disk.ts'
import { LOG_BYTES, type StoreRig, startRig } from './store-rig.ts'

function aWriter({ store }: StoreRig): ChangeWriter {
  return new ChangeWriter({ redo: openRedo({ pool: store.cache, databaseId: 1 }), log: store.buffer, dbtime: 100 })
}

function* lacking(...lacks: readonly Blocked[]): Generator<Blocked, string, void> {
  for (const lack of lacks) yield lack
  return 'made'
}

describe('an operation', () => {
  it('goes on in the next log where one is full', () => {
    const rig = startRig(new ModelStoreDisk(), { logBytes: 8 * LOG_BYTES })
    const writer = aWriter(rig)
    const { generation } = rig.store.buffer.header
    const bytes = rig.store.buffer.room + 1

    expect(advance(rig.store, writer, lacking({ kind: 'log-full', bytes }))).toEqual({ state: 'done', answer: 'made' })
    expect(writer.position.generation).toBe(generation + 1)
  })

  it('waits for a page, and is not done where that is bad', () => {
    const rig = startRig(new ModelStoreDisk(), { logBytes: 8 * LOG_BYTES })
    const work = lacking({ kind: 'page-needed', page: 7, isNew: false }, { kind: 'page-needed', page: 7, isNew: false })

    expect(advance(rig.store, aWriter(rig), work)).toEqual({ state: 'page', page: 7 })
    expect(rig.store.needPage(7)).toBe(true)
    rig.take({ fact: 'page-read', number: 7, bytes: new Uint8Array(8192).fill(3) })
    expect(advance(rig.store, aWriter(rig), work)).toMatchObject({ state: 'bad-page', page: 7 })
  })

  it('waits for memory, and for a disk that does not keep up', () => {
    const rig = startRig(new ModelStoreDisk(), { logBytes: 8 * LOG_BYTES })
    expect(advance(rig.store, aWriter(rig), lacking({ kind: 'memory-needed', page: 7 }))).toEqual({ state: 'room' })

    for (let roll = 0; roll < 4; roll++) rig.store.roll()
    expect(advance(rig.store, aWriter(rig), lacking())).toEqual({ state: 'room' })
    rig.settle()
    expect(advance(rig.store, aWriter(rig), lacking())).toEqual({ state: 'done', answer: 'made' })
  })
})
