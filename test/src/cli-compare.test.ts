// Goal: ccr compare agrees with both sides on a boundary, compares all pages, and says which is the first that differs.
// Method: command lines inside this process against two management APIs with digests made by hand.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { PageDigest } from '../../engine/database/page-digest.ts'
import { ReplicationError } from '../../engine/error.ts'
import type { ManagementPorts } from '../../transport/management-app.ts'
import { copyStatusDocument } from '../../transport/management-documents.ts'
import type { DigestPages } from '../../transport/management-pages.ts'
import type { ManagedStore } from '../../transport/management-stores.ts'
import { type CliOutcome, type CliSetting, ccr } from './cli-harness.ts'
import { aStatus, copiesPort, digestsOf, managementApi } from './management-fixture.ts'

const OPEN = 12

function digest(page: number, change: Partial<PageDigest> = {}): PageDigest {
  return { page, dbtime: 100 + page, hash: `${page}`.padStart(16, '0'), ...change }
}

const PAGES = [1, 2, 3, 5].map((page) => digest(page))

/** A store that writes log 12, or later ones, and gives these digests. */
function storesPort(
  digestPages: DigestPages,
  openGenerations: number[] = [OPEN],
): NonNullable<ManagementPorts['stores']> {
  const openGeneration = (): number =>
    (openGenerations.length > 1 ? openGenerations.shift() : openGenerations[0]) ?? OPEN
  const none = () => Promise.reject(new Error('nobody asks for this'))
  const store: ManagedStore = {
    status: async () => ({ ...STATUS, openGeneration: openGeneration() }),
    transact: none,
    read: none,
    list: none,
    roll: none,
    digestPages,
    mount: none,
    dismount: none,
    maintain: none,
  }
  return { list: () => [store], get: (name) => (name === 'SG1' ? store : null) }
}

const STATUS: Awaited<ReturnType<ManagedStore['status']>> = {
  storageGroup: 'SG1',
  directory: '/store',
  state: 'running',
  failure: '',
  databaseState: 'Dirty Shutdown',
  openGeneration: OPEN,
  checkpointGeneration: 1,
  lowestRequired: 1,
  requiredLogs: { low: 1, high: 2, committed: OPEN },
  waypointDepth: 10,
  databasePages: 5,
  cacheBytes: 1,
  circularLogging: false,
  dbtime: 7,
  maintenance: null,
  backups: null,
  transactions: null,
  recovery: null,
}

interface Sides {
  readonly status?: Parameters<typeof aStatus>[0]
  readonly active: DigestPages
  readonly copy: DigestPages
  readonly openGenerations?: number[]
  readonly setting?: CliSetting
  readonly words?: readonly string[]
}

/** Compares the two sides. */
async function compare({
  active,
  copy,
  status = {},
  openGenerations,
  setting,
  words = [],
}: Sides): Promise<CliOutcome> {
  const node1 = await managementApi({ stores: storesPort(active, openGenerations) })
  const node2 = await managementApi({ copies: { ...copiesPort(aStatus(status)), digestPages: () => copy } })
  return await ccr(['compare', 'SG1', '--active', node1, '--copy', node2, ...words], setting)
}

/** Digests of which the asking is noted. */
function noted(asked: string[], who: string, digests: readonly PageDigest[]): DigestPages {
  return async function* (through) {
    asked.push(`${who} ${through}`)
    yield digests
  }
}

function refusing(code: 'STATE_REFUSED', message: string): DigestPages {
  return async function* () {
    yield await Promise.reject(new ReplicationError({ code, message, hint: 'Ask later.' }))
  }
}

describe('ccr compare', () => {
  it('says that all pages are equal at the end of the log that the store writes', async () => {
    const asked: string[] = []

    const { exitCode, stdout } = await compare({
      active: noted(asked, 'active', PAGES),
      copy: noted(asked, 'copy', PAGES),
    })

    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: 'SG1: 4 pages are equal at the end of log 12\n' })
    // The copy must know of it before the log is closed.
    expect(asked).toEqual(['copy 12', 'active 12'])
  })

  it.each([
    ['another content', digest(3, { hash: 'f'.repeat(16) }), 'page 3 has other content at the same dbtime 103'],
    ['another dbtime', digest(3, { dbtime: 99 }), 'page 3 has dbtime 103 on the active database, 99 on the copy'],
    ['one page less', null, 'page 3 is on the active database only'],
    ['one page more', [digest(3), digest(4)], 'page 4 is on the copy only'],
  ] as const)('ends with 3 and names the page where the copy has %s', async (_what, third, inWords) => {
    const copy = PAGES.flatMap((page) => (page.page === 3 ? (third ?? []) : [page]))

    const { exitCode, stdout } = await compare({ active: digestsOf(PAGES), copy: digestsOf(copy) })

    expect(exitCode).toBe(3)
    expect(stdout).toMatch(/^SG1: 1 of [45] pages differ at the end of log 12\n/)
    expect(stdout).toContain(inWords)
  })

  it('prints one document with --json', async () => {
    const copy = [digest(1), digest(2, { dbtime: 1 })]

    const { stdout } = await compare({ active: digestsOf(PAGES), copy: digestsOf(copy), words: ['--json'] })

    expect(JSON.parse(stdout)).toMatchObject({
      storageGroup: 'SG1',
      through: 12,
      equal: false,
      pages: 4,
      differing: 3,
      first: { page: 2, active: digest(2), copy: { dbtime: 1 } },
    })
  })

  it('chooses a later log where the store was quicker', async () => {
    const asked: string[] = []
    const late: DigestPages = (through, signal) =>
      (through < 15 ? refusing('STATE_REFUSED', 'closed already') : noted(asked, 'active', PAGES))(through, signal)

    const { exitCode, stdout } = await compare({
      active: late,
      copy: digestsOf(PAGES),
      openGenerations: [12, 13, 16],
    })

    expect({ exitCode, stdout }).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('end of log 20') })
    expect(asked).toEqual(['active 20'])
  })

  it('ends with 6 and the reason where a side refuses', async () => {
    const active = await compare({ active: refusing('STATE_REFUSED', 'compared already'), copy: digestsOf(PAGES) })
    const copy = await compare({ active: digestsOf(PAGES), copy: refusing('STATE_REFUSED', 'the copy is suspended') })

    expect([active.exitCode, copy.exitCode]).toEqual([6, 6])
    expect(active.stderr).toContain('compared already')
    expect(copy.stderr).toBe('error: the copy is suspended\nhint: Ask later.\n')
  })

  it.each([
    [{ summary: 'Suspended' }, 'the copy of SG1 is Suspended, and replays no log', 'ccr resume SG1'],
    [
      { summary: 'Failed', failedMessage: '-1018', connected: true },
      'is Failed: -1018, and replays no log',
      'ccr status SG1',
    ],
  ] as const)('ends with 6 at once where the copy is at rest: %o', async (status, message, hint) => {
    const asked: string[] = []
    const sides = { active: noted(asked, 'active', PAGES), copy: noted(asked, 'copy', PAGES), status }

    const { exitCode, stderr } = await compare(sides)

    expect(exitCode).toBe(6)
    expect(stderr).toContain(message)
    expect(stderr).toContain(hint)
    expect(asked).toEqual([])
  })

  it('ends with 5 where the copy does not come to the boundary in time', async () => {
    const never: DigestPages = async function* (_through, signal) {
      yield []
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    }

    const { exitCode, stderr } = await compare({
      active: digestsOf(PAGES),
      copy: never,
      words: ['--patience', '300ms'],
    })

    expect(exitCode).toBe(5)
    expect(stderr).toContain('the copy of SG1 did not come to the boundary within 300 ms')
  })

  it('ends at a signal', async () => {
    const ending = new AbortController()
    const never: DigestPages = async function* (_through, signal) {
      ending.abort('SIGINT')
      yield []
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    }

    const { exitCode } = await compare({ active: digestsOf(PAGES), copy: never, setting: { signal: ending.signal } })

    expect(exitCode).toBe(130)
  })

  it('ends with 1 for a storage group that is not there, and 4 when nobody answers', async () => {
    const node = await managementApi({ stores: storesPort(digestsOf([])), copies: copiesPort(aStatus()) })

    const unknown = await ccr(['compare', 'SG2', '--active', node, '--copy', node])
    const nobody = await ccr(['compare', 'SG1', '--active', node, '--copy', 'http://127.0.0.1:1'])

    expect([unknown.exitCode, nobody.exitCode]).toEqual([1, 4])
  })

  it.each([
    ['is cut off', '{"page":1,"dbtime":1,"hash":"0"}\n', 'it was cut off'],
    ['counts wrong', '{"end":true,"pages":2}\n', 'it has 0 pages, and ends with 2'],
    ['is out of order', '{"page":1,"dbtime":1,"hash":"0"}\n'.repeat(2), 'page 1 stands behind page 1'],
    ['is of something else', '<html>\n', 'a digest is no object'],
  ])('refuses a list that %s', async (_what, body, why) => {
    const active = await managementApi({ stores: storesPort(digestsOf(PAGES)) })
    const copy = await answering(body)

    const { exitCode, stderr } = await ccr(['compare', 'SG1', '--active', active, '--copy', copy])

    expect(exitCode).toBe(1)
    expect(stderr).toContain(why)
  })
})

/** A server that answers everything with this. */
async function answering(body: string): Promise<string> {
  const status = JSON.stringify(copyStatusDocument(aStatus(), 'node2'))
  const server = createServer(({ url }, response) => response.end(url?.includes('/pages') === true ? body : status))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo // a listening TCP server has one
  return `http://127.0.0.1:${port}`
}
