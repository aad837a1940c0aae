// Goal: what is asked of a node about backups and restores reaches it as it was asked, and anything else is refused before it does.
// Method: the management API over ports in memory.
import { afterEach, expect, it } from 'vitest'
import { BACKUP_OF_A_TEST, RESTORE_OF_A_TEST } from './backup-documents.ts'
import { ManagementWorld, type RunningManagement, startManagement } from './management-world.ts'

let running: RunningManagement | null = null

afterEach(async () => {
  await running?.app.close()
  running = null
})

async function ask(path: string, body?: object): Promise<{ status: number; json: Record<string, unknown> }> {
  running ??= await startManagement(new ManagementWorld())
  const post = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  const { origin } = running.at
  const response = await fetch(`${origin}${path}`, body === undefined ? {} : post)
  return { status: response.status, json: (await response.json()) as Record<string, unknown> }
}

const ORDER = { storageGroup: 'SG1', of: 'active', scope: 'full', method: 'vss', directory: '/backup/monday' }

it('a backup is ordered, looked at, slowed down and given up', async () => {
  expect(await ask('/api/v1/backups', { ...ORDER, bytesPerSecond: 1_048_576 })).toEqual({
    status: 200,
    json: BACKUP_OF_A_TEST,
  })
  expect((await ask('/api/v1/backups')).json).toEqual({ backups: [BACKUP_OF_A_TEST] })
  expect((await ask('/api/v1/backups/1')).json).toEqual(BACKUP_OF_A_TEST)
  expect((await ask('/api/v1/backups/1/rate', { bytesPerSecond: null })).status).toBe(200)
  expect((await ask('/api/v1/backups/1/give-up', {})).status).toBe(200)

  expect(running?.world.commands).toEqual([
    ['back up', JSON.stringify({ ...ORDER, bytesPerSecond: 1_048_576, freezeMs: null })],
    ['rate', 1, null],
    ['give up', 1],
  ])
})

it('a restore is ordered and looked at', async () => {
  const sets = ['/backup/monday', '/backup/tuesday']
  expect((await ask('/api/v1/stores/SG1/restore', { sets, pointInTime: true })).json).toEqual(RESTORE_OF_A_TEST)
  expect((await ask('/api/v1/stores/SG1/restore')).json).toEqual(RESTORE_OF_A_TEST)

  expect(running?.world.commands).toEqual([
    ['restore', JSON.stringify({ storageGroup: 'SG1', sets, pointInTime: true })],
  ])
})

it.each([
  ['a relative directory', '/api/v1/backups', { ...ORDER, directory: 'monday' }, 400],
  ['a scope that there is not', '/api/v1/backups', { ...ORDER, scope: 'daily' }, 400],
  ['a member too many', '/api/v1/backups', { ...ORDER, force: true }, 400],
  ['a rate of nothing', '/api/v1/backups', { ...ORDER, bytesPerSecond: 0 }, 400],
  ['a storage group that is no name', '/api/v1/backups', { ...ORDER, storageGroup: '../SG1' }, 400],
  ['a number of no backup', '/api/v1/backups/2/give-up', {}, 400],
  ['no number', '/api/v1/backups/one/give-up', {}, 400],
  ['a restore of nothing', '/api/v1/stores/SG1/restore', { sets: [] }, 400],
  ['a restore from a relative path', '/api/v1/stores/SG1/restore', { sets: ['monday'] }, 400],
] as const)('%s is refused', async (_, path, body, status) => {
  const answer = await ask(path, body)

  expect(answer.status).toBe(status)
  expect(answer.json).toMatchObject({ code: expect.stringMatching(/_INVALID$/), hint: expect.stringMatching(/\.$/) })
  expect(running?.world.commands).toEqual([])
})
