// Goal: what an operator was told is kept stays kept, and a damaged journal is never taken for a shorter one.
// Method: the real code over the modelled disk; a crash at each step of a fixed sequence, then bytes damaged one by one.
import { describe, expect, it } from 'vitest'
import { ReplicationError } from '../../engine/error.ts'
import type { FileOperations } from '../../storage/file-operations.ts'
import { openIntentJournal } from '../../storage/intent-journal.ts'
import { type Choose, CrashDisk, FileNode } from './crash-disk.ts'
import { Crashed, operationsOver, type RunPlan } from './crash-disk-operations.ts'

interface Intent {
  readonly number: number
  readonly comment: string
}

let ids = 0

function open(files: FileOperations, recordsMax?: number) {
  return openIntentJournal<Intent>({
    directory: '/',
    name: 'intent.ndjson',
    files,
    validate: (value) => (isIntent(value) ? value : null),
    snapshot: (intents) => intents.slice(-1),
    newId: () => `i${ids++}`,
    ...(recordsMax === undefined ? {} : { recordsMax }),
  })
}

function isIntent(value: unknown): value is Intent {
  return typeof value === 'object' && value !== null && 'number' in value && 'comment' in value
}

const intent = (number: number): Intent => ({ number, comment: 'moving the disk '.repeat(40) })

/** Appends 1 to 6 with a rewriting in between, up to the crash; answers the highest number that was told to be kept. */
async function appendSix(
  disk: CrashDisk,
  plan: RunPlan,
  variant: (files: FileOperations) => FileOperations = (files) => files,
): Promise<{ readonly kept: number; readonly steps: number }> {
  const model = operationsOver(disk, plan)
  const files = variant(model)
  let kept = 0
  try {
    const journal = await open(files, 3)
    for (let number = 1; number <= 6; number++) {
      await journal.append(intent(number))
      kept = number
    }
    await journal.close()
  } catch (error) {
    if (!(error instanceof Crashed)) throw error
  }
  return { kept, steps: model.steps() }
}

/** What was told to be kept and is not, over every crash and several power cuts of each. */
async function lostOverAllCrashes(variant?: (files: FileOperations) => FileOperations): Promise<readonly string[]> {
  const { steps } = await appendSix(new CrashDisk(), {}, variant)
  const mixed = [3, 5, 7].map((factor): Choose => {
    let count = 0
    return (bound) => (count++ * factor) % bound
  })
  const lost: string[] = []
  for (let crashAt = 1; crashAt <= steps + 1; crashAt++) {
    for (const choose of [() => 0, (bound: number) => bound - 1, ...mixed]) {
      const disk = new CrashDisk()
      const { kept } = await appendSix(disk, { crashAt }, variant)
      const found = await lastAfter(disk.afterPowerCut('any subset', choose))
      if (found < kept || found > kept + 1) lost.push(`crash at step ${crashAt}: kept ${kept}, found ${found}`)
    }
  }
  return lost
}

/** The number of the last record that a start finds; -1 when it refuses the journal. */
async function lastAfter(disk: CrashDisk): Promise<number> {
  try {
    return (await open(operationsOver(disk))).intents.at(-1)?.number ?? 0
  } catch (error) {
    if (error instanceof ReplicationError) return -1
    throw error
  }
}

describe('the journal of intent', () => {
  it('keeps what was appended, in order, over a restart', async () => {
    const disk = new CrashDisk()
    await appendSix(disk, {})

    const journal = await open(operationsOver(disk))

    expect(journal.intents.at(-1)).toEqual(intent(6))
    expect(journal.droppedBytes).toBe(0)
  })

  it('appends that are called at once are written one after the other', async () => {
    const disk = new CrashDisk()
    const journal = await open(operationsOver(disk))

    await Promise.all([1, 2, 3, 4].map((number) => journal.append(intent(number))))
    await journal.close()

    expect((await open(operationsOver(disk))).intents).toEqual([1, 2, 3, 4].map(intent))
  })

  it('is rewritten when it grows, and keeps the snapshot', async () => {
    const disk = new CrashDisk()
    const journal = await open(operationsOver(disk), 3)
    for (let number = 1; number <= 40; number++) await journal.append(intent(number))

    expect(journal.intents.length).toBeLessThanOrEqual(3)
    expect(contentOf(disk).length).toBeLessThan(4 * 800)
    expect(journal.intents.at(-1)).toEqual(intent(40))
  })

  it('loses nothing that it said was kept, wherever the power goes', async () => {
    expect(await lostOverAllCrashes()).toEqual([])
  })

  it.each<[string, (files: FileOperations) => FileOperations]>([
    ['records are not synced', (files) => ({ ...files, datasync: async () => undefined })],
    ['the directory is not synced', (files) => ({ ...files, syncDirectory: async () => undefined })],
  ])('is seen to lose records when %s', async (_mistake, variant) => {
    expect((await lostOverAllCrashes(variant)).length).toBeGreaterThan(0)
  })

  it('drops a torn last record and tells so; the next one follows the sound ones', async () => {
    const disk = new CrashDisk()
    const journal = await open(operationsOver(disk))
    await journal.append(intent(1))
    await journal.append(intent(2))
    damage(disk, (bytes) => bytes.subarray(0, bytes.length - 20))

    const reopened = await open(operationsOver(disk))
    await reopened.append(intent(3))

    expect(reopened.droppedBytes).toBeGreaterThan(100)
    expect((await open(operationsOver(disk))).intents.map(({ number }) => number)).toEqual([1, 3])
  })

  it('a damaged byte before a sound record is refused with its line', async () => {
    const disk = new CrashDisk()
    const journal = await open(operationsOver(disk))
    for (const number of [1, 2, 3]) await journal.append(intent(number))
    const sound = Buffer.from(contentOf(disk))
    const secondLine = sound.indexOf(0x0a) + 1

    for (const at of [secondLine, secondLine + 12, secondLine + 40, secondLine + 400]) {
      damage(disk, () => {
        const bytes = Buffer.from(sound)
        bytes[at] = (bytes[at] ?? 0) ^ 0x01
        return bytes
      })
      await expect(open(operationsOver(disk))).rejects.toEqual(
        expect.objectContaining({ code: 'JOURNAL_CORRUPT', fields: expect.objectContaining({ line: 2 }) }),
      )
    }
  })

  it('after a failed write or sync it takes no record until it is opened anew', async () => {
    for (const operation of ['write', 'datasync'] as const) {
      const disk = new CrashDisk()
      await (await open(operationsOver(disk))).close()
      // Opening syncs once; the first append after it meets the fault.
      const at = operation === 'datasync' ? 2 : 1
      const journal = await open(operationsOver(disk, { faults: [{ operation, at, errno: 'EIO' }] }))

      await expect(journal.append(intent(1))).rejects.toEqual(
        expect.objectContaining({ fields: expect.objectContaining({ errno: 'EIO' }) }),
      )
      await expect(journal.append(intent(2))).rejects.toEqual(expect.objectContaining({ code: 'STATE_REFUSED' }))
      await journal.close()
    }
  })
})

function fileOf(disk: CrashDisk): FileNode {
  const node = disk.find('/intent.ndjson')
  if (!(node instanceof FileNode)) throw new Error('no journal')
  return node
}

function contentOf(disk: CrashDisk): Buffer {
  return fileOf(disk).content
}

function damage(disk: CrashDisk, change: (bytes: Buffer) => Buffer): void {
  fileOf(disk).content = Buffer.from(change(contentOf(disk)))
}
