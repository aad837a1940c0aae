// Goal: headers learn of backups by records alone, the active's by its recovery and the copy's by its replay, and both the same.
// Method: real logs and the header that they led to, skipped where they are absent; our own steps over a model disk; any history replayed anew.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { backupStepsOf, dumpBackupSteps } from '../../../engine/database/backup-dump.ts'
import { layBackupStep, slotsAfter, stepOfGroup, stepOfHeader } from '../../../engine/database/backup-record.ts'
import { type BackupSlots, NO_BACKUPS } from '../../../engine/database/backup-slot.ts'
import { readDatabaseHeader } from '../../../engine/database/database-header-copies.ts'
import { openLogBytes } from '../../../engine/database/log-bytes.ts'
import { verifyLog } from '../../../engine/database/log-file.ts'
import { openRecords } from '../../../engine/database/log-record.ts'
import { BACKUP_PHASE, type BackupStep, readBackup2 } from '../../../engine/database/log-record-database.ts'
import { RECORD } from '../../../engine/database/log-record-table.ts'
import { logTimeAt, UNSET_LOG_TIME } from '../../../engine/database/log-time.ts'
import { HAS_SPECIMENS, MOMENT_MS, SPECIMENS_NOTE, specimen } from './build.ts'
import { ModelStoreDisk } from './store/model-store-disk.ts'
import { startRig } from './store/store-rig.ts'

const FOLDER = 'winmail-v7-8k-A'

describe.skipIf(!HAS_SPECIMENS)(`real logs${SPECIMENS_NOTE}`, () => {
  it('lead to the slots of the header of their database', () => {
    const live = readDatabaseHeader(specimen(`${FOLDER}/WindowsMail.MSMessageStore`))
    if (live.verdict !== 'read') throw new Error('the header is sound')
    const steps = ['edb00001.log', 'edb.log'].flatMap((name) => stepsIn(specimen(`${FOLDER}/${name}`)))

    expect(steps.reduce(slotsAfter, NO_BACKUPS).previousFull).toEqual(live.header.backups.previousFull)
  })

  it('are shown with what they tell of backups', () => {
    const log = verifyLog(specimen(`${FOLDER}/edb.log`))
    if (log.verdict !== 'sound') throw new Error('the log is sound')
    const lines = dumpBackupSteps(backupStepsOf(openLogBytes(specimen(`${FOLDER}/edb.log`)), log.header, log.endByte))

    expect(lines).toEqual([
      '      Backup (0x2,1,16): prepare, full, streaming',
      '      Backup (0x2,1,95): truncate, full, streaming, logs 1-1',
      '      Backup (0x2,1,B8): update, full, streaming, database 1, logs 1-1, mark (0x1,2,C3E)',
      '      Backup (0x2,1,DB): stop, full, streaming',
    ])
  })
})

function stepsIn(bytes: Uint8Array): BackupStep[] {
  const log = openLogBytes(bytes)
  const verdict = verifyLog(bytes)
  if (verdict.verdict !== 'sound') throw new Error('the log is sound')
  const steps: BackupStep[] = []
  const cursor = openRecords(log, verdict.header, verdict.endByte)
  while (cursor.next()) if (cursor.type === RECORD.backup2) steps.push(readBackup2(log.view, cursor.at))
  return steps
}

describe('a store that crashes after a backup has ended', () => {
  it('has it in its header by the record alone', () => {
    const disk = new ModelStoreDisk()
    const rig = startRig(disk)
    const backup = { scope: 'full', method: 'surrogate', mark: rig.store.end, markTime: logTimeAt(MOMENT_MS) } as const
    layBackupStep(rig.store, stepOfHeader(backup, { databaseId: 1, first: 3, last: 9 }))
    layBackupStep(rig.store, stepOfGroup(backup, BACKUP_PHASE.stop))
    rig.store.requestFlush()
    rig.settle()
    expect(disk.scan().database?.backups).toEqual(NO_BACKUPS)
    disk.crash('power', () => 1)

    expect(startRig(disk).store.header.backups).toEqual({
      ...NO_BACKUPS,
      previousFull: {
        mark: backup.mark,
        markTime: backup.markTime,
        firstGeneration: 3,
        lastGeneration: 9,
        kind: 'os-snapshot',
      },
    } satisfies BackupSlots)
  })

  it('knows nothing of one that was aborted', () => {
    const disk = new ModelStoreDisk()
    const rig = startRig(disk)
    const backup = { scope: 'full', method: 'vss' } as const
    for (const phase of [BACKUP_PHASE.begin, BACKUP_PHASE.prepareLogs, BACKUP_PHASE.abort])
      layBackupStep(rig.store, stepOfGroup(backup, phase))
    rig.store.requestFlush()
    rig.settle()

    expect(startRig(disk).store.header.backups).toEqual(NO_BACKUPS)
  })
})

const HISTORY = fc.array(
  fc.record({
    scope: fc.constantFrom('full', 'incremental', 'copy', 'differential'),
    method: fc.constantFrom('streaming', 'vss', 'surrogate'),
  }),
  { maxLength: 12 },
)

it('any end of a history that is replayed once more changes nothing', () => {
  fc.assert(
    fc.property(HISTORY, fc.nat(12), (history, from) => {
      const steps = history.map((one, at) => {
        const mark = { generation: at + 1, sector: 8, byte: 0 }
        return stepOfHeader({ ...one, mark, markTime: UNSET_LOG_TIME }, { databaseId: 1, first: 1, last: at + 1 })
      })
      const after = steps.reduce(slotsAfter, NO_BACKUPS)

      expect(steps.slice(from).reduce(slotsAfter, after)).toEqual(after)
    }),
  )
})
