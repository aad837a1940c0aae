import type { TreeShape } from './b-tree.ts'
import type { ChangeWriter } from './change-writer.ts'
import {
  firstPart,
  HEAD_BYTES,
  INDEX,
  indexData,
  indexKey,
  MESSAGE_BYTES_MAX,
  MESSAGES,
  type MessageName,
  partBytesMax,
  partKey,
} from './store-layout.ts'
import { lookUpMailbox, type NodeView } from './store-reading.ts'
import { DUPLICATE_KEY, NOT_FOUND, type Refused, TOO_LONG } from './store-refusal.ts'
import { flagStep, putStep, type StoreTransaction } from './store-transaction.ts'
import { untilMade, type Work } from './work.ts'

/** A message as it is written. */
export interface Message {
  readonly name: MessageName
  /** At most `MESSAGE_BYTES_MAX`. They must stay as they are until the message is written. */
  readonly bytes: Uint8Array
}

/** A transaction at work, with its message locked. */
export interface StoreWriting {
  readonly writer: ChangeWriter
  readonly transaction: StoreTransaction
  readonly view: NodeView
  readonly nextVersion: () => number
}

/** Writes a message that is not there. */
export function* insertMessage(writing: StoreWriting, message: Message): Work<Refused | null> {
  const { id, mailbox } = message.name
  if (message.bytes.byteLength > MESSAGE_BYTES_MAX) return TOO_LONG
  if ((yield* lookUpMailbox(writing.view, id)) !== null) return DUPLICATE_KEY
  yield* put(writing, { tree: INDEX, key: indexKey(id), data: indexData(mailbox) })
  yield* putParts(writing, message)
  return null
}

/** Writes a message that is there; parts that it does not need any more are deleted. */
export function* replaceMessage(writing: StoreWriting, message: Message): Work<Refused | null> {
  const { id, mailbox } = message.name
  if (message.bytes.byteLength > MESSAGE_BYTES_MAX) return TOO_LONG
  if ((yield* lookUpMailbox(writing.view, id)) !== mailbox) return NOT_FOUND
  const parts = yield* putParts(writing, message)
  yield* flagParts(writing, message.name, parts)
  return null
}

/** Deletes a message that is there. */
export function* removeMessage(writing: StoreWriting, name: MessageName): Work<Refused | null> {
  if ((yield* lookUpMailbox(writing.view, name.id)) !== name.mailbox) return NOT_FOUND
  const version = writing.nextVersion()
  const { writer, transaction } = writing
  yield* untilMade(() => flagStep(writer, { transaction, tree: INDEX, key: indexKey(name.id), version }))
  yield* flagParts(writing, name, 0)
  return null
}

/** Writes all parts of a message, and says how many they are. */
function* putParts(writing: StoreWriting, { name, bytes }: Message): Work<number> {
  const { writer } = writing
  const most = partBytesMax(writer.pageBytes)
  const head = { bytes: bytes.byteLength, revision: writer.nextDbtime() }
  let taken = Math.min(bytes.byteLength, most - HEAD_BYTES)
  const data = firstPart(head, bytes.subarray(0, taken))
  yield* put(writing, { tree: MESSAGES, key: partKey(name, 0), data })
  let part = 1
  for (; taken < bytes.byteLength; part++) {
    const rest = bytes.subarray(taken, taken + most)
    yield* put(writing, { tree: MESSAGES, key: partKey(name, part), data: rest })
    taken += rest.byteLength
  }
  return part
}

function* put(
  { writer, transaction, nextVersion }: StoreWriting,
  node: { readonly tree: TreeShape; readonly key: Uint8Array; readonly data: Uint8Array },
): Work<void> {
  const version = nextVersion()
  for (let done = false; !done; ) done = yield* untilMade(() => putStep(writer, { ...node, transaction, version }))
}

/** Deletes the parts of a message from one on; they have no gaps. */
function* flagParts({ writer, transaction, nextVersion }: StoreWriting, name: MessageName, first: number): Work<void> {
  for (let part = first, found = true; found; part++) {
    const write = { transaction, tree: MESSAGES, key: partKey(name, part), version: nextVersion() }
    found = yield* untilMade(() => flagStep(writer, write))
  }
}
