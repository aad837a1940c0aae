// Goal: the management API answers in Exchange's words, does what it is told once, and streams events that can be resumed.
// Method: the API over a service in memory on a free port, asked with fetch; every answer is held against its own OpenAPI document.
import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterEach, describe, expect, test } from 'vitest'
import { ReplicationError } from '../../engine/error.ts'
import { COPY_STATUS } from '../../transport/management-schemas.ts'
import { ManagementWorld, type RunningManagement, startManagement } from './management-world.ts'
import { rawRequest, sendRaw } from './raw-http.ts'

const opened: RunningManagement[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map(({ app }) => app.close()))
})

async function management(): Promise<RunningManagement> {
  const running = await startManagement(new ManagementWorld())
  opened.push(running)
  return running
}

async function call(running: RunningManagement, path: string, body?: unknown) {
  const posted = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  const response = await fetch(`${running.at.origin}${path}`, body === undefined ? {} : posted)
  const text = await response.text()
  return { status: response.status, type: response.headers.get('content-type'), text, json: parsed(text) }
}

function parsed(text: string): Record<string, unknown> {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}

const SUSPEND = '/api/v1/copies/SG1/suspend'

describe('copies', () => {
  test('have the fields of Get-StorageGroupCopyStatus in its order, then ours', async () => {
    const { json } = await call(await management(), '/api/v1/copies/SG1')

    expect(Object.keys(json).join(' ')).toBe(
      'Identity StorageGroupName SummaryCopyStatus NotSupported NotConfigured Disabled ServiceDown Failed Initializing Resynchronizing Seeding Suspend CCRTargetNode FailedMessage SuspendComment CopyQueueLength ReplayQueueLength LatestAvailableLogTime LastCopyNotificationedLogTime LastCopiedLogTime LastInspectedLogTime LastReplayedLogTime LastLogGenerated LastLogCopyNotified LastLogCopied LastLogInspected LastLogReplayed LatestFullBackupTime LatestIncrementalBackupTime LatestDifferentialBackupTime LatestCopyBackupTime SnapshotBackup SnapshotLatestFullBackup SnapshotLatestIncrementalBackup SnapshotLatestDifferentialBackup SnapshotLatestCopyBackup OutstandingDumpsterRequests DumpsterServersNotAvailable DumpsterStatistics IsValid ObjectState LowestLog SourceConnected LowestRequiredLog HighestRequiredLog Remark',
    )
    expect(json).toMatchObject({ Identity: 'NODE2\\SG1', SummaryCopyStatus: 'Initializing', LastLogInspected: 0 })
    expect(Object.keys(Reflect.get(COPY_STATUS, 'properties'))).toEqual(Object.keys(json))
  })

  test('are suspended with a comment or without, and resumed, and the answer has the status and a remark', async () => {
    const running = await management()

    const suspended = await call(running, SUSPEND, { comment: 'backup window' })
    await call(running, SUSPEND, {})
    const resumed = await call(running, '/api/v1/copies/SG1/resume', {})

    expect(running.world.commands).toEqual([
      ['suspend', 'SG1', 'backup window'],
      ['suspend', 'SG1', null],
      ['resume', 'SG1'],
    ])
    for (const { status, json } of [suspended, resumed])
      expect([status, json]).toMatchObject([200, { status: { StorageGroupName: 'SG1' }, remark: 'noted' }])
  })

  test('tell a refusal of the state they are in with its code, hint and status 409', async () => {
    const running = await management()
    const hint = 'Resume it first: ccr resume SG1.'
    running.world.refusal = new ReplicationError({ code: 'STATE_REFUSED', message: 'SG1 is being seeded', hint })

    const { status, type, json } = await call(running, SUSPEND, {})

    expect([status, type]).toEqual([409, 'application/problem+json'])
    expect(json).toEqual({
      type: 'about:blank',
      title: 'Conflict',
      status: 409,
      detail: 'SG1 is being seeded',
      code: 'STATE_REFUSED',
      hint,
      retriable: false,
    })
  })

  test('tell nothing of a fault of the program but that it is one; the log hears all', async () => {
    const running = await management()
    running.world.refusal = new TypeError('secret detail at /home/x')

    const { status, text, json } = await call(running, SUSPEND, {})

    expect([status, json['code']]).toEqual([500, 'INTERNAL'])
    expect(text).not.toContain('secret')
    expect(running.world.faults).toEqual([running.world.refusal])
  })
})

describe('shares', () => {
  test('are told with their marks and copies, and their truncation is explained', async () => {
    const running = await management()

    expect((await call(running, '/api/v1/shares')).json).toEqual({
      shares: [
        {
          name: 'SG1',
          directory: '/logs',
          format: { kind: 'ese', baseName: 'E00' },
          directoryRead: false,
          lowest: 0,
          closedThrough: 0,
          generated: 0,
          missing: 0,
          truncatedBelow: 0,
          truncateFailure: '',
          mark: null,
          copies: [],
        },
      ],
    })
    expect((await call(running, '/api/v1/shares/SG1/truncation')).json).toMatchObject({ storageGroup: 'SG1', held: [] })
  })

  test('take a backup mark and the disablement of a copy', async () => {
    const running = await management()
    const copyId = '0123456789abcdef'.repeat(2)

    const marked = await call(running, '/api/v1/shares/SG1/backup-mark', { through: 42 })
    const disabled = await call(running, '/api/v1/shares/SG1/disable-copy', { copyId })

    expect(running.world.commands).toEqual([
      ['mark', 'SG1', 42],
      ['disable', 'SG1', copyId],
    ])
    expect(marked.json).toMatchObject({ explanation: { storageGroup: 'SG1' }, remark: 'noted' })
    expect(disabled.json).toMatchObject({ share: { name: 'SG1' }, remark: 'noted' })
  })

  test('of a process that has none are an empty list, and a name says where to look', async () => {
    const { copies: _copies, shares: _shares, ...ports } = new ManagementWorld().ports({})
    const { createManagementApp } = await import('../../transport/management-app.ts')
    const app = createManagementApp(ports)
    const get = async (path: string) => (await app.inject({ url: path })).json()

    expect(await get('/api/v1/copies')).toEqual({ copies: [] })
    expect(await get('/api/v1/shares')).toEqual({ shares: [] })
    expect(await get('/api/v1/copies/SG1')).toMatchObject({
      code: 'STORAGE_GROUP_UNKNOWN',
      hint: expect.stringContaining('--server'),
    })
    await app.close()
  })
})

describe('events', () => {
  test('come in pages, from a number on, of one storage group', async () => {
    const running = await management()
    for (const group of ['SG1', 'SG2', 'SG1', 'SG1']) running.world.raise(group)
    const sequences = async (query: string) => {
      const { json } = await call(running, `/api/v1/events${query}`)
      return JSON.stringify(json['events'])
        .match(/(?<="sequence":)\d+/g)
        ?.join(' ')
    }

    expect(await sequences('')).toBe('1 2 3 4')
    expect(await sequences('?after=1&limit=2')).toBe('2 3')
    expect(await sequences('?storageGroup=SG1')).toBe('1 3 4')
  })

  test('come as a stream that goes on where the reader was, and ends when the service stops', async () => {
    const running = await management()
    running.world.raise()
    running.world.raise()
    const headers = ['Accept: text/event-stream', 'Last-Event-ID: 1']
    const stream = sendRaw(running.at.port, rawRequest('GET /api/v1/events HTTP/1.1', headers))
    await followers(running.world, 1)
    running.world.raise()
    await followers(running.world, 1)

    await running.app.close()

    const { text } = await stream
    expect([...text.matchAll(/^id: (\d+)$/gm)].map((found) => found[1])).toEqual(['2', '3'])
    expect(text).toMatch(/^event: event\ndata: \{"sequence":2,/m)
    expect(running.world.followers).toBe(0)
  })

  test('are no longer followed for a reader that has gone', async () => {
    const running = await management()
    const leaving = new AbortController()
    const headers = { accept: 'text/event-stream' }
    await fetch(`${running.at.origin}/api/v1/events`, { headers, signal: leaving.signal })
    await followers(running.world, 1)

    leaving.abort()

    await followers(running.world, 0)
  })
})

describe('the service', () => {
  test('tells that it lives, whether it is ready, and its metrics', async () => {
    const running = await management()

    expect((await call(running, '/livez')).status).toBe(200)
    expect((await call(running, '/readyz')).json).toEqual({ ready: true })
    running.world.isReady = false
    expect((await call(running, '/readyz')).status).toBe(503)
    expect(await call(running, '/metrics')).toMatchObject({
      type: 'text/plain; version=0.0.4; charset=utf-8',
      text: 'ccr_copy_queue_length 0\n',
    })
  })

  test('describes every route in its OpenAPI document, and answers as it describes', async () => {
    const running = await management()
    running.world.raise()
    const { json } = await call(running, '/openapi.json')
    const paths = json['paths'] as Record<string, Record<string, { responses: Record<string, OpenApiResponse> }>> // of our own document

    expect(json).toMatchObject({ openapi: '3.1.0', info: { version: '0.1.0' } })
    expect(Object.keys(paths).sort()).toEqual(PATHS)
    for (const path of PATHS.filter((path) => path.startsWith('/api'))) {
      const schema = paths[path]?.['get']?.responses['200']?.content['application/json']?.schema
      if (schema === undefined) continue // a command, bytes or lines
      const answer = await call(
        running,
        path.replace('{storageGroup}', 'SG1').replace('{mailbox}', '1').replace('{id}', '1'),
      )
      const validate = new Ajv2020().compile(schema)

      expect(validate(answer.json), `${path}: ${JSON.stringify(validate.errors)}`).toBe(true)
    }
  })

  test('offers no other site a way in: no CORS header, a policy for its own pages', async () => {
    const { headers } = await fetch(`${(await management()).at.origin}/livez`)

    expect(headers.get('access-control-allow-origin')).toBeNull()
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
    expect(headers.get('cache-control')).toBe('no-store')
  })
})

interface OpenApiResponse {
  readonly content: Record<string, { readonly schema: object }>
}

const PATHS = [
  '/api/v1/backups',
  '/api/v1/backups/{id}',
  '/api/v1/backups/{id}/give-up',
  '/api/v1/backups/{id}/rate',
  '/api/v1/copies',
  '/api/v1/copies/{storageGroup}',
  '/api/v1/copies/{storageGroup}/pages',
  '/api/v1/copies/{storageGroup}/resume',
  '/api/v1/copies/{storageGroup}/suspend',
  '/api/v1/copies/{storageGroup}/truncation',
  '/api/v1/events',
  '/api/v1/seed-rate',
  '/api/v1/seeds',
  '/api/v1/seeds/plan',
  '/api/v1/seeds/{id}',
  '/api/v1/seeds/{id}/give-up',
  '/api/v1/shares',
  '/api/v1/shares/{storageGroup}',
  '/api/v1/shares/{storageGroup}/backup-mark',
  '/api/v1/shares/{storageGroup}/disable-copy',
  '/api/v1/shares/{storageGroup}/truncation',
  '/api/v1/stores',
  '/api/v1/stores/{storageGroup}',
  '/api/v1/stores/{storageGroup}/dismount',
  '/api/v1/stores/{storageGroup}/mailboxes/{mailbox}/messages',
  '/api/v1/stores/{storageGroup}/mailboxes/{mailbox}/messages/{id}',
  '/api/v1/stores/{storageGroup}/maintenance',
  '/api/v1/stores/{storageGroup}/mount',
  '/api/v1/stores/{storageGroup}/pages',
  '/api/v1/stores/{storageGroup}/restore',
  '/api/v1/stores/{storageGroup}/roll',
  '/api/v1/stores/{storageGroup}/transactions',
  '/api/v1/writers',
  '/api/v1/writers/{storageGroup}/abort',
  '/api/v1/writers/{storageGroup}/freeze',
  '/api/v1/writers/{storageGroup}/post',
  '/api/v1/writers/{storageGroup}/prepare',
  '/api/v1/writers/{storageGroup}/provoke',
  '/api/v1/writers/{storageGroup}/thaw',
  '/livez',
  '/metrics',
  '/readyz',
]

/** Waits until so many followers wait for the next event. */
async function followers(world: ManagementWorld, count: number): Promise<void> {
  while (world.followers !== count) await new Promise((resolve) => setImmediate(resolve))
}
