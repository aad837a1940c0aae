// Measures a mailbox store's files: commits one after the other, and rolls, through the same code as the product.
// It makes about a hundred logs of 1 MiB, and removes them.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beginStream, type LogStream, nextInStream } from '../engine/database/log-stream.ts'
import { logTimeAt } from '../engine/database/log-time.ts'
import { headerOfNewLog, LOG_BYTES_2007, prepareLog, SECTOR_BYTES_2007 } from '../engine/database/prepared-log.ts'
import type { LogOrder, StoreFact } from '../engine/database/store-order.ts'
import { nodeFileOperations } from '../storage/node-file-operations.ts'
import { openStoreFiles, type StoreFiles } from '../storage/store-files.ts'
import { percentile } from './statistics.ts'

const COMMITS = 5000
const ROLLS = 100
const HEADER_BYTES = 4096

/** A store, and the way to wait for what was given to its log's lane. */
interface Bed {
  readonly store: StoreFiles
  give(orders: readonly LogOrder[]): Promise<void>
}

async function openBed(root: string): Promise<Bed> {
  const waiting = new Map<number, () => void>()
  let sequence = 0
  let ids = 0
  const onFact = (fact: StoreFact): void => {
    if (fact.fact === 'log-written') waiting.get(fact.sequence)?.()
  }
  const store = await openStoreFiles({
    root,
    baseName: 'E00',
    databaseName: 'priv1.edb',
    files: nodeFileOperations({ shortCalls: 'pooled' }),
    lock: { release: () => Promise.resolve() },
    mustExist: false,
    logFileBytes: LOG_BYTES_2007,
    newId: () => (ids++).toString(16).padStart(32, '0'),
    nowMs: () => 0,
    onFact,
    onFailed: (error) => {
      throw error
    },
  })
  const give = (orders: readonly LogOrder[]): Promise<void> =>
    new Promise((resolve) => {
      sequence++
      waiting.set(sequence, resolve)
      store.orderLog({ sequence, orders })
    })
  return { store, give }
}

const prepare: LogOrder = { order: 'prepare-log', fileBytes: LOG_BYTES_2007, reuse: null }

function rollTo(stream: LogStream): LogOrder {
  const header = prepareLog(headerOfNewLog(stream)).subarray(0, HEADER_BYTES)
  const closes = stream.generation === 1 ? null : ((stream.generation - 1) as LogStream['generation']) // 1 or more
  return { order: 'roll-log', closes, opens: stream.generation, header, fileBytes: LOG_BYTES_2007 }
}

function tell(what: string, ms: readonly number[]): void {
  const total = ms.reduce((sum, value) => sum + value, 0)
  const text = [50, 99].map((per) => `p${per} ${percentile(ms, per).toFixed(3)} ms`).join('  ')
  console.log(`${what.padEnd(52)} ${((ms.length * 1000) / total).toFixed(0).padStart(6)}/s  ${text}`)
}

async function timed(count: number, act: (index: number) => Promise<void>): Promise<number[]> {
  const ms: number[] = []
  for (let index = 0; index < count; index++) {
    const began = performance.now()
    await act(index)
    ms.push(performance.now() - began)
  }
  return ms
}

async function measure(root: string): Promise<void> {
  const { store, give } = await openBed(root)
  let stream = beginStream({ random: 1, createTime: logTimeAt(0), computer: '' })
  await give([prepare, rollTo(stream)])
  const bytes = new Uint8Array(2 * SECTOR_BYTES_2007)
  const commit = (index: number): Promise<void> =>
    give([{ order: 'write-log', generation: stream.generation, at: HEADER_BYTES + ((index * 512) % 900_000), bytes }])
  tell('commits one after the other, two sectors each', await timed(COMMITS, commit))
  await give([prepare])
  const rolls = await timed(ROLLS, async (index) => {
    const next = nextInStream(stream, logTimeAt(index * 1000))
    await give([rollTo(next)])
    stream = next
    await give([prepare])
    for (let writes = 0; writes < 20; writes++) await commit(writes)
  })
  tell('a roll with 20 commits, the next log prepared meanwhile', rolls)
  await store.close()
}

const directory = mkdtempSync(join(process.argv[2] ?? tmpdir(), 'ccr-store-files-'))
try {
  await measure(join(directory, 'SG1'))
} finally {
  rmSync(directory, { recursive: true })
}
