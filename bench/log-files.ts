import { closeSync, fdatasyncSync, ftruncateSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { beginStream, type LogStream, nextInStream } from '../engine/database/log-stream.ts'
import { logTimeAt } from '../engine/database/log-time.ts'
import { composeLog } from '../engine/database/log-writer.ts'
import { LOG_BYTES_2007 } from '../engine/database/prepared-log.ts'
import { asGeneration } from '../engine/generation.ts'
import { eseLogName } from '../engine/log-format.ts'

/** A stream of logs to make. */
export interface LogFilesPlan {
  readonly directory: string
  readonly count: number
  /** Decides the content. */
  readonly seed: number
  /** Length of a log; 1 MiB when absent. */
  readonly sizeBytes?: number
}

/** When the first log of every made stream was created: fixed, so that the same seed gives the same bytes. */
const FIRST_LOG_MS = Date.UTC(2007, 2, 8, 12)
const LOG_INTERVAL_MS = 1000

/** The logs of one stream, generation 1 first. `bytes` is the same memory each time. */
export function* composeStream(plan: Omit<LogFilesPlan, 'directory'>): Generator<{ name: string; bytes: Uint8Array }> {
  const target = new Uint8Array(plan.sizeBytes ?? LOG_BYTES_2007)
  let stream: LogStream = beginStream({ random: plan.seed, createTime: logTimeAt(FIRST_LOG_MS), computer: '' })
  for (let index = 0; index < plan.count; index++) {
    composeLog({ ...stream, seed: (plan.seed ^ stream.generation) >>> 0, target })
    yield { name: eseLogName('E00', asGeneration(index + 1)), bytes: target }
    stream = nextInStream(stream, logTimeAt(FIRST_LOG_MS + (index + 1) * LOG_INTERVAL_MS))
  }
}

/** Makes closed ESE logs durably and answers their names. What is written stays in the page cache: a warm source. */
export function makeEseLogs(plan: LogFilesPlan): string[] {
  mkdirSync(plan.directory, { recursive: true })
  const names: string[] = []
  for (const { name, bytes } of composeStream(plan)) {
    writeWhole(join(plan.directory, name), bytes)
    names.push(name)
  }
  return names
}

/** The pattern of the names that {@link makeNumberedLogs} and {@link makeSparseLogs} give. */
export const NUMBERED_PATTERN = 'log-(?<decimal>\\d{12})\\.wal'

/** The name of a numbered log. */
export function numberedName(generation: number): string {
  return `log-${String(generation).padStart(12, '0')}.wal`
}

/** Makes small numbered logs of distinct content, generations `first` to `last`, not synced. */
export function makeNumberedLogs(directory: string, range: { first: number; last: number; sizeBytes: number }): void {
  mkdirSync(directory, { recursive: true })
  const content = Buffer.alloc(range.sizeBytes)
  for (let generation = range.first; generation <= range.last; generation++) {
    content.fill(`${numberedName(generation)} `)
    const file = openSync(join(directory, numberedName(generation)), 'wx')
    writeSync(file, content)
    closeSync(file)
  }
}

/** Makes numbered logs of one sparse byte each: a name and an inode, no block. */
export function makeSparseLogs(directory: string, count: number): void {
  mkdirSync(directory, { recursive: true })
  for (let generation = 1; generation <= count; generation++) {
    const file = openSync(join(directory, numberedName(generation)), 'wx')
    ftruncateSync(file, 1)
    closeSync(file)
  }
}

function writeWhole(path: string, bytes: Uint8Array): void {
  const file = openSync(path, 'wx')
  writeSync(file, bytes)
  fdatasyncSync(file)
  closeSync(file)
}
