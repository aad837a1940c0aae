import { checkContinuation } from '../database/log-chain.ts'
import type { CopiedLog } from '../fact.ts'
import { type Generation, higherOf } from '../generation.ts'
import type { LogIdentity, Rejection } from '../log-identity.ts'
import { chainEnd, type ReplicaState } from './replica-state.ts'

/** What one look at the arrived logs leads to: those that join the chain, and the first that cannot. */
export interface ChainVerdict {
  readonly accepted: readonly CopiedLog[]
  readonly refused: RefusedLog | null
}

/** A log and why it is not let in. */
export interface RefusedLog {
  readonly log: CopiedLog
  readonly rejection: Rejection
}

/**
 * Checks the arrived logs, in ascending order, against the end of the chain. Header, body, name and transfer checksum were
 * checked where the bytes are (in the worker); here the neighbours are compared.
 *
 * Source: the inspector of Exchange 2007 (generation not from the future, generation of the name, signature of the stream,
 * time of the log before).
 */
export function inspectArrived(state: ReplicaState): ChainVerdict {
  const accepted: CopiedLog[] = []
  let end = chainEnd(state)
  for (const log of state.arrived) {
    if (log.generation !== end.generation + 1) break
    const rejection = inspectLog(end.identity, log, highestKnown(state))
    if (rejection !== null) return { accepted, refused: { log, rejection } }
    accepted.push(log)
    end = { generation: log.generation, identity: log.identity }
  }
  return { accepted, refused: null }
}

/** Checks one sound log against the one before it; null when it continues the stream. An empty copy takes any stream. */
function inspectLog(previous: LogIdentity | null, log: CopiedLog, highest: Generation): Rejection | null {
  if (log.identity.generation !== log.generation)
    return {
      reason: 'generation-mismatch',
      detail: `header says generation ${log.identity.generation}, asked for ${log.generation}`,
    }
  if (log.generation > highest)
    return {
      reason: 'future-generation',
      detail: `generation ${log.generation} is above ${highest}, the highest generated`,
    }
  return previous === null ? null : checkContinuation(previous, log.identity)
}

function highestKnown(state: ReplicaState): Generation {
  return higherOf(state.announcement.generated, state.inspected)
}
