import { readCheckpointFile } from '../engine/database/checkpoint-file.ts'
import { verifyLog } from '../engine/database/log-file.ts'
import type { LogHeader } from '../engine/database/log-header.ts'
import { ReplicationError } from '../engine/error.ts'
import type { Generation } from '../engine/generation.ts'
import { ESE_ERROR_OF, type LogIdentity, type Rejection } from '../engine/log-identity.ts'
import { type CheckedContent, type CheckingParts, FilePass } from './checked-file.ts'
import { ESE_LOG_BYTES_MAX } from './log-inspection.ts'

/** Paths of a file that is read, and copied unless `to` is null. */
export interface FileEnds {
  readonly from: string
  readonly to: string | null
}

/** A closed log that was read: every byte of it is sound. */
export interface CheckedLog extends CheckedContent {
  readonly identity: LogIdentity
  readonly header: LogHeader
}

/** Reads a whole closed log of this generation. Errors: `LOG_REJECTED`, and those of the file system. */
export async function checkLog(parts: CheckingParts, ends: FileEnds, generation: Generation): Promise<CheckedLog> {
  let found: Pick<CheckedLog, 'identity' | 'header'> | null = null
  const content = await checkWhole(parts, ends, (bytes, isInSlab) => {
    const wideXor = isInSlab ? parts.slab.wideXor : null
    const verdict = verifyLog(bytes, { expectedGeneration: generation, wideXor })
    if (verdict.verdict === 'rejected') throw rejectedLog(ends.from, generation, verdict.rejection)
    found = { identity: verdict.identity, header: verdict.header }
  })
  if (found === null) throw rejectedLog(ends.from, generation, { reason: 'bad-size', detail: 'the file is empty' })
  return { ...content, ...(found as Pick<CheckedLog, 'identity' | 'header'>) } // set by the look above
}

/** Reads a whole checkpoint file. Errors: `DATABASE_REJECTED`, and those of the file system. */
export function checkCheckpoint(parts: CheckingParts, ends: FileEnds): Promise<CheckedContent> {
  return checkWhole(parts, ends, (bytes) => {
    const read = readCheckpointFile(bytes)
    if (read.verdict === 'read') return
    throw new ReplicationError({
      code: 'DATABASE_REJECTED',
      message: `${ends.from} is no whole checkpoint (-533): ${read.rejection.detail}`,
      hint: 'Look at it with ccr dump checkpoint.',
      fields: { path: ends.from, eseError: -533 },
    })
  })
}

/** A log that cannot be let into a set, or out of it. */
export function rejectedLog(path: string, generation: Generation, { reason, detail }: Rejection): ReplicationError {
  return new ReplicationError({
    code: 'LOG_REJECTED',
    message: `${path} fails inspection (${ESE_ERROR_OF[reason]}): ${detail}`,
    hint: 'Look at it with ccr verify; a copy of the storage group may have the log whole.',
    fields: { path, generation, reason, eseError: ESE_ERROR_OF[reason] },
  })
}

/** Reads a small file and looks at it as a whole before anything of it counts. An empty one is never looked at. */
async function checkWhole(
  parts: CheckingParts,
  ends: FileEnds,
  look: (bytes: Uint8Array, isInSlab: boolean) => void,
): Promise<CheckedContent> {
  let sizeBytes = 0
  let whole: Uint8Array | null = null
  const pass = await FilePass.open(parts, ends, ({ slot, position, length }) => {
    if (length === sizeBytes) return look(slot.bytes.subarray(0, length), true)
    // Only logs longer than any of Exchange come in several pieces, and what is copied slowly.
    whole ??= new Uint8Array(sizeBytes)
    whole.set(slot.bytes.subarray(0, length), position)
    if (position + length === sizeBytes) look(whole, false)
  })
  try {
    sizeBytes = await pass.sizeBytes()
    if (sizeBytes > ESE_LOG_BYTES_MAX) throw tooLong(ends.from, sizeBytes)
    await pass.readTo(sizeBytes)
    return await pass.finish()
  } catch (error) {
    await pass.abandon()
    throw error
  }
}

function tooLong(path: string, sizeBytes: number): ReplicationError {
  return new ReplicationError({
    code: 'READ_FAILED',
    message: `${path} has ${sizeBytes} bytes; the largest ESE log has ${ESE_LOG_BYTES_MAX}`,
    hint: 'This is no ESE log.',
    fields: { path },
  })
}
