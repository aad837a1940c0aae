import { ReplicationError } from '../../engine/error.ts'
import type { WriterCall, WriterFailure } from '../../engine/source/vss-writer.ts'
import type { WriterName } from '../../transport/management-writers.ts'

/** Numbers of what the same backup would meet again: order of backups, circular logging, the end of the stream, logs that are gone. */
const LASTING: readonly unknown[] = [-519, -526, -560, -569, -1003]

/** Marks a vote against the snapshot among the faults of a freeze. */
const VOTE = 'vote'

/** How a writer failed. */
export function writerFailure(call: WriterCall, { message, fields }: ReplicationError): WriterFailure {
  const { eseError } = fields
  const hasVoted = fields[VOTE] === true
  return {
    at: hasVoted ? 'vote' : call === 'abort' ? 'post' : call,
    retryable: !hasVoted && !LASTING.includes(eseError),
    reason: message,
    eseError: typeof eseError === 'number' ? eseError : null,
  }
}

/** The freeze ended by itself. */
export function freezeTooLong(writer: string, freezeMs: number): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `the freeze of ${writer} lasted longer than ${freezeMs} ms, and ended by itself (error -2402)`,
    hint: 'What was copied meanwhile is of no use. Allow a longer freeze with --freeze, or take a snapshot while it is frozen, and copy from that.',
    fields: { eseError: -2402 },
  })
}

/** The provoked vote. */
export function votedNo(writer: string): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `${writer} votes against the snapshot, as was provoked`,
    hint: 'Nothing was frozen and nothing truncated. The next backup is not concerned.',
    fields: { [VOTE]: true },
  })
}

/** What goes on although its answer is over. */
export function takesLong({ storageGroup }: WriterName, call: WriterCall): ReplicationError {
  return new ReplicationError({
    code: 'WAIT_TIMED_OUT',
    message: `${call} of the writer of ${storageGroup} takes longer than an answer may, and goes on`,
    hint: `See "ccr writer list" until it has ended, or give the backup up: ccr writer abort ${storageGroup}.`,
    fields: { storageGroup },
  })
}
