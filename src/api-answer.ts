import { ReplicationError } from '../engine/error.ts'

/** An object of JSON whose members are not known to be anything yet. */
export type JsonObject = Readonly<Record<string, unknown>>

/** One copy as the management API tells it: Exchange's field names, generations as integers, times in ISO 8601. */
export interface StatusDocument extends JsonObject {
  readonly Identity: string
  readonly StorageGroupName: string
  readonly SummaryCopyStatus: string
  readonly CopyQueueLength: number
  readonly ReplayQueueLength: number
}

/** One copy as its source sees it. */
interface SharedCopyDocument extends JsonObject {
  readonly copyId: string
  readonly label: string
}

/** One share as the management API of a source tells it. */
export interface ShareDocument extends JsonObject {
  readonly name: string
  readonly copies: readonly SharedCopyDocument[]
}

/** One event of the event log. */
export interface EventDocument extends JsonObject {
  readonly sequence: number
  readonly time: string
  readonly id: number
  readonly source: string
  readonly level: string
  readonly storageGroup: string
  readonly text: string
}

/** A run of logs that is held, and why. */
export interface HeldDocument extends JsonObject {
  readonly range: { readonly first: number; readonly last: number }
  readonly reasons: readonly { readonly rule: string; readonly why: string; readonly release: string }[]
}

/** Why each closed log is still on the source. */
export interface TruncationDocument extends JsonObject {
  readonly storageGroup: string
  readonly closed: { readonly first: number; readonly last: number } | null
  readonly backedUpThrough: number
  readonly truncatableThrough: number
  readonly lastFailure: string
  readonly held: readonly HeldDocument[]
}

/** Why each log is still on a copy. */
export interface CopyTruncationDocument extends JsonObject {
  readonly storageGroup: string
  readonly logs: { readonly first: number; readonly last: number } | null
  readonly truncatedBelow: number
  readonly truncatableThrough: number
  readonly held: readonly HeldDocument[]
}

/** Takes in an answer's copy. Errors: `WIRE_PROTOCOL` for anything else. */
export function readStatus(value: unknown): StatusDocument {
  const status = shapeOf(value, 'a copy', {
    Identity: 'string',
    StorageGroupName: 'string',
    SummaryCopyStatus: 'string',
    CopyQueueLength: 'number',
    ReplayQueueLength: 'number',
  })
  return status as StatusDocument // shapeOf proved each member
}

/** Takes in an answer's share. Errors: `WIRE_PROTOCOL`. */
export function readShare(value: unknown): ShareDocument {
  const share = shapeOf(value, 'a share', { name: 'string', copies: 'object' })
  for (const copy of listOf(share['copies'], 'copies')) shapeOf(copy, 'a copy', { copyId: 'string', label: 'string' })
  return share as ShareDocument // shapeOf proved each member
}

/** Takes in an answer's event. Errors: `WIRE_PROTOCOL`. */
export function readEvent(value: unknown): EventDocument {
  const event = shapeOf(value, 'an event', {
    sequence: 'number',
    time: 'string',
    id: 'number',
    source: 'string',
    level: 'string',
    storageGroup: 'string',
    text: 'string',
  })
  return event as EventDocument // shapeOf proved each member
}

/** Takes in an answer's explanation of truncation. Errors: `WIRE_PROTOCOL`. */
export function readTruncation(value: unknown): TruncationDocument {
  const explanation = shapeOf(value, 'an explanation', {
    storageGroup: 'string',
    backedUpThrough: 'number',
    truncatableThrough: 'number',
    lastFailure: 'string',
    held: 'object',
  })
  proveHeld(explanation, 'closed')
  return explanation as TruncationDocument // shapeOf proved each member
}

/** Takes in an answer's explanation of truncation at a copy. Errors: `WIRE_PROTOCOL`. */
export function readCopyTruncation(value: unknown): CopyTruncationDocument {
  const members = { storageGroup: 'string', truncatedBelow: 'number', truncatableThrough: 'number' } as const
  const explanation = shapeOf(value, 'an explanation', { ...members, held: 'object' })
  proveHeld(explanation, 'logs')
  return explanation as CopyTruncationDocument // shapeOf proved each member
}

function proveHeld(explanation: JsonObject, whole: 'closed' | 'logs'): void {
  if (explanation[whole] !== null) shapeOf(explanation[whole], 'a range', { first: 'number', last: 'number' })
  for (const held of listOf(explanation['held'], 'held logs')) {
    const { range, reasons } = shapeOf(held, 'held logs', { range: 'object', reasons: 'object' })
    shapeOf(range, 'a range', { first: 'number', last: 'number' })
    for (const reason of listOf(reasons, 'reasons'))
      shapeOf(reason, 'a reason', { rule: 'string', why: 'string', release: 'string' })
  }
}

/** A member that must be a list. Errors: `WIRE_PROTOCOL`. */
export function listOf(value: unknown, what: string): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw notAnAnswer(`${what} are no list`)
}

/** An object whose named members have these types. Errors: `WIRE_PROTOCOL`. */
export function shapeOf(
  value: unknown,
  what: string,
  members: Readonly<Record<string, 'string' | 'number' | 'object'>>,
): JsonObject {
  if (typeof value !== 'object' || value === null) throw notAnAnswer(`${what} is no object`)
  const object = value as JsonObject // an object that is not null has members of unknown types
  for (const [member, type] of Object.entries(members)) {
    if (typeof object[member] !== type || object[member] === null) throw notAnAnswer(`${what} has no ${member}`)
  }
  return object
}

/** What an answer is called that is none of this API. */
export function notAnAnswer(what: string): ReplicationError {
  return new ReplicationError({
    code: 'WIRE_PROTOCOL',
    message: `the answer is none of this management API: ${what}`,
    hint: 'Check with --server that the address is the management address of ccr share or ccr copy, of this version.',
  })
}
