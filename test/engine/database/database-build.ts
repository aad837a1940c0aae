// Headers, checkpoints and small databases for tests of what reads them.
import type { CheckpointFile } from '../../../engine/database/checkpoint-file.ts'
import {
  type DatabaseHeader,
  newDatabaseHeader,
  writeDatabaseHeader,
} from '../../../engine/database/database-header.ts'
import { logTimeAt } from '../../../engine/database/log-time.ts'
import { initialisePage, openPage, PAGE_BYTES, PAGE_FLAGS } from '../../../engine/database/page.ts'
import { sealPage } from '../../../engine/database/page-seal.ts'
import { asGeneration } from '../../../engine/generation.ts'
import { anAttachment, MOMENT_MS, SIGNATURE } from './build.ts'

/** The signature of the database of the tests; that of its logs is `SIGNATURE`. */
export const DATABASE_SIGNATURE = { ...SIGNATURE, random: 17 } as const

/** A header in which every field has a value of its own. */
export const FULL_HEADER: DatabaseHeader = {
  ...newDatabaseHeader(DATABASE_SIGNATURE, { ...SIGNATURE, computer: 'MAILBOX01' }),
  version: { format: 0x620, update: 12, createFormat: 0x620, createUpdate: 11 },
  dbtime: 0x1_0000_0041n,
  state: 'dirty-shutdown',
  consistent: { position: { generation: 1, sector: 2, byte: 3 }, time: logTimeAt(MOMENT_MS + 1000) },
  attach: { position: { generation: 4, sector: 5, byte: 6 }, time: logTimeAt(MOMENT_MS + 2000) },
  detach: { position: { generation: 7, sector: 8, byte: 9 }, time: logTimeAt(MOMENT_MS + 3000) },
  databaseId: 3,
  backups: {
    previousFull: { ...slot(10), kind: 'os-snapshot' },
    previousIncremental: { ...slot(20), kind: 'streaming' },
    previousCopy: { ...slot(30), kind: 'surrogate' },
    previousDifferential: { ...slot(40), kind: 'snapshot' },
    currentFull: slot(50),
    currentSnapshot: slot(60),
  },
  objectIdLast: 129,
  operatingSystem: { major: 5, minor: 2, build: 3790, servicePack: 1 },
  repairs: { count: 1, time: logTimeAt(MOMENT_MS + 4000), earlierCount: 2 },
  streamingSignature: { ...SIGNATURE, random: 18 },
  scrub: { dbtime: 0x40n, time: logTimeAt(MOMENT_MS + 5000) },
  required: {
    minRequired: asGeneration(452),
    maxRequired: asGeneration(455),
    maxCommitted: asGeneration(458),
    committedCreateTime: '0607080f0c6a0100', // 15 December 2006, 08:07:06 UTC
  },
  upgrade: [3, 4, 5],
  correctedPages: { count: 6, time: logTimeAt(MOMENT_MS + 7000), earlierCount: 7 },
  uncorrectedPages: { count: 0, time: logTimeAt(MOMENT_MS + 8000), earlierCount: 9 },
  badPages: { count: 10, time: logTimeAt(MOMENT_MS + 9000), earlierCount: 0 },
}

/** A checkpoint in which every field has a value of its own. */
export const FULL_CHECKPOINT: CheckpointFile = {
  lastFullBackupCheckpoint: { generation: 1, sector: 2, byte: 3 },
  checkpoint: { generation: 0x1c4, sector: 0xffff, byte: 0xffff },
  signature: SIGNATURE,
  environment: {
    systemPath: 'C:\\System\\',
    logPath: 'D:\\Logs\\',
    circularLogging: true,
    sessions: 1,
    openTables: 2,
    versionPages: 3,
    cursors: 4,
    logBuffers: 5,
    logFileSectors: 2048,
    cacheSizeMax: 7,
  },
  fullBackup: { generation: 4, sector: 5, byte: 6 },
  fullBackupTime: logTimeAt(MOMENT_MS),
  incrementalBackup: { generation: 7, sector: 8, byte: 9 },
  incrementalBackupTime: logTimeAt(MOMENT_MS + 1000),
  version: 1,
  databaseConsistency: { generation: 10, sector: 11, byte: 12 },
  fileType: 4,
  attachments: [anAttachment({ dbtime: 70n, objectIdLast: 9, signature: DATABASE_SIGNATURE, path: 'D:\\priv1.edb' })],
}

/** Two copies of a header. */
export function headersOf(header: DatabaseHeader): Uint8Array {
  const file = new Uint8Array(2 * header.pageBytes)
  for (const copy of [0, 1])
    writeDatabaseHeader(file.subarray(copy * header.pageBytes, (copy + 1) * header.pageBytes), header)
  return file
}

/** A database of 8 KB pages: two headers, then the pages of these dbtimes; 0 leaves one empty. */
export function aDatabase(dbtimes: readonly number[], header: DatabaseHeader = FULL_HEADER): Uint8Array {
  const file = new Uint8Array((2 + dbtimes.length) * PAGE_BYTES)
  file.set(headersOf(header))
  for (const [index, dbtime] of dbtimes.entries()) {
    if (dbtime === 0) continue
    const lo = (2 + index) * PAGE_BYTES
    const page = openPage(file.subarray(lo, lo + PAGE_BYTES))
    initialisePage(page, { objectId: 10, flags: PAGE_FLAGS.leaf, dbtime, previous: 0, next: 0 })
    sealPage(page, 0, { bytes: PAGE_BYTES, number: index + 1 })
  }
  return file
}

/** Turns one bit, in place. */
export function turnBit(bytes: Uint8Array, bit: number): void {
  bytes[bit >>> 3] = (bytes[bit >>> 3] ?? 0) ^ (1 << (bit & 7))
}

function slot(generation: number) {
  return {
    mark: { generation, sector: 1, byte: 2 },
    markTime: logTimeAt(MOMENT_MS + generation * 1000),
    firstGeneration: generation - 2,
    lastGeneration: generation,
  }
}
