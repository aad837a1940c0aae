import { onTestFinished } from 'vitest'
import type { PageDigest } from '../../engine/database/page-digest.ts'
import { ReplicationError } from '../../engine/error.ts'
import type { CopyReport } from '../../engine/fact.ts'
import { asGeneration } from '../../engine/generation.ts'
import { type CopyStatus, copyStatus } from '../../engine/replication/copy-status.ts'
import { startReplica } from '../../engine/replication/replica-state.ts'
import { stepSource } from '../../engine/source/source-instance.ts'
import { type SourceState, startSource } from '../../engine/source/source-state.ts'
import { listenOnLoopback } from '../../transport/loopback.ts'
import { createManagementApp, type ManagementPorts } from '../../transport/management-app.ts'
import type { ManagementEvent } from '../../transport/management-events.ts'
import type { DigestPages } from '../../transport/management-pages.ts'

/** Noon of a day in June 2007, in milliseconds since 1970. */
const NOON_MS = Date.UTC(2007, 5, 14, 12)
export const COPY_ID = '6f1e0c2d3b4a59687786958493a2b1c0'

/** A status as the engine gives it, healthy at generation 42 unless said otherwise. */
export function aStatus(change: Partial<CopyStatus> = {}): CopyStatus {
  return {
    ...copyStatus(startReplica('SG1')),
    summary: 'Healthy',
    initializing: false,
    lastInspectedLogTimeMs: NOON_MS,
    lastLogGenerated: asGeneration(45),
    lastLogInspected: asGeneration(42),
    copyQueueLength: 3,
    ...change,
  }
}

/** A source with closed logs 1 to 10 and one copy that has inspected 7. */
export function aSource(): SourceState {
  const g = asGeneration
  const report: CopyReport = {
    inspected: g(7),
    replayed: g(0),
    requiredLow: null,
    condition: 'running',
    stream: 0,
    sinceMs: NOON_MS,
  }
  const facts = [
    {
      kind: 'share-started',
      nowMs: NOON_MS,
      enrolled: [{ copyId: COPY_ID, label: 'node2:/store' }],
      disabled: [],
      mark: null,
      truncatedBelow: g(0),
      stream: 0,
    },
    {
      kind: 'directory-scanned',
      nowMs: NOON_MS,
      closed: { lowest: g(1), closedThrough: g(10), generated: g(10), logTimeMs: NOON_MS },
    },
    { kind: 'copy-reported', nowMs: NOON_MS, copyId: COPY_ID, report },
  ] as const
  return facts.reduce(
    (state, fact) => stepSource(state, fact)[0],
    startSource('SG1', { copiesExpected: 1, passiveGate: 'inspected' }),
  )
}

/** An event of the log. */
export function anEvent(sequence: number, change: Partial<ManagementEvent> = {}): ManagementEvent {
  return {
    sequence,
    time: new Date(NOON_MS + sequence * 1000).toISOString(),
    id: 9002,
    source: 'MSExchangeRepl',
    level: 'information',
    storageGroup: 'SG1',
    text: 'The copy of SG1 was resumed.',
    values: [],
    ...change,
  }
}

/** What a service of the tests has. */
export type FixturePorts = Pick<ManagementPorts, 'copies' | 'shares' | 'stores'> & {
  readonly events?: ManagementPorts['events']
}

/** Starts the real management API over ports of a test, and gives its URL. */
export async function managementApi(ports: FixturePorts): Promise<string> {
  const app = createManagementApp({
    server: 'NODE2',
    version: '0',
    metrics: { text: async () => '', contentType: 'text/plain' },
    ready: () => true,
    onFault: () => {},
    ...ports,
    events: ports.events ?? eventsPort([]),
  })
  const { origin } = await listenOnLoopback(app, { host: '127.0.0.1', port: 0 })
  onTestFinished(() => app.close())
  return origin
}

/** An event log with these events, whose follower gets `coming` one after the other and then waits. */
export function eventsPort(
  past: readonly ManagementEvent[],
  coming: readonly ManagementEvent[] = [],
): ManagementPorts['events'] {
  return {
    page: async ({ limit }) => past.slice(-limit),
    follow: async function* ({ signal }) {
      yield* coming
      if (!signal.aborted)
        await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    },
  }
}

/** A copy that can be suspended and resumed; `requests` keeps what was asked of it. */
export function copiesPort(first: CopyStatus, requests: string[] = []): NonNullable<ManagementPorts['copies']> {
  let status = first
  return {
    list: () => [status],
    get: (name) => (name === status.storageGroup ? status : null),
    suspend: async (name, comment) => {
      requests.push(`suspend ${name} ${comment}`)
      status = { ...status, summary: 'Suspended', suspended: true, suspendComment: comment ?? '' }
      return ''
    },
    resume: async (name) => {
      requests.push(`resume ${name}`)
      if (!status.suspended) return 'the copy was not suspended'
      status = { ...status, summary: 'Resynchronizing', suspended: false, suspendComment: '' }
      return ''
    },
    explain: () => ({
      storageGroup: first.storageGroup,
      logs: { first: asGeneration(3), last: asGeneration(3) },
      truncatedBelow: asGeneration(3),
      truncatableThrough: asGeneration(2),
      held: [
        {
          range: { first: asGeneration(3), last: asGeneration(3) },
          reasons: [{ rule: 'newest', why: 'it is new', release: 'time' }],
        },
      ],
    }),
    digestPages: () => digestsOf([]),
  }
}

/** Digests of pages that are there at once. */
export function digestsOf(digests: readonly PageDigest[]): DigestPages {
  return async function* () {
    yield digests
  }
}

/** A share over one source; a mark above what is closed is refused, as a service refuses it. */
export function sharesPort(source: SourceState, requests: string[] = []): NonNullable<ManagementPorts['shares']> {
  const group = { state: source, directory: '/logs', format: { kind: 'ese', baseName: 'E00' } } as const
  return {
    list: () => [group],
    get: (name) => (name === 'SG1' ? group : null),
    markBackup: async (name, through) => {
      requests.push(`mark ${name} ${through}`)
      if (through > 10)
        throw new ReplicationError({
          code: 'STATE_REFUSED',
          message: 'SG1 has closed logs through 0000000A only',
          hint: 'Mark what exists.',
        })
      return 'logs above 00000007 go as the copy catches up'
    },
    disableCopy: async (name, copyId) => {
      requests.push(`disable ${name} ${copyId}`)
      return ''
    },
  }
}
