import { assert } from '../assert.ts'
import { findNext, rangeOf, type TreeShape } from './b-tree.ts'
import { type Blocked, type ChangeWriter, isBlocked } from './change-writer.ts'
import { NO_DBTIME } from './dbtime.ts'
import { nodeKeyBytes, nodeKeyStart } from './page-node.ts'
import {
  HEAD_BYTES,
  INDEX,
  indexKey,
  MESSAGES,
  type MessageName,
  mailboxOf,
  nameOfPart,
  partKey,
  readHead,
} from './store-layout.ts'
import { untilMade, type Work } from './work.ts'

/** The store as one reader sees it. */
export interface NodeView {
  readonly writer: ChangeWriter
  /** The data of a node, or null where the reader sees none. */
  readonly look: (tree: TreeShape, key: Uint8Array) => Uint8Array | null | Blocked
}

/**
 * The bytes of a message, or null. It is read part by part; when it was written anew meanwhile, which its head tells, it is read
 * from the start again. A session does not read a message while its own change of it is under way.
 */
export function* readMessage(view: NodeView, name: MessageName): Work<Uint8Array | null> {
  for (let failed = NO_DBTIME; ; ) {
    const head = yield* untilMade(() => view.look(MESSAGES, partKey(name, 0)))
    if (head === null) return null
    const { revision } = readHead(head)
    // Otherwise this would go on for ever.
    assert(revision !== failed, 'the parts of a message that nobody changes belong together')
    const bytes = yield* readParts(view, name, head)
    if (bytes !== null) return bytes
    failed = revision
  }
}

/** The parts behind the head, or null where they are not all of the same writing. */
function* readParts(view: NodeView, name: MessageName, head: Uint8Array): Work<Uint8Array | null> {
  const { bytes: length, revision } = readHead(head)
  const bytes = new Uint8Array(length)
  let filled = head.byteLength - HEAD_BYTES
  bytes.set(head.subarray(HEAD_BYTES))
  if (filled === length) return bytes
  for (let part = 1; filled < length; part++) {
    const data = yield* untilMade(() => view.look(MESSAGES, partKey(name, part)))
    if (data === null || filled + data.byteLength > length) return null
    bytes.set(data, filled)
    filled += data.byteLength
  }
  const now = yield* untilMade(() => view.look(MESSAGES, partKey(name, 0)))
  return now !== null && readHead(now).revision === revision ? bytes : null
}

/** The mailbox of a message, or null. */
export function* lookUpMailbox(view: NodeView, id: number): Work<number | null> {
  const data = yield* untilMade(() => view.look(INDEX, indexKey(id)))
  return data === null ? null : mailboxOf(data)
}

/** A message as a list shows it. */
export interface ListedMessage {
  readonly id: number
  /** How long it is. */
  readonly bytes: number
}

/** The messages of a mailbox from number `from` on, `limit` at most. */
export function* listMessages(
  view: NodeView,
  mailbox: number,
  { from, limit }: { readonly from: number; readonly limit: number },
): Work<ListedMessage[]> {
  const listed: ListedMessage[] = []
  for (let next = from; listed.length < limit; next++) {
    const id = yield* untilMade(() => nextMessage(view.writer, { mailbox, id: next }))
    if (id === null) return listed
    const head = yield* untilMade(() => view.look(MESSAGES, partKey({ mailbox, id }, 0)))
    if (head !== null) listed.push({ id, bytes: readHead(head).bytes })
    next = id
  }
  return listed
}

/** The first message of a mailbox that is not below this one and has a node, seen by the reader or not; null for none. */
function nextMessage(writer: ChangeWriter, name: MessageName): number | null | Blocked {
  const next = findNext(writer, MESSAGES, rangeOf(partKey(name, 0)))
  if (next === null || isBlocked(next)) return next
  const { page, line } = next
  const start = nodeKeyStart(page, line)
  const found = nameOfPart(page.bytes.subarray(start, start + nodeKeyBytes(page, line)))
  return found.mailbox === name.mailbox ? found.id : null
}
