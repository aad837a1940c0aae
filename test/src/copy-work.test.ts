// Goal: a new store is made once, however many looks at it are under way.
// Method: the work of a copy over parts that only count; the disk takes its time.
import { describe, expect, it } from 'vitest'
import type { ReplicaFact } from '../../engine/fact.ts'
import type { UntimedFact } from '../../src/copy-work.ts'
import { CopyWork, type CopyWorkParts } from '../../src/copy-work.ts'

function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

describe('the work of a copy', () => {
  it('makes a new store once when it is looked at twice', async () => {
    const done: string[] = []
    const told: UntimedFact<ReplicaFact>[] = []
    const parts = {
      copy: 1,
      name: 'SG1',
      adopted: null,
      disk: {
        open: async (_format: unknown, isKnown: boolean) => {
          await settle()
          done.push(isKnown ? 'open' : 'make')
        },
        check: async () => ({}),
      },
      held: { take: async () => undefined },
      intents: { record: async () => void done.push('adopt') },
      onStoreMade: async () => void done.push('told'),
      tell: (fact: UntimedFact<ReplicaFact>) => told.push(fact),
      onCrash: (error: unknown) => done.push(String(error)),
    }
    // What a look at the store uses of its parts.
    const work = new CopyWork(parts as unknown as CopyWorkParts)
    work.offer({ format: { kind: 'ese', baseName: 'E00' }, store: 'external' })
    const adopted = work.adopt(1)
    void work.perform({ kind: 'check-store', session: 2 })
    await adopted
    while (told.length < 2) await settle()

    expect(done).toEqual(['make', 'adopt', 'told', 'open'])
    expect(told.map(({ kind }) => kind)).toEqual(['store-checked', 'store-checked'])
  })
})
