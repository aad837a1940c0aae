// Goal: never more at once than allowed, and everybody gets a turn, in order, whoever fails.
// Method: the limiter alone, and the walks of a directory that nobody finishes.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import { Turns } from '../../storage/turns.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ccr-turns-'))
  writeFileSync(join(directory, 'a'), '')
})
afterEach(() => rmSync(directory, { recursive: true }))

describe('turns', () => {
  it('are given to so many at once, and then in the order of asking', async () => {
    const turns = new Turns(2)
    const got: number[] = []
    const asked = [1, 2, 3, 4].map((who) => turns.take().then(() => got.push(who)))
    await Promise.all(asked.slice(0, 2))
    expect(got).toEqual([1, 2])

    turns.give()
    await asked[2]
    expect(got).toEqual([1, 2, 3])
    turns.give()
    await asked[3]
    turns.give()
    turns.give()
    await Promise.all([turns.take(), turns.take()])
    expect(got).toEqual([1, 2, 3, 4])
  })
})

describe('walks of directories', () => {
  it('wait while eight are under way, and go on when one of them is given up', async () => {
    const { walkDirectory } = nodeFileOperations({ shortCalls: 'pooled' })
    const begun = Array.from({ length: 8 }, () => walkDirectory(directory)[Symbol.asyncIterator]())
    for (const walk of begun) expect((await walk.next()).done).toBe(false)
    let ninthCame = false
    const ninth = (async () => {
      for await (const chunk of walkDirectory(directory)) ninthCame = chunk.length === 1
    })()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(ninthCame).toBe(false)

    await begun[0]?.return?.()
    await ninth
    expect(ninthCame).toBe(true)
    for (const walk of begun) await walk.return?.()
  })

  it('of a directory that is not there give their turns back', async () => {
    const { walkDirectory } = nodeFileOperations({ shortCalls: 'pooled' })
    const walkAll = async (path: string): Promise<number> => {
      let names = 0
      for await (const chunk of walkDirectory(path)) names += chunk.length
      return names
    }
    for (let index = 0; index < 20; index++) await expect(walkAll(join(directory, 'none'))).rejects.toThrow('none')
    expect(await walkAll(directory)).toBe(1)
  })
})
