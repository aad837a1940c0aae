// Goal: every closed log is found, in order and once, whatever the events tell; nothing else is taken for one; nothing blocks.
// Method: real directories and the real watch where events matter, a watch driven by hand where their loss does. Waits end at a callback.
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ReplicationError } from '../../engine/error.ts'
import { asGeneration } from '../../engine/generation.ts'
import { eseLogName, type LogFormat } from '../../engine/log-format.ts'
import { type DirectoryScan, scanLogDirectory } from '../../storage/directory-contents.ts'
import { type HintListener, type WatchDirectory, watchDirectory } from '../../storage/directory-hints.ts'
import { type LogDirectory, type LogDirectoryOptions, watchLogDirectory } from '../../storage/log-directory.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'

const ESE: LogFormat = { kind: 'ese', baseName: 'E00' }
const files = nodeFileOperations({ shortCalls: 'pooled' })
const nameOf = (generation: number): string => eseLogName('E00', asGeneration(generation))

/** A directory under watch and everything that its callbacks told. */
class Observed {
  readonly closed: number[] = []
  readonly problems: (ReplicationError | null)[] = []
  readonly scans: DirectoryScan[] = []
  gone = 0
  readonly directory: LogDirectory
  #waiting: { readonly until: () => boolean; readonly resolve: () => void }[] = []

  constructor(path: string, more: Partial<LogDirectoryOptions> = {}) {
    const told = (record: () => void): void => {
      record()
      this.#waiting = this.#waiting.filter(({ until, resolve }) => !until() || resolve())
    }
    this.directory = watchLogDirectory({
      path,
      format: ESE,
      files,
      onClosed: (logs) => told(() => this.closed.push(...logs.map(({ generation }) => generation))),
      onScan: (scan) => told(() => this.scans.push(scan)),
      onProblem: (problem) => told(() => this.problems.push(problem)),
      onGone: (count) => told(() => (this.gone += count)),
      ...more,
    })
  }

  /** Resolves at the callback after which the condition holds. */
  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push({ until: condition, resolve }))
  }
}

describe('a watched log directory', () => {
  let base: string
  let path: string
  let open: Observed[]

  beforeEach(() => {
    base = fs.mkdtempSync(join(tmpdir(), 'ccr-logs-'))
    path = join(base, 'logs')
    fs.mkdirSync(path)
    open = []
  })
  afterEach(async () => {
    for (const { directory } of open) await directory.close()
    fs.rmSync(base, { recursive: true })
  })

  async function observe(more: Partial<LogDirectoryOptions> = {}): Promise<Observed> {
    const observed = new Observed(path, more)
    open.push(observed)
    await observed.until(() => observed.scans.length + observed.problems.length > 0)
    return observed
  }

  /** Closes a log as a store does: written aside, renamed into place. */
  function close(name: string, text = 'log'): void {
    fs.writeFileSync(join(base, 'aside'), text)
    fs.renameSync(join(base, 'aside'), join(path, name))
  }

  const range = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i)

  it('tells what is there at the start as a scan, and each log that is closed from then on', async () => {
    for (const generation of [3, 4, 5]) close(nameOf(generation))
    const observed = await observe()

    close(nameOf(6))
    await observed.until(() => observed.closed.length === 1)

    expect(observed.scans[0]).toMatchObject({ lowest: 3, closedThrough: 5, highest: 5, count: 3, gaps: [] })
    expect(observed.closed).toEqual([6])
    expect(observed.directory.scan()).toMatchObject({ highest: 6, newest: { name: nameOf(6) } })
  })

  it('takes logs that appear out of order and tells the gap as long as there is one', async () => {
    const observed = await observe()

    for (const generation of [1, 4, 3]) close(nameOf(generation))
    await observed.until(() => observed.closed.length === 3)
    const withGap = observed.directory.scan()
    close(nameOf(2))
    await observed.until(() => observed.closed.length === 4)

    expect(withGap).toMatchObject({ closedThrough: 1, highest: 4, gaps: [{ first: 2, last: 2 }] })
    expect(observed.directory.scan()).toMatchObject({ closedThrough: 4, gaps: [] })
  })

  it('ignores the open log while it is written, and takes it when it is closed by rename', async () => {
    const observed = await observe()
    const writer = fs.openSync(join(path, 'E00.log'), 'w')
    for (let piece = 0; piece < 100; piece++) fs.writeSync(writer, 'piece')
    fs.closeSync(writer)

    fs.renameSync(join(path, 'E00.log'), join(path, nameOf(1)))
    await observed.until(() => observed.closed.length === 1)

    expect(observed.closed).toEqual([1])
    expect(observed.directory.scan().foreign.total).toBe(0)
  })

  it('lists what is no closed log with the reason, opens none of it, and still finds the logs', async () => {
    execFileSync('mkfifo', [join(path, nameOf(1))])
    fs.symlinkSync('/etc/hostname', join(path, nameOf(2)))
    fs.mkdirSync(join(path, nameOf(3)))
    fs.writeFileSync(join(path, nameOf(4)), '')
    fs.writeFileSync(join(path, nameOf(5)), 'short')
    fs.writeFileSync(join(path, 'notes.txt'), 'note')
    close(nameOf(6), 'exact')
    fs.linkSync(join(path, nameOf(6)), join(path, nameOf(7)))
    close(nameOf(8), 'eight chars')

    const observed = await observe({ expectedSizeBytes: 11 })

    expect(observed.scans[0]).toMatchObject({ count: 1, lowest: 8, highest: 8 })
    expect(observed.scans[0]?.foreign).toEqual({
      total: 8,
      listed: [
        { name: nameOf(1), reason: 'not a regular file' },
        { name: nameOf(2), reason: 'not a regular file' },
        { name: nameOf(3), reason: 'not a regular file' },
        { name: nameOf(4), reason: 'empty' },
        { name: nameOf(5), reason: 'wrong size' },
        { name: nameOf(6), reason: 'more than one name (hard link)' },
        { name: nameOf(7), reason: 'more than one name (hard link)' },
        { name: 'notes.txt', reason: 'not a log name' },
      ],
    })
  })

  it('looks again at a file that was not ready', async () => {
    fs.writeFileSync(join(path, nameOf(1)), '')
    close(nameOf(5))
    fs.linkSync(join(path, nameOf(5)), join(base, 'other name'))
    const observed = await observe()
    const before = observed.directory.scan()

    fs.writeFileSync(join(path, nameOf(1)), 'ready')
    fs.unlinkSync(join(base, 'other name')) // no event tells of this
    await observed.until(() => observed.closed.length === 2)

    expect(before.count).toBe(0)
    expect(observed.closed).toEqual([1, 5])
    expect(observed.directory.scan()).toMatchObject({ count: 2, foreign: { total: 0 } })
  })

  it('finds 5,000 logs that are renamed in at once, each once and in order', async () => {
    const observed = await observe()

    for (const generation of range(1, 5000)) close(nameOf(generation))
    await observed.until(() => observed.closed.length >= 5000)

    expect(observed.closed).toEqual(range(1, 5000))
  })

  it('finds 30,000 logs of a burst in which the system drops events', async () => {
    const observed = await observe({ format: { kind: 'numbered', pattern: 'log-(?<decimal>\\d+)' } })

    for (const generation of range(1, 30_000)) fs.writeFileSync(join(path, `log-${generation}`), 'log')
    await observed.until(() => observed.closed.length >= 30_000)

    expect(observed.closed.sort((a, b) => a - b)).toEqual(range(1, 30_000))
  })

  it('follows the stream without events, and finds by a scan what neither events nor cursor tell', async () => {
    const hints: HintListener[] = []
    const watch: WatchDirectory = (_path, listener) => {
      hints.push(listener)
      return { close: () => undefined }
    }
    const observed = await observe({ watch })
    for (const generation of [1, 2, 3, 4, 7]) close(nameOf(generation))

    hints[0]?.onRenamed(nameOf(1))
    await observed.until(() => observed.closed.length === 4)
    const byCursor = [...observed.closed]
    hints[0]?.onRenamed(null)
    await observed.until(() => observed.closed.length === 5)

    expect(byCursor).toEqual([1, 2, 3, 4])
    expect(observed.closed).toEqual([1, 2, 3, 4, 7])
  })

  it('leaves the scan out while the directory stands still', async () => {
    close(nameOf(1))
    fs.utimesSync(path, new Date(0), new Date(0))
    let looks = 0
    let walks = 0
    const lookedOften = new Promise<void>((resolve) => {
      const lookUp: typeof files.lookUp = (at) => {
        if (at === path && ++looks > 5) resolve()
        return files.lookUp(at)
      }
      const walkDirectory: typeof files.walkDirectory = (at) => {
        walks++
        return files.walkDirectory(at)
      }
      open.push(new Observed(path, { files: { ...files, lookUp, walkDirectory }, reconcileMs: 1 }))
    })

    await lookedOften

    expect(walks).toBe(1)
  })

  it('notices logs that are deleted', async () => {
    for (const generation of [1, 2, 3]) close(nameOf(generation))
    const observed = await observe()

    fs.unlinkSync(join(path, nameOf(1)))
    await observed.until(() => observed.gone === 1)

    expect(observed.directory.scan()).toMatchObject({ lowest: 2, count: 2 })
  })

  it('tells when the directory is missing, and goes on when it is back', async () => {
    close(nameOf(1))
    const observed = await observe({ reconcileMs: 20 })
    fs.renameSync(path, `${path}.away`)
    await observed.until(() => observed.problems.length === 1)
    fs.renameSync(`${path}.away`, path)
    await observed.until(() => observed.problems.length === 2)

    close(nameOf(2))
    await observed.until(() => observed.closed.length === 1)

    expect(observed.problems.map((problem) => problem?.code ?? null)).toEqual(['DIRECTORY_MISSING', null])
    expect(observed.closed).toEqual([2])
  })

  it('notices that the directory was exchanged for another one', async () => {
    for (const generation of [1, 2]) close(nameOf(generation))
    const observed = await observe({ reconcileMs: 20 })
    fs.renameSync(path, `${path}.old`)
    fs.mkdirSync(path)
    await observed.until(() => observed.gone === 2)

    close(nameOf(9))
    await observed.until(() => observed.closed.length === 1)

    expect(observed.directory.scan()).toMatchObject({ lowest: 9, count: 1 })
  })

  it('begins when the directory comes into being', async () => {
    fs.rmdirSync(path)
    const observed = await observe({ reconcileMs: 20 })

    fs.mkdirSync(path)
    await observed.until(() => observed.scans.length > 0)

    expect(observed.problems.map((problem) => problem?.code ?? null)).toEqual(['DIRECTORY_MISSING', null])
  })

  it('truncates a range in ascending order, counts what is gone, and touches no other file', async () => {
    for (const generation of [1, 2, 4, 5]) close(nameOf(generation))
    execFileSync('mkfifo', [join(path, nameOf(3))])
    const observed = await observe()

    const outcome = await observed.directory.truncate({ first: asGeneration(1), last: asGeneration(4) })

    expect(outcome).toEqual({ deleted: 3, missing: 1, through: 4, failure: null, aborted: false })
    expect(fs.readdirSync(path).sort()).toEqual([nameOf(3), nameOf(5)])
    expect(observed.directory.scan()).toMatchObject({ lowest: 5, count: 1 })
  })

  it('rests its watch while thousands of logs are deleted, still tells each that is closed, and finds after it what events did not tell', async () => {
    for (const generation of range(1, 2_100)) close(nameOf(generation))
    let watches = 0
    const watch: WatchDirectory = (watched, listener) => {
      const hints = watchDirectory(watched, listener)
      watches += 1
      return {
        close: () => {
          watches -= 1
          hints.close()
        },
      }
    }
    const meanwhile: number[] = []
    const unlink = async (name: string): Promise<void> => {
      if (name.endsWith(nameOf(1_000))) {
        fs.unlinkSync(join(path, nameOf(2_099)))
        close(nameOf(2_101))
        await observed.until(() => observed.closed.length === 1)
        meanwhile.push(watches)
      }
      return files.unlink(name)
    }
    const observed = await observe({ watch, files: { ...files, unlink } })

    const outcome = await observed.directory.truncate({ first: asGeneration(1), last: asGeneration(2_049) })

    expect(outcome).toMatchObject({ deleted: 2_049, missing: 0, failure: null })
    expect([meanwhile, watches, observed.closed]).toEqual([[0], 1, [2_101]])
    close(nameOf(2_102))
    await observed.until(() => observed.closed.length === 2 && observed.scans.length === 2)
    expect(observed.directory.scan()).toMatchObject({ lowest: 2_050, gaps: [{ first: 2_099, last: 2_099 }] })
  })

  it('does not take a missing directory for a truncated one', async () => {
    close(nameOf(1))
    const observed = await observe()
    fs.renameSync(path, `${path}.away`)

    const outcome = await observed.directory.truncate({ first: asGeneration(1), last: asGeneration(1) })

    expect(outcome).toMatchObject({ deleted: 0, failure: { code: 'DIRECTORY_MISSING' } })
  })

  it('finds the name of a generation again, whatever width and letter case the stream has', async () => {
    for (const name of ['e000000a.log', 'e000000b.log', 'E000000000C.LOG']) close(name)
    const observed = await observe()

    expect(await observed.directory.find(asGeneration(10))).toMatchObject({ name: 'e000000a.log' })
    expect(await observed.directory.find(asGeneration(11))).toMatchObject({ name: 'e000000b.log' })
    expect(await observed.directory.find(asGeneration(12))).toMatchObject({ name: 'E000000000C.LOG' })
    expect(await observed.directory.find(asGeneration(13))).toBeNull()
  })

  it('keeps to the newest timeline of PostgreSQL and computes the names of its segments', async () => {
    for (const name of ['0000000100000000000000FF', '0000000200000000000000FF']) close(name)
    close('000000020000000100000000')
    close('00000002.history')
    const observed = await observe({ format: { kind: 'numbered', pattern: 'postgresql' } })

    expect(observed.scans[0]).toMatchObject({ lowest: 255, highest: 256, stream: '00000002' })
    expect(observed.scans[0]?.foreign.listed).toEqual([
      { name: '0000000100000000000000FF', reason: 'another timeline' },
    ])
    expect(await observed.directory.find(asGeneration(256))).toMatchObject({ name: '000000020000000100000000' })
  })

  it('scans 100,000 logs without holding the event loop for 50 ms, into a value of a few numbers', async () => {
    for (const generation of range(1, 100_000)) fs.closeSync(fs.openSync(join(path, nameOf(generation)), 'w'))

    // The machine is shared, so one turn may wait for somebody else: the best of three scans shows what the scan itself does.
    const longestMs: number[] = []
    for (let round = 0; round < 3; round++) {
      const delay = monitorEventLoopDelay({ resolution: 5 })
      delay.enable()
      const scan = await scanLogDirectory({ path, format: ESE, files: withSizes() })
      delay.disable()
      longestMs.push(delay.max / 1e6)
      expect(scan.ranges).toEqual([{ first: 1, last: 100_000 }])
    }

    expect(Math.min(...longestMs)).toBeLessThan(50)
  })
})

/** Empty files are quick to make; here they look as if they had content. */
function withSizes(): typeof files {
  return {
    ...files,
    lookUp: async (path) => {
      const facts = await files.lookUp(path)
      return facts === null ? null : { ...facts, sizeBytes: 1 }
    },
  }
}
