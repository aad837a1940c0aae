// Goal: a source serves what is closed, keeps what somebody still needs, and deletes the rest when it was backed up.
// Method: real services over real directories, worker threads and sockets on free ports; the backup product is the test.
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, rename, symlink, unlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { asGeneration } from '../../engine/generation.ts'
import type { ShareService } from '../../src/share-service.ts'
import type { ShareStatus } from '../../transport/management-documents.ts'
import { ANY_PORT, eventIds, inspected, logName, logNames, patience, ServiceWorld } from './service-world.ts'

let world: ServiceWorld

beforeEach(async () => {
  world = await ServiceWorld.make()
})
afterEach(() => world.end())

/** Waits until the lowest log of a share is this one, by the files themselves. */
async function lowest(share: ShareService, generation: number): Promise<void> {
  await share.whenStatus((status) => status.lowest === generation && status.truncatedBelow === generation, patience())
}

function reported(status: ShareStatus, through: number): boolean {
  return status.copies.length > 0 && status.copies.every((copy) => copy.inspected >= through)
}

describe('truncation', () => {
  it('deletes what was backed up and inspected, at the source first and then at the copy', async () => {
    await world.closeLogs(1, 20)
    const share = await world.share()
    const copy = await world.copy(share.url)
    await inspected(copy, 20)
    await share.whenStatus((status) => reported(status, 20), patience())

    expect(await share.markBackup(asGeneration(15))).toBe('')
    await lowest(share, 16)
    await copy.whenStatus((status) => status.LowestLog === 16, patience())

    expect(await world.logsIn()).toEqual(logNames(16, 20))
    expect(await world.logsOf()).toEqual(logNames(16, 20))
    expect(await eventIds(share)).toEqual(expect.arrayContaining([9003, 9005, 224]))
  })

  it('waits for a copy that has yet to come, however often the logs are backed up', async () => {
    await world.closeLogs(1, 5)
    const share = await world.share()

    await share.markBackup(asGeneration(5))

    expect(await world.logsIn()).toEqual(logNames(1, 5))
    expect(share.explain().held.flatMap(({ reasons }) => reasons.map(({ rule }) => rule))).toEqual(['no-copy'])
    expect(await eventIds(share)).toContain(225)
  })

  it('goes on by itself as the copy catches up', async () => {
    const share = await world.share()
    const copy = await world.copy(share.url)
    await world.closeLogs(1, 4)
    await inspected(copy, 4)
    await copy.suspend(null)
    await world.closeLogs(5, 10)
    await share.whenStatus((status) => status.generated === 10, patience())
    await share.markBackup(asGeneration(9))
    await lowest(share, 5)

    await copy.resume()
    await lowest(share, 10)

    expect(await world.logsIn()).toEqual([logName(10)])
  })

  it('is held by a suspended copy at its last value, and the explanation says so', async () => {
    await world.closeLogs(1, 4)
    const share = await world.share()
    const copy = await world.copy(share.url)
    await inspected(copy, 4)
    await copy.suspend('volume work')
    await world.closeLogs(5, 8)
    await share.whenStatus(
      (status) => status.generated === 8 && status.copies[0]?.condition === 'suspended',
      patience(),
    )

    await share.markBackup(asGeneration(8))
    await lowest(share, 5)

    expect(share.explain()).toMatchObject({
      closed: { first: 5, last: 8 },
      truncatableThrough: 4,
      held: [{ range: { first: 5, last: 8 }, reasons: [{ rule: 'suspended' }] }],
    })
    expect(await world.logsIn()).toEqual(logNames(5, 8))
  })

  it('is held by each of two copies, until one of them is disabled', async () => {
    await world.closeLogs(1, 6)
    const share = await world.share()
    const one = await world.copy(share.url)
    const two = await world.copy(share.url, { store: world.store('second') })
    await inspected(one, 6)
    await inspected(two, 6)
    await two.suspend(null)
    await world.closeLogs(7, 9)
    await inspected(one, 9)
    await share.whenStatus((status) => status.copies.some((copy) => copy.inspected === 9), patience())
    await share.markBackup(asGeneration(9))
    await lowest(share, 7)

    const held = share.status().copies.find((copy) => copy.condition === 'suspended')
    await share.disableCopy(held?.copyId ?? '')
    await share.whenStatus((status) => status.truncatedBelow === 10 && status.lowest === 0, patience())

    expect(await world.logsIn()).toEqual([])
    expect(share.status().generated).toBe(9)
  })

  it('remembers mark, copies and edge across a restart, and deletes nothing before the copies have reported', async () => {
    await world.closeLogs(1, 6)
    const before = await world.share()
    const copy = await world.copy(before.url)
    await inspected(copy, 6)
    await before.whenStatus((status) => reported(status, 6), patience())
    await before.markBackup(asGeneration(3))
    await lowest(before, 4)
    await copy.close()
    await before.markBackup(asGeneration(5))
    await lowest(before, 6)
    await before.close()
    await world.closeLogs(7, 9)

    const after = await world.share()
    await after.markBackup(asGeneration(8))

    expect(after.status()).toMatchObject({ truncatedBelow: 6, generated: 9, mark: { through: 8 } })
    expect(after.explain().held[0]?.reasons.map(({ rule }) => rule)).toEqual(['not-heard'])
    expect(await world.logsIn()).toEqual(logNames(6, 9))
    const again = await world.copy(after.url)
    await inspected(again, 9)
    await lowest(after, 9)
  })

  it('is refused beyond what is closed', async () => {
    await world.closeLogs(1, 2)
    const share = await world.share()

    await expect(share.markBackup(asGeneration(3))).rejects.toMatchObject({ code: 'STATE_REFUSED' })
  })
})

describe('a disabled copy', () => {
  it('is turned away, and stays so across a restart of the source', async () => {
    await world.closeLogs(1, 2)
    const before = await world.share()
    const copy = await world.copy(before.url)
    await inspected(copy, 2)
    await before.disableCopy(before.status().copies[0]?.copyId ?? '')
    await copy.whenStatus((status) => status.FailedMessage.includes('disabled'), patience())
    await copy.close()
    await before.close()
    await world.closeLogs(3, 3)

    const after = await world.share()
    const again = await world.copy(after.url)
    await again.whenStatus((status) => status.FailedMessage.includes('disabled'), patience())

    expect(again.status()).toMatchObject({ LastLogInspected: 2, SummaryCopyStatus: 'Failed' })
    expect(after.status().copies).toEqual([])
  })
})

describe('the log directory of a source', () => {
  it('may hold foreign files: they are neither shipped nor deleted', async () => {
    await world.closeLogs(1, 3)
    await writeFile(join(world.logs, 'notes.txt'), 'mine')
    await writeFile(join(world.logs, logName(4)), '')
    await mkdir(join(world.logs, logName(5)))
    await symlink('/etc/hostname', join(world.logs, logName(6)))
    execFileSync('mkfifo', [join(world.logs, logName(7))])
    const share = await world.share()
    const copy = await world.copy(share.url)
    await inspected(copy, 3)
    await share.whenStatus((status) => reported(status, 3), patience())

    await share.markBackup(asGeneration(3))
    await share.whenStatus((status) => status.lowest === 0, patience())

    const left = (await readdir(world.logs)).filter((name) => name !== '.ccr').sort()
    expect(left).toEqual([logName(4), logName(5), logName(6), logName(7), 'notes.txt'])
    expect(copy.status()).toMatchObject({ SummaryCopyStatus: 'Healthy', LastLogInspected: 3 })
  })

  it('may lose a log in the middle: the copy is blocked, and goes on when the log is put back', async () => {
    await world.closeLogs(1, 3)
    const share = await world.share()
    const copy = await world.copy(share.url)
    await inspected(copy, 3)
    await world.closeLogs(5, 7)

    const failed = await copy.whenStatus((status) => status.Failed, patience())
    expect(failed).toMatchObject({ LastLogInspected: 3, LastLogGenerated: 7 })
    expect(await eventIds(copy)).toContain(2059)
    await world.closeLogs(4, 4)
    await inspected(copy, 7)

    expect(copy.status().SummaryCopyStatus).toBe('Healthy')
    expect(await world.logsOf()).toEqual(logNames(1, 7))
  })

  it('may be filled out of order', async () => {
    const share = await world.share()
    const copy = await world.copy(share.url)

    for (const generation of [3, 1, 5, 2, 4]) await world.closeLog(generation, `log ${generation}`)
    await inspected(copy, 5)

    expect(await world.logsOf()).toEqual(logNames(1, 5))
    expect(await eventIds(copy)).not.toContain(2059)
  })

  it('may vanish and come back', async () => {
    await world.closeLogs(1, 2)
    const share = await world.share({ state: join(world.root, 'state'), scanIntervalMs: 200 })
    const copy = await world.copy(share.url)
    await inspected(copy, 2)

    await rename(world.logs, join(world.root, 'unmounted'))
    await share.whenStatus((status) => !status.directoryRead, patience())
    expect(await eventIds(share)).toContain(2073)
    await rename(join(world.root, 'unmounted'), world.logs)
    await share.whenStatus((status) => status.directoryRead, patience())
    await world.closeLogs(3, 3)
    await inspected(copy, 3)

    expect(await world.logsOf()).toEqual(logNames(1, 3))
  })

  it('must be there, and is not made', async () => {
    const logs = join(world.root, 'mistyped')

    await expect(world.share({ logs })).rejects.toMatchObject({ code: 'DIRECTORY_MISSING' })

    expect(await readdir(world.root)).toEqual(['active'])
  })

  it('is shared by one process at a time, under one name', async () => {
    const share = await world.share()
    await expect(world.share()).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    await share.close()

    await expect(world.share({ name: 'SG2' })).rejects.toMatchObject({ code: 'STORE_FOREIGN' })
  })
})

describe('a source', () => {
  it('says that its port is in use, and leaves its state to the next start', async () => {
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    const address = taken.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0

    await expect(world.share({ listen: { host: '127.0.0.1', port } })).rejects.toMatchObject({ code: 'PORT_IN_USE' })
    taken.close()

    await world.closeLogs(1, 1)
    expect((await world.share()).status().generated).toBe(1)
  })

  it.each([
    ['NAME_INVALID', { name: '../SG1' }],
    ['NAME_INVALID', { name: 'S'.repeat(300) }],
    ['LOG_FORMAT_INVALID', { format: { kind: 'numbered', pattern: '(a+)+' } }],
    ['LOG_FORMAT_INVALID', { format: { kind: 'ese', baseName: 'E0' } }],
  ] as const)('is refused with %s before anything is made', async (code, options) => {
    await expect(world.share(options)).rejects.toMatchObject({ code })

    expect(await readdir(world.logs)).toEqual([])
  })

  it('binds to loopback alone', async () => {
    const listen = { host: '0.0.0.0', port: 0 }

    await expect(world.share({ listen })).rejects.toMatchObject({ code: 'BIND_REFUSED' })
    await expect(world.share({ manage: listen })).rejects.toMatchObject({ code: 'BIND_REFUSED' })
  })

  it('takes a backup mark over its management API and explains what is held', async () => {
    await world.closeLogs(1, 2)
    const share = await world.share({ manage: ANY_PORT, copiesExpected: 0 })
    const url = `${share.managementUrl}/api/v1/shares/SG1`

    const marked = await fetch(`${url}/backup-mark`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ through: 1 }),
    })
    await lowest(share, 2)
    const explained = await fetch(`${url}/truncation`)

    expect(marked.status).toBe(200)
    expect(await explained.json()).toMatchObject({ truncatedBelow: 2, closed: { first: 2, last: 2 } })
  })

  it('counts the logs that were gone already when it deletes', async () => {
    const share = await world.share({ copiesExpected: 0 })
    await world.closeLogs(1, 5)
    await share.whenStatus((status) => status.generated === 5, patience())
    await unlink(join(world.logs, logName(2)))

    await share.markBackup(asGeneration(4))
    await lowest(share, 5)

    expect(await world.logsIn()).toEqual([logName(5)])
    expect(await eventIds(share)).toEqual(expect.arrayContaining([224, 227]))
  })
})
