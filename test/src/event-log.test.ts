// Goal: events are numbered without gaps across restarts, bounded on disk, and can be read from any number on.
// Method: real files in a temporary directory, small limits, one log opened again and again.
import { appendFile, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EVENT_FILE, type EventLog, type LoggedEvent, OLD_EVENT_FILE, openEventLog } from '../../src/event-log.ts'
import { serviceLog } from '../../src/service-log.ts'

let directory = ''
const opened: EventLog[] = []

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'event-log-'))
})
afterEach(async () => {
  for (const events of opened.splice(0)) await events.close()
  await rm(directory, { recursive: true })
})

async function anEventLog(limits: { fileBytesMax?: number; ringEventsMax?: number } = {}): Promise<EventLog> {
  const clock = { nowMs: () => 1_000_000_000_000, wakeAfter: () => () => {} }
  const events = await openEventLog({ directory, clock, log: serviceLog('silent'), ...limits })
  opened.push(events)
  return events
}

function sequences(events: readonly LoggedEvent[]): number[] {
  return events.map((event) => event.sequence)
}

describe('an event', () => {
  it('carries the source, the level and the text of the catalogue', async () => {
    const events = await anEventLog()

    const event = events.raise('SG1', 224, ['00000001', '00000050'])

    expect(event).toEqual({
      sequence: 1,
      time: '2001-09-09T01:46:40.000Z',
      id: 224,
      source: 'ESE',
      level: 'information',
      storageGroup: 'SG1',
      text: 'SG1: Deleting log files 00000001 to 00000050.',
      values: ['00000001', '00000050'],
    })
  })

  it('is a line of JSON in the file', async () => {
    const events = await anEventLog()
    const raised = [events.raise('SG1', 9002, []), events.raise('SG2', 9002, [])]

    await events.flush()

    const lines = (await readFile(join(directory, EVENT_FILE), 'utf8')).trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line))).toEqual(raised)
  })
})

describe('the numbers of events', () => {
  it('go on after a restart', async () => {
    const before = await anEventLog()
    before.raise('SG1', 9002, [])
    before.raise('SG1', 9002, [])
    await before.close()

    const after = await anEventLog()

    expect(after.raise('SG1', 9002, []).sequence).toBe(3)
    expect(sequences(await after.page({ after: 0, limit: 10, storageGroup: null }))).toEqual([1, 2, 3])
  })

  it('go on after a line that a crash has torn', async () => {
    const before = await anEventLog()
    before.raise('SG1', 9002, [])
    await before.close()
    await appendFile(join(directory, EVENT_FILE), '{"sequence":2,"time":"20')

    const after = await anEventLog()
    after.raise('SG1', 9002, [])
    await after.close()

    const again = await anEventLog()
    expect(sequences(await again.page({ after: 0, limit: 10, storageGroup: null }))).toEqual([1, 2])
  })
})

describe('the file of events', () => {
  it('is bounded: one old file is kept', async () => {
    const events = await anEventLog({ fileBytesMax: 2_000 })
    for (let i = 0; i < 100; i++) {
      events.raise('SG1', 9005, [i])
      await events.flush()
    }

    const sizes = await Promise.all([EVENT_FILE, OLD_EVENT_FILE].map((name) => stat(join(directory, name))))

    expect((await readdir(directory)).sort()).toEqual([OLD_EVENT_FILE, EVENT_FILE])
    for (const { size } of sizes) expect(size).toBeLessThan(2_500)
  })

  it('numbers on when it has just been renamed', async () => {
    const before = await anEventLog({ fileBytesMax: 10 })
    before.raise('SG1', 9002, [])
    await before.close()

    expect((await anEventLog()).raise('SG1', 9002, []).sequence).toBe(2)
  })
})

describe('an event log without a directory', () => {
  it('writes the events of its beginning down once it is told where', async () => {
    const clock = { nowMs: () => 0, wakeAfter: () => () => {} }
    const events = await openEventLog({ directory: null, clock, log: serviceLog('silent') })
    opened.push(events)
    events.raise('SG1', 2060, ['the source does not answer'])

    await events.keepIn(directory)
    await events.keepIn(directory)
    events.raise('SG1', 9002, [])
    await events.flush()

    const lines = (await readFile(join(directory, EVENT_FILE), 'utf8')).trimEnd().split('\n')
    expect(lines.map((line) => JSON.parse(line).sequence)).toEqual([1, 2])
  })
})

describe('reading events', () => {
  it('gives the first ones after a number, and the latest ones without one', async () => {
    const events = await anEventLog()
    for (let i = 0; i < 10; i++) events.raise(i % 2 === 0 ? 'SG1' : 'SG2', 9002, [])

    expect(sequences(await events.page({ after: 3, limit: 2, storageGroup: null }))).toEqual([4, 5])
    expect(sequences(await events.page({ after: null, limit: 3, storageGroup: null }))).toEqual([8, 9, 10])
    expect(sequences(await events.page({ after: 3, limit: 9, storageGroup: 'SG2' }))).toEqual([4, 6, 8, 10])
  })

  it('reads from the files what has left the memory', async () => {
    const events = await anEventLog({ ringEventsMax: 3 })
    for (let i = 0; i < 20; i++) events.raise('SG1', 9002, [])

    expect(sequences(await events.page({ after: 4, limit: 100, storageGroup: null }))).toEqual(
      Array.from({ length: 16 }, (_, i) => i + 5),
    )
  })

  it('begins anew for a number that was never given', async () => {
    const events = await anEventLog()
    events.raise('SG1', 9002, [])

    expect(sequences(await events.page({ after: 77, limit: 10, storageGroup: null }))).toEqual([1])
  })
})

describe('following events', () => {
  it('gives what is there after a number and then each new one, of one storage group', async () => {
    const events = await anEventLog()
    for (const group of ['SG1', 'SG1', 'SG2', 'SG1']) events.raise(group, 9002, [])
    const end = new AbortController()
    const seen: number[] = []

    for await (const event of events.follow({ after: 1, storageGroup: 'SG1', signal: end.signal })) {
      seen.push(event.sequence)
      if (event.sequence === 4) events.raise('SG2', 9002, [])
      if (event.sequence === 4) events.raise('SG1', 9002, [])
      if (event.sequence === 6) end.abort()
    }

    expect(seen).toEqual([2, 4, 6])
  })

  it('ends when the log is closed', async () => {
    const events = await anEventLog()
    const following = events.follow({ after: null, storageGroup: null, signal: new AbortController().signal }).next()

    await events.close()

    expect(await following).toEqual({ done: true, value: undefined })
  })
})
