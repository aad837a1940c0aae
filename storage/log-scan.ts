import type { Generation } from '../engine/generation.ts'
import type { ParsedLogName } from '../engine/log-format.ts'
import { type DirectoryEntry, type FileFacts, type FileOperations, pathIn } from './file-operations.ts'
import { GenerationSet } from './generation-set.ts'
import type { ForeignReason, LogNames } from './log-names.ts'

/** A file among the logs that is none of them. */
interface ForeignFile {
  readonly name: string
  readonly reason: ForeignReason
}

/** Foreign files: the first {@link FOREIGN_LISTED_MAX} by name, and how many there are in all. */
export interface ForeignFiles {
  readonly listed: readonly ForeignFile[]
  readonly total: number
}

/** How many foreign files are listed by name: what a person reads. The rest is counted. */
export const FOREIGN_LISTED_MAX = 100

/** A closed log as the directory shows it. */
export interface ClosedLog {
  readonly generation: Generation
  readonly name: string
  readonly facts: FileFacts
}

/** What to look for in a directory. */
export interface LogScan {
  readonly directory: string
  readonly names: LogNames
  /** Which logs need a look at the file itself (kind, size, number of names); the others pass by their names. */
  readonly examine: (generation: Generation) => boolean
  /** Called with examined logs that are sound, in the order of the directory, chunk by chunk. */
  readonly onExamined?: (logs: readonly ClosedLog[]) => void
  /** The size that each closed log must have; without it an empty one alone is refused. */
  readonly expectedSizeBytes?: number | undefined
  /** Names that are expected beside the logs and are no foreign files. */
  readonly expected?: ReadonlySet<string>
}

/** What a scan found. Costs a few numbers per range, not per file. */
export interface LogScanResult {
  readonly present: GenerationSet
  readonly foreign: ForeignFiles
  /** Names that are not closed yet or are held (empty, short): looked at again by whoever watches. */
  readonly unready: readonly string[]
}

/** Look-ups in flight at once: enough to keep the pool of four busy, few enough to leave it to others in between. */
const LOOK_UPS_IN_FLIGHT = 32
/** The most unready names that are remembered; more of them wait for the scan after. */
export const UNREADY_MAX = 1000

/**
 * Reads a directory of logs in chunks: 100,000 names take about 0.1 s, with a look at each file 0.4 s, and no turn of the event
 * loop longer than a few milliseconds (measured). Opens nothing, so that no FIFO can hold it.
 */
export async function scanLogs(scan: LogScan, files: FileOperations): Promise<LogScanResult> {
  if (scan.names.undecided) await decideStream(scan, files)
  const found = new Found()
  for await (const chunk of files.walkDirectory(scan.directory)) await takeChunk(scan, files, { chunk, found })
  return found.result()
}

/** Of several timelines the newest is the one that grows; the directory's own order must not choose. */
async function decideStream(scan: LogScan, files: FileOperations): Promise<void> {
  let newest = ''
  for await (const chunk of files.walkDirectory(scan.directory)) {
    for (const { name } of chunk) {
      const stream = scan.names.parse(name)?.stream ?? ''
      if (stream > newest) newest = stream
    }
  }
  if (newest !== '') scan.names.decide(newest)
}

/** Why a file is no closed log, or null when it is one. */
export function foreignReason(facts: FileFacts, expectedSizeBytes?: number): ForeignReason | null {
  if (facts.kind !== 'regular') return 'not a regular file'
  if (facts.names > 1) return 'more than one name (hard link)'
  if (facts.sizeBytes === 0) return 'empty'
  return expectedSizeBytes !== undefined && facts.sizeBytes !== expectedSizeBytes ? 'wrong size' : null
}

/** Whether a file may yet become a log by itself: it is still being written, linked or copied. */
export function mayBecomeReady(reason: ForeignReason): boolean {
  return reason === 'empty' || reason === 'wrong size' || reason === 'more than one name (hard link)'
}

interface Named {
  readonly name: string
  readonly parsed: ParsedLogName
}

async function takeChunk(
  scan: LogScan,
  files: FileOperations,
  work: { readonly chunk: readonly DirectoryEntry[]; readonly found: Found },
): Promise<void> {
  const toExamine: Named[] = []
  for (const { name, kind } of work.chunk) {
    const parsed = scan.names.parse(name)
    if (parsed === null) {
      if (!scan.names.isCompanion(name) && scan.expected?.has(name) !== true) work.found.foreign(name, 'not a log name')
      continue
    }
    if (kind !== 'regular' && kind !== 'unknown') work.found.foreign(name, 'not a regular file')
    else if (kind === 'unknown' || scan.examine(parsed.generation)) toExamine.push({ name, parsed })
    else take(scan, work.found, { name, parsed })
  }
  const examined = await examineAll(scan, files, { toExamine, found: work.found })
  if (examined.length > 0) scan.onExamined?.(examined)
}

function take(scan: LogScan, found: Found, log: Named): boolean {
  const refused = scan.names.accept(log.name, log.parsed)
  if (refused === null) found.log(log.parsed.generation)
  else found.foreign(log.name, refused)
  return refused === null
}

async function examineAll(
  scan: LogScan,
  files: FileOperations,
  work: { readonly toExamine: readonly Named[]; readonly found: Found },
): Promise<readonly ClosedLog[]> {
  const sound: ClosedLog[] = []
  for (let at = 0; at < work.toExamine.length; at += LOOK_UPS_IN_FLIGHT) {
    const group = work.toExamine.slice(at, at + LOOK_UPS_IN_FLIGHT)
    const facts = await Promise.all(group.map((log) => files.lookUp(pathIn(scan.directory, log.name))))
    for (const [index, log] of group.entries()) {
      const ofLog = facts[index] ?? null
      if (ofLog === null) continue // gone since the directory was read
      const reason = foreignReason(ofLog, scan.expectedSizeBytes)
      if (reason !== null) work.found.foreign(log.name, reason)
      else if (take(scan, work.found, log))
        sound.push({ generation: log.parsed.generation, name: log.name, facts: ofLog })
    }
  }
  return sound
}

/** Collects what a scan meets; sorted at the end, because a directory has no order. */
class Found {
  #generations = new Float64Array(1024)
  #count = 0
  #foreign: ForeignFile[] = []
  #foreignTotal = 0
  readonly #unready: string[] = []

  log(generation: Generation): void {
    if (this.#count === this.#generations.length) {
      const larger = new Float64Array(this.#count * 2)
      larger.set(this.#generations)
      this.#generations = larger
    }
    this.#generations[this.#count++] = generation
  }

  foreign(name: string, reason: ForeignReason): void {
    this.#foreignTotal++
    if (mayBecomeReady(reason) && this.#unready.length < UNREADY_MAX) this.#unready.push(name)
    if (this.#foreign.length < FOREIGN_LISTED_MAX) this.#foreign.push({ name, reason })
  }

  result(): LogScanResult {
    const listed = this.#foreign.sort((a, b) => (a.name < b.name ? -1 : 1))
    const present = GenerationSet.of(this.#generations.subarray(0, this.#count))
    return { present, foreign: { listed, total: this.#foreignTotal }, unready: this.#unready }
  }
}
