// Goal: no crash makes the copy lose what it acknowledged or count what is not whole (I2, I3, I11, I22), at any operation.
// Method: the real code over the modelled disk, a crash at each of its steps, power cuts of every kind; planted mistakes must be caught.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ReplicationError } from '../../engine/error.ts'
import type { FileOperations, OpenFile } from '../../storage/file-operations.ts'
import type { Choose, NamePolicy } from './crash-disk.ts'
import type { InjectedFault } from './crash-disk-operations.ts'
import {
  judgeAfterKill,
  judgeAfterPowerCut,
  PLAIN_SCRIPT,
  runCopier,
  type Script,
  type Variant,
} from './publish-world.ts'

const POLICIES: readonly NamePolicy[] = ['ordered prefix', 'any subset']

/** The mildest disk, the one that drops all, and some in between (a fixed arithmetic sequence each). */
const CHOOSERS: readonly (() => Choose)[] = [
  () => () => 0,
  () => (bound) => bound - 1,
  ...[1, 2, 3, 4].map((seed) => () => sequence(seed)),
]

function sequence(seed: number): Choose {
  let state = seed
  return (bound) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
    return (state >> 8) % bound
  }
}

/** Every crash point of a script under every policy and chooser: the broken rules, each with where it was found. */
async function sweep(script: Script, variant?: Variant): Promise<readonly string[]> {
  const found: string[] = []
  const { steps } = await runCopier(script, variant)
  for (let crashAt = 1; crashAt <= steps + 1; crashAt++) {
    const run = await runCopier({ ...script, crashAt }, variant)
    for (const policy of POLICIES) {
      for (const make of CHOOSERS) {
        const broken = await judgeAfterPowerCut(run, script, { policy, choose: make() })
        found.push(...broken.map((rule) => `${rule} (crash at step ${crashAt}, ${policy})`))
      }
    }
  }
  return found
}

const DUPLICATES: readonly Script[] = [4, 8, 12, 16, 20].map((turns) => ({
  ...PLAIN_SCRIPT,
  logs: 3,
  duplicateAfter: turns,
}))

/** Somewhere among the first twenty syncs of a directory are those of the first batches. */
const FAILED_DIRECTORY_SYNCS: readonly Script[] = Array.from({ length: 20 }, (_, index) => ({
  ...PLAIN_SCRIPT,
  logs: 3,
  faults: [{ operation: 'sync directory', at: index + 1, errno: 'EIO' }],
}))

const ABORTED_SYNC: readonly InjectedFault[] = [{ operation: 'datasync', at: 4, errno: 'EIO' }]

describe('a copy over a disk that loses power', () => {
  it.each<[string, Partial<Script>]>([
    ['through the page cache', {}],
    ['with direct I/O', { memory: 'page-aligned' }],
    ['where direct I/O is refused', { memory: 'page-aligned', refusesDirect: true }],
    ['with every log delivered twice', { duplicateAfter: 12, logs: 3 }],
    ['with logs that contradict published ones', { contradicted: true, logs: 3 }],
    ['with a truncation', { truncateBelow: 4 }],
    ['with a failing sync of a file', { faults: ABORTED_SYNC }],
    ['with a failing sync of a directory', { faults: [{ operation: 'sync directory', at: 10, errno: 'EIO' }] }],
    ['with a full disk', { faults: [{ operation: 'write', at: 3, errno: 'ENOSPC' }] }],
  ])('keeps what it acknowledged, wherever the power goes: %s', async (_case, variation) => {
    expect(await sweep({ ...PLAIN_SCRIPT, ...variation })).toEqual([])
  })

  it('keeps what it acknowledged under any mix of sizes, faults, crashes and cuts', async () => {
    const fault = fc.record({
      operation: fc.constantFrom<InjectedFault['operation']>(
        'create',
        'write',
        'datasync',
        'close',
        'link',
        'unlink',
        'rename',
        'sync directory',
        'read',
        'look up',
      ),
      at: fc.integer({ min: 1, max: 25 }),
      errno: fc.constantFrom('EIO', 'ENOSPC', 'EBUSY', 'EACCES'),
    })
    const script = fc.record({
      logs: fc.integer({ min: 1, max: 6 }),
      logsPerBatch: fc.integer({ min: 1, max: 4 }),
      memory: fc.constantFrom<Script['memory']>('any', 'page-aligned'),
      duplicateAfter: fc.option(fc.nat({ max: 60 })),
      contradicted: fc.boolean(),
      truncateBelow: fc.integer({ min: 0, max: 6 }),
      faults: fc.array(fault, { maxLength: 3 }),
      crashAt: fc.integer({ min: 1, max: 120 }),
    })
    const choices = fc.array(fc.nat({ max: 1000 }), { maxLength: 200 })
    await fc.assert(
      fc.asyncProperty(
        script,
        fc.constantFrom(...POLICIES),
        choices,
        fc.boolean(),
        async (plan, policy, list, kill) => {
          // Nothing can tell the next start of a failed sync of a directory when a kill comes before its names are taken back.
          // Real file systems stop their journal then, and the next start's sync fails too; the model would answer success.
          fc.pre(!kill || plan.faults.every(({ operation }) => operation !== 'sync directory'))
          let at = 0
          const choose: Choose = (bound) => (list[at++] ?? 0) % bound
          const run = await runCopier(plan)
          const judge = kill ? judgeAfterKill : judgeAfterPowerCut
          expect(await judge(run, plan, { policy, choose })).toEqual([])
        },
      ),
      { numRuns: 1500 },
    )
  })

  it('keeps what it acknowledged whichever sync of a directory fails', async () => {
    for (const script of FAILED_DIRECTORY_SYNCS) expect(await sweep(script)).toEqual([])
  })

  it('acknowledges everything when nothing fails', async () => {
    const run = await runCopier(PLAIN_SCRIPT)

    expect(run.acknowledged).toBe(PLAIN_SCRIPT.logs)
  })

  it('reports after a kill only what survives a power cut right then', async () => {
    const { steps } = await runCopier(PLAIN_SCRIPT)
    for (let crashAt = 1; crashAt <= steps; crashAt++) {
      for (const make of CHOOSERS) {
        const run = await runCopier({ ...PLAIN_SCRIPT, crashAt })
        expect(await judgeAfterKill(run, PLAIN_SCRIPT, { policy: 'any subset', choose: make() })).toEqual([])
      }
    }
  })
})

describe('the oracle catches', () => {
  const SYNCED_DIRECT: Script = { ...PLAIN_SCRIPT, memory: 'page-aligned' }

  it.each<[string, readonly Script[], Variant]>([
    ['a file that is never synced', [PLAIN_SCRIPT], withoutDatasync],
    ['a direct write that is not synchronous', [SYNCED_DIRECT], withoutDatasync],
    [
      'a directory that is never synced',
      [PLAIN_SCRIPT],
      (files) => ({ ...files, syncDirectory: async () => undefined }),
    ],
    ['a temporary name that two attempts share', DUPLICATES, withSharedNames],
    ['a failed sync of a file that is tried again', [{ ...PLAIN_SCRIPT, faults: ABORTED_SYNC }], withSecondDatasync],
    ['a failed sync of a directory that is tried again', FAILED_DIRECTORY_SYNCS, withSecondDirectorySync],
    ['a rename over a published log', [{ ...PLAIN_SCRIPT, contradicted: true }], withRenameOver],
  ])('%s', async (_mistake, scripts, variant) => {
    let caught = 0
    for (const script of scripts) caught += (await sweep(script, variant)).length

    expect(caught).toBeGreaterThan(0)
  })
})

function withSecondDatasync(files: FileOperations): FileOperations {
  const datasync: FileOperations['datasync'] = (file) =>
    files.datasync(file).catch((error) => again(error, () => files.datasync(file)))
  return { ...files, datasync }
}

function withSecondDirectorySync(files: FileOperations): FileOperations {
  const syncDirectory: FileOperations['syncDirectory'] = (path) =>
    files.syncDirectory(path).catch((error) => again(error, () => files.syncDirectory(path)))
  return { ...files, syncDirectory }
}

function withRenameOver(files: FileOperations): FileOperations {
  return {
    ...files,
    link: (from, to) => files.rename(from, to),
    unlink: (path) => files.unlink(path).catch((error) => again(error, async () => undefined)),
  }
}

function withoutDatasync(files: FileOperations): FileOperations {
  return {
    ...files,
    open: (path, mode) => files.open(path, mode === 'create-direct-synchronous' ? 'create-direct' : mode),
    datasync: async () => undefined,
  }
}

/** One temporary name per log, opened whether or not it is there. */
function withSharedNames(files: FileOperations): FileOperations {
  const shared = (path: string): string => path.replace(/\.a\d+\.tmp$/, '.tmp')
  const open = (path: string, mode: Parameters<FileOperations['open']>[1]): Promise<OpenFile> =>
    files.open(shared(path), mode).catch((error) => again(error, () => files.open(shared(path), 'extend')))
  return {
    ...files,
    open,
    link: (from, to) => files.link(shared(from), to),
    unlink: (path) => files.unlink(shared(path)).catch((error) => again(error, async () => undefined)),
  }
}

/** What careless code does with an error of the disk; a dead process stays dead. */
async function again<T>(error: unknown, action: () => Promise<T>): Promise<T> {
  if (!(error instanceof ReplicationError)) throw error
  return action()
}
