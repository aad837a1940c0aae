// Goal: one process keeps many storage groups, none of which suffers from another, and outlives its worker threads.
// Method: real hosts with real worker threads; a thread is killed as a crash would end it.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { CopyHost } from '../../src/copy-host.ts'
import type { CopyInstance } from '../../src/copy-instance.ts'
import { openEventLog } from '../../src/event-log.ts'
import { systemRandom } from '../../src/fresh-id.ts'
import { serviceLog } from '../../src/service-log.ts'
import { ShareHost } from '../../src/share-host.ts'
import type { StartWorker } from '../../src/supervised-worker.ts'
import { startCopyWorker, startShareWorker } from '../../src/worker-tasks.ts'
import type { ListenAddress } from '../../transport/loopback.ts'
import { ANY_PORT, logNames, NUMBERED, patience, ServiceWorld } from './service-world.ts'

let world: ServiceWorld

beforeEach(async () => {
  world = await ServiceWorld.make()
})
afterEach(() => world.end())

/** Threads that can be killed: a command that does not exist breaks a rule there. */
class Killable {
  readonly #kill: (() => void)[] = []

  watch<Command, Report>(start: StartWorker<Command, Report>): StartWorker<Command, Report> {
    return async (onReport) => {
      const line = await start(onReport)
      // The cast is the point: the thread is told what its type forbids.
      this.#kill.push(() => line.post({ kind: 'nonsense', copy: 0 } as Command))
      return line
    }
  }

  get started(): number {
    return this.#kill.length
  }

  /** Kills the newest thread. */
  kill(): void {
    this.#kill.at(-1)?.()
  }
}

async function hostParts() {
  const log = serviceLog('silent')
  const clock = systemClock()
  const events = world.keep(await openEventLog({ directory: null, clock, log }))
  const onCrash = (error: unknown): void => {
    throw error
  }
  return { events, log, clock, random: systemRandom, onCrash }
}

async function aShareHost(killable = new Killable()): Promise<ShareHost> {
  const startWorker = (listen: ListenAddress) => killable.watch(startShareWorker(listen))
  const host = world.keep(new ShareHost({ ...(await hostParts()), listen: ANY_PORT, startWorker }))
  await host.start()
  return host
}

async function aCopyHost(killable = new Killable(), workers = 1): Promise<CopyHost> {
  const startWorker = killable.watch(startCopyWorker)
  const host = world.keep(new CopyHost({ ...(await hostParts()), workers, startWorker }))
  await host.start()
  return host
}

/** A log directory with closed logs, shared under a name. */
async function shareLogs(host: ShareHost, name: string, logs: number): Promise<string> {
  const directory = join(world.root, `active ${name}`)
  await mkdir(directory)
  for (const file of logNames(1, logs)) await writeFile(join(directory, file), `${name} ${file}`)
  await host.add({ logs: directory, name, format: NUMBERED, copiesExpected: 1 })
  return `${host.origin}/shares/${name}`
}

function holds(copy: CopyInstance, generation: number): Promise<true> {
  return copy.until((state) => (state.inspected >= generation ? true : null), patience())
}

describe('many storage groups in one pair of processes', () => {
  it('are copied, each to a store of its own', async () => {
    const [shares, copies] = [await aShareHost(), await aCopyHost(new Killable(), 2)]
    const names = Array.from({ length: 20 }, (_, i) => `SG${i + 1}`)

    for (const name of names)
      await copies.add({ sourceUrl: await shareLogs(shares, name, 3), store: world.store(name) })
    await Promise.all(copies.copies.map((copy) => holds(copy, 3)))

    for (const name of names) expect(await world.logsOf(world.store(name))).toEqual(logNames(1, 3))
    expect(copies.port.list().map((status) => status.summary)).toEqual(names.map(() => 'Healthy'))
  })

  it('do not suffer when one of them fails', async () => {
    const [shares, copies] = [await aShareHost(), await aCopyHost()]
    const good = await copies.add({ sourceUrl: await shareLogs(shares, 'SG1', 2), store: world.store('SG1') })
    const bad = await copies.add({ sourceUrl: `${shares.origin}/shares/NOBODY`, store: world.store('SG2') })

    await holds(good, 2)
    await bad.until((state) => (state.failure === null ? null : true), patience())

    expect(good.status.summary).toBe('Healthy')
    expect(bad.status.failedMessage).toContain('NOBODY')
  })

  it('have one name each', async () => {
    const [shares, copies] = [await aShareHost(), await aCopyHost()]
    const sourceUrl = await shareLogs(shares, 'SG1', 1)
    await copies.add({ sourceUrl, store: world.store('one') })

    await expect(copies.add({ sourceUrl, store: world.store('two') })).rejects.toMatchObject({ code: 'STATE_REFUSED' })
    const sideways = shares.add({ logs: world.logs, name: '../SG2', format: NUMBERED, copiesExpected: 1 })
    await expect(sideways).rejects.toMatchObject({ code: 'NAME_INVALID' })
  })

  it('leave one by one', async () => {
    const [shares, copies] = [await aShareHost(), await aCopyHost()]
    const sourceUrl = await shareLogs(shares, 'SG1', 2)
    const first = await copies.add({ sourceUrl, store: world.store('one') })
    await holds(first, 2)

    await copies.remove(first)
    const again = await copies.add({ sourceUrl, store: world.store('one') })
    await holds(again, 2)

    expect(copies.copies).toEqual([again])
  })
})

describe('a copy worker that dies', () => {
  it('is replaced, and its copies go on from their disks', async () => {
    const threads = new Killable()
    const [shares, copies] = [await aShareHost(), await aCopyHost(threads)]
    const sourceUrl = await shareLogs(shares, 'SG1', 5)
    const copy = await copies.add({ sourceUrl, store: world.store() })
    await holds(copy, 5)

    threads.kill()
    await copy.until((state) => (state.failure === null ? null : true), patience())
    for (const file of logNames(6, 8)) await writeFile(join(world.root, 'active SG1', file), file)
    await holds(copy, 8)

    expect(threads.started).toBe(2)
    expect(await world.logsOf()).toEqual(logNames(1, 8))
    expect(copy.status.summary).toBe('Healthy')
  })

  it('leaves a suspended copy suspended', async () => {
    const threads = new Killable()
    const [shares, copies] = [await aShareHost(), await aCopyHost(threads)]
    const copy = await copies.add({ sourceUrl: await shareLogs(shares, 'SG1', 2), store: world.store() })
    await holds(copy, 2)
    await copy.suspend('disk swap')

    threads.kill()
    await copy.until((state) => (state.connected ? null : true), patience())
    await copy.until((state) => (state.connected ? true : null), patience())

    expect(copy.status).toMatchObject({ summary: 'Suspended', suspendComment: 'disk swap', failed: false })
    await copy.resume()
    await copy.until((state) => (state.phase === 'running' ? true : null), patience())
  })
})

describe('a share worker that dies', () => {
  it('is replaced at the same address, and the copies come back', async () => {
    const threads = new Killable()
    const [shares, copies] = [await aShareHost(threads), await aCopyHost()]
    const copy = await copies.add({ sourceUrl: await shareLogs(shares, 'SG1', 2), store: world.store() })
    await holds(copy, 2)
    const before = shares.origin

    threads.kill()
    await copy.until((state) => (state.connected ? null : true), patience())
    for (const file of logNames(3, 4)) await writeFile(join(world.root, 'active SG1', file), file)
    await holds(copy, 4)

    expect(shares.origin).toBe(before)
    expect(copy.status.summary).toBe('Healthy')
    expect(shares.port.get('SG1')?.state.copies[0]).toMatchObject({ connected: true })
  })
})
