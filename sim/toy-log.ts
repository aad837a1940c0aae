import { asGeneration, type Generation } from '../engine/generation.ts'
import type { LogIdentity, Rejection, RejectionReason } from '../engine/log-identity.ts'

/**
 * The bytes of a log in the toy world. Two logs have the same bytes exactly when they are the same object, so "byte for byte"
 * is `===` here; whatever changes a byte makes another object.
 */
export interface ToyLog {
  readonly generation: Generation
  readonly identity: LogIdentity
  readonly logTimeMs: number
  /** What the worker's verification of header, body and transfer finds in these bytes; null when they are sound. */
  readonly damage: Rejection | null
}

/** The stream's signature: every sound log of a world carries it. */
const SIGNATURE = '5e'.repeat(28)

/** Between the create times of two streams: above every generation of a world. */
const STREAM_STEP = 2 ** 32

/**
 * A log as the writer closes it: the true content of its generation, which continues the generation before.
 *
 * @param restored how often the logs were restored before, and the last log that was there then
 */
export function trueLog(
  generation: Generation,
  logTimeMs: number,
  restored: { readonly stream: number; readonly previous: ToyLog | undefined } = { stream: 0, previous: undefined },
): ToyLog {
  const { stream, previous } = restored
  const identity: LogIdentity = {
    generation,
    signature: SIGNATURE,
    createTime: timeDigits(generation + stream * STREAM_STEP),
    // One that is not closed yet, because it closes late, is of this stream too.
    previousCreateTime:
      previous?.identity.createTime ?? timeDigits(generation === 1 ? 0 : generation - 1 + stream * STREAM_STEP),
  }
  return { generation, identity, logTimeMs, damage: null }
}

/** The ways in which a log can be wrong; `header` lies in the header's fields, the others are found by the checksums. */
export type Damage = 'body' | 'torn' | 'version' | 'generation' | 'signature' | 'previous'

/** All ways, in a fixed order that a choice indexes. */
export const DAMAGES: readonly Damage[] = ['body', 'torn', 'version', 'generation', 'signature', 'previous']

/** The same log with other bytes. */
export function damagedLog(log: ToyLog, damage: Damage): ToyLog {
  const { identity } = log
  switch (damage) {
    case 'body':
      return refused(log, 'corrupt-checksum', 'body checksum does not fit')
    case 'torn':
      return refused(log, 'bad-size', 'the file ends early')
    case 'version':
      return refused(log, 'bad-version', 'format 9 is not read')
    case 'generation':
      return { ...log, identity: { ...identity, generation: asGeneration(identity.generation + 1) } }
    case 'signature':
      return { ...log, identity: { ...identity, signature: 'a7'.repeat(28) } }
    case 'previous':
      return { ...log, identity: { ...identity, previousCreateTime: timeDigits(identity.generation + 1_000_000) } }
  }
}

function refused(log: ToyLog, reason: RejectionReason, detail: string): ToyLog {
  return { ...log, damage: { reason, detail } }
}

/** One create time per generation; zero before the first, as the real header has it. */
function timeDigits(generation: number): string {
  return generation.toString(16).padStart(16, '0')
}
