// Goal: a copy holds what its source closed, whole, goes on after anything that ends, and is quiet while it is suspended.
// Method: real services over real directories, worker threads and sockets on free ports; faults are made by hand.
import { copyFile, mkdir, readdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  ANY_PORT,
  digestOf,
  ESE,
  eventIds,
  inspected,
  logName,
  logNames,
  patience,
  ServiceWorld,
} from './service-world.ts'

let world: ServiceWorld

beforeEach(async () => {
  world = await ServiceWorld.make()
})
afterEach(() => world.end())

describe('a copy', () => {
  it('holds every log that its source has closed, byte for byte and with its time', async () => {
    await world.closeEseLogs(5)
    const share = await world.share({ format: ESE })
    const copy = await world.copy(share.url)

    const status = await copy.whenCaughtUp(patience())

    expect(status).toMatchObject({ SummaryCopyStatus: 'Healthy', LastLogInspected: 5, CopyQueueLength: 0 })
    const names = await world.logsIn()
    expect(names).toHaveLength(5)
    expect(await world.logsOf()).toEqual(names)
    for (const name of names) {
      const [here, there] = [join(world.logs, name), join(world.store(), 'logs', name)]
      expect((await readFile(there)).equals(await readFile(here))).toBe(true)
      expect((await stat(there)).mtimeMs).toBeCloseTo((await stat(here)).mtimeMs, -1)
    }
    expect(await readdir(join(world.store(), 'logs', 'inspector'))).toEqual([])
  })

  it('follows its source while logs are closed', async () => {
    const share = await world.share()
    const copy = await world.copy(share.url)

    await world.closeLogs(1, 50)
    await inspected(copy, 50)

    expect(await world.logsOf()).toEqual(logNames(1, 50))
    expect(await eventIds(copy)).toContain(2114)
  })

  it('that is started before its source waits for it and makes its store then', async () => {
    const gone = await world.share()
    await gone.close()
    const copy = await world.copy(gone.url)
    await copy.whenStatus((status) => status.Failed, patience())
    expect(await readdir(world.store())).not.toContain('logs')

    await world.closeLogs(1, 3)
    await world.share({ listen: { host: '127.0.0.1', port: Number(new URL(gone.url).port) } })
    await inspected(copy, 3)

    expect(copy.status()).toMatchObject({ Failed: false, FailedMessage: '', SummaryCopyStatus: 'Healthy' })
    expect(await eventIds(copy)).toEqual(expect.arrayContaining([2001, 2060, 2080]))
    expect((await readFile(join(world.store(), 'events.ndjson'), 'utf8')).split('\n')[0]).toContain('"id":2080')
  })

  it('that cannot answer its operators is not enrolled at its source', async () => {
    const share = await world.share({ manage: ANY_PORT })
    const taken = { host: '127.0.0.1', port: Number(new URL(share.managementUrl ?? '').port) }

    await expect(world.copy(share.url, { manage: taken })).rejects.toMatchObject({ code: 'PORT_IN_USE' })

    expect(share.status().copies).toEqual([])
  })

  it('goes on from its disk after a restart and fetches nothing twice', async () => {
    await world.closeLogs(1, 10)
    const share = await world.share()
    const before = await world.copy(share.url)
    await inspected(before, 10)
    await before.close()
    await world.closeLogs(11, 12)

    const after = await world.copy(share.url)
    await inspected(after, 12)

    expect(await world.logsOf()).toEqual(logNames(1, 12))
    const times = await Promise.all(logNames(1, 10).map((name) => stat(join(world.store(), 'logs', name))))
    const restarted = await stat(join(world.store(), 'logs', logName(11)))
    expect(Math.max(...times.map(({ ctimeMs }) => ctimeMs))).toBeLessThan(restarted.ctimeMs)
  })

  it('goes on when its source was away for a while', async () => {
    await world.closeLogs(1, 2)
    const before = await world.share()
    const copy = await world.copy(before.url)
    await inspected(copy, 2)
    await before.close()
    await copy.whenStatus((status) => status.Failed, patience())

    await world.closeLogs(3, 4)
    await world.share({ listen: { host: '127.0.0.1', port: Number(new URL(before.url).port) } })
    await inspected(copy, 4)

    expect(copy.status().SummaryCopyStatus).toBe('Healthy')
  })

  it('shows its status, its health and its metrics to people and tools', async () => {
    await world.closeLogs(1, 2)
    const share = await world.share()
    const copy = await world.copy(share.url, { manage: ANY_PORT })
    await inspected(copy, 2)

    const answer = await fetch(`${copy.managementUrl}/api/v1/copies/SG1`)
    const ready = await fetch(`${copy.managementUrl}/readyz`)
    const metrics = await (await fetch(`${copy.managementUrl}/metrics`)).text()

    expect(await answer.json()).toEqual(copy.status())
    expect(ready.status).toBe(200)
    expect(metrics).toContain('ccr_last_log_inspected{storage_group="SG1"} 2')
    expect(metrics).toContain('ccr_copied_logs_total{storage_group="SG1"} 2')
  })
})

describe('a suspended copy', () => {
  it('is not touched until it is resumed, then catches up', async () => {
    await world.closeLogs(1, 5)
    const share = await world.share()
    const copy = await world.copy(share.url)
    await inspected(copy, 5)

    expect(await copy.suspend('volume work')).toBe('')
    const digest = await digestOf(join(world.store(), 'logs'))
    await world.closeLogs(6, 20)
    await copy.whenStatus((status) => status.LastLogGenerated === 20, patience())

    expect(copy.status()).toMatchObject({
      SummaryCopyStatus: 'Suspended',
      Suspend: true,
      SuspendComment: 'volume work',
      LastLogInspected: 5,
      CopyQueueLength: 15,
    })
    expect(await digestOf(join(world.store(), 'logs'))).toBe(digest)
    await copy.resume()
    await inspected(copy, 20)
    expect(copy.status()).toMatchObject({ Suspend: false, SuspendComment: '', SummaryCopyStatus: 'Healthy' })
  })

  it('stays suspended across a restart, with its comment and its last value, and is not even read', async () => {
    await world.closeLogs(1, 5)
    const share = await world.share()
    const before = await world.copy(share.url)
    await inspected(before, 5)
    await before.suspend('disk swap')
    await before.close()
    await rename(join(world.store(), 'logs', logName(5)), join(world.root, 'taken'))

    const after = await world.copy(share.url)
    await world.closeLogs(6, 7)
    await after.whenStatus((status) => status.LastLogGenerated === 7, patience())

    expect(after.status()).toMatchObject({ Suspend: true, SuspendComment: 'disk swap', LastLogInspected: 5 })
    await after.resume()
    await inspected(after, 7)
    expect(await world.logsOf()).toEqual(logNames(1, 7))
  })

  it('may be suspended and resumed again and again without error', async () => {
    const share = await world.share()
    const copy = await world.copy(share.url)

    await copy.suspend('first')
    expect(await copy.suspend(null)).toBe('the copy was suspended already')
    expect(copy.status().SuspendComment).toBe('first')
    await copy.resume()
    expect(await copy.resume()).toBe('the copy was not suspended')
  })

  it('cannot be waited for', async () => {
    const share = await world.share()
    const copy = await world.copy(share.url)
    await copy.suspend(null)

    await expect(copy.whenCaughtUp(patience())).rejects.toMatchObject({ code: 'STATE_REFUSED', exitCode: 6 })
  })
})

describe('a store', () => {
  it('serves one process at a time', async () => {
    const share = await world.share()
    await world.copy(share.url)

    await expect(world.copy(share.url)).rejects.toMatchObject({ code: 'STORE_LOCKED', exitCode: 6 })
  })

  it('is never made among the files of somebody else', async () => {
    const share = await world.share()
    await mkdir(world.store())
    await writeFile(join(world.store(), 'thesis.doc'), 'ten years of work')

    await expect(world.copy(share.url)).rejects.toMatchObject({ code: 'STORE_FOREIGN' })

    expect(await readdir(world.store())).toEqual(['thesis.doc'])
  })

  it('belongs to the storage group that it was made for', async () => {
    await world.closeLogs(1, 1)
    const share = await world.share()
    const copy = await world.copy(share.url)
    await inspected(copy, 1)
    await copy.close()

    await expect(world.copy(share.url.replace('SG1', 'SG2'))).rejects.toMatchObject({ code: 'STORE_FOREIGN' })
  })

  it('takes no source of another format', async () => {
    await world.closeLogs(1, 1)
    const share = await world.share()
    const before = await world.copy(share.url)
    await inspected(before, 1)
    await before.close()
    await share.close()
    const other = await world.share({ format: ESE, state: join(world.root, 'other state') })

    const copy = await world.copy(other.url)

    await expect(copy.whenCaughtUp(patience())).rejects.toMatchObject({ exitCode: 6 })
    expect(await world.logsOf()).toEqual(logNames(1, 1))
  })

  it('that vanishes makes the copy Failed, and Healthy again when it is back', async () => {
    await world.closeLogs(1, 3)
    const share = await world.share()
    const copy = await world.copy(share.url)
    await inspected(copy, 3)

    await rename(join(world.store(), 'logs'), join(world.root, 'unmounted'))
    await world.closeLogs(4, 5)
    const failed = await copy.whenStatus((status) => status.Failed, patience())
    expect(failed).toMatchObject({ SummaryCopyStatus: 'Failed', LastLogInspected: 3 })
    expect(await readdir(world.store())).not.toContain('logs')
    await rename(join(world.root, 'unmounted'), join(world.store(), 'logs'))
    await inspected(copy, 5)

    expect(copy.status()).toMatchObject({ SummaryCopyStatus: 'Healthy', FailedMessage: '' })
    expect(await world.logsOf()).toEqual(logNames(1, 5))
  })
})

describe('a bad log', () => {
  it('is refused three times, kept apart with a note, and never let in', async () => {
    await world.closeEseLogs(3)
    const [, second = ''] = await world.logsIn()
    await copyFile(join(world.logs, second), join(world.root, 'good'))
    const bytes = await readFile(join(world.logs, second))
    bytes[500_000] = (bytes[500_000] ?? 0) ^ 1
    await writeFile(join(world.logs, second), bytes)
    const share = await world.share({ format: ESE })
    const copy = await world.copy(share.url)

    await expect(copy.whenCaughtUp(patience())).rejects.toMatchObject({ code: 'LOG_REJECTED' })

    expect(copy.status()).toMatchObject({ SummaryCopyStatus: 'Failed', LastLogInspected: 1 })
    // A service that stops finishes what was ordered: the third file is in its place then.
    await copy.close()
    expect(await world.logsOf()).toHaveLength(1)
    const kept = await readdir(join(world.store(), 'logs', 'IgnoredLogs', 'InspectionFailed'))
    const notes = kept.filter((name) => name.endsWith('.why.json'))
    expect(notes).toHaveLength(3)
    const attempts = await Promise.all(
      notes.map((name) => readFile(join(world.store(), 'logs', 'IgnoredLogs', 'InspectionFailed', name), 'utf8')),
    )
    expect(attempts.map((note) => JSON.parse(note).attempt).sort()).toEqual([1, 2, 3])
    expect((await eventIds(copy)).filter((id) => id === 2075)).toHaveLength(3)
  })

  it('is let in once its source was put right and the copy was suspended and resumed', async () => {
    await world.closeEseLogs(2)
    const [first = ''] = await world.logsIn()
    const good = await readFile(join(world.logs, first))
    await writeFile(join(world.logs, first), good.subarray(0, 4096))
    const share = await world.share({ format: ESE })
    const copy = await world.copy(share.url)
    await copy.whenStatus((status) => status.SummaryCopyStatus === 'Failed', patience())

    await writeFile(join(world.root, 'mended'), good)
    await rename(join(world.root, 'mended'), join(world.logs, first))
    await copy.suspend(null)
    await copy.resume()
    await inspected(copy, 2)

    expect(copy.status().SummaryCopyStatus).toBe('Healthy')
  })
})
