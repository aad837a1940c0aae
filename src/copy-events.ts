import type { ReplicaFact } from '../engine/fact.ts'
import type { CopyEvent } from '../workers/messages.ts'
import type { UntimedFact } from './copy-work.ts'

/**
 * The fact that an event of the copy worker stands for. Null for those that are none: `source-connected`, which waits until the
 * store is made, and the answers to commands.
 */
export function replicaFactOf(event: CopyEvent): UntimedFact<ReplicaFact> | null {
  switch (event.kind) {
    case 'source-lost':
    case 'source-refused':
      return { kind: event.kind, fault: event.fault }
    case 'logs-announced':
      return { kind: 'logs-announced', announcement: event.announcement }
    case 'log-copied':
      return { kind: 'log-copied', session: event.session, log: event.log }
    case 'copy-failed':
      return { kind: 'copy-failed', session: event.session, generation: event.generation, fault: event.fault }
    case 'logs-inspected':
      return { kind: 'logs-inspected', session: event.session, range: event.range }
    case 'inspection-failed':
      return { kind: 'inspection-failed', session: event.session, fault: event.fault }
    case 'source-connected':
    case 'copying-stopped':
    case 'stopped':
      return null
  }
}
