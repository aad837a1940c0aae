// Goal: a restore that cannot be is refused with a code, one sentence and one hint, and changes nothing.
// Method: the built program as people use it against two nodes; sets that are wrong in one way each, and all files of the dismounted store
// are digested before and after it.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runCcr } from '../../bench/product.ts'
import { NodeBed } from '../../bench/soak/node-bed.ts'
import { digestOf, expectRefused, type Refusal } from './refusal-rig.ts'

let bed: NodeBed

beforeAll(async () => {
  bed = await NodeBed.make()
  await Promise.all([bed.start('active'), bed.start('passive')])
  await bed.load('--full-speed', '--size', '4K..40K', '--count', '100').done
  for (const [scope, name] of [
    ['full', 'full'],
    ['incremental', 'incremental'],
    ['incremental', 'later'],
  ] as const)
    await bed.must('active', 'backup', scope, 'SG1', '--to', bed.set(name))
  await bed.untilReplayed()
})
afterAll(() => bed.close())

/** A copy of a set with something changed in it. */
function spoilt(spoil: (set: string) => void, name = 'full'): string {
  const path = bed.set('spoilt')
  rmSync(path, { recursive: true, force: true })
  cpSync(bed.set(name), path, { recursive: true })
  spoil(path)
  return path
}

const manifest = (set: string): string => join(set, 'manifest.json')
const aLog = (set: string): string =>
  join(set, 'logs', readdirSync(join(set, 'logs')).find((name) => /\d\.log$/.test(name)) ?? '')

const edited =
  (from: string | RegExp, to: string) =>
  (set: string): void => {
    const text = readFileSync(manifest(set), 'utf8')
    if (text.replace(from, to) === text) throw new Error(`there is no ${from} in the manifest`)
    writeFileSync(manifest(set), text.replace(from, to))
  }

const replaced =
  (path: (set: string) => string, make: (path: string, old: string) => void) =>
  (set: string): void => {
    const [at, old] = [path(set), join(bed.directory, 'taken-away')]
    rmSync(old, { force: true })
    renameSync(at, old)
    make(at, old)
  }

const fifo = (path: string): void => void execFileSync('mkfifo', [path])
const link = (path: string, old: string): void => symlinkSync(old, path)
const REJECTED = { exit: 1, error: /manifest|set|log/ }

describe('a restore', () => {
  beforeAll(async () => {
    const mounted = await bed.ccr('active', 'restore', 'SG1', '--from', bed.set('full'))
    expectRefused(mounted, { exit: 6, error: /is running/, hint: /ccr dismount SG1/ })
    await bed.must('active', 'dismount', 'SG1')
  })

  it.each<readonly [string, (set: string) => void, Refusal]>([
    ['a manifest that is no JSON', (set) => writeFileSync(manifest(set), '{'), { exit: 1, error: /is no JSON/ }],
    ['an empty manifest', (set) => writeFileSync(manifest(set), ''), { exit: 1, error: /is no JSON/ }],
    ['a manifest of another version', edited('"version": 1', '"version": 2'), { exit: 1, error: /version is 2/ }],
    ['a file of the system', edited('"database/priv1.edb"', '"/etc/passwd"'), REJECTED],
    ['a way out of the set', edited('"database/priv1.edb"', '"database/../../../priv1.edb"'), REJECTED],
    ['a file that is none of a set', edited('"database/priv1.edb"', '"database/priv1.exe"'), REJECTED],
    ['another storage group', edited('"SG1"', '"SG2"'), { exit: 1, error: /of storage group SG2, not SG1/ }],
    ['other base names', edited('"baseName": "E00"', '"baseName": "E01"'), REJECTED],
    [
      'a newer major version',
      edited(/"product": "\d+/, '"product": "9'),
      { exit: 1, error: /version 9\./, hint: /version/ },
    ],
    ['a newer format of logs', edited(/"7,3704,\d+"/, '"8,4000,1"'), { exit: 1, error: /8,4000,1/ }],
    ['a wrong checksum', edited(/"xxh64":"[0-9a-f]{4}/, '"xxh64":"0000'), { exit: 1, error: /checksum/ }],
    ['a manifest that is a link', replaced(manifest, link), { exit: 1, error: /symlink/ }],
    ['a manifest that is a pipe', replaced(manifest, fifo), { exit: 1, error: /fifo|pipe|regular/ }],
    ['a manifest that is a directory', replaced(manifest, (path) => mkdirSync(path)), { exit: 1, error: /directory/ }],
    ['no manifest', (set) => rmSync(manifest(set)), { exit: 1, error: /has no manifest\.json/ }],
    ['a log that is a link', replaced(aLog, link), { exit: 1, error: /no regular file/ }],
    ['a log that is a pipe', replaced(aLog, fifo), { exit: 1, error: /no regular file/ }],
    ['a log that is missing', (set) => rmSync(aLog(set)), { exit: 1, error: /missing/ }],
    ['a log with one byte changed', (set) => turnBit(aLog(set)), { exit: 1, error: /damaged/ }],
    ['a page with one bit turned', (set) => turnBit(join(set, 'database/priv1.edb')), { exit: 1, error: /damaged/ }],
    ['a database without an end', (set) => cut(join(set, 'database/priv1.edb')), { exit: 1, error: /wrong size/ }],
    ['folders that are links', (set) => linkFolder(join(set, 'logs')), { exit: 2, error: /symlink/ }],
  ])('of a set with %s is refused', async (_, spoil, refusal) => {
    const set = spoilt(spoil)
    const before = digestOf(bed.root('active'))

    const refused = await bed.ccr('active', 'restore', 'SG1', '--from', set)

    expectRefused(refused, refusal)
    expect(digestOf(bed.root('active'))).toEqual(before)
  })

  it.each<readonly [string, string[], Refusal]>([
    ['no full set first', ['incremental'], { exit: 1, error: /the first set must have a database/ }],
    ['the sets the other way round', ['incremental', 'full'], { exit: 1, error: /the first set must have a database/ }],
    [
      'a later set before an earlier one',
      ['full', 'later', 'incremental'],
      { exit: 1, error: /begins with log|ends with log/ },
    ],
    ['a gap between the sets', ['full', 'later'], { exit: 1, error: /the logs between are in none/ }],
    ['two full sets', ['full', 'full'], { exit: 1, error: /does not follow/ }],
    ['a set that is not there', ['nowhere'], { exit: 1, error: /is not there/ }],
    ['a file', ['../sg1.ledger'], { exit: 2, error: /is a file, not a directory/ }],
    ['its own folder', ['../active/SG1'], { exit: 1, error: /has no manifest\.json/ }],
  ])('of %s is refused', async (_, names, refusal) => {
    const before = digestOf(bed.root('active'))

    const refused = await bed.ccr('active', 'restore', 'SG1', '--from', ...names.map((name) => bed.set(name)))

    expectRefused(refused, refusal)
    expect(digestOf(bed.root('active'))).toEqual(before)
  })

  it('at the passive is refused, whose files stay', async () => {
    const before = digestOf(bed.root('passive'))
    const refused = await bed.ccr('passive', 'restore', 'SG1', '--from', bed.set('full'))

    expectRefused(refused, { exit: 1, error: /no store named SG1/, hint: /node with the store/ })
    expect(digestOf(bed.root('passive'))).toEqual(before)
  })

  it('waits for a mount, and backups of both copies do, too', async () => {
    const before = digestOf(bed.root('active'))
    const active = await bed.ccr('active', 'backup', 'copy', 'SG1', '--to', bed.set('none'))
    const passive = await bed.ccr('passive', 'backup', 'full', 'SG1', '--of', 'passive', '--to', bed.set('none'))

    expectRefused(active, { exit: 6, error: /is dismounted/, hint: /ccr mount SG1/ })
    expectRefused(passive, { exit: 6, error: /dismounted/ })
    expect(readdirSync(join(bed.directory, 'sets'))).not.toContain('none')
    expect(digestOf(bed.root('active'))).toEqual(before)
  })

  it('with a file too many in the set is told by ccr verify, and is restored without it, by a relative path', async () => {
    const set = spoilt((path) => writeFileSync(join(path, 'logs', 'E00000000FF.log'), 'foreign'))
    const verified = await runCcr(['verify', set])

    await bed.must('active', 'restore', 'SG1', '--from', relative(process.cwd(), set))
    await bed.must('active', 'mount', 'SG1')

    expect(verified).toMatchObject({ exitCode: 3, stdout: expect.stringContaining('E00000000FF.log') })
    expect(readdirSync(join(bed.root('active'), 'logs'))).not.toContain('E00000000FF.log')
    expect(await bed.check()).toMatchObject({ sound: true })
  })
})

function turnBit(path: string): void {
  const bytes = readFileSync(path)
  const at = bytes.length - 5_000
  bytes[at] = (bytes[at] ?? 0) ^ 1
  writeFileSync(path, bytes)
}

function cut(path: string): void {
  writeFileSync(path, readFileSync(path).subarray(0, -8192))
}

function linkFolder(path: string): void {
  renameSync(path, `${path}-taken-away`)
  symlinkSync(`${path}-taken-away`, path)
}
