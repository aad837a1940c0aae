import type { Generation } from './generation.ts'

/**
 * What the chain of a stream needs to know of one log, whatever its format: two neighbours belong together when the
 * signatures are equal, the generations follow each other, and `previousCreateTime` of the later one is `createTime` of the
 * earlier one. All four together are the proof: create times have one-second granularity in format 7, so equal ones occur.
 *
 * Source: the ESE engine's own checks (-513, -515, -530), confirmed on real logs.
 */
export interface LogIdentity {
  readonly generation: Generation
  /** The stream's signature as 56 hexadecimal digits (ESE), the timeline (PostgreSQL), or `''` where a format has none. */
  readonly signature: string
  /** LOGTIME of this log as 16 hexadecimal digits in file order, or `''` where a format has none. */
  readonly createTime: string
  /** LOGTIME of the log before it; sixteen zeros in generation 1; `''` where a format has none. */
  readonly previousCreateTime: string
}

/**
 * Why the inspector lets a log not in.
 *
 * | reason | what is wrong | ESE's number |
 * |---|---|---|
 * | `corrupt-checksum` | a checksum of header, body or transfer does not fit the bytes | -501 |
 * | `bad-file-type` | the header says that this is no log | -1812 |
 * | `bad-version` | a format that this engine does not read | -514 |
 * | `bad-size` | not the length that header or source state | -541 |
 * | `generation-mismatch` | the header's generation is not the name's | -513 |
 * | `bad-signature` | a log of another stream | -530 |
 * | `gap` | it does not continue the log before it | -515 |
 * | `future-generation` | above everything the source has generated | -528 |
 */
export type RejectionReason =
  | 'corrupt-checksum'
  | 'bad-file-type'
  | 'bad-version'
  | 'bad-size'
  | 'generation-mismatch'
  | 'bad-signature'
  | 'gap'
  | 'future-generation'

/** ESE's error number for each reason, so that a support engineer finds it in his own lists. */
export const ESE_ERROR_OF: Readonly<Record<RejectionReason, number>> = {
  'corrupt-checksum': -501,
  'bad-file-type': -1812,
  'bad-version': -514,
  'bad-size': -541,
  'generation-mismatch': -513,
  'bad-signature': -530,
  gap: -515,
  'future-generation': -528,
}

/** A log that the inspector refused, with the sentence that an operator reads (`body checksum at sector 37 …`). */
export interface Rejection {
  readonly reason: RejectionReason
  readonly detail: string
}
