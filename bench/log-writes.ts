// Measures how a commit gets to the disk: one write into a prepared log, durable when it has ended, in each way that the system has.
// The ways take turns, so that the mood of the machine is shared: 20 rounds of 100 writes each. It makes one file of 1 MiB.
import fs, { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fillWithPattern } from '../engine/database/fill-pattern.ts'
import { LOG_BYTES_2007, SECTOR_BYTES_2007 } from '../engine/database/prepared-log.ts'
import { percentile, spreadOf } from './statistics.ts'

/** The type packages of Node 20 do not describe it. */
declare const WebAssembly: { Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer } }

const ROUNDS = 20
const WRITES = 100
/** The last sector with its shadow, a burst of small commits, a batch. */
const SIZES = [2 * SECTOR_BYTES_2007, 8192, 65_536] as const
const DIRECT_BLOCK_BYTES = 4096

/** One way: the flags of the open file, whether a sync follows each write, and who waits for the disk. */
interface Way {
  readonly name: string
  readonly flags: number
  readonly syncs: boolean
  readonly inline: boolean
  readonly blockBytes: number
}

interface Figures {
  readonly ms: number[]
  readonly perSecond: number[]
  cpuMs: number
}

const { O_DIRECT, O_DSYNC, O_RDWR } = fs.constants
const WAYS: readonly Way[] = [false, true].flatMap((inline) =>
  [false, true].flatMap((direct) =>
    [true, false].map((syncs) => ({
      name: `${inline ? 'inline' : 'pooled'}, ${direct ? 'direct' : 'page cache'}, ${syncs ? 'fdatasync' : 'O_DSYNC'}`,
      flags: O_RDWR | (direct ? O_DIRECT : 0) | (syncs ? 0 : O_DSYNC),
      syncs,
      inline,
      blockBytes: direct ? DIRECT_BLOCK_BYTES : SECTOR_BYTES_2007,
    })),
  ),
)

/** Page-aligned, as direct I/O wants it. */
const memory = new Uint8Array(new WebAssembly.Memory({ initial: LOG_BYTES_2007 / 65_536 }).buffer)

async function round(path: string, way: Way, bytes: number, figures: Figures): Promise<void> {
  const descriptor = fs.openSync(path, way.flags)
  const cpu = process.cpuUsage()
  const began = performance.now()
  let at = DIRECT_BLOCK_BYTES
  for (let count = 0; count < WRITES; count++) {
    memory[at] = count
    const lo = at - (at % way.blockBytes)
    const hi = Math.ceil((at + bytes) / way.blockBytes) * way.blockBytes
    const from = performance.now()
    await writeOnce(descriptor, way, { lo, hi })
    figures.ms.push(performance.now() - from)
    // Four commits in a sector, then the next one.
    at += count % 4 === 3 ? SECTOR_BYTES_2007 : 0
  }
  figures.perSecond.push(WRITES / ((performance.now() - began) / 1000))
  const { user, system } = process.cpuUsage(cpu)
  figures.cpuMs += (user + system) / 1000
  fs.closeSync(descriptor)
}

async function writeOnce(descriptor: number, way: Way, { lo, hi }: { lo: number; hi: number }): Promise<void> {
  if (way.inline) {
    fs.writeSync(descriptor, memory, lo, hi - lo, lo)
    if (way.syncs) fs.fdatasyncSync(descriptor)
    return
  }
  await called((done) => fs.write(descriptor, memory, lo, hi - lo, lo, done))
  if (way.syncs) await called((done) => fs.fdatasync(descriptor, done))
}

function called(start: (done: (error: NodeJS.ErrnoException | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => start((error) => (error === null ? resolve() : reject(error))))
}

async function measure(path: string, bytes: number): Promise<void> {
  const all = WAYS.map((way) => ({ way, figures: { ms: [], perSecond: [], cpuMs: 0 } satisfies Figures }))
  for (let count = 0; count < ROUNDS; count++)
    for (const { way, figures } of all) await round(path, way, bytes, figures)
  console.log(`${bytes} bytes a write`)
  for (const { way, figures } of all) {
    const rate = spreadOf(figures.perSecond)
    const text = [50, 99].map((per) => `p${per} ${percentile(figures.ms, per).toFixed(3)} ms`).join('  ')
    const cpu = ((figures.cpuMs * 1000) / figures.ms.length).toFixed(0)
    const spread = `${rate.min.toFixed(0)} to ${rate.max.toFixed(0)}`
    console.log(
      `  ${way.name.padEnd(30)} ${rate.median.toFixed(0).padStart(6)}/s (${spread})  ${text}  ${cpu} µs of CPU each`,
    )
  }
}

const directory = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'ccr-log-writes-'))
try {
  fillWithPattern(memory, 0, LOG_BYTES_2007)
  const path = join(directory, 'E00.log')
  writeFileSync(path, memory, { flush: true })
  for (const bytes of SIZES) await measure(path, bytes)
} finally {
  rmSync(directory, { recursive: true })
}
