/**
 * A process that brings logs into a directory with the storage room's own code and says which are acknowledged, one line each.
 * When the last one is, it does nothing more: whoever reads the line cuts the power. It can be told to leave a sync out.
 */
import { writeSync } from 'node:fs'
import { basename } from 'node:path'
import { type Arrivals, arrivalsIn } from '../../storage/durable-file.ts'
import type { FileOperations, Piece } from '../../storage/file-operations.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import { type PublishItem, publisherInto } from '../../storage/publisher.ts'
import { numberedName } from '../log-files.ts'
import { fillVictimLog, VICTIM_LOG_BYTES_MAX, victimLogBytes } from './victim-log.ts'

/** The type packages of Node 20 do not describe it. */
declare const WebAssembly: { Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer } }

/** What is left out of the publish sequence: nothing, or a planted bug that the harness must find. */
export type Plant = 'correct' | 'no-file-sync' | 'no-directory-sync'

/** Logs of a batch: each is written, then all are linked and one sync of the directory follows. */
const BATCH_LOGS = 3

async function publishAll(logsDirectory: string, plant: Plant, count: number): Promise<void> {
  const files = planted(nodeFileOperations({ shortCalls: 'inline' }), plant)
  const inspector = `${logsDirectory}/inspector`
  const arrivals = arrivalsIn(inspector, files)
  const publisher = publisherInto(
    { directory: logsDirectory, temporaryDirectory: inspector, sameContent: () => Promise.resolve(false) },
    files,
  )
  // Page-aligned, as the slots of the copy worker are.
  const memory = new Uint8Array(new WebAssembly.Memory({ initial: VICTIM_LOG_BYTES_MAX / 65_536 }).buffer)
  for (let first = 1; first <= count; first += BATCH_LOGS) {
    const last = Math.min(count, first + BATCH_LOGS - 1)
    const batch: PublishItem[] = []
    for (let generation = first; generation <= last; generation++)
      batch.push(await writeOne(arrivals, memory, generation))
    const { failure } = await publisher.publish(batch)
    if (failure !== null) throw failure
    // Straight to the descriptor: the line must be out before anything else happens.
    writeSync(1, `${last}\n`)
  }
}

async function writeOne(arrivals: Arrivals, memory: Uint8Array, generation: number): Promise<PublishItem> {
  const lengthBytes = victimLogBytes(generation)
  const piece: Piece = { bytes: memory, offset: 0, length: lengthBytes }
  fillVictimLog(memory.subarray(0, lengthBytes), generation)
  const name = numberedName(generation)
  const log = { name, attemptId: `a${generation}`, lengthBytes, memory: 'page-aligned' as const }
  return { temporaryPath: await arrivals.write(log, piece), finalName: name }
}

/** The same operations without a sync. Data that bypasses the page cache would be there without one, so it goes through it. */
function planted(files: FileOperations, plant: Plant): FileOperations {
  if (plant === 'no-directory-sync') return { ...files, syncDirectory: () => Promise.resolve() }
  if (plant === 'no-file-sync')
    return {
      ...files,
      open: (path, mode) => files.open(path, mode.startsWith('create') ? 'create' : mode),
      datasync: () => Promise.resolve(),
    }
  return files
}

if (basename(process.argv[1] ?? '').startsWith('publish-victim')) {
  const [, , directory = '', plant = 'correct', count = '1'] = process.argv
  // The arguments come from power-cut.ts, which has the type.
  await publishAll(directory, plant as Plant, Number(count))
  setInterval(() => undefined, 60_000)
}
