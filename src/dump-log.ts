import { readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { backupStepsOf, dumpBackupSteps, type LoggedStep } from '../engine/database/backup-dump.ts'
import { openLogBytes } from '../engine/database/log-bytes.ts'
import { dumpLogHeader } from '../engine/database/log-dump.ts'
import { type SoundLog, verifyLog } from '../engine/database/log-file.ts'
import { LOG_HEADER_BYTES, type LogHeader, readLogHeader } from '../engine/database/log-header.ts'
import { formatLogPosition, positionOf } from '../engine/database/log-position.ts'
import { formatSignature } from '../engine/database/log-signature.ts'
import { formatLogTime } from '../engine/database/log-time.ts'
import { ESE_ERROR_OF, type Rejection } from '../engine/log-identity.ts'
import { readCheckpoint } from './checkpoint-file.ts'
import { readHeadOf } from './ese-file.ts'
import { unreadable } from './log-set.ts'

/** A file as it is shown. */
export interface DumpedFile {
  /** As eseutil prints it. */
  readonly lines: readonly string[]
  /** The same for machines. */
  readonly document: object
  /** What is wrong with the file; `''` when it is sound. */
  readonly fault: string
}

/** Shows one log: its header, and whether its body is sound. Errors: `READ_FAILED`, `FILE_NOT_REGULAR`, `FILE_UNKNOWN`. */
export async function dumpLog(path: string): Promise<DumpedFile> {
  await readHeadOf(path, 'log')
  const bytes = await readFile(path).catch((cause: unknown) => Promise.reject(unreadable(path, cause)))
  const verdict = verifyLog(bytes)
  if (verdict.verdict === 'sound')
    return await shown(path, {
      header: verdict.header,
      endByte: verdict.endByte,
      fault: null,
      steps: stepsOf(bytes, verdict),
    })
  const read = readLogHeader(bytes)
  if (read.verdict === 'rejected') return unreadableHeader(path, read.rejection)
  return await shown(path, { header: read.header, endByte: LOG_HEADER_BYTES, fault: verdict.rejection, steps: [] })
}

/** What a sound log tells of backups. */
function stepsOf(file: Uint8Array, { header, endByte }: SoundLog): readonly LoggedStep[] {
  return backupStepsOf(openLogBytes(file), header, endByte)
}

async function shown(
  path: string,
  log: {
    readonly header: LogHeader
    readonly endByte: number
    readonly fault: Rejection | null
    readonly steps: readonly LoggedStep[]
  },
): Promise<DumpedFile> {
  const { header, endByte, steps } = log
  const baseName = basename(path).slice(0, 3)
  const checkpoint = await readCheckpoint(join(dirname(path), `${baseName}.chk`))
  const fault = log.fault === null ? '' : faultLine(log.fault)
  return {
    lines: [
      ...dumpLogHeader({ baseName, path, header, checkpoint, endByte }),
      ...dumpBackupSteps(steps),
      ...(fault === '' ? [] : ['', fault]),
    ],
    document: {
      ...documentOf(path, header),
      sound: fault === '',
      lastPosition: formatLogPosition(positionOf(header, endByte)),
      backups: steps,
      fault,
    },
    fault,
  }
}

function unreadableHeader(path: string, rejection: Rejection): DumpedFile {
  const fault = faultLine(rejection)
  return { lines: [`      Log file: ${path}`, fault], document: { path, sound: false, fault }, fault }
}

function faultLine({ reason, detail }: Rejection): string {
  return `ERROR: Log damaged (unusable): ${detail}. Error ${ESE_ERROR_OF[reason]}.`
}

function documentOf(path: string, header: LogHeader): object {
  const { major, minor, update } = header.version
  return {
    path,
    generation: header.generation,
    createTime: formatLogTime(header.createTime),
    previousCreateTime: formatLogTime(header.previousCreateTime),
    version: `${major}.${minor}.${update}`,
    signature: formatSignature(header.signature),
    sectorBytes: header.sectorBytes,
    fileBytes: header.sectorBytes * header.fileSectors,
    systemPath: header.environment.systemPath,
    logPath: header.environment.logPath,
    attachments: header.attachments.map((attachment) => attachment.path),
  }
}
