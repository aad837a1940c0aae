import { join } from 'node:path'
import type { SourceFact } from '../../engine/fact.ts'
import { asGeneration, type GenerationRange, NO_GENERATION } from '../../engine/generation.ts'
import { stepSource } from '../../engine/source/source-instance.ts'
import { type SourceState, startSource } from '../../engine/source/source-state.ts'
import type { DirectoryScan } from '../../storage/directory-contents.ts'
import { type LogDirectory, watchLogDirectory } from '../../storage/log-directory.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import { type RemovalThread, removalThread } from '../../workers/removal-thread.ts'
import { runScript } from '../command.ts'
import { makeNumberedLogs, NUMBERED_PATTERN } from '../log-files.ts'
import type { MeasureResult, Row } from '../result.ts'
import { makeScratchDisk } from '../scratch-disk.ts'
import { ratiosByRound, spreadOf } from '../statistics.ts'
import type { BenchRun, Measure } from './measure.ts'

/** 100,000 logs of 1 MiB are more than the disk has; a deletion goes by names, and by blocks that are freed later. */
const LOG_BYTES = 4096
const TARGET = '≤ 1.2'

/** What a backup lets go of a long backlog: decided, deleted in ascending order, and synced; against `rm` of the same files. */
export const TRUNCATION: Measure = {
  name: 'truncation',
  prepare: () => Promise.resolve(),
  run: async (bench) => {
    const ours: number[] = []
    const removal: number[] = []
    const disk = makeScratchDisk(bench.directory, (2 * bench.options.runs + 1) * bench.options.scale.backlogLogs)
    const onDisk = { ...bench, directory: disk.path }
    for (let round = 0; round < bench.options.runs; round++) {
      const contenders = [
        () => truncate(onDisk, round).then((s) => ours.push(s)),
        () => remove(onDisk, round).then((s) => removal.push(s)),
      ]
      if (round % 2 === 1) contenders.reverse()
      for (const contender of contenders) await contender()
      bench.tell(`round ${round + 1}: truncation ${ours[round]?.toFixed(2)} s, rm ${removal[round]?.toFixed(2)} s`)
    }
    disk.close()
    return resultOf(bench, { ours, removal, disk: disk.description })
  },
}

function makeLogs(bench: BenchRun, name: string): string {
  const directory = join(bench.directory, name)
  makeNumberedLogs(directory, { first: 1, last: bench.options.scale.backlogLogs, sizeBytes: LOG_BYTES })
  return directory
}

async function remove(bench: BenchRun, round: number): Promise<number> {
  const directory = makeLogs(bench, `removed-${round}`)
  await runScript('sync -f "$1"', [directory]).done
  bench.steadyState?.fill()
  const began = performance.now()
  await runScript('rm -r "$1" && sync -f "$2"', [directory, bench.directory]).done
  return (performance.now() - began) / 1000
}

/** The source knows its directory, as it does whenever a backup is completed. */
async function truncate(bench: BenchRun, round: number): Promise<number> {
  const directory = makeLogs(bench, `truncated-${round}`)
  await runScript('sync -f "$1"', [directory]).done
  bench.steadyState?.fill()
  const removal = removalThread()
  const watch = await watched(directory, removal)
  try {
    const source = new Source(watch.scan)
    const began = performance.now()
    const range = source.completeBackup()
    const outcome = await watch.directory.truncate(range)
    if (outcome.failure !== null) throw outcome.failure
    source.tell({ kind: 'logs-deleted', nowMs: Date.now(), range, alreadyMissing: outcome.missing })
    const seconds = (performance.now() - began) / 1000
    if (outcome.deleted !== bench.options.scale.backlogLogs) throw new Error(`${outcome.deleted} logs were deleted`)
    return seconds
  } finally {
    await watch.directory.close()
    await removal.close()
  }
}

async function watched(
  path: string,
  { unlinkInOrder }: RemovalThread,
): Promise<{ readonly directory: LogDirectory; readonly scan: DirectoryScan }> {
  let found: (scan: DirectoryScan) => void = () => undefined
  const scanned = new Promise<DirectoryScan>((resolve) => {
    found = resolve
  })
  const directory = watchLogDirectory({
    path,
    format: { kind: 'numbered', pattern: NUMBERED_PATTERN },
    files: { ...nodeFileOperations({ shortCalls: 'pooled' }), unlinkInOrder },
    onClosed: () => undefined,
    onScan: (scan) => found(scan),
    onProblem: (problem) => {
      if (problem !== null) throw problem
    },
  })
  return { directory, scan: await scanned }
}

/** The rules of a source without copies. */
class Source {
  #state: SourceState = startSource('SG1', { copiesExpected: 0, passiveGate: 'inspected' })
  readonly #last: number

  constructor({ lowest, closedThrough }: Pick<DirectoryScan, 'lowest' | 'closedThrough'>) {
    this.#last = closedThrough
    const nothing = { enrolled: [], disabled: [], mark: null, truncatedBelow: NO_GENERATION, stream: 0 }
    this.tell({ kind: 'share-started', nowMs: Date.now(), ...nothing })
    const closed = { lowest, closedThrough, generated: closedThrough, logTimeMs: 0 }
    this.tell({ kind: 'directory-scanned', nowMs: Date.now(), closed })
  }

  tell(fact: SourceFact): ReturnType<typeof stepSource>[1] {
    const [state, orders] = stepSource(this.#state, fact)
    this.#state = state
    return orders
  }

  completeBackup(): GenerationRange {
    const through = asGeneration(this.#last)
    const orders = this.tell({ kind: 'backup-completed', nowMs: Date.now(), through, requestId: 1 })
    const order = orders.find(({ kind }) => kind === 'truncate-logs')
    if (order?.kind !== 'truncate-logs') throw new Error(`the source orders no truncation: ${JSON.stringify(orders)}`)
    return order.range
  }
}

function resultOf(
  bench: BenchRun,
  {
    ours,
    removal,
    disk,
  }: { readonly ours: readonly number[]; readonly removal: readonly number[]; readonly disk: string },
): MeasureResult {
  const count = bench.options.scale.backlogLogs.toLocaleString('en-US')
  const row = (contender: string, seconds: readonly number[]): Row => ({
    contender,
    columns: { seconds: spreadOf(seconds) },
    raw: { seconds },
  })
  return {
    name: 'truncation',
    title: 'Truncation of a long backlog',
    method: `${count} logs of ${LOG_BYTES} bytes, ${disk}. From the backup that lets all of them go until each is deleted, in ascending order by the source that watches them, and the directory synced; against \`rm -r\` and \`sync -f\` of the same files.`,
    rows: [row('ccr: decide and delete', ours), row('rm -r + syncfs', removal)],
    ratios: [{ what: 'seconds: ccr ÷ rm -r + syncfs', spread: spreadOf(ratiosByRound(ours, removal)), target: TARGET }],
    notes: [],
  }
}
