// Goal: a reader of ESE databases that others wrote takes the header of ours, and says of a damaged one what we say.
// Method: libesedb's esedbinfo over a database that a store has made. It knows the trees of real databases only, so it stops at page 1
// of ours; to hear what it reads in our header, that is put before the pages of a real one. Skipped where the tool is absent.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { blockChecksum } from '../../engine/database/block-checksum.ts'
import { readDatabaseHeader } from '../../engine/database/database-header-copies.ts'
import { openLogBytes } from '../../engine/database/log-bytes.ts'
import { PAGE_BYTES } from '../../engine/database/page.ts'
import { insert, MailboxWorld, transaction } from '../workers/mailbox-rig.ts'

const TOOL = 'esedbinfo'
const IS_THERE = spawnSync(TOOL, ['-V']).error === undefined
const REAL = resolve(import.meta.dirname, '../../../shared/specimens/winmail-v7-8k-A/WindowsMail.MSMessageStore')
const HEADERS_BYTES = 2 * PAGE_BYTES

describe.skipIf(!IS_THERE)('esedbinfo (skipped where libesedb-utils is absent)', () => {
  let world: MailboxWorld
  let database: Uint8Array
  beforeAll(async () => {
    world = await MailboxWorld.make()
    const store = await world.start()
    await store.transact([transaction(insert(1, 20_000), insert(2))])
    await store.close()
    database = new Uint8Array(readFileSync(join(world.root, 'database', 'priv1.edb')))
  })
  afterAll(() => world.end())

  /** What it says of these bytes. */
  function infoOf(bytes: Uint8Array): string {
    const path = join(world.root, 'other.edb')
    writeFileSync(path, bytes)
    const { stdout, stderr } = spawnSync(TOOL, [path], { encoding: 'utf8' })
    return stdout + stderr
  }

  it('takes the header of our database, and stops at the tree of page 1, which is none of ESE', () => {
    const info = infoOf(database)

    expect(info).not.toContain('file header')
    expect(info).toContain('unable to read page: 1')
  })

  it('computes the checksum of a damaged header as we do', () => {
    const damaged = database.slice()
    damaged[300] = (damaged[300] ?? 0) ^ 0x10
    const header = openLogBytes(damaged.slice(0, PAGE_BYTES))
    const stored = header.view.getUint32(0, true)
    const computed = blockChecksum(header, 0, PAGE_BYTES) >>> 0

    const info = infoOf(damaged)

    expect(computed).not.toBe(stored)
    expect(info).toContain('mismatch in file header checksum')
    expect(info).toContain(`0x${stored.toString(16).padStart(8, '0')}`)
    expect(info).toContain(`0x${computed.toString(16).padStart(8, '0')}`)
    // It gives up where the shadow would still do; we take that.
    expect(readDatabaseHeader(damaged)).toMatchObject({ verdict: 'read', copy: 'shadow' })
  })

  it.skipIf(!existsSync(REAL))(
    'reads in our header what we wrote (skipped where ../shared/specimens is absent)',
    () => {
      const bytes = new Uint8Array(readFileSync(REAL))
      bytes.set(database.subarray(0, HEADERS_BYTES))

      const info = infoOf(bytes)

      expect(info).toMatch(/Created in format:\s+0x620,12\n/)
      expect(info).toMatch(/Current format:\s+0x620,12\n/)
      expect(info).toMatch(/Page size:\s+8192 bytes\n/)
      expect(info).toContain('MSysObjects')
    },
  )
})
