// Goal: a store writes nothing before it may, and everything when it must.
// Method: the real store over a model disk, watched order by order.
import { describe, expect, it } from 'vitest'
import { ModelStoreDisk } from './model-store-disk.ts'
import { startRig } from './store-rig.ts'

describe('a store', () => {
  it('creates its stream and its database, and stops clean', () => {
    const disk = new ModelStoreDisk()
    const rig = startRig(disk)
    rig.content.begin(1)
    rig.change({ session: 1, page: 5, key: 1, value: 7, bytes: 10 })
    rig.content.commit(1)
    rig.stop('term')

    expect(disk.scan().database?.state).toBe('clean-shutdown')
    expect(startRig(disk).values([5])).toEqual([{ 1: 7 }])
  })
})
