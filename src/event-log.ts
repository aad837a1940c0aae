import { constants, type FileHandle, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { assert } from '../engine/assert.ts'
import {
  EVENT_CATALOGUE,
  type EventId,
  type EventLevel,
  type EventSource,
  eventNumber,
  eventText,
} from '../engine/event-catalogue.ts'
import type { Clock } from './clock.ts'
import type { ServiceLog } from './service-log.ts'

/** One event as people and tools read it; a line of `events.ndjson`. */
export interface LoggedEvent {
  /** Ascends by one from event to event, across restarts: what a reader resumes from. */
  readonly sequence: number
  /** ISO 8601, UTC. */
  readonly time: string
  /** The number as Exchange has it; two sources may share one. */
  readonly id: number
  readonly source: EventSource
  readonly level: EventLevel
  readonly storageGroup: string
  readonly text: string
  readonly values: readonly (string | number)[]
}

/** Which events are asked for. */
export interface EventQuery {
  /** Only events after this sequence number; null: the latest ones. A number that was never given counts as 0. */
  readonly after: number | null
  /** At most so many: the first ones after `after`, or the last ones of all. */
  readonly limit: number
  /** Only events of this storage group; null: of all. */
  readonly storageGroup: string | null
}

/** What an event log is opened with. */
export interface EventLogParts {
  /** Where `events.ndjson` lies; it must exist. Null: in memory only, until {@link EventLog.keepIn} says where. */
  readonly directory: string | null
  readonly clock: Clock
  readonly log: ServiceLog
  /** When the file is renamed to `events.1.ndjson`, in bytes. */
  readonly fileBytesMax?: number
  /** Events kept in memory. */
  readonly ringEventsMax?: number
}

/** The file that is written. */
export const EVENT_FILE = 'events.ndjson'
/** The file before it. */
export const OLD_EVENT_FILE = 'events.1.ndjson'

/** 4 MiB is about 15,000 events; with the old file twice that, and read whole in 20 ms where somebody asks for old ones. */
const FILE_BYTES_MAX = 4 * 1024 * 1024
/** About 400 bytes each, so 0.8 MB. Older ones are read from the files. */
const RING_EVENTS_MAX = 2_000
/** Lines that wait for a disk that does not answer. Beyond it the oldest are left out of the file, and the log says so. */
const WAITING_LINES_MAX = 10_000
/** Events per read of one who follows. */
const FOLLOW_PAGE_EVENTS = 256

/** Opens an event log and goes on after the last event of its directory. Errors of the file system are the caller's. */
export async function openEventLog(parts: EventLogParts): Promise<EventLog> {
  const { directory } = parts
  if (directory === null) return new EventLog(parts, [], null)
  return new EventLog(parts, await readEventFiles(directory), await openEventFile(directory))
}

/** The file that is being written. */
interface OpenEventFile {
  readonly directory: string
  readonly file: FileHandle
  readonly bytes: number
}

/**
 * The event log of one process: a bounded file for people, a ring in memory for readers. Raising an event never waits and
 * never fails; the file follows, and is not synced: after a power cut its last second may be missing.
 */
export class EventLog {
  readonly #parts: EventLogParts
  #ring: LoggedEvent[]
  #lastSequence: number
  #open: OpenEventFile | null
  #waiting: string[] = []
  #left = 0
  #writing: Promise<void> | null = null
  #closed = false
  readonly #followers = new Set<() => void>()

  constructor(parts: EventLogParts, events: readonly LoggedEvent[], file: OpenEventFile | null) {
    this.#parts = parts
    this.#ring = events.slice(-this.#ringMax)
    this.#lastSequence = events.at(-1)?.sequence ?? 0
    this.#open = file
  }

  /** Sequence number of the last event, 0 before the first. */
  get lastSequence(): number {
    return this.#lastSequence
  }

  /** Keeps the events of a log in memory in a directory from now on, those before included; one that is kept there already goes on. */
  async keepIn(directory: string): Promise<void> {
    if (this.#open?.directory === directory) return
    assert(this.#open === null, 'an event log is kept in one place')
    this.#open = await openEventFile(directory)
    for (const event of this.#ring) this.#append(event)
  }

  /** Writes an event down, with the text of the catalogue. */
  raise(storageGroup: string, id: EventId, values: readonly (string | number)[]): LoggedEvent {
    const { source, level } = EVENT_CATALOGUE[id]
    this.#lastSequence += 1
    const event: LoggedEvent = {
      sequence: this.#lastSequence,
      time: new Date(this.#parts.clock.nowMs()).toISOString(),
      id: eventNumber(id),
      source,
      level,
      storageGroup,
      text: eventText(id, storageGroup, values),
      values,
    }
    this.#ring.push(event)
    if (this.#ring.length > 2 * this.#ringMax) this.#ring = this.#ring.slice(-this.#ringMax)
    this.#append(event)
    for (const told of [...this.#followers]) told()
    return event
  }

  /** Reads events in ascending order; those that have left the ring come from the files. */
  async page(query: EventQuery): Promise<readonly LoggedEvent[]> {
    const fits = (event: LoggedEvent): boolean =>
      query.storageGroup === null || event.storageGroup === query.storageGroup
    if (query.after === null) return this.#ring.filter(fits).slice(-query.limit)
    const after = query.after > this.#lastSequence ? 0 : query.after
    const known = await this.#from(after + 1)
    const start = known.findIndex((event) => event.sequence > after)
    return start < 0 ? [] : known.slice(start).filter(fits).slice(0, query.limit)
  }

  /** Events as they come, beginning after `after` (null: with the next one), until the signal fires or the log is closed. */
  async *follow(
    query: Pick<EventQuery, 'after' | 'storageGroup'> & { readonly signal: AbortSignal },
  ): AsyncGenerator<LoggedEvent, void, undefined> {
    let after = query.after === null ? this.#lastSequence : query.after > this.#lastSequence ? 0 : query.after
    while (!query.signal.aborted && !this.#closed) {
      const through = this.#lastSequence
      const page = await this.page({ after, limit: FOLLOW_PAGE_EVENTS, storageGroup: query.storageGroup })
      for (const event of page) {
        if (query.signal.aborted) return
        yield event
      }
      after = page.length === FOLLOW_PAGE_EVENTS ? (page.at(-1)?.sequence ?? through) : through
      if (after >= this.#lastSequence) await this.#nextEvent(query.signal)
    }
  }

  /** Resolves when every event raised so far has been handed to the system, or could not be. */
  async flush(): Promise<void> {
    while (this.#writing !== null) await this.#writing
  }

  /** Writes what waits and closes the file. May be called twice. */
  async close(): Promise<void> {
    if (this.#closed) return
    await this.flush()
    this.#closed = true
    for (const told of [...this.#followers]) told()
    await this.#open?.file.close()
  }

  get #ringMax(): number {
    return this.#parts.ringEventsMax ?? RING_EVENTS_MAX
  }

  async #from(sequence: number): Promise<readonly LoggedEvent[]> {
    const first = this.#ring[0]
    if (this.#open === null || first === undefined || first.sequence <= sequence) return this.#ring
    await this.flush()
    const old = await readEventFiles(this.#open.directory)
    // The ring may have moved on while the files were read; it is the one to believe where both know an event.
    const from = this.#ring[0]?.sequence ?? Number.POSITIVE_INFINITY
    return [...old.filter((event) => event.sequence < from), ...this.#ring]
  }

  #nextEvent(signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#closed) return Promise.resolve()
    return new Promise((resolve) => {
      const end = (): void => {
        this.#followers.delete(end)
        signal.removeEventListener('abort', end)
        resolve()
      }
      this.#followers.add(end)
      signal.addEventListener('abort', end, { once: true })
    })
  }

  #append(event: LoggedEvent): void {
    if (this.#closed || this.#open === null) return
    this.#waiting.push(`${JSON.stringify(event)}\n`)
    if (this.#waiting.length > WAITING_LINES_MAX) {
      this.#waiting.shift()
      this.#left += 1
    }
    this.#writing ??= this.#write(this.#open).finally(() => {
      this.#writing = null
    })
  }

  async #write(open: OpenEventFile): Promise<void> {
    // Lets the events of one step go out with one write.
    await Promise.resolve()
    let target = open
    while (this.#waiting.length > 0) {
      const lines = this.#waiting.splice(0)
      const bytes = Buffer.from(lines.join(''))
      try {
        await target.file.appendFile(bytes)
        target = await this.#rotated({ ...target, bytes: target.bytes + bytes.length })
      } catch (error) {
        this.#left += lines.length
        this.#parts.log.warn({ error, left: this.#left }, 'events-not-written')
      }
    }
    this.#open = target
  }

  async #rotated(open: OpenEventFile): Promise<OpenEventFile> {
    if (open.bytes <= (this.#parts.fileBytesMax ?? FILE_BYTES_MAX)) return open
    await rename(join(open.directory, EVENT_FILE), join(open.directory, OLD_EVENT_FILE))
    const next = await openEventFile(open.directory)
    await open.file.close()
    return next
  }
}

/** What an event may be called in a file. */
const EVENT_NUMBERS: ReadonlySet<number> = new Set(
  Object.keys(EVENT_CATALOGUE).map((id) => eventNumber(Number(id) as EventId)), // the keys are the event ids
)
const NEWLINE = 10

async function openEventFile(directory: string): Promise<OpenEventFile> {
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_RDWR } = constants
  const flags = O_APPEND | O_CREAT | O_RDWR | O_NOFOLLOW | O_NONBLOCK
  const file = await open(join(directory, EVENT_FILE), flags, 0o600)
  const { size } = await file.stat()
  // A crash may have torn the last line: the next event begins on a line of its own.
  if (size > 0 && (await lastByte(file, size)) !== NEWLINE) await file.appendFile('\n')
  return { directory, file, bytes: size }
}

async function lastByte(file: FileHandle, size: number): Promise<number> {
  const { buffer } = await file.read(Buffer.alloc(1), 0, 1, size - 1)
  return buffer[0] ?? NEWLINE
}

async function readEventFiles(directory: string): Promise<LoggedEvent[]> {
  const events: LoggedEvent[] = []
  for (const name of [OLD_EVENT_FILE, EVENT_FILE]) {
    const text = await readFile(join(directory, name), 'utf8').catch(() => '')
    for (const line of text.split('\n')) {
      const event = parseLine(line)
      if (event !== null && event.sequence > (events.at(-1)?.sequence ?? 0)) events.push(event)
    }
  }
  return events
}

/** The event of a line, or null where a crash or a hand has left something else: the file is a comfort, no state. */
function parseLine(line: string): LoggedEvent | null {
  if (line === '') return null
  try {
    const value: unknown = JSON.parse(line)
    return isEvent(value) ? value : null
  } catch {
    return null
  }
}

function isEvent(value: unknown): value is LoggedEvent {
  if (typeof value !== 'object' || value === null) return false
  const { sequence, time, id, storageGroup, text, values } = value as Readonly<Record<string, unknown>> // an object
  return (
    Number.isSafeInteger(sequence) &&
    typeof time === 'string' &&
    typeof id === 'number' &&
    EVENT_NUMBERS.has(id) &&
    typeof storageGroup === 'string' &&
    typeof text === 'string' &&
    Array.isArray(values)
  )
}
