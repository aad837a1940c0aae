// Goal: one process at a time uses a store, and a restart after a kill waits for nothing.
// Method: real processes that take the lock and are killed; they tell over a pipe when they hold it.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ReplicationError } from '../../engine/error.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import { lockStore, type StoreLock } from '../../storage/store-lock.ts'

const files = nodeFileOperations({ shortCalls: 'pooled' })
/** The time after which a lock that nobody renews counts as given up: a take-over by waiting could not be faster. */
const STALE_MS = 10_000

describe('the lock of a store', () => {
  let root: string
  let locks: StoreLock[]

  beforeEach(() => {
    root = fs.mkdtempSync(join(tmpdir(), 'ccr-lock-'))
    locks = []
  })
  afterEach(async () => {
    for (const lock of locks) await lock.release()
    fs.rmSync(root, { recursive: true })
  })

  async function take(onLost: (error: ReplicationError) => void = () => undefined): Promise<StoreLock> {
    const lock = await lockStore({ root, files, onLost })
    locks.push(lock)
    return lock
  }

  /** Another process that holds the lock; resolves when it does. */
  async function holder(): Promise<ChildProcess> {
    const module = (name: string): string => JSON.stringify(new URL(`../../storage/${name}.ts`, import.meta.url).href)
    const script = `
      const { nodeFileOperations } = await import(${module('node-file-operations')})
      const { lockStore } = await import(${module('store-lock')})
      const files = nodeFileOperations({ shortCalls: 'pooled' })
      await lockStore({ root: ${JSON.stringify(root)}, files, onLost: () => process.exit(3) })
      process.stdout.write('held')
      process.stdin.resume()`
    const child = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    await once(child.stdout, 'data')
    return child
  }

  async function kill(child: ChildProcess): Promise<void> {
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  it('refuses a second process and names the first', async () => {
    const first = await holder()

    const refusal = await take().catch((error) => error)

    await kill(first)
    expect(refusal).toMatchObject({ code: 'STORE_LOCKED' })
    expect(refusal.message).toContain(`already in use by process ${first.pid}`)
  })

  it('is taken over at once from a process that was killed', async () => {
    await kill(await holder())
    expect(fs.existsSync(join(root, 'store.lock'))).toBe(true)
    const beganMs = performance.now()

    await take()

    expect(performance.now() - beganMs).toBeLessThan(STALE_MS / 10)
  })

  it('of several that find a dead owner at once, one takes it', async () => {
    await kill(await holder())

    const results = await Promise.allSettled([take(), take(), take()])

    expect(results.filter(({ status }) => status === 'fulfilled').length).toBe(1)
    for (const result of results)
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'STORE_LOCKED' })
  })

  it('is free again after its release, which may be repeated', async () => {
    const lock = await take()
    await expect(take()).rejects.toMatchObject({ code: 'STORE_LOCKED' })

    await lock.release()
    await lock.release()

    await expect(take()).resolves.toBeDefined()
  })

  it('does not believe a process id that another process has by now', async () => {
    await kill(await holder())
    const note = JSON.parse(fs.readFileSync(join(root, 'store.lock.json'), 'utf8'))
    fs.writeFileSync(join(root, 'store.lock.json'), JSON.stringify({ ...note, pid: process.pid }))

    await expect(take()).resolves.toBeDefined()
  })

  it('leaves the lock of another host to its renewal', async () => {
    await kill(await holder())
    const note = JSON.parse(fs.readFileSync(join(root, 'store.lock.json'), 'utf8'))
    fs.writeFileSync(join(root, 'store.lock.json'), JSON.stringify({ ...note, place: 'elsewhere 1 2' }))

    await expect(take()).rejects.toThrow(/already in use by process \d+ on elsewhere/)
  })

  it('tells that a directory that is missing cannot be locked', async () => {
    fs.rmdirSync(root)

    const refusal = await take().catch((error) => error)

    fs.mkdirSync(root)
    expect(refusal).toMatchObject({ code: 'DIRECTORY_MISSING' })
  })
})
