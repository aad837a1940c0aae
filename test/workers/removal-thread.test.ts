// Goal: a thread removes files in order, answers their faults, stops when it is told to, and is not there when nobody needs it.
// Method: the real thread over real directories.
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type RemovalThread, removalThread } from '../../workers/removal-thread.ts'

let directory: string
let thread: RemovalThread
let stop: Int32Array

beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), 'ccr-removal-'))
  thread = removalThread()
  stop = new Int32Array(new SharedArrayBuffer(4))
})
afterEach(async () => {
  await thread.close()
  fs.rmSync(directory, { recursive: true })
})

it('removes of each file the first name that is there', async () => {
  for (const name of ['1', '2', 'second']) fs.writeFileSync(join(directory, name), '')

  const progress = await thread.unlinkInOrder({ directory, files: [['1'], ['gone'], ['first', 'second']], stop })

  expect(progress).toEqual({ removed: ['1', null, 'second'], failure: null })
  expect(fs.readdirSync(directory)).toEqual(['2'])
})

it('stops at the first real error and names it, and so do the removals behind it', async () => {
  fs.writeFileSync(join(directory, '1'), '')
  fs.mkdirSync(join(directory, '2'))
  fs.writeFileSync(join(directory, '3'), '')
  fs.writeFileSync(join(directory, '4'), '')

  const progress = await thread.unlinkInOrder({ directory, files: [['1'], ['2'], ['3']], stop })

  const behind = await thread.unlinkInOrder({ directory, files: [['4']], stop })

  expect(behind).toEqual({ removed: [], failure: null })
  expect(progress.removed).toEqual(['1'])
  expect(progress.failure).toMatchObject({
    path: join(directory, '2'),
    errno: expect.stringMatching(/^E(ISDIR|PERM)$/),
  })
  expect(fs.readdirSync(directory)).toEqual(['2', '3', '4'])
})

it('removes nothing for a deletion that has stopped, and may be closed unused and twice', async () => {
  fs.writeFileSync(join(directory, '1'), '')

  stop[0] = 1
  const progress = await thread.unlinkInOrder({ directory, files: [['1']], stop })
  await thread.close()
  await thread.close()
  await removalThread().close()

  expect(progress).toEqual({ removed: [], failure: null })
  expect(fs.readdirSync(directory)).toEqual(['1'])
})
