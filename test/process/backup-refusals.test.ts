// Goal: a backup that cannot be is refused with a code, one sentence and one hint, and changes nothing.
// Method: the built program as people use it against two nodes under no load; each case is wrong in one way.
import { mkdirSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type FinishedCommand, postJson } from '../../bench/product.ts'
import { NodeBed } from '../../bench/soak/node-bed.ts'
import { MOUNTS_PERMITTED, onSmallDisk, remount } from './own-disk.ts'
import { digestOf, expectRefused, lastingNames, type Refusal } from './refusal-rig.ts'

const AT_WORK = ['--full-speed', '--size', '4K..40K']
/** Slow enough that a backup is still under way at the next command. */
const SLOW = ['--rate', '200K']
/** Less than the database. */
const SMALL = '2m'

let bed: NodeBed
let small: string

beforeAll(async () => {
  bed = await NodeBed.make()
  small = join(bed.directory, 'small')
  mkdirSync(small)
  const wrapper = MOUNTS_PERMITTED ? onSmallDisk(small, SMALL) : []
  await Promise.all([bed.start('active', { wrapper }), bed.start('passive')])
  await bed.load(...AT_WORK, '--count', '150').done
  await bed.must('active', 'backup', 'full', 'SG1', '--to', bed.set('full'))
  await bed.untilReplayed()
})
afterAll(() => bed.close())

const backup = (...words: string[]): Promise<FinishedCommand> => bed.ccr('active', 'backup', 'copy', 'SG1', ...words)

describe('a backup', () => {
  it.each<readonly [string, () => string, Refusal]>([
    ['into the folder of its storage group', () => join(bed.root('active'), 'sets'), { exit: 2, error: /lies in/ }],
    ['among its logs', () => join(bed.root('active'), 'logs', 'set'), { exit: 2, error: /lies in/, hint: /outside/ }],
    ['among its logs, by a link', () => join(linked('link'), 'set'), { exit: 2, error: /lies in/, hint: /outside/ }],
    ['into a directory with a set', () => bed.set('full'), { exit: 6, error: /holds a backup set already/ }],
    ['into one that is not empty', () => bed.directory, { exit: 6, error: /is not empty/ }],
    ['into a file', () => bed.ledger, { exit: 2, error: /is a file, not a directory/ }],
    ['below a file', () => join(bed.ledger, 'set'), { exit: 1, error: /a directory above it is none/ }],
    ['into a link', () => linked('other'), { exit: 2, error: /lies in|is a symlink/ }],
    ['into the pseudo file system of processes', () => '/proc/ccr-set', { exit: 1, error: /cannot make directory/ }],
  ])('%s is refused', async (_, to, refusal) => {
    const directory = to()
    const before = [lastingNames(bed.directory), digestOf(bed.set('full'))]

    const refused = await backup('--to', directory)

    expectRefused(refused, refusal)
    expect([lastingNames(bed.directory), digestOf(bed.set('full'))]).toEqual(before)
  })

  it.each<readonly [string, string[], Refusal]>([
    ['of a storage group that is none', ['copy', 'SG2'], { exit: 1, error: /SG2/ }],
    ['of the passive at the node of the active', ['copy', 'SG1', '--of', 'passive'], { exit: 1, error: /SG1/ }],
    ['with a word that is no scope', ['everything', 'SG1'], { exit: 2, error: /everything/ }],
    [
      'by streaming of the passive',
      ['copy', 'SG1', '--of', 'passive', '--method', 'streaming'],
      { exit: 6, error: /stream/ },
    ],
    ['incremental by the other method', ['incremental', 'SG1', '--method', 'streaming'], { exit: 6, error: /-560/ }],
  ])('%s is refused', async (_, words, refusal) => {
    expectRefused(await bed.ccr('active', 'backup', ...words, '--to', bed.set('none')), refusal)
    expect(readdirSync(join(bed.directory, 'sets'))).not.toContain('none')
  })

  it('by a relative path over HTTP is refused, and by the command lies where the command runs', async () => {
    const order = { storageGroup: 'SG1', of: 'active', scope: 'copy', method: 'vss', directory: 'sets/relative' }
    const answer = await postJson(`${bed.node('active').manage}/api/v1/backups`, order)
    await bed.must('active', 'backup', 'copy', 'SG1', '--to', relative(process.cwd(), bed.set('relative')))

    expect(answer).toMatchObject({ status: 400, body: { code: 'REQUEST_INVALID' } })
    expect(readdirSync(bed.set('relative'))).toContain('manifest.json')
  })

  it.skipIf(!MOUNTS_PERMITTED)(
    'onto a disk that fills up fails, removes what it wrote, and the next one works',
    async () => {
      const node = bed.node('active')
      const seen = join(`/proc/${node.pid}/root`, small)

      const full = await backup('--to', join(small, 'set'))
      const left = readdirSync(seen)
      await remount(node, small, 'ro')
      const readOnly = await backup('--to', join(small, 'set'))
      await remount(node, small, 'rw,size=64m')
      await bed.must('active', 'backup', 'copy', 'SG1', '--to', join(small, 'set'))

      expectRefused(full, { exit: 1, error: /the disk is full/, hint: /take the backup again/ })
      expect(left).toEqual([])
      expectRefused(readOnly, { exit: 1, error: /read-only/ })
      expect(readdirSync(join(seen, 'set'))).toContain('manifest.json')
    },
  )

  it.each([
    ['active', '-505'],
    ['passive', '-617'],
  ] as const)('of the %s that is under way holds up another one, a dismount and a restore', async (of, error) => {
    const slow = bed.begin(of, 'backup', 'copy', 'SG1', '--of', of, '--to', bed.set(`slow-${of}`), ...SLOW)
    await bed.until(of, 'backups', ({ backups }) => JSON.stringify(backups).includes('"phase":"database"'))
    const refused = { exit: 6, error: new RegExp(error) }

    expectRefused(await backup('--to', bed.set('none')), refused)
    expectRefused(await bed.ccr('active', 'dismount', 'SG1'), refused)
    expectRefused(await bed.ccr('active', 'restore', 'SG1', '--from', bed.set('full')), {
      exit: 6,
      error: /is running/,
    })
    slow.interrupt()
    expect((await slow.done).exitCode).toBe(130)
    await bed.untilNoBackup(of)
    expect(readdirSync(join(bed.directory, 'sets'))).not.toContain(`slow-${of}`)
  })

  it.each(['4711', '0', 'all', '1/../2'])('number %s, which is none, is not given up', async (id) => {
    expectRefused(await bed.ccr('active', 'backup', 'give-up', id), { exit: 2, error: /4711|id|no backup/ })
  })
})

function linked(name: string): string {
  const path = join(bed.directory, name)
  rmSync(path, { force: true })
  symlinkSync(join(bed.root('active'), 'logs'), path)
  return path
}
