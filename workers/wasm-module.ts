/** The part of WebAssembly that this file uses: the type packages of Node 20 do not describe it. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object, imports: object) => { readonly exports: Readonly<Record<string, unknown>> }
}

/** Bytes of WebAssembly code, in their order. */
export type Code = readonly number[]

/** A module of one function, over memory that it is given. */
export interface WasmFunction {
  /** Parameters of the function, all i32; its result is one too. */
  readonly parameters: number
  /** Locals behind the parameters: so many of i32, then so many of v128. */
  readonly locals: { readonly words: number; readonly vectors: number }
  /** What it does, without its last `end`. */
  readonly code: Code
}

/** The instructions that are used here. Offsets and constants are encoded by the functions below. */
export const OP = {
  end: 0x0b,
  block: [0x02, 0x40],
  loop: [0x03, 0x40],
  get: 0x20,
  set: 0x21,
  tee: 0x22,
  eq: 0x46,
  ltUnsigned: 0x49,
  popcnt: 0x69,
  add: 0x6a,
  sub: 0x6b,
  and: 0x71,
  or: 0x72,
  xor: 0x73,
  shl: 0x74,
  eqz: 0x45,
  wideAnd: [0xfd, 0x4e],
  wideXor: [0xfd, 0x51],
} as const

const I32 = 0x7f
const V128 = 0x7b

/** Goes to the end of a block, or to the start of a loop, where the condition holds; 0 is the innermost. */
export const branchIf = (depth: number): Code => [0x0d, depth]
/** A constant, as the signed LEB128 that the format asks for. */
export const constant = (value: number): Code => [0x41, ...signedLeb128(value)]
/** i32.load from a multiple of four. */
export const loadWord = (offset: number): Code => [0x28, 2, ...leb128(offset)]
/** v128.load from a multiple of four. */
export const loadVector = (offset: number): Code => [0xfd, 0x00, 2, ...leb128(offset)]
/** v128.const of four words. */
export const vector = (...words: readonly [number, number, number, number]): Code => [
  ...[0xfd, 0x0c],
  ...new Uint8Array(Int32Array.of(...words).buffer),
]
/** i32x4.extract_lane */
export const lane = (index: number): Code => [0xfd, 0x1b, index]
/** The XOR of the four words of a local vector. */
export const lanesOf = (local: number): Code => [
  ...[OP.get, local, ...lane(0), OP.get, local, ...lane(1), OP.xor],
  ...[OP.get, local, ...lane(2), OP.xor, OP.get, local, ...lane(3), OP.xor],
]

/**
 * Makes a function over memory; null where the machine has no vectors, or `memory` is none.
 *
 * @param memory a `WebAssembly.Memory`
 */
export function instantiate(memory: object, made: WasmFunction): ((...parameters: number[]) => number) | null {
  try {
    const module = new WebAssembly.Module(moduleOf(made))
    const { exports } = new WebAssembly.Instance(module, { slab: { memory } })
    return exports['run'] as (...parameters: number[]) => number // the module exports nothing else
  } catch {
    return null
  }
}

/** `(module (import "slab" "memory" (memory 0)) (func (export "run") (param i32 …) (result i32) …))` */
function moduleOf({ parameters, locals, code }: WasmFunction): Uint8Array {
  const groups = [
    [locals.words, I32],
    [locals.vectors, V128],
  ].filter(([count]) => count !== 0)
  const body = [groups.length, ...groups.flat(), ...code, OP.end]
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, parameters, ...new Array<number>(parameters).fill(I32), 1, I32]),
    ...section(2, [1, ...name('slab'), ...name('memory'), 0x02, 0, 0]),
    ...section(3, [1, 0]),
    ...section(7, [1, ...name('run'), 0x00, 0]),
    ...section(10, [1, ...leb128(body.length), ...body]),
  ])
}

function section(id: number, content: Code): Code {
  return [id, ...leb128(content.length), ...content]
}

function name(text: string): Code {
  return [text.length, ...new TextEncoder().encode(text)]
}

function leb128(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb128(value >>> 7)]
}

function signedLeb128(value: number): Code {
  const rest = value >> 7
  const isWhole = (rest === 0 && (value & 0x40) === 0) || (rest === -1 && (value & 0x40) !== 0)
  return isWhole ? [value & 0x7f] : [(value & 0x7f) | 0x80, ...signedLeb128(rest)]
}
