import { asGeneration, type Generation, nextGeneration } from '../generation.ts'
import type { LogSignature } from './log-signature.ts'
import { type LogTime, UNSET_LOG_TIME } from './log-time.ts'

/** What makes a log the next one of its stream. */
export interface LogStream {
  readonly generation: Generation
  readonly signature: LogSignature
  readonly createTime: LogTime
  /** Unset in generation 1. */
  readonly previousCreateTime: LogTime
}

/** Generation 1 of a new stream. */
export function beginStream(signature: LogSignature): LogStream {
  return {
    generation: asGeneration(1),
    signature,
    createTime: signature.createTime,
    previousCreateTime: UNSET_LOG_TIME,
  }
}

/**
 * The log after `previous`, created at `createTime`: the signature stays, the generation follows, and the time of `previous`
 * is recorded. The header of the last closed log continues a stream as well as the value that made it.
 */
export function nextInStream(
  previous: Pick<LogStream, 'generation' | 'signature' | 'createTime'>,
  createTime: LogTime,
): LogStream {
  return {
    generation: nextGeneration(previous.generation),
    signature: previous.signature,
    createTime,
    previousCreateTime: previous.createTime,
  }
}
