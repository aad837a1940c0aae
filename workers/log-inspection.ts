import type { WideXor } from '../engine/database/log-bytes.ts'
import { verifyLog } from '../engine/database/log-file.ts'
import type { Generation } from '../engine/generation.ts'
import type { LogFormat, LogNameParser } from '../engine/log-format.ts'
import type { LogIdentity, Rejection } from '../engine/log-identity.ts'

/** What the bytes of a log prove. */
export interface Inspection {
  readonly identity: LogIdentity
  /** Null when the log may be let in as far as its own bytes tell. */
  readonly rejection: Rejection | null
}

/** A log by its name, and the generation that the name was parsed as. */
interface NamedGeneration {
  readonly name: string
  readonly generation: Generation
}

/** The largest ESE log that is held in memory as a whole to be verified: four times the largest that any Windows writes. */
export const ESE_LOG_BYTES_MAX: number = 64 * 1024 * 1024

/** Names are hostile until here: a name that is a path, or of another generation, never reaches a file system. */
export function isNameOf(name: string, generation: Generation, parse: LogNameParser): boolean {
  return !/[/\0]/.test(name) && name !== '.' && name !== '..' && parse(name)?.generation === generation
}

/**
 * Inspects a log whose bytes lie in memory: header, body, size and generation of an ESE log; of a numbered one only that it is
 * not empty, since nothing else can be proved of it.
 */
export function inspectBytes(
  bytes: Uint8Array,
  log: NamedGeneration & { readonly format: LogFormat; readonly wideXor?: WideXor | null },
  parse: LogNameParser,
): Inspection {
  const { generation, format, wideXor = null } = log
  if (format.kind === 'numbered') return inspectSize(bytes.length, log, parse)
  const verdict = verifyLog(bytes, { expectedGeneration: generation, wideXor })
  return verdict.verdict === 'sound'
    ? { identity: verdict.identity, rejection: null }
    : { identity: unprovedIdentity(generation), rejection: verdict.rejection }
}

/** Inspects a numbered log by its length alone. */
export function inspectSize(length: number, { name, generation }: NamedGeneration, parse: LogNameParser): Inspection {
  const identity = { ...unprovedIdentity(generation), signature: parse(name)?.stream ?? '' }
  return { identity, rejection: length > 0 ? null : { reason: 'bad-size', detail: 'the file is empty' } }
}

/** A transfer checksum that does not fit the bytes, as the inspector tells it. */
export function transferRejection(expected: bigint, found: bigint): Rejection {
  const hex = (sum: bigint): string => sum.toString(16).padStart(16, '0')
  return { reason: 'corrupt-checksum', detail: `transfer checksum ${hex(found)}, the source says ${hex(expected)}` }
}

/** The identity of a log of which nothing is proved. */
export function unprovedIdentity(generation: Generation): LogIdentity {
  return { generation, signature: '', createTime: '', previousCreateTime: '' }
}
