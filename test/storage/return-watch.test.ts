// Goal: a directory that comes back is noticed at once, and only that directory.
// Method: a real parent directory with other things in it; the test ends when the hint comes, or never.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, it } from 'vitest'
import { type ReturnWatch, watchForReturn } from '../../storage/return-watch.ts'

const parents: string[] = []
const watches: ReturnWatch[] = []

afterEach(() => {
  for (const watch of watches.splice(0)) watch.close()
  for (const parent of parents.splice(0)) rmSync(parent, { recursive: true, force: true })
})

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => undefined
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve }
}

function parentDirectory(): string {
  const parent = mkdtempSync(join(tmpdir(), 'ccr-return-'))
  parents.push(parent)
  return parent
}

it('hints when a missing directory is made', async () => {
  const parent = parentDirectory()
  const back = deferred()

  watches.push(watchForReturn(join(parent, 'logs'), back.resolve))
  mkdirSync(join(parent, 'logs'))

  await expect(back.promise).resolves.toBeUndefined()
})

it('says nothing of other directories and files beside it', async () => {
  const parent = parentDirectory()
  const told: string[] = []
  const last = deferred()

  watches.push(watchForReturn(join(parent, 'logs'), () => told.push('logs')))
  watches.push(watchForReturn(join(parent, 'last'), last.resolve))
  mkdirSync(join(parent, 'other'))
  writeFileSync(join(parent, 'file'), '')
  mkdirSync(join(parent, 'last'))
  await last.promise

  expect(told).toEqual([])
})

it('says nothing after it was closed', async () => {
  const parent = parentDirectory()
  const told: string[] = []
  const other = deferred()
  const closed = watchForReturn(join(parent, 'logs'), () => told.push('logs'))
  watches.push(watchForReturn(join(parent, 'logs'), other.resolve))

  closed.close()
  closed.close()
  mkdirSync(join(parent, 'logs'))
  await other.promise

  expect(told).toEqual([])
})
