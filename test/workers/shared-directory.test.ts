// Goal: a log is opened by the name that the format or another log tells; the directory is read only where neither does.
// Method: the finder over the modelled disk and a clock set by hand, with every opening and every walk counted.
import { beforeEach, describe, expect, it } from 'vitest'
import { asGeneration } from '../../engine/generation.ts'
import type { LogFormat } from '../../engine/log-format.ts'
import type { FileOperations } from '../../storage/file-operations.ts'
import { LogFinder } from '../../workers/shared-directory.ts'
import { CrashDisk } from '../storage/crash-disk.ts'
import { operationsOver } from '../storage/crash-disk-operations.ts'
import { announcing } from './pipeline-rig.ts'

describe('a log of a shared directory', () => {
  let files: FileOperations
  let opened: string[]
  let walks: number
  let nowMs: number
  let put: (name: string) => Promise<void>

  beforeEach(async () => {
    const model = operationsOver(new CrashDisk())
    opened = []
    walks = 0
    nowMs = 0
    await model.makeDirectory('/logs')
    files = {
      ...model,
      open: (path, mode) => {
        opened.push(path.slice('/logs/'.length))
        return model.open(path, mode)
      },
      walkDirectory: (path) => {
        walks++
        return model.walkDirectory(path)
      },
    }
    put = async (name) => model.close(await model.open(`/logs/${name}`, 'create'))
  })
  async function find(finder: LogFinder, generation: number): Promise<string> {
    const { name, file } = await finder.open(asGeneration(generation), announcing(9))
    await files.close(file)
    return name
  }

  const finderOf = (format: LogFormat): LogFinder =>
    new LogFinder({ share: 'SG1', directory: '/logs', format, store: 'external' }, files, () => nowMs)

  it.each<[LogFormat, readonly [string, string, string]]>([
    [{ kind: 'ese', baseName: 'E00' }, ['E0000000001.log', 'E0000000002.log', 'E0000000003.log']],
    [
      { kind: 'numbered', pattern: 'postgresql' },
      ['000000010000000000000001', '000000010000000000000002', '000000010000000000000003'],
    ],
    [{ kind: 'numbered', pattern: 'bin\\.(?<decimal>\\d+)' }, ['bin.000001', 'bin.000002', 'bin.000003']],
  ])(
    'of %j is opened by its name at once, though it was closed after the directory was read',
    async (format, names) => {
      const finder = finderOf(format)
      await put(names[0])
      await find(finder, 1)
      const walksBefore = walks
      opened = []

      await put(names[1])
      await put(names[2])
      const found = [await find(finder, 3), await find(finder, 2)]

      expect(found).toEqual([names[2], names[1]])
      expect(opened).toEqual(found)
      expect(walks).toBe(walksBefore)
    },
  )

  it('whose name no other one tells is found by reading the directory, at most once in a second', async () => {
    const finder = finderOf({ kind: 'numbered', pattern: '[a-z]+(?<decimal>\\d+)' })
    await put('x1')
    await find(finder, 1)
    await put('y2')

    const early = await find(finder, 2).catch((error: { readonly code: string }) => error.code)
    nowMs = 1000
    const late = await find(finder, 2)

    expect([early, late]).toEqual(['LOG_MISSING', 'y2'])
    expect(walks).toBe(2)
  })
})
