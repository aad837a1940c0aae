// Goal: a copy that is killed in its first start goes on at the next one.
// Method: a real service makes its store; the journal is then cut behind each of its records, as a kill between them leaves it.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { INTENT_FILE } from '../../src/intent-keeper.ts'
import { inspected, patience, ServiceWorld } from './service-world.ts'

describe('the first start of a copy', () => {
  let world: ServiceWorld

  beforeEach(async () => {
    world = await ServiceWorld.make()
  })
  afterEach(() => world.end())

  it('may be cut off anywhere between the store made and the last record of its journal', async () => {
    const share = await world.share()
    const first = await world.copy(share.url)
    await first.whenCaughtUp(patience())
    await first.close()
    const journal = join(world.store(), INTENT_FILE)
    const records = (await readFile(journal, 'utf8')).split('\n').slice(0, -1)
    expect(records.join()).toMatch(/store-created.*source-adopted/)

    // The first record has the copy's identity, with which the store is made.
    for (let known = 1; known < records.length; known++) {
      await writeFile(
        journal,
        records.slice(0, known).map((record) => `${record}\n`),
      )
      const again = await world.copy(share.url)
      await world.closeLog(known, `log ${known}`)
      await inspected(again, known)
      await again.close()
    }
  })
})
