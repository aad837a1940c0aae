// Goal: a store is a map with transactions; its log alone leads to its pages, and a crash leaves what was committed, nothing else.
// Method: commands of several sessions, some within others that wait, beside a model; a pool of few pages that throws any of them
// out; then replay from nothing and from old pages, and recovery from cuts at any records, cut again while they undo.

import fc from 'fast-check'
import { describe, test } from 'vitest'
import { type Command, StoreRig } from './store-rig.ts'
import { recordPositions } from './store-world.ts'

const KINDS: readonly Command['kind'][] = [
  'insert',
  'insert',
  'insert',
  'replace',
  'replace',
  'remove',
  'remove',
  'commit',
  'commit',
  'rollback',
  'read',
  'list',
  'clean',
  'zero',
]

/** Most commands name a message by the mailbox that it is in. */
const anyCommand: fc.Arbitrary<Command> = fc
  .record({
    kind: fc.constantFrom(...KINDS),
    session: fc.integer({ min: 1, max: 3 }),
    mailbox: fc.integer({ min: 1, max: 3 }),
    isAstray: fc.integer({ min: 0, max: 9 }).map((die) => die === 9),
    id: fc.oneof(fc.nat(8), fc.nat(40)),
    bytes: fc.oneof(fc.nat(300), fc.nat(300), fc.nat(9000)),
  })
  .map(({ isAstray, ...command }) => ({ ...command, mailbox: isAstray ? command.mailbox : 1 + (command.id % 3) }))
const anyCommands = fc.array(anyCommand, { minLength: 60, maxLength: 400, size: 'max' })
const world = fc.record({ seed: fc.integer(), capacity: fc.integer({ min: 14, max: 40 }) })

describe('a store', () => {
  test('holds what a map with transactions would, and its log leads to the same bytes', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(anyCommands, world, (commands, { seed, capacity }) => {
        const rig = StoreRig.create(seed, capacity)

        rig.make(commands)

        rig.expectSound()
        rig.expectReplayable()
        rig.expectClean()
      }),
      { numRuns: 25 },
    )
  })

  test('has exactly what was committed after a crash at any record, and after another one', { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(anyCommands, world, fc.array(fc.nat(), { minLength: 4, maxLength: 4 }), (commands, start, cuts) => {
        const rig = StoreRig.create(start.seed, start.capacity)
        rig.make(commands)
        const created = rig.commits[0]?.end

        for (const cut of cuts) {
          const positions = recordPositions(rig.logs).slice(20)
          const at = positions[cut % positions.length]
          if (created === undefined || at === undefined) continue
          const recovered = rig.recoverAt(at)
          recovered.expectSound()
          recovered.expectReplayable()
          const later = recordPositions(recovered.logs).filter(({ generation }) => generation > at.generation)
          const again = later[cut % later.length]
          if (again !== undefined) recovered.recoverAt(again).expectSound()
        }
      }),
      { numRuns: 10 },
    )
  })
})
