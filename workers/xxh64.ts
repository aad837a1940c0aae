import { readFileSync } from 'node:fs'
import xxhash from 'xxhash-wasm'

/**
 * xxh64 over bytes that lie in the memory of one hasher, without copying them to the module first (114 µs per MiB instead of
 * 142 to 175). Addresses are offsets in `memory`.
 */
export interface Xxh64 {
  /** The memory that hashed bytes lie in. Its length never changes, so views on it stay valid. */
  readonly memory: { readonly buffer: ArrayBuffer }
  /** Where the part of the memory begins that belongs to the caller: a multiple of 64 KiB. */
  readonly start: number
  /** True when the hash runs in place; false when it fell back to the package's public functions. */
  readonly inPlace: boolean
  /** The hash of `[address, address + length)`. */
  hash(address: number, length: number): bigint
  /** A hash that is fed in parts. */
  begin(): RunningXxh64
}

/** A hash under way. After `digest` or `abandon` it is of no use any more. */
export interface RunningXxh64 {
  update(address: number, length: number): void
  digest(): bigint
  abandon(): void
}

/** The part of WebAssembly that this file uses: the type packages of Node 20 do not describe it. */
declare const WebAssembly: {
  readonly Module: new (bytes: Uint8Array) => object
  readonly Instance: new (module: object) => { readonly exports: Readonly<Record<string, unknown>> }
  readonly Memory: new (size: { initial: number }) => WasmMemory
}

interface WasmMemory {
  readonly buffer: ArrayBuffer
  grow(pages: number): number
}

/** What the module of xxhash-wasm exports; its 64-bit results come as signed numbers. */
interface XxhashExports {
  readonly mem: WasmMemory
  readonly xxh64: (address: number, length: number, seed: bigint) => bigint
  readonly init64: (state: number, seed: bigint) => void
  readonly update64: (state: number, address: number, length: number) => void
  readonly digest64: (state: number) => bigint
}

/** The public functions of the package that the fallback and the self-test use. */
interface PublicXxhash {
  h64Raw(bytes: Uint8Array): bigint
  create64(): { update(bytes: Uint8Array): unknown; digest(): bigint }
}

/** A page of WebAssembly memory. */
const WASM_PAGE_BYTES = 65_536
/** Bytes of one running hash in the module: 88, kept on a boundary of 32. */
const STATE_BYTES = 96
/** Running hashes at a time: they fill the first page. More than slots, so that a slot's owner always finds one. */
const STATES_MAX: number = Math.floor(WASM_PAGE_BYTES / STATE_BYTES)
/** Bytes of the self-test: more than one round of 32, and a tail of every kind (8, 4 and 1 bytes). */
const TEST_BYTES = 1_021

/**
 * Makes a hasher whose memory has room for `bytes` bytes.
 *
 * @param wasmPath the binary that xxhash-wasm ships beside its entry (`workerd/xxhash.wasm`). It is no part of the package's
 *   public face: when it is not there, exports something else or hashes otherwise than the public function, that one is used.
 */
export async function createXxh64(wasmPath: string, bytes: number): Promise<Xxh64> {
  const publicXxhash = await xxhash()
  const pages = 1 + Math.ceil(bytes / WASM_PAGE_BYTES)
  const inPlace = hashInPlace(wasmPath, pages)
  return inPlace !== null && agrees(inPlace, publicXxhash) ? inPlace : hashByCopy(publicXxhash, pages)
}

function hashInPlace(wasmPath: string, pages: number): Xxh64 | null {
  const exports = instantiate(wasmPath)
  if (exports === null) return null
  const { mem, xxh64 } = exports
  mem.grow(pages - mem.buffer.byteLength / WASM_PAGE_BYTES) // before any view is made: growing detaches them
  const memory = mem.buffer
  const free = Array.from({ length: STATES_MAX }, (_, index) => index * STATE_BYTES)
  return {
    memory: mem,
    start: WASM_PAGE_BYTES,
    inPlace: true,
    hash: (address, length) => BigInt.asUintN(64, xxh64(address, length, 0n)),
    begin: () => beginInPlace(exports, memory, free),
  }
}

function beginInPlace(exports: XxhashExports, memory: ArrayBuffer, free: number[]): RunningXxh64 {
  const state = free.pop()
  if (state === undefined) throw new Error(`more than ${STATES_MAX} hashes under way`)
  // The module's init sets only part of the state: what an earlier hash left in the rest would be counted in.
  new Uint8Array(memory, state, STATE_BYTES).fill(0)
  exports.init64(state, 0n)
  let open = true
  const end = (): void => {
    if (open) free.push(state)
    open = false
  }
  return {
    update: (address, length) => exports.update64(state, address, length),
    digest: () => {
      const sum = BigInt.asUintN(64, exports.digest64(state))
      end()
      return sum
    },
    abandon: end,
  }
}

/** Null when the file is missing or is not the module that this code knows. */
function instantiate(wasmPath: string): XxhashExports | null {
  let exports: Readonly<Record<string, unknown>>
  try {
    exports = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(wasmPath))).exports
  } catch {
    return null
  }
  const functions = ['xxh64', 'init64', 'update64', 'digest64'].every((name) => typeof exports[name] === 'function')
  if (!functions || !(exports['mem'] instanceof WebAssembly.Memory)) return null
  return exports as unknown as XxhashExports // names and kinds were checked above, results are by the self-test
}

function hashByCopy(publicXxhash: PublicXxhash, pages: number): Xxh64 {
  const memory = new WebAssembly.Memory({ initial: pages })
  return {
    memory,
    start: WASM_PAGE_BYTES,
    inPlace: false,
    hash: (address, length) => publicXxhash.h64Raw(new Uint8Array(memory.buffer, address, length)),
    begin: () => {
      const running = publicXxhash.create64()
      return {
        update: (address, length) => {
          running.update(new Uint8Array(memory.buffer, address, length))
        },
        digest: () => running.digest(),
        abandon: () => undefined,
      }
    },
  }
}

/** Hashes a known pattern whole and in parts, twice, as the public function does. */
function agrees(candidate: Xxh64, publicXxhash: PublicXxhash): boolean {
  const bytes = new Uint8Array(candidate.memory.buffer, candidate.start, TEST_BYTES)
  for (let at = 0; at < TEST_BYTES; at++) bytes[at] = (at * 167) & 0xff
  const expected = publicXxhash.h64Raw(bytes)
  const results = [candidate.hash(candidate.start, TEST_BYTES)]
  for (const cut of [7, 640]) {
    const running = candidate.begin()
    running.update(candidate.start, cut)
    running.update(candidate.start + cut, TEST_BYTES - cut)
    results.push(running.digest())
  }
  bytes.fill(0)
  return results.every((result) => result === expected)
}
