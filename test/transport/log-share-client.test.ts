// Goal: the client gets a log whole, goes on where a connection broke, and hears of each announcement.
// Method: the real log share over a source in memory, and impostors on raw sockets where a source would have to misbehave.
import { afterEach, describe, expect, test } from 'vitest'
import type { ReplicationError } from '../../engine/error.ts'
import { asGeneration } from '../../engine/generation.ts'
import { answer, Collected, failure, HEAD, Stage } from './impostor.ts'
import { logBytes, ShareWorld } from './share-world.ts'

const stage = new Stage()
afterEach(() => stage.close())

const FIRST = asGeneration(1)

describe('a log', () => {
  test('is fetched whole, with what the source says of it', async () => {
    const { source, world } = await stage.share(new ShareWorld({ sizeBytes: 300_000 }))
    const sink = new Collected()

    const log = await stage.client({}).fetchLog(source, FIRST, { sink })

    expect(Buffer.compare(sink.bytes, logBytes(1, 300_000))).toBe(0)
    expect(sink.begun).toEqual([log])
    expect(log).toMatchObject({
      generation: 1,
      name: 'E0000000001.log',
      sizeBytes: 300_000,
      logTimeMs: 1_181_839_321_000,
    })
    expect(world.served).toEqual([{ generation: 1, bytes: 300_000 }])
  })

  test('that was begun earlier is fetched from where it stopped', async () => {
    const { source, world } = await stage.share()
    const { etag } = await stage.client({}).fetchLog(source, FIRST, { sink: new Collected() })
    const sink = new Collected()

    await stage.client({}).fetchLog(source, FIRST, { sink, from: { offset: 4_000, etag } })

    expect(Buffer.compare(sink.bytes, logBytes(1, 4_096).subarray(4_000))).toBe(0)
    expect(sink.positions[0]).toBe(4_000)
    expect(world.served.at(-1)).toEqual({ generation: 1, bytes: 96 })
  })

  test('that is another one now is not patched together', async () => {
    const { source } = await stage.share()
    const sink = new Collected()

    const error = await failure(
      stage.client({}).fetchLog(source, FIRST, { sink, from: { offset: 10, etag: '"another"' } }),
    )

    expect(error.code).toBe('LOG_CHANGED')
    expect(sink.bytes.length).toBe(0)
  })

  test('whose connection breaks is gone on with by itself, as long as bytes come', async () => {
    const asked: string[] = []
    const source = await stage.impostor((socket, request) => {
      const from = Number(/range: bytes=(\d+)-/i.exec(request)?.[1] ?? 0)
      asked.push(`${from} ${/if-range: (.*)\r/i.exec(request)?.[1] ?? ''}`)
      const part = { 'content-length': String(8 - from), 'content-range': `bytes ${from}-7/8` }
      const head = from === 0 ? answer('200 OK', HEAD) : answer('206 Partial Content', { ...HEAD, ...part })
      socket.end(`${head}${'abcdefgh'.slice(from, from + 3)}`)
    })
    const sink = new Collected()

    await stage.client({}).fetchLog(source, FIRST, { sink })

    expect(sink.bytes.toString()).toBe('abcdefgh')
    expect(sink.begun).toHaveLength(1)
    expect(asked).toEqual(['0 ', `3 ${HEAD.etag}`, `6 ${HEAD.etag}`])
  })

  test('that is not there is told in the source’s own words', async () => {
    const { source } = await stage.share()

    const error = await failure(stage.client({}).fetchLog(source, asGeneration(4), { sink: new Collected() }))

    expect(error).toMatchObject({ code: 'LOG_MISSING', message: 'log 4 of SG1 is gone', hint: 'Put it back.' })
  })

  test('ends with what its sink throws, and is not asked for again', async () => {
    const { source, world } = await stage.share()
    const full = Object.assign(new Error('no space left'), { code: 'ECONNRESET' })
    const sink = { begin: () => undefined, write: () => Promise.reject(full) }

    await expect(stage.client({}).fetchLog(source, FIRST, { sink })).rejects.toBe(full)

    expect(world.opened).toEqual([1])
  })

  test('that is no longer wanted ends with the reason of the signal', async () => {
    const source = await stage.impostor(() => undefined)
    const reason = new Error('suspended')
    const leaving = new AbortController()
    const fetching = stage.client({}).fetchLog(source, FIRST, { sink: new Collected(), signal: leaving.signal })

    leaving.abort(reason)

    await expect(fetching).rejects.toBe(reason)
  })
})

describe('watching announcements', () => {
  const noRetry = (error: ReplicationError) => Promise.reject(error)

  test('yields what is, then each change, and stops with its signal', async () => {
    const { source, world } = await stage.share()
    const stop = new AbortController()
    const seen: number[] = []

    for await (const { announcement } of stage.client({ pollWaitMs: 20_000 }).watchAnnouncements(source, {
      signal: stop.signal,
      waitBeforeRetry: noRetry,
    })) {
      seen.push(announcement.generated)
      if (seen.length === 3) stop.abort()
      else setImmediate(() => world.announce(5 + seen.length))
    }

    expect(seen).toEqual([5, 6, 7])
  })

  test('polls again when the wait is over without news', async () => {
    const { source, world } = await stage.share()
    const stop = new AbortController()
    const watch = stage.client({ pollWaitMs: 20 }).watchAnnouncements(source, {
      signal: stop.signal,
      waitBeforeRetry: noRetry,
    })
    await watch.next()
    const next = watch.next()
    for (let polls = 0; polls < 3; polls += 1) {
      while (world.waiting === 0) await new Promise((resolve) => setImmediate(resolve))
      while (world.waiting === 1) await new Promise((resolve) => setImmediate(resolve))
    }

    world.announce(6)

    expect((await next).value).toMatchObject({ announcement: { generated: 6 } })
    stop.abort()
  })

  test('asks its hook how to go on after a failure, and yields again when the source is back', async () => {
    const document = (number: number) =>
      JSON.stringify({
        share: 'SG1',
        format: { kind: 'ese', baseName: 'E00' },
        announcementNumber: number,
        announcement: { lowest: 1, closedThrough: 5, generated: 5, missing: 0, truncatedBelow: 0, logTimeMs: 0 },
      })
    // The first connection answers, the second and third break, the fourth is another run of the source.
    const source = await stage.impostor((socket, _request, connection) => {
      const body = document(connection === 0 ? 7 : 3)
      socket.end(
        [0, 3].includes(connection)
          ? answer('200 OK', { 'content-length': String(body.length), connection: 'close' }, body)
          : '',
      )
    })
    const failures: [string, number][] = []
    const stop = new AbortController()
    const seen: number[] = []

    for await (const { announcementNumber } of stage.client({}).watchAnnouncements(source, {
      signal: stop.signal,
      waitBeforeRetry: async (error, count) => {
        failures.push([error.code, count])
      },
    })) {
      seen.push(announcementNumber)
      if (seen.length === 2) stop.abort()
    }

    expect(seen).toEqual([7, 3])
    expect(failures).toEqual([
      ['NODE_UNREACHABLE', 1],
      ['NODE_UNREACHABLE', 2],
    ])
  })

  test('takes a source that answers at once without news for a failure, so that it does not spin', async () => {
    const body = JSON.stringify({
      share: 'SG1',
      format: { kind: 'ese', baseName: 'E00' },
      announcementNumber: 1,
      announcement: { lowest: 0, closedThrough: 0, generated: 0, missing: 0, truncatedBelow: 0, logTimeMs: 0 },
    })
    const source = await stage.impostor((socket) =>
      socket.end(answer('200 OK', { 'content-length': String(body.length), connection: 'close' }, body)),
    )
    const watch = stage.client({ pollWaitMs: 5_000 }).watchAnnouncements(source, {
      signal: new AbortController().signal,
      waitBeforeRetry: noRetry,
    })
    await watch.next()

    expect((await failure(watch.next())).code).toBe('WIRE_PROTOCOL')
  })
})
