import { nodeBytes, type TreeShape } from './b-tree.ts'
import { DBTIME_BYTES, readDbtime, writeDbtime } from './dbtime.ts'
import { hexOf } from './log-bytes.ts'
import { PAGE_HEADER_BYTES, TAG_BYTES } from './page.ts'

/** The name of a message: in which mailbox it is, and its number, which no other message of the database has. */
export interface MessageName {
  /** 32 bits. */
  readonly mailbox: number
  /** A whole number below 2^53. */
  readonly id: number
}

/** What part 0 of a message says before its bytes. */
interface MessageHead {
  /** Of the whole message. */
  readonly bytes: number
  /** Another one each time that the message is written, so that a reader knows whether its parts belong together. */
  readonly revision: number
}

const MAILBOX_BYTES = 4
const ID_BYTES = 8
const PART_NUMBER_BYTES = 2
const UPPER_WORD = 2 ** 32
/** Bytes of a {@link MessageHead}. */
export const HEAD_BYTES: number = 4 + DBTIME_BYTES
/** The longest message, in bytes: as much as one log of Exchange 2007 holds, so that none fills many of them. */
export const MESSAGE_BYTES_MAX: number = 2 ** 20

/** The messages: mailbox, message and part lead to the bytes. */
export const MESSAGES: TreeShape = {
  rootPage: 2,
  objectId: 2,
  keyBytesMax: MAILBOX_BYTES + ID_BYTES + PART_NUMBER_BYTES,
  groupBytes: MAILBOX_BYTES,
}
/** The index: a message leads to its mailbox. */
export const INDEX: TreeShape = { rootPage: 3, objectId: 3, keyBytesMax: ID_BYTES, groupBytes: 0 }
/** Both, in the order of their roots. */
export const STORE_TREES: readonly TreeShape[] = [MESSAGES, INDEX]

/** The key of a part of a message; numbers with the highest byte first, so that they sort. */
export function partKey({ mailbox, id }: MessageName, part: number): Uint8Array {
  const key = new Uint8Array(MESSAGES.keyBytesMax)
  const view = new DataView(key.buffer)
  view.setUint32(0, mailbox)
  writeId(view, MAILBOX_BYTES, id)
  view.setUint16(MAILBOX_BYTES + ID_BYTES, part)
  return key
}

/** The message that a key of {@link MESSAGES} is of. */
export function nameOfPart(key: Uint8Array): MessageName {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength)
  return { mailbox: view.getUint32(0), id: readId(view, MAILBOX_BYTES) }
}

/** The key of a message in {@link INDEX}. */
export function indexKey(id: number): Uint8Array {
  const key = new Uint8Array(ID_BYTES)
  writeId(new DataView(key.buffer), 0, id)
  return key
}

/** The message that a key of either tree is of. */
export function idOfKey(tree: TreeShape, key: Uint8Array): number {
  const view = new DataView(key.buffer, key.byteOffset, key.byteLength)
  return readId(view, tree.objectId === INDEX.objectId ? 0 : MAILBOX_BYTES)
}

/** What the index says of a message. */
export function indexData(mailbox: number): Uint8Array {
  const data = new Uint8Array(MAILBOX_BYTES)
  new DataView(data.buffer).setUint32(0, mailbox, true)
  return data
}

/** Reads {@link indexData}. */
export function mailboxOf(data: Uint8Array): number {
  return new DataView(data.buffer, data.byteOffset, data.byteLength).getUint32(0, true)
}

/** The most bytes of data in one part: two of the longest fill a page. */
export function partBytesMax(pageBytes: number): number {
  const half = Math.floor((pageBytes - PAGE_HEADER_BYTES - TAG_BYTES) / 2)
  return half - TAG_BYTES - nodeBytes(MESSAGES.keyBytesMax, 0)
}

/** The data of part 0: the head, and the first bytes of the message. */
export function firstPart(head: MessageHead, bytes: Uint8Array): Uint8Array {
  const data = new Uint8Array(HEAD_BYTES + bytes.byteLength)
  const view = new DataView(data.buffer)
  view.setUint32(0, head.bytes, true)
  writeDbtime(view, 4, head.revision)
  data.set(bytes, HEAD_BYTES)
  return data
}

/** Reads the head of part 0. */
export function readHead(data: Uint8Array): MessageHead {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  return { bytes: view.getUint32(0, true), revision: readDbtime(view, 4) }
}

/** A name for a node among those of all trees, for maps. */
export function nodeName(tree: TreeShape, key: Uint8Array): string {
  return `${tree.objectId}:${hexOf(key, 0, key.byteLength)}`
}

function writeId(view: DataView, at: number, id: number): void {
  view.setUint32(at, Math.floor(id / UPPER_WORD))
  view.setUint32(at + 4, id % UPPER_WORD)
}

function readId(view: DataView, at: number): number {
  return view.getUint32(at) * UPPER_WORD + view.getUint32(at + 4)
}
