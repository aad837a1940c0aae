import { ReplicationError } from '../engine/error.ts'
import type { Fault } from '../engine/fact.ts'
import type { Generation } from '../engine/generation.ts'
import { type LogFormat, logNameParser } from '../engine/log-format.ts'
import { nodeFileOperations } from '../storage/node-file-operations.ts'
import { PIECE_BYTES_MAX } from '../transport/wire.ts'
import { ESE_LOG_BYTES_MAX, type Inspection, inspectBytes, inspectSize } from './log-inspection.ts'
import { createSlab, type Slab } from './slab.ts'

/** One file to look at. */
export interface ChecksumRequest {
  readonly path: string
  readonly name: string
  /** That of the name. */
  readonly generation: Generation
  readonly format: LogFormat
  /** See `createXxh64`. */
  readonly wasmPath: string
}

/** What one file came to. */
export type ChecksumResult =
  | {
      readonly kind: 'read'
      /** xxh64 as 16 lower-case hexadecimal digits. */
      readonly checksumHex: string
      readonly sizeBytes: number
      readonly inspection: Inspection
    }
  | { readonly kind: 'unreadable'; readonly fault: Fault }

/** Slot of this thread, made with its first task and used for all of them. */
let slab: Promise<Slab> | null = null

const files = nodeFileOperations({ shortCalls: 'inline' })

/** Hashes and inspects one log file. Faults of the file are an answer, not an error. */
export async function runChecksumTask(request: ChecksumRequest): Promise<ChecksumResult> {
  slab ??= createSlab(request.wasmPath, 1)
  try {
    return await readFile(request, await slab)
  } catch (error) {
    if (!(error instanceof ReplicationError)) throw error
    return { kind: 'unreadable', fault: { code: error.code, message: error.message } }
  }
}

async function readFile(request: ChecksumRequest, ofThread: Slab): Promise<ChecksumResult> {
  const slot = ofThread.take()
  if (slot === null) throw new Error('a thread runs one checksum task at a time')
  const file = await files.open(request.path, 'read').catch((error: unknown) => {
    ofThread.give(slot)
    throw error
  })
  const hash = ofThread.beginHash()
  try {
    const { sizeBytes } = await files.factsOf(file)
    const whole = wholeLog(request, sizeBytes)
    for (let at = 0; at < sizeBytes; at += PIECE_BYTES_MAX) {
      const piece = { bytes: slot.bytes, offset: 0, length: Math.min(PIECE_BYTES_MAX, sizeBytes - at) }
      const count = await files.read(file, piece, at)
      hash.update(slot, count)
      whole?.set(slot.bytes.subarray(0, count), at)
    }
    const parse = logNameParser(request.format)
    const inspection = whole === null ? inspectSize(sizeBytes, request, parse) : inspectBytes(whole, request, parse)
    return { kind: 'read', checksumHex: hash.digest().toString(16).padStart(16, '0'), sizeBytes, inspection }
  } finally {
    hash.abandon()
    ofThread.give(slot)
    await files.close(file)
  }
}

/** Only an ESE log is looked into, and only as a whole. */
function wholeLog({ format, path }: ChecksumRequest, sizeBytes: number): Uint8Array | null {
  if (format.kind === 'numbered') return null
  if (sizeBytes <= ESE_LOG_BYTES_MAX) return new Uint8Array(sizeBytes)
  throw new ReplicationError({
    code: 'READ_FAILED',
    message: `${path} has ${sizeBytes} bytes; the largest ESE log has ${ESE_LOG_BYTES_MAX}`,
    hint: 'This is no ESE log; check the format.',
  })
}
