import { readText, writeText } from './log-bytes.ts'
import { formatLogTime, type LogTime, readLogTime, writeLogTime } from './log-time.ts'

/** What every log of a stream, its checkpoint and its databases share (SIGNATURE, 28 bytes). Databases have one of their own. */
export interface LogSignature {
  /** A random 32-bit number. */
  readonly random: number
  readonly createTime: LogTime
  /** NetBIOS name of the computer, at most 15 characters; empty in every real log seen. */
  readonly computer: string
}

/** Bytes of a SIGNATURE in a file. */
export const SIGNATURE_BYTES = 28

const CREATE_TIME_OFFSET = 4
const COMPUTER_OFFSET = 12
const COMPUTER_BYTES = 16

/** Reads the SIGNATURE at `offset`. Any 28 bytes are one. */
export function readSignature(bytes: Uint8Array, view: DataView, offset: number): LogSignature {
  return {
    random: view.getUint32(offset, true),
    createTime: readLogTime(view, offset + CREATE_TIME_OFFSET),
    computer: readText(bytes, offset + COMPUTER_OFFSET, COMPUTER_BYTES),
  }
}

/** Writes `signature` at `offset` of the whole view's memory. */
export function writeSignature(view: DataView, offset: number, signature: LogSignature): void {
  view.setUint32(offset, signature.random, true)
  writeLogTime(view, offset + CREATE_TIME_OFFSET, signature.createTime)
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
  writeText(bytes, offset + COMPUTER_OFFSET, { text: signature.computer, length: COMPUTER_BYTES })
}

/** `Create time:… Rand:… Computer:…`, as Exchange 2007's eseutil prints a signature (an empty name stays empty). */
export function formatSignature(signature: LogSignature): string {
  return `Create time:${formatLogTime(signature.createTime)} Rand:${signature.random} Computer:${signature.computer}`
}
