// Goal: many logs are deleted as one by one, whoever makes the calls; the watch looks at none of them, and misses nothing else.
// Method: each way over a directory of the same content; the real watch with every look-up counted, and one that tells nothing.
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { asGeneration } from '../../engine/generation.ts'
import { eseLogName, type LogFormat } from '../../engine/log-format.ts'
import { type Deletion, type DeletionOutcome, deleteAscending } from '../../storage/ascending-deletion.ts'
import type { FileOperations } from '../../storage/file-operations.ts'
import { type LogDirectory, type LogDirectoryOptions, watchLogDirectory } from '../../storage/log-directory.ts'
import { logNamesOf } from '../../storage/log-names.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import { removeInOrder } from '../../storage/ordered-removal.ts'
import { type RemovalThread, removalThread } from '../../workers/removal-thread.ts'

const ESE: LogFormat = { kind: 'ese', baseName: 'E00' }
/** More than go one by one. */
const MANY = 300
const oneByOne = nodeFileOperations({ shortCalls: 'pooled' })
const together: FileOperations = {
  ...oneByOne,
  unlinkInOrder: async (removal) => removeInOrder(removal),
}
const nameOf = (generation: number): string => eseLogName('E00', asGeneration(generation))
const allOf = { first: asGeneration(1), last: asGeneration(MANY) }

let base: string

beforeEach(() => {
  base = fs.mkdtempSync(join(tmpdir(), 'ccr-deletion-'))
})
afterEach(() => fs.rmSync(base, { recursive: true }))

function makeLogs(directory: string, but: (generation: number) => boolean = () => false): string {
  const path = join(base, directory)
  fs.mkdirSync(path)
  for (let generation = 1; generation <= MANY; generation++)
    if (!but(generation)) fs.writeFileSync(join(path, nameOf(generation)), 'log')
  return path
}

/** Everything that was told of single names and generations, in order. */
interface Told {
  readonly outcome: DeletionOutcome
  readonly gone: readonly number[]
  readonly expected: ReadonlySet<string>
}

async function deleteIn(directory: string, files: FileOperations, signal?: AbortSignal): Promise<Told> {
  const gone: number[] = []
  const expected = new Set<string>()
  const deletion = {
    ...{ directory, names: logNamesOf(ESE), ranges: [allOf] },
    onGone: (generation: number) => gone.push(generation),
    listener: { expect: (name: string) => expected.add(name), withdraw: (name: string) => expected.delete(name) },
  }
  const outcome = await deleteAscending(signal === undefined ? deletion : { ...deletion, signal }, files)
  return { outcome, gone, expected }
}

describe('many logs at once', () => {
  it('are deleted as one by one: what is missing counts, and only what was removed is expected of the watch', async () => {
    const isMissing = (generation: number): boolean => generation % 7 === 0
    const one = await deleteIn(makeLogs('one', isMissing), oneByOne)
    const many = await deleteIn(makeLogs('many', isMissing), together)

    expect(many).toEqual(one)
    expect(many.outcome).toMatchObject({ deleted: 258, missing: 42, through: MANY, failure: null, aborted: false })
    expect(many.expected.size).toBe(258)
    expect(fs.readdirSync(join(base, 'many'))).toEqual([])
  })

  it('stop at the first real error as one by one, and leave one stream', async () => {
    const told: Told[] = []
    for (const [name, files] of Object.entries({ oneByOne, together })) {
      const path = makeLogs(name, (generation) => generation === 270)
      fs.mkdirSync(join(path, nameOf(270)))
      told.push(await deleteIn(path, files))
      expect(fs.readdirSync(path).sort()[0]).toBe(nameOf(270))
    }

    const [one, many] = told
    expect(many?.gone).toEqual(one?.gone)
    expect(many?.outcome).toMatchObject({ deleted: 269, through: 269, aborted: false })
    expect(many?.outcome.failure?.code).toBe(one?.outcome.failure?.code)
    expect(many?.outcome.failure?.fields['errno']).toBe(one?.outcome.failure?.fields['errno'])
    // One by one nothing beyond was begun; together everything beyond is withdrawn.
    expect(many?.expected).toEqual(one?.expected)
  })

  it('that are aborted in the middle leave one stream, and say how far they came', async () => {
    const path = makeLogs('logs')
    const stop = new AbortController()
    const files: FileOperations = {
      ...oneByOne,
      unlinkInOrder: async (removal) => {
        const progress = removeInOrder({ ...removal, files: removal.files.slice(0, 100) })
        stop.abort()
        return progress
      },
    }

    const { outcome } = await deleteIn(path, files, stop.signal)

    expect(outcome).toMatchObject({ deleted: 100, through: 100, failure: null, aborted: true })
    expect(fs.readdirSync(path).sort()[0]).toBe(nameOf(101))
    expect(fs.readdirSync(path)).toHaveLength(200)
  })
})

describe('more logs than are handed over at once', () => {
  const COUNT = 7_000
  const ranges = [{ first: asGeneration(1), last: asGeneration(COUNT) }]
  let path: string
  let expected: Set<string>
  let thread: RemovalThread

  beforeEach(() => {
    path = join(base, 'logs')
    fs.mkdirSync(path)
    // Many names of one file are made faster than many files.
    fs.writeFileSync(join(base, 'one'), '')
    for (let generation = 1; generation <= COUNT; generation++)
      fs.linkSync(join(base, 'one'), join(path, nameOf(generation)))
    expected = new Set()
    thread = removalThread()
  })
  afterEach(() => thread.close())

  const deleteAll = (more: Partial<Deletion> = {}): Promise<DeletionOutcome> =>
    deleteAscending(
      {
        ...{ directory: path, names: logNamesOf(ESE), ranges },
        listener: { expect: (name) => expected.add(name), withdraw: (name) => expected.delete(name) },
        ...more,
      },
      { ...oneByOne, unlinkInOrder: thread.unlinkInOrder },
    )

  it('go in their order', async () => {
    const gone: number[] = []
    const outcome = await deleteAll({ onGone: (generation) => gone.push(generation) })

    expect(outcome).toMatchObject({ deleted: COUNT, missing: 0, through: COUNT, failure: null, aborted: false })
    expect(gone).toEqual(Array.from({ length: COUNT }, (_, index) => index + 1))
    expect(fs.readdirSync(path)).toEqual([])
  })

  it.each([1, 2_000, 2_048, 2_049, 6_999])(
    'stop at a real error in log %i, whatever was handed over behind it',
    async (bad) => {
      fs.unlinkSync(join(path, nameOf(bad)))
      fs.mkdirSync(join(path, nameOf(bad)))

      const outcome = await deleteAll()

      expect(outcome).toMatchObject({ deleted: bad - 1, aborted: false, failure: { code: 'FILE_NOT_REGULAR' } })
      expect(fs.readdirSync(path)).toHaveLength(COUNT - bad + 1)
      expect(expected.size).toBe(bad - 1)
    },
  )

  it('stop when they are aborted, and leave one stream', async () => {
    const stop = new AbortController()
    const outcome = await deleteAll({
      signal: stop.signal,
      onGone: (generation) => {
        if (generation === 2_048) stop.abort()
      },
    })

    const left = fs.readdirSync(path)
    expect(outcome).toMatchObject({ failure: null, aborted: true, deleted: COUNT - left.length })
    expect(left.length).toBeGreaterThan(0)
    expect(left.sort()[0]).toBe(nameOf(outcome.deleted + 1))
    expect(expected.size).toBe(outcome.deleted)
  })
})

describe('the watch of a directory that is truncated', () => {
  let open: LogDirectory | null
  let lookedUp: string[]
  let scans: number

  beforeEach(() => {
    open = null
    lookedUp = []
    scans = 0
  })
  afterEach(async () => open?.close())

  /** Resolves when the directory was read for the first time; `onChange` is called at each callback from then on. */
  async function watched(path: string, more: Partial<LogDirectoryOptions> & { onChange?: () => void }) {
    const files: FileOperations = {
      ...together,
      lookUp: (looked) => {
        lookedUp.push(looked)
        return oneByOne.lookUp(looked)
      },
    }
    const { onChange = () => undefined, ...options } = more
    let scanned = (): void => undefined
    const first = new Promise<void>((resolve) => {
      scanned = resolve
    })
    const directory = watchLogDirectory({
      ...{ path, format: ESE, files, onClosed: onChange, onProblem: () => undefined },
      onScan: () => {
        scans++
        scanned()
        onChange()
      },
      ...options,
    })
    open = directory
    await first
    lookedUp = []
    return directory
  }

  const looksAtLogs = (): readonly string[] => lookedUp.filter((path) => path.endsWith('.log'))

  it('looks at no log that goes, reads nothing anew, and sees one that comes back under a name that went', async () => {
    const path = makeLogs('logs')
    let changed = (): void => undefined
    const cameBack = new Promise<void>((resolve) => {
      changed = resolve
    })
    const directory = await watched(path, { onClosed: () => changed() })

    const outcome = await directory.truncate({ first: asGeneration(1), last: asGeneration(MANY - 1) })
    const looks = looksAtLogs()
    fs.writeFileSync(join(base, 'aside'), 'log')
    fs.renameSync(join(base, 'aside'), join(path, nameOf(5)))
    await cameBack

    expect(outcome).toMatchObject({ deleted: MANY - 1, failure: null })
    expect(looks).toEqual([])
    expect(scans).toBe(1)
    expect(directory.scan()).toMatchObject({ lowest: 5, count: 2 })
  })

  it('whose events do not come reads the directory anew, and forgets what it expected', async () => {
    const path = makeLogs('logs')
    let again = (): void => undefined
    const readAgain = new Promise<void>((resolve) => {
      again = resolve
    })
    const directory = await watched(path, {
      watch: () => ({ close: () => undefined }),
      onChange: () => {
        if (scans === 2) again()
      },
    })

    await directory.truncate({ first: asGeneration(1), last: asGeneration(MANY - 1) })
    await readAgain

    expect(directory.scan()).toMatchObject({ lowest: MANY, count: 1 })
  })
})
