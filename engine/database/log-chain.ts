import { formatGeneration, nextGeneration } from '../generation.ts'
import type { LogIdentity, Rejection } from '../log-identity.ts'
import type { LogHeader } from './log-header.ts'

/**
 * Whether `next` continues `previous`. The order is the one of the engine's inspection: generation, signature, time.
 *
 * An empty field stands for a format that has none (numbered logs, PostgreSQL's times) and is compared like any other: within
 * one stream both neighbours lack it. There the rule is that generations follow each other and the timeline stays.
 *
 * Equal create times of neighbours are fine: in format 7,3704 they count whole seconds.
 *
 * @returns why it does not, or null. Source: the engine's errors -528, -530 and -515.
 */
export function checkContinuation(previous: LogIdentity, next: LogIdentity): Rejection | null {
  if (next.generation !== nextGeneration(previous.generation)) {
    const expected = formatGeneration(nextGeneration(previous.generation))
    return {
      reason: 'gap',
      detail: `generation ${formatGeneration(next.generation)} where ${expected} continues the stream`,
    }
  }
  if (next.signature !== previous.signature) {
    const detail = `signature ${named(next.signature)} is not ${named(previous.signature)}, the stream's own`
    return { reason: 'bad-signature', detail }
  }
  if (next.previousCreateTime === previous.createTime) return null
  const detail = `previous generation time ${named(next.previousCreateTime)}, but log ${formatGeneration(previous.generation)} was created at ${named(previous.createTime)}`
  return { reason: 'gap', detail }
}

/**
 * Whether the header of `next` repeats the accumulated segment checksum of the log before it. Only logs of format 8,4000 from
 * update 13 on record one; 0 stands for none.
 *
 * @returns why it does not, or null. Source: the engine's error -590.
 */
export function checkSegmentsChecksum(previousAccumulated: bigint, next: LogHeader): Rejection | null {
  const recorded = next.previousSegmentsChecksum
  if (recorded === 0n || recorded === previousAccumulated) return null
  const hex = (value: bigint): string => value.toString(16).padStart(16, '0')
  return {
    reason: 'gap',
    detail: `segments of the log before have the checksum ${hex(previousAccumulated)}, but ${hex(recorded)} is recorded`,
  }
}

function named(digits: string): string {
  return digits === '' ? '(none)' : digits
}
