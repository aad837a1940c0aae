import { formatGeneration } from '../generation.ts'
import { missingOnSource } from './copier.ts'
import type { CopyStatus } from './copy-status.ts'
import { doneThrough } from './replayer.ts'
import type { ReplicaState } from './replica-state.ts'

/**
 * What Get-StorageGroupCopyStatus of RTM shows of a copy of which the one of SP1 would show `known`.
 *
 * 1. A failure of an idle copy is not shown: it surfaces with the next log that is to be copied and replayed.
 * 2. Neither Initializing nor Resynchronizing is known: such a copy is Healthy.
 * 3. While the source does not answer, as it does not when its store is gone with it, LastLogGenerated is no higher than what was copied,
 *    and CopyQueueLength goes with it.
 * 4. Logs above a gap count as logs that wait to be replayed, so that both queues grow with the stream.
 *
 * What is hidden so stands in `remark`, which Exchange does not have. Source: what SP1 changed (Microsoft bb629521).
 */
export function rtmStatus(state: ReplicaState, known: CopyStatus): CopyStatus {
  const isHidden = known.failed && isIdle(state)
  return {
    ...known,
    ...numbersOf(state, known),
    summary: isHidden || !FAMILIAR.includes(known.summary) ? summaryWithout(known) : known.summary,
    failed: known.failed && !isHidden,
    failedMessage: isHidden ? '' : known.failedMessage,
    initializing: false,
    resynchronizing: false,
    remark: [known.remark, ...hiddenFrom(state, known)].filter((part) => part !== '').join('; '),
  }
}

/** The summaries of RTM that this model has. */
const FAMILIAR: readonly CopyStatus['summary'][] = ['Seeding', 'Failed', 'Suspended', 'Healthy']

function summaryWithout({ seeding, suspended }: CopyStatus): CopyStatus['summary'] {
  if (seeding) return 'Seeding'
  return suspended ? 'Suspended' : 'Healthy'
}

/** Nothing waits to be copied or replayed, as far as a source says that can be heard. */
function isIdle(state: ReplicaState): boolean {
  const { connected, heard, announcement } = state
  return connected && heard && announcement.generated <= doneThrough(state)
}

function numbersOf(state: ReplicaState, { replayQueueLength }: CopyStatus): Partial<CopyStatus> {
  const { connected, copied, inspected } = state
  if (connected) return { replayQueueLength: replayQueueLength + logsAboveGap(state) }
  return { lastLogGenerated: copied, lastLogCopyNotified: copied, copyQueueLength: copied - inspected }
}

/** Logs that are closed above the one that the source lacks; 0 where it lacks none or nothing is replayed. */
function logsAboveGap(state: ReplicaState): number {
  const { announcement, database } = state
  const missing = missingOnSource(state)
  if (database === null || missing === 0) return 0
  return announcement.generated - Math.max(missing, announcement.lowest - 1)
}

function hiddenFrom(state: ReplicaState, known: CopyStatus): readonly string[] {
  const parts: string[] = []
  if (known.failed && isIdle(state)) parts.push(`RTM shows no failure of an idle copy: ${known.failedMessage}`)
  if (state.trial !== null) parts.push(`RTM has started the copy again and forgotten: ${state.trial.forgot}`)
  if (known.summary === 'Initializing') parts.push('RTM does not say that no log was inspected since the start')
  if (known.summary === 'Resynchronizing') parts.push('RTM does not say that the copy is just being looked at')
  if (!state.connected && known.lastLogGenerated > state.copied)
    parts.push(`RTM has forgotten that its source has closed log ${formatGeneration(known.lastLogGenerated)}`)
  return parts
}
