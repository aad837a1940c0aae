// Goal: ccr verify tells a whole backup set from one that is not, and names what is wrong.
// Method: sets of small files in temporary directories, each wrong in one way.
import { appendFileSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import { logBytes, makeFolder, takeSet } from '../workers/set-rig.ts'
import { ccr, temporaryDirectory } from './cli-harness.ts'

const files = nodeFileOperations({ shortCalls: 'inline' })

async function aSet(): Promise<string> {
  const directory = temporaryDirectory()
  await makeFolder(files, { root: join(directory, 'SG1'), closed: [3, 4, 5, 6], required: [3, 4] })
  const to = join(directory, 'set')
  await takeSet(files, { from: join(directory, 'SG1'), to, logs: [3, 5] })
  return to
}

describe('ccr verify of a backup set', () => {
  it('shows what it is and holds', async () => {
    const set = await aSet()

    const { exitCode, stdout } = await ccr(['verify', set])

    expect(exitCode).toBe(0)
    expect(stdout.replace(set, 'DIR')).toMatchInlineSnapshot(`
      "      Backup set: DIR
                        full backup (vss) of SG1, from the active copy on NODE1, begun 2007-03-08T12:00:00.000Z
                        logs 3 to 5
                        the database needs the logs 3 to 4

      Content  Files Size     Damaged
      -------  ----- ----     -------
      database 1     40.0 KiB 0
      logs     3     24.0 KiB 0

      No damage was found.

      "
    `)
  })

  const log = (set: string, generation: number): string => join(set, 'logs', `E000000000${generation}.log`)

  it.each<readonly [string, (set: string) => void, string, RegExp]>([
    ['a missing log', (set) => rmSync(log(set, 4)), 'logs/E0000000004.log', /^missing$/],
    [
      'a log that is not in the manifest',
      (set) => writeFileSync(log(set, 6), logBytes(6)),
      'logs/E0000000006.log',
      /not in/,
    ],
    [
      'a log of another stream',
      (set) => writeFileSync(log(set, 4), logBytes(4, 77)),
      'logs/E0000000004.log',
      /of the stream/,
    ],
    ['two logs changed round', (set) => swap(log(set, 3), log(set, 4)), 'logs/E0000000003.log', /generation 00000004/],
    [
      'a turned bit in a page',
      (set) => flip(join(set, 'database/priv1.edb'), 20_000),
      'database/priv1.edb',
      /^page 1: bits/,
    ],
    ['a file that has grown', (set) => appendFileSync(log(set, 5), 'x'), 'logs/E0000000005.log', /^wrong size$/],
    ['a link', (set) => link(log(set, 5)), 'logs/E0000000005.log', /^no regular file$/],
    ['a folder', (set) => mkdirSync(join(set, 'mine')), 'mine', /not in the manifest/],
  ])('tells %s by its name', async (_, spoil, path, fault) => {
    const set = await aSet()
    spoil(set)

    const { exitCode, stdout } = await ccr(['verify', set, '--json'])

    expect(exitCode).toBe(3)
    const { backups } = JSON.parse(stdout) as { backups: { damaged: { path: string; faults: string[] }[] }[] } // of the command
    expect(backups[0]?.damaged[0]?.path).toBe(path)
    expect(backups[0]?.damaged[0]?.faults[0]).toMatch(fault)
  })

  it('refuses a manifest that is none', async () => {
    const set = await aSet()
    const path = join(set, 'manifest.json')
    writeFileSync(path, readFileSync(path, 'utf8').replace('"version": 1', '"version": 9'))

    const { exitCode, stderr } = await ccr(['verify', set])

    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/its version is 9, this program reads 1/)
  })
})

function flip(path: string, offset: number): void {
  const bytes = readFileSync(path)
  bytes[offset] = (bytes[offset] ?? 0) ^ 1
  writeFileSync(path, bytes)
}

function swap(a: string, b: string): void {
  renameSync(a, `${a}.mine`)
  renameSync(b, a)
  renameSync(`${a}.mine`, b)
}

function link(path: string): void {
  renameSync(path, `${path}.mine`)
  symlinkSync(`${path}.mine`, path)
}
