// Goal: a seed for which there is too little room is refused before anything is changed, and says what is missing.
// Method: two nodes, of which that of the copy has a small file system of its own.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { NodeBed } from '../../bench/soak/node-bed.ts'
import { MOUNTS_PERMITTED, onSmallDisk } from './own-disk.ts'
import { digestOf } from './refusal-rig.ts'

/** Less than the database. */
const SMALL = '256k'

let bed: NodeBed
let small: string

beforeAll(async () => {
  bed = await NodeBed.make()
  small = join(bed.directory, 'small')
  mkdirSync(small)
  const wrapper = MOUNTS_PERMITTED ? onSmallDisk(small, SMALL) : []
  await Promise.all([bed.start('active'), bed.start('passive', { wrapper })])
  await bed.load('--full-speed', '--size', '4K..40K', '--count', '300').done
  await bed.untilReplayed()
})
afterAll(() => bed.close())

describe('a seed', () => {
  it.skipIf(!MOUNTS_PERMITTED)('to a volume that is too small changes nothing, and the copy goes on', async () => {
    await bed.must('passive', 'suspend', 'SG1')
    const database = join(bed.root('passive'), 'database')
    const before = digestOf(database)

    const { exitCode, stderr } = await bed.ccr('passive', 'seed', 'SG1', '--target-path', join(small, 'disk'), '--json')

    expect(exitCode).not.toBe(0)
    expect(JSON.parse(stderr)).toMatchObject({
      code: 'DISK_FULL',
      message: expect.stringMatching(/are missing$/),
      hint: expect.stringContaining('Nothing was changed'),
    })
    expect(digestOf(database)).toEqual(before)
    await bed.must('passive', 'resume', 'SG1')
    await bed.untilReplayed()
  })
})
