import type { WriterDocument } from '../../transport/management-writer-documents.ts'
import { listOf, shapeOf } from '../api-answer.ts'

/** Takes in a writer of a node. Errors: `WIRE_PROTOCOL`. */
export function readWriter(value: unknown): WriterDocument {
  const shape = { storageGroup: 'string', of: 'string', state: 'string', phase: 'string', files: 'object' } as const
  return shapeOf(value, 'a writer', shape) as unknown as WriterDocument // what else it has is shown and not relied on
}

/** Takes in the writers of a node. Errors: `WIRE_PROTOCOL`. */
export function readWriters(value: unknown): WriterDocument[] {
  return listOf(shapeOf(value, 'the answer', { writers: 'object' })['writers'], 'writers').map(readWriter)
}

/** A writer in the form of `vssadmin list writers`, with what a tool has to take and to do next. */
export function writerLines(writer: WriterDocument): string[] {
  const { name, instance, storageGroup, of, node, shownState, lastError } = writer
  return [
    `Writer name: '${name}'`,
    `   Writer Instance Name: '${instance}'`,
    `   Storage group: ${storageGroup}, the ${of} on ${node}`,
    `   State: ${shownState}`,
    `   Last error: ${lastError}`,
    ...reasonLines(writer),
    ...backupLines(writer),
    ...fileLines(writer),
  ]
}

function reasonLines({ reason, provocation }: WriterDocument): string[] {
  return [
    ...(reason === '' ? [] : [`   Reason: ${reason}`]),
    ...(provocation === null ? [] : [`   Provoked: ${provocation}`]),
  ]
}

function backupLines({ phase, scope, since, next, frozenUntil, storageGroup, of }: WriterDocument): string[] {
  if (phase === 'idle') return []
  return [
    `   Backup: ${scope}, ${phase}; its tool has called last at ${since}${frozenUntil === null ? '' : `, and the freeze ends at ${frozenUntil}`}`,
    `   Next: ${next}. A backup whose tool has died stays, and holds its logs, until the node is restarted or: ccr writer abort ${storageGroup} --of ${of}`,
  ]
}

function fileLines({ files, phase }: WriterDocument): string[] {
  const { database, checkpoint, logs, range } = files
  const span = range === null ? '' : ` (${range.firstName} to ${range.lastName})`
  const isKnown = phase === 'frozen' || phase === 'thawed'
  return [
    ...(database === null ? [] : [`   Database: ${database}`]),
    ...(checkpoint === null ? [] : [`   Checkpoint: ${checkpoint}`]),
    `   Logs: ${logs}${isKnown && range === null ? ' (none)' : span}`,
  ]
}
