// Goal: the verbs for files tell whole databases and checkpoints from damaged ones, name what is damaged, and show them as eseutil does.
// Method: small files made here, damaged on purpose, and the real ones where they are at hand.
import { existsSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { composeCheckpointFile } from '../../engine/database/checkpoint-file.ts'
import { aLog } from '../engine/database/build.ts'
import { aDatabase, FULL_CHECKPOINT, FULL_HEADER, turnBit } from '../engine/database/database-build.ts'
import { ccr, temporaryDirectory } from './cli-harness.ts'

const SPECIMENS = resolve(import.meta.dirname, '../../../shared/specimens')
const PAGE_BYTES = 8192

/** A file of these bytes, with bits turned. */
function aFile(name: string, bytes: Uint8Array, ...bits: readonly number[]): string {
  const path = join(temporaryDirectory(), name)
  for (const bit of bits) turnBit(bytes, bit)
  writeFileSync(path, bytes)
  return path
}

const DATABASE = () => aDatabase([70, 0, 72])
const CHECKPOINT = () => composeCheckpointFile(FULL_CHECKPOINT)
/** Byte 500 of page 1. */
const IN_PAGE_1 = (2 * PAGE_BYTES + 500) * 8

describe('ccr verify', () => {
  it('verifies a database page by page, whatever it is called, as eseutil /k does', async () => {
    const path = aFile('mail.dat', DATABASE())

    const { exitCode, stdout } = await ccr(['eseutil', '/k', path])

    expect(exitCode).toBe(0)
    expect(stdout.split('\n')).toEqual([
      `        Database: ${path}`,
      '',
      '5 pages seen',
      '0 bad checksums',
      '0 correctable checksums',
      '1 uninitialized pages',
      '0 wrong page numbers',
      '0x48 highest dbtime (pgno 0x3)',
      '',
      'No damaged pages were found.',
      '',
      '',
    ])
  })

  it('names a damaged page with the bit that could be corrected, and ends with 3', async () => {
    const one = aFile('one.edb', DATABASE(), IN_PAGE_1 + 5)
    const two = aFile('two.edb', DATABASE(), IN_PAGE_1, IN_PAGE_1 + 64)

    const shown = await ccr(['verify', one, two])
    const { sound, databases } = JSON.parse((await ccr(['verify', one, two, '--json'])).stdout)

    expect(shown.exitCode).toBe(3)
    expect(shown.stdout).toContain(
      'page 1 checksum verification failed but the corruption ( bit 4005 ) can be corrected',
    )
    expect(shown.stdout).toMatch(/ERROR: page 1 checksum failed: .* Error -1018\./)
    expect(sound).toBe(false)
    expect(databases).toMatchObject([
      { path: one, sound: false, correctable: 1, findings: [{ page: 1, kind: 'correctable', bits: [4005] }] },
      { path: two, sound: false, bad: 1, findings: [{ page: 1, kind: 'bad', bits: [] }] },
    ])
  })

  it('finds a damaged header copy, two of them, and a file that was cut', async () => {
    const first = await ccr(['verify', aFile('a.edb', DATABASE(), 800)])
    const both = await ccr(['verify', aFile('b.edb', DATABASE(), 800, PAGE_BYTES * 8 + 800), '--json'])
    const cut = aFile('c.edb', DATABASE())
    truncateSync(cut, 5 * PAGE_BYTES - 1)

    expect([first.exitCode, both.exitCode]).toEqual([3, 3])
    expect(first.stdout).toContain('ERROR: page -1 (header) checksum failed. The other copy is whole.')
    expect(JSON.parse(both.stdout).databases).toMatchObject([{ sound: false, reason: 'corrupt-checksum' }])
    expect((await ccr(['verify', cut])).stdout).toContain('ERROR: 8191 bytes behind the last page are no whole page.')
  })

  it('knows a database by its name where nothing of its headers is left', async () => {
    const { exitCode, stdout } = await ccr(['verify', aFile('priv1.EDB', new Uint8Array(3 * PAGE_BYTES))])

    expect(exitCode).toBe(3)
    expect(stdout).toContain('ERROR: header damaged (unusable): neither copy of the header is whole. Error -1206.')
  })

  it('verifies both copies of a checkpoint, and logs and databases in the same line', async () => {
    const whole = aFile('E00.chk', CHECKPOINT())
    const half = aFile('E01.chk', CHECKPOINT(), 4096 * 8 + 100)
    const none = aFile('E02.chk', CHECKPOINT(), 100, 4096 * 8 + 100)
    const log = aFile('E0000000001.log', aLog(1))

    const { exitCode, stdout } = await ccr(['verify', log, whole, aFile('a.edb', DATABASE()), '--json'])
    const damaged = await ccr(['verify', half, none])

    expect(exitCode).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({
      sound: true,
      sets: [{ logs: [{ path: log, state: 'sound' }] }],
      databases: [{ sound: true, headerCopy: 'first', otherHeaderCopy: 'same', pages: 3, trailer: null }],
      checkpoints: [{ path: whole, sound: true, checkpoint: '(0x1C4,FFFF,FFFF)' }],
    })
    expect(damaged.exitCode).toBe(3)
    expect(damaged.stdout).toContain('ERROR: second copy: checksum failed. The other copy is whole.')
    expect(damaged.stdout).toContain(
      'ERROR: Checkpoint damaged (unusable): neither copy fits its checksum. Error -533.',
    )
  })

  it('says so when a file is none of them', async () => {
    const path = aFile('notes.txt', new TextEncoder().encode('nothing of the kind'))

    const { exitCode, stderr } = await ccr(['verify', path])

    expect(exitCode).toBe(1)
    expect(stderr.split('\n')).toEqual([
      `error: ${path} is neither a log, nor a checkpoint, nor a database of the ESE engine`,
      expect.stringMatching(/^hint: .*E00\.chk/),
      '',
    ])
    expect((await ccr(['verify', '/dev/null', '--json'])).stderr).toContain('"FILE_NOT_REGULAR"')
  })

  it('counts pages where somebody watches, and ends at a signal', async () => {
    const path = aFile('a.edb', DATABASE())

    expect((await ccr(['verify', path], { isTerminal: true })).stderr).toContain('\r\u001b[K')
    expect((await ccr(['verify', path], { signal: AbortSignal.abort('SIGINT') })).exitCode).toBe(130)
  })

  it.skipIf(!existsSync(SPECIMENS))(
    'accepts real databases of 4 to 32 KB pages, a backup and a checkpoint',
    async () => {
      const folder = join(SPECIMENS, 'winmail-v7-8k-A')
      const unpacked = ['dissect-basic.edb', 'goese-qmgr-16k-dirty.db', 'dissect-large-32k.edb'].map((name) =>
        aFile(name, new Uint8Array(gunzipSync(readFileSync(join(SPECIMENS, 'edb-4k-16k-32k', `${name}.gz`))))),
      )
      const backup = join(folder, 'backup-new/WindowsMail.MSMessageStore')

      const line = [join(folder, 'WindowsMail.MSMessageStore'), backup, join(folder, 'edb.chk'), ...unpacked]
      const { exitCode, stdout } = await ccr(['verify', ...line, '--json'])
      const { databases, checkpoints } = JSON.parse(stdout)

      expect(exitCode).toBe(0)
      expect(databases.map(({ pageBytes }: { pageBytes: number }) => pageBytes)).toEqual([
        8192, 8192, 4096, 16_384, 32_768,
      ])
      expect(databases[1].trailer).toEqual({ firstGeneration: 1, lastGeneration: 1, mark: '(0x1,2,C3E)' })
      expect(checkpoints).toMatchObject([{ sound: true, otherCopy: 'same' }])
      expect((await ccr(['verify', backup])).stdout).toContain('Page 257 is the trailer of a streaming backup:')
    },
  )
})

describe('ccr dump database', () => {
  it('shows a header as eseutil /mh does', async () => {
    const path = aFile('priv1.edb', DATABASE())

    const { exitCode, stdout } = await ccr(['eseutil', '/mh', path])

    expect(exitCode).toBe(0)
    expect(stdout.split('\n').slice(0, 3)).toEqual([`         Database: ${path}`, '', '        File Type: Database'])
    expect(stdout).toContain('            State: Dirty Shutdown\n     Log Required: 452-455 (0x1c4-0x1c7)\n')
  })

  it('shows the shadow where the first copy is damaged, says so, and ends with 3', async () => {
    const shown = await ccr(['dump', 'database', aFile('a.edb', DATABASE(), 800)])
    const odd = await ccr([
      'dump',
      'database',
      aFile('b.edb', aDatabase([], { ...FULL_HEADER, state: 'clean-shutdown' })),
    ])
    const none = await ccr(['dump', 'database', aFile('c.edb', new Uint8Array(3 * PAGE_BYTES))])

    expect([shown.exitCode, odd.exitCode, none.exitCode]).toEqual([3, 3, 3])
    expect(shown.stdout).toContain('           dbtime: 4294967361 (0x100000041)')
    expect(shown.stdout).toContain('\nERROR: the first copy of the header is damaged.\n')
    expect(odd.stdout).toMatch(/ERROR: a database in the state clean-shutdown needs no log.* Error -1206\./)
    expect(none.stdout).toMatch(/ERROR: header damaged \(unusable\): .* Error -1206\./)
  })

  it('gives the same to machines', async () => {
    const { stdout } = await ccr(['dump', 'database', aFile('a.edb', DATABASE()), '--json'])

    expect(JSON.parse(stdout).databases).toMatchObject([
      {
        sound: true,
        headerCopy: 'first',
        state: 'dirty-shutdown',
        dbtime: 4_294_967_361,
        logRequired: { first: 452, last: 455 },
        logCommitted: 458,
        lastAttach: { position: '(0x4,5,6)', time: '12/15/2006 00:00:02' },
        backups: { previousFull: { firstGeneration: 8, lastGeneration: 10, kind: 'os-snapshot', mark: '(0xA,1,2)' } },
      },
    ])
  })

  it('names the command for a file of another kind', async () => {
    const log = aFile('E0000000001.log', aLog(1))
    const checkpoint = aFile('E00.chk', CHECKPOINT())

    expect((await ccr(['dump', 'database', log])).stderr).toBe(
      `error: ${log} is a log, not a database\nhint: Run ccr dump log ${log}.\n`,
    )
    expect((await ccr(['dump', 'database', checkpoint])).stderr).toContain(`ccr dump checkpoint ${checkpoint}`)
    expect((await ccr(['dump', 'log', checkpoint])).stderr).toContain('is a checkpoint, not a log')
    expect((await ccr(['dump', 'checkpoint', aFile('x', DATABASE())])).stderr).toContain(
      'is a database, not a checkpoint',
    )
    expect((await ccr(['dump', 'database', temporaryDirectory()])).stderr).toContain('is a directory')
    expect((await ccr(['dump', 'database', '/no/such.edb'])).stderr).toContain('cannot be read: ENOENT')
  })

  it.skipIf(!existsSync(SPECIMENS))('shows the trailer of a real backup with its header', async () => {
    const path = join(SPECIMENS, 'winmail-v7-8k-A/backup-new/WindowsMail.MSMessageStore')

    const { exitCode, stdout } = await ccr(['dump', 'database', path])

    expect(exitCode).toBe(0)
    expect(stdout).toContain(
      'Patch Current Full Backup:\n        Log Gen: 1-1 (0x1-0x1)\n           Mark: (0x1,2,C3E)\n',
    )
  })
})

describe('ccr dump checkpoint', () => {
  it('shows a checkpoint as eseutil /mk does', async () => {
    const path = aFile('E00.chk', CHECKPOINT())

    const { exitCode, stdout } = await ccr(['eseutil', '/mk', path])

    expect(exitCode).toBe(0)
    expect(stdout.split('\n').slice(0, 4)).toEqual([
      `      Checkpoint file: ${path}`,
      '',
      '      LastFullBackupCheckpoint: (0x1,2,3)',
      '      Checkpoint: (0x1C4,FFFF,FFFF)',
    ])
  })

  it('shows the second copy where the first is damaged, says so, and ends with 3', async () => {
    const half = aFile('E00.chk', CHECKPOINT(), 100)
    const none = aFile('E01.chk', CHECKPOINT(), 100, 4096 * 8 + 100)

    const { exitCode, stdout } = await ccr(['dump', 'checkpoint', half, none, '--json'])

    expect(exitCode).toBe(3)
    expect(JSON.parse(stdout).checkpoints).toMatchObject([
      { path: half, sound: false, copy: 'second', checkpoint: '(0x1C4,FFFF,FFFF)', attachments: ['D:\\priv1.edb'] },
      { path: none, sound: false, fault: expect.stringContaining('Error -533') },
    ])
  })
})
