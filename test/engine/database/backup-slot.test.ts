// Goal: a database remembers of each scope the newest backup, and a full one makes those before it count no more.
// Method: one backup after another into the slots of a header, older ones among them.

import { describe, expect, test } from 'vitest'
import {
  type BackupKind,
  type BackupScope,
  type BackupSlots,
  type FinishedBackup,
  NO_BACKUPS,
  withBackup,
} from '../../../engine/database/backup-slot.ts'
import { comparePositions } from '../../../engine/database/log-position.ts'
import { logTimeAt } from '../../../engine/database/log-time.ts'
import { MOMENT_MS } from './build.ts'

function backup(generation: number, kind: BackupKind = 'os-snapshot'): FinishedBackup {
  const mark = { generation, sector: 8, byte: 22 }
  return { mark, markTime: logTimeAt(MOMENT_MS), firstGeneration: 1, lastGeneration: generation, kind }
}

function slotsAfter(...backups: readonly (readonly [BackupScope, FinishedBackup])[]): BackupSlots {
  return backups.reduce((slots, [scope, one]) => withBackup(slots, scope, one), NO_BACKUPS)
}

function generations(slots: BackupSlots): number[] {
  const { previousFull, previousIncremental, previousCopy, previousDifferential } = slots
  return [previousFull, previousIncremental, previousCopy, previousDifferential].map((slot) => slot.lastGeneration)
}

describe('the slots of a header', () => {
  test('take each backup in the slot of its scope', () => {
    const slots = slotsAfter(
      ['full', backup(5)],
      ['incremental', backup(6)],
      ['copy', backup(7)],
      ['differential', backup(8)],
    )

    expect(generations(slots)).toEqual([5, 6, 7, 8])
    expect(slots.previousFull).toEqual(backup(5))
  })

  test('forget the incremental and the differential one at a full one, not the copy', () => {
    const slots = slotsAfter(
      ['incremental', backup(6)],
      ['copy', backup(7)],
      ['differential', backup(8)],
      ['full', backup(9)],
    )

    expect(generations(slots)).toEqual([9, 0, 7, 0])
  })

  test('keep a newer one against an older one that ends later', () => {
    const slots = slotsAfter(
      ['full', backup(9)],
      ['incremental', backup(10)],
      ['full', backup(5)],
      ['incremental', backup(7)],
    )

    expect(generations(slots)).toEqual([9, 10, 0, 0])
    expect(generations(slotsAfter(['full', backup(9)], ['full', { ...backup(9), lastGeneration: 8 }]))).toEqual([
      8, 0, 0, 0,
    ])
  })

  test('end a snapshot under way at a streaming full one, not at another', () => {
    const underWay: BackupSlots = { ...NO_BACKUPS, currentSnapshot: backup(3) }

    expect(withBackup(underWay, 'full', backup(4, 'streaming')).currentSnapshot.lastGeneration).toBe(0)
    expect(withBackup(underWay, 'full', backup(4, 'surrogate')).currentSnapshot.lastGeneration).toBe(3)
    expect(withBackup(underWay, 'copy', backup(4, 'streaming')).currentSnapshot.lastGeneration).toBe(3)
  })
})

test('positions compare by generation, then sector, then byte', () => {
  const at = (generation: number, sector: number, byte: number) => ({ generation, sector, byte })
  const ascending = [at(1, 9, 9), at(2, 1, 9), at(2, 2, 0), at(2, 2, 1)]

  for (const [index, a] of ascending.entries())
    for (const [other, b] of ascending.entries())
      expect(Math.sign(comparePositions(a, b))).toBe(Math.sign(index - other))
})
