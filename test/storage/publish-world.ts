// A copier of one storage group over the crash-consistent disk, and the oracle that judges what is left after a crash.
import { ReplicationError } from '../../engine/error.ts'
import { asGeneration } from '../../engine/generation.ts'
import { eseLogName } from '../../engine/log-format.ts'
import type { CopyScan } from '../../storage/copy-scan.ts'
import { type CopyStore, openCopyStore } from '../../storage/copy-store.ts'
import { type Arrivals, arrivalsIn } from '../../storage/durable-file.ts'
import { asReplicationError } from '../../storage/file-error.ts'
import { type FileOperations, wholeOf } from '../../storage/file-operations.ts'
import { type Choose, CrashDisk, type DirectoryNode, FileNode, type NamePolicy } from './crash-disk.ts'
import { Crashed, operationsOver, type RunPlan } from './crash-disk-operations.ts'

/** What the copier is given to do. */
export interface Script extends RunPlan {
  readonly logs: number
  readonly logsPerBatch: number
  /** Of the page cache (1,300 bytes, three sectors and a tail) or past it (4,096 bytes in one synchronous write). */
  readonly memory: 'page-aligned' | 'any'
  /**
   * Every log arrives twice, as when an answer was lost and the request repeated: so many turns of the event queue after
   * the first; null for once only.
   */
  readonly duplicateAfter: number | null
  /** After each batch its first log comes again with other content. */
  readonly contradicted: boolean
  /** Below which generation the copy is truncated at the end; 0 for not at all. */
  readonly truncateBelow: number
}

/** A script to vary. */
export const PLAIN_SCRIPT: Script = {
  logs: 5,
  logsPerBatch: 2,
  memory: 'any',
  duplicateAfter: null,
  contradicted: false,
  truncateBelow: 0,
}

/** A change to the file operations: the identity, or a mistake planted on purpose. */
export type Variant = (files: FileOperations) => FileOperations

/** How a run ended. */
export interface Run {
  readonly disk: CrashDisk
  /** The highest generation that was acknowledged. */
  readonly acknowledged: number
  /** Logs below this may be gone. */
  readonly truncatedBelow: number
  /** Calls that changed or synced something: where a crash can be put. */
  readonly steps: number
  /** Rules that were seen broken while it ran. */
  readonly violations: readonly string[]
}

const FORMAT = { kind: 'ese', baseName: 'E00' } as const
const ROOT = '/data/SG1'
/** More restarts than any plan has faults: a run that needs more does not end by itself. */
const RESTARTS_MAX = 8

/** The bytes of a log; `version` 1 contradicts the true version 0. */
function bytesOf(generation: number, script: Script, version = 0): Uint8Array {
  const length = script.memory === 'any' ? 1300 : 4096
  return new Uint8Array(length).map((_, index) => (generation * 31 + index + version * 7) % 251)
}

/** Runs the script to its end or to its crash. */
export async function runCopier(script: Script, variant: Variant = (files) => files): Promise<Run> {
  const copier = new Copier(new CrashDisk(), script, variant)
  return copier.run()
}

/** Cuts the power, starts anew on what is left, and answers every broken rule; nothing when all hold. */
export async function judgeAfterPowerCut(
  run: Run,
  script: Script,
  cut: { readonly policy: NamePolicy; readonly choose: Choose },
): Promise<readonly string[]> {
  const survivor = run.disk.afterPowerCut(cut.policy, cut.choose)
  return [...run.violations, ...(await judge(survivor, script, run))]
}

/** Kills the process alone, starts anew, takes what the start reports for acknowledged, and only then cuts the power. */
export async function judgeAfterKill(
  run: Run,
  script: Script,
  cut: { readonly policy: NamePolicy; readonly choose: Choose },
): Promise<readonly string[]> {
  if (run.acknowledged === 0 && run.disk.find(ROOT) === null) return run.violations
  const scan = await (await openStore(operationsOver(run.disk))).scan()
  const reported = Math.max(run.acknowledged, scan.run?.last ?? 0)
  return judgeAfterPowerCut({ ...run, acknowledged: reported }, script, cut)
}

class Copier {
  readonly #disk: CrashDisk
  readonly #script: Script
  readonly #model: ReturnType<typeof operationsOver>
  readonly #files: FileOperations
  readonly #violations: string[] = []
  #acknowledged = 0
  #truncatedBelow = 0
  #attempts = 0

  constructor(disk: CrashDisk, script: Script, variant: Variant) {
    this.#disk = disk
    this.#script = script
    this.#model = operationsOver(disk, script)
    this.#files = variant(this.#model)
  }

  async run(): Promise<Run> {
    try {
      for (let starts = 0; starts < RESTARTS_MAX && !(await this.#live()); starts++);
    } catch (error) {
      if (!(error instanceof Crashed)) throw error
    }
    return {
      disk: this.#disk,
      acknowledged: this.#acknowledged,
      truncatedBelow: this.#truncatedBelow,
      steps: this.#model.steps(),
      violations: this.#violations,
    }
  }

  /** From a start to the end of the script, or to an error of the disk. Answers whether the script is done. */
  async #live(): Promise<boolean> {
    try {
      const store = await openStore(this.#files)
      const arrivals = arrivalsIn(store.paths.inspector, this.#files)
      let next = ((await store.scan()).run?.last ?? 0) + 1
      while (next <= this.#script.logs) next = await this.#copyBatch(store, arrivals, next)
      if (this.#script.truncateBelow > 0) await this.#truncate(store)
      return true
    } catch (error) {
      if (error instanceof ReplicationError) return false
      throw error
    }
  }

  async #copyBatch(store: CopyStore<never>, arrivals: Arrivals, first: number): Promise<number> {
    const { logs, logsPerBatch, duplicateAfter, contradicted } = this.#script
    const last = Math.min(logs, first + logsPerBatch - 1)
    const generations = Array.from({ length: last - first + 1 }, (_, index) => first + index)
    const deliver = async (turns: number): Promise<ReplicationError | null> => {
      for (let turn = 0; turn < turns; turn++) await null
      const outcome = await store.publish(await allEnded(generations.map((g) => this.#arrive(arrivals, g))))
      this.#acknowledged = Math.max(this.#acknowledged, first + outcome.durable - 1)
      return outcome.failure
    }
    const failures = await allEnded((duplicateAfter === null ? [0] : [0, duplicateAfter]).map(deliver))
    for (const failure of failures) if (failure !== null) throw failure
    if (contradicted) await this.#contradict(store, arrivals, first)
    return last + 1
  }

  async #contradict(store: CopyStore<never>, arrivals: Arrivals, generation: number): Promise<void> {
    const outcome = await store.publish([await this.#arrive(arrivals, generation, 1)])
    if (outcome.durable > 0) this.#violations.push(`I11: generation ${generation} was published with other content`)
    if (outcome.failure !== null && outcome.failure.code !== 'FILE_EXISTS') throw outcome.failure
  }

  async #truncate(store: CopyStore<never>): Promise<void> {
    // From the order on any of them may be gone, whatever the outcome.
    this.#truncatedBelow = this.#script.truncateBelow
    const outcome = await store.truncateBelow(asGeneration(this.#script.truncateBelow))
    if (outcome.failure !== null) throw outcome.failure
  }

  async #arrive(arrivals: Arrivals, generation: number, version = 0) {
    const bytes = bytesOf(generation, this.#script, version)
    const name = eseLogName('E00', asGeneration(generation))
    const attemptId = `a${this.#attempts++}`
    const log = { name, attemptId, lengthBytes: bytes.length, memory: this.#script.memory }
    for (;;) {
      try {
        return { temporaryPath: await arrivals.write(log, wholeOf(bytes)), finalName: name }
      } catch (error) {
        if (!(error instanceof ReplicationError) || this.#attempts > 50) throw error
        log.attemptId = `a${this.#attempts++}`
      }
    }
  }
}

/** All answers, or the first error, once nothing is under way any more. */
async function allEnded<T>(work: readonly Promise<T>[]): Promise<readonly T[]> {
  await Promise.allSettled(work)
  return Promise.all(work)
}

let ids = 0

function openStore(files: FileOperations): Promise<CopyStore<never>> {
  return openCopyStore<never>({
    root: ROOT,
    format: FORMAT,
    files,
    newId: () => (ids++).toString(16).padStart(32, '0'),
    identityOf: () => null,
    sameContent: async (a, b) => {
      const [left, right] = [await contentOf(files, a), await contentOf(files, b)]
      return left.equals(right)
    },
  })
}

async function contentOf(files: FileOperations, path: string): Promise<Buffer> {
  const file = await files.open(path, 'read')
  const bytes = Buffer.alloc(8192)
  const length = await files.read(file, wholeOf(bytes), 0)
  await files.close(file)
  return bytes.subarray(0, length)
}

async function scanOrRefusal(disk: CrashDisk): Promise<CopyScan<never> | ReplicationError> {
  try {
    return await (await openStore(operationsOver(disk))).scan()
  } catch (error) {
    return asReplicationError(error)
  }
}

async function judge(disk: CrashDisk, script: Script, run: Run): Promise<readonly string[]> {
  const violations: string[] = []
  if (disk.find(ROOT) === null) return run.acknowledged > 0 ? ['I3: the whole store is gone'] : []
  const scan = await scanOrRefusal(disk)
  // A start may be refused after a failed sync and a kill while the store was being made; never once it holds something.
  if (scan instanceof ReplicationError) return run.acknowledged > 0 ? [`I3: the start is refused: ${scan.message}`] : []
  const logs = disk.find(`${ROOT}/logs`)
  for (let generation = 1; generation <= script.logs; generation++) {
    const node = (logs as DirectoryNode | null)?.entries.get(eseLogName('E00', asGeneration(generation))) // scan has opened it
    const whole = node instanceof FileNode && node.content.equals(bytesOf(generation, script))
    if (node !== undefined && !whole)
      violations.push(`I2: generation ${generation} lies under its name and is not whole`)
    const owed = generation <= run.acknowledged && generation >= run.truncatedBelow
    if (owed && !whole) violations.push(`I3: generation ${generation} was acknowledged and is lost`)
    const inRun = scan.run !== null && generation >= scan.run.first && generation <= scan.run.last
    if (owed && !inRun) violations.push(`I3: generation ${generation} was acknowledged and the start does not count it`)
    if (inRun && !whole) violations.push(`I2: generation ${generation} is counted as inspected and is not whole`)
  }
  return violations
}
