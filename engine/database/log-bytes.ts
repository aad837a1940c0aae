import { assert } from '../assert.ts'

/** The bytes of one file under three views of the same memory: by byte, by field, by 32-bit word. */
export interface LogBytes {
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Whole words from byte 0 on; a last part of less than four bytes has no word. */
  readonly words: Int32Array
  /** The faster XOR of long ranges, where the owner of the memory has one. */
  readonly wideXor: RangeXor | null
}

/** From so many bytes on a {@link RangeXor} is the faster one. */
export const WIDE_XOR_BYTES = 64

/** The XOR of the 32-bit words in `[lo, hi)` of some bytes. Both are multiples of 4, and `lo` is below `hi`. */
type RangeXor = (lo: number, hi: number) => number

/** Makes the XOR of ranges of these bytes, by whatever vectors the machine has. Refuses bytes that it cannot reach. */
export type WideXor = (bytes: Uint8Array) => RangeXor

/** Bytes of one word, and the mask of a byte offset inside its word. */
const WORD_BYTES = 4

/** The words of the format are little-endian; the word view below shows them in the machine's own order. */
const MACHINE_IS_LITTLE_ENDIAN: boolean = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1

/**
 * Opens `bytes` for word-wise reading. A view that starts on a multiple of four is used in place (a page of WebAssembly
 * memory is one); any other is copied once, since a word view of it cannot exist.
 *
 * @param wideXor for bytes that it can be used on where they lie
 */
export function openLogBytes(bytes: Uint8Array, wideXor: WideXor | null = null): LogBytes {
  assert(MACHINE_IS_LITTLE_ENDIAN, 'the machine is little-endian, as every machine that Node supports on servers today')
  const aligned = bytes.byteOffset % WORD_BYTES === 0 ? bytes : bytes.slice()
  return {
    bytes: aligned,
    view: new DataView(aligned.buffer, aligned.byteOffset, aligned.byteLength),
    words: new Int32Array(aligned.buffer, aligned.byteOffset, Math.floor(aligned.byteLength / WORD_BYTES)),
    wideXor: aligned === bytes && wideXor !== null ? wideXor(bytes) : null,
  }
}

/** The bytes `[lo, hi)` as lower-case hexadecimal digits in file order. */
export function hexOf(bytes: Uint8Array, lo: number, hi: number): string {
  let digits = ''
  for (let at = lo; at < hi; at++) digits += (bytes[at] ?? 0).toString(16).padStart(2, '0')
  return digits
}

/** An ANSI text field of `length` bytes, up to its NUL. Bytes above 0x7F are read as Latin-1: the code page is not recorded. */
export function readText(bytes: Uint8Array, offset: number, length: number): string {
  let text = ''
  for (let at = offset; at < offset + length; at++) {
    const code = bytes[at] ?? 0
    if (code === 0) break
    text += String.fromCharCode(code)
  }
  return text
}

/** Writes `text` as Latin-1 into a field of `length` bytes, cut so that one NUL always ends it; the rest becomes zero. */
export function writeText(bytes: Uint8Array, offset: number, field: { text: string; length: number }): void {
  bytes.fill(0, offset, offset + field.length)
  const characters = Math.min(field.text.length, field.length - 1)
  for (let index = 0; index < characters; index++) bytes[offset + index] = field.text.charCodeAt(index) & 0xff
}

/** A UTF-16 text field of `length` bytes, up to its NUL. */
export function readWideText(view: DataView, offset: number, length: number): string {
  let text = ''
  for (let at = offset; at + 1 < offset + length; at += 2) {
    const code = view.getUint16(at, true)
    if (code === 0) break
    text += String.fromCharCode(code)
  }
  return text
}
