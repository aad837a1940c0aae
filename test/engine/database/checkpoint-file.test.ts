// Goal: a checkpoint is read and written without loss, from whichever copy is whole, and no damaged one is taken.
// Method: round trips with every field set, every single bit of a copy, one sealed change for each check.

import { describe, expect, test } from 'vitest'
import { sealBlock } from '../../../engine/database/block-checksum.ts'
import {
  CHECKPOINT_COPY_BYTES,
  type CheckpointFile,
  type CheckpointVerdict,
  composeCheckpointFile,
  readCheckpointFile,
  writeCheckpoint,
} from '../../../engine/database/checkpoint-file.ts'
import { openLogBytes } from '../../../engine/database/log-bytes.ts'
import { FULL_CHECKPOINT, turnBit } from './database-build.ts'

function fileOf(first: CheckpointFile, second: CheckpointFile = first): Uint8Array {
  const file = composeCheckpointFile(first)
  writeCheckpoint(file.subarray(CHECKPOINT_COPY_BYTES), second)
  return file
}

function inWords(verdict: CheckpointVerdict): string {
  return verdict.verdict === 'read' ? `${verdict.copy} ${verdict.other}` : verdict.rejection.reason
}

function wordsAfter(change: (view: DataView) => void): string {
  const file = fileOf(FULL_CHECKPOINT)
  for (const lo of [0, CHECKPOINT_COPY_BYTES]) {
    const copy = openLogBytes(file.subarray(lo, lo + CHECKPOINT_COPY_BYTES))
    change(copy.view)
    sealBlock(copy, 0, CHECKPOINT_COPY_BYTES)
  }
  return inWords(readCheckpointFile(file))
}

describe('a checkpoint', () => {
  test('is read back as it was written, with every field set', () => {
    expect(readCheckpointFile(fileOf(FULL_CHECKPOINT))).toEqual({
      verdict: 'read',
      checkpoint: FULL_CHECKPOINT,
      copy: 'first',
      other: 'same',
    })
  })

  test('lies where the format says', () => {
    const file = fileOf(FULL_CHECKPOINT)
    const view = new DataView(file.buffer)

    expect([8, 16, 619, 635, 652].map((at) => view.getInt32(at, true))).toEqual([1, 0x1c4, 4, 7, 10])
    expect([20, 667].map((at) => view.getUint32(at, true))).toEqual([0xcafe1234, 4])
    expect(Buffer.from(file.subarray(48, 58)).toString()).toBe('C:\\System\\')
    expect([file[647], file[679]]).toEqual([1, 1])
  })

  test('is taken from its second copy where any one bit of the first is turned', () => {
    const file = fileOf(FULL_CHECKPOINT)

    const wrong: number[] = []
    for (let bit = 0; bit < CHECKPOINT_COPY_BYTES * 8; bit++) {
      turnBit(file, bit)
      if (inWords(readCheckpointFile(file)) !== 'second damaged') wrong.push(bit)
      turnBit(file, bit)
    }

    expect(wrong).toEqual([])
  })

  test('is taken from its first copy where the second is damaged or older, and that is told', () => {
    const damaged = fileOf(FULL_CHECKPOINT)
    turnBit(damaged, CHECKPOINT_COPY_BYTES * 8 + 9)
    const older = fileOf(FULL_CHECKPOINT, { ...FULL_CHECKPOINT, version: 0 })

    expect(inWords(readCheckpointFile(damaged))).toBe('first damaged')
    expect(inWords(readCheckpointFile(older))).toBe('first older')
  })

  test('is refused where both copies are damaged, or it is too short', () => {
    const both = fileOf(FULL_CHECKPOINT)
    turnBit(both, 9)
    turnBit(both, CHECKPOINT_COPY_BYTES * 8 + 9)

    expect(inWords(readCheckpointFile(both))).toBe('corrupt-checksum')
    expect(inWords(readCheckpointFile(both.subarray(0, 8191)))).toBe('bad-size')
  })

  test('gives for each fault its reason', () => {
    expect(wordsAfter((view) => view.setUint32(667, 3, true))).toBe('bad-file-type')
    expect(wordsAfter((view) => view.setUint16(679 + 2, 0xffff, true))).toBe('bad-field')
    expect(wordsAfter((view) => view.setUint32(4, 3, true))).toBe('first same')
  })
})
