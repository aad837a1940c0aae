import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { freePort } from '../../bench/command.ts'
import { ApiConnection } from '../../src/api-connection.ts'
import { parseClusterText } from '../../src/cluster-file.ts'
import { SETTING_KEYS, SETTINGS, type Settings } from '../../src/config.ts'
import { startNodeService } from '../../src/node-service.ts'
import { serviceLog } from '../../src/service-log.ts'
import type { WriterDocument } from '../../transport/management-writer-documents.ts'
import { temporaryDirectory } from './cli-harness.ts'

/** Two nodes in this process: the store of SG1 is active on the one, the other has its copy. */
export interface TwoNodes {
  readonly data: string
  /** Management addresses. */
  readonly urls: { readonly active: string; readonly passive: string }
  readonly active: ApiConnection
  readonly passive: ApiConnection
  /** Commits so many messages of 48 KB, some twenty to a log, and closes the log; resolves when the copy has replayed it. */
  readonly mail: (messages: number) => Promise<number>
  /** The numbers of all events of a node, in their order. */
  readonly events: (node: ApiConnection) => Promise<number[]>
  readonly writer: (node: ApiConnection) => Promise<WriterDocument | undefined>
}

// Every key of the table with its default; a shallow checkpoint lets logs go soon.
const SETTINGS_USED = {
  ...Object.fromEntries(SETTING_KEYS.map((key) => [key, SETTINGS[key].default])),
  'store.checkpointDepth': 1_048_576,
  'store.resilience': 'standalone',
} as unknown as Settings

/** Starts both; they end with the test. */
export async function twoNodes(): Promise<TwoNodes> {
  const data = temporaryDirectory()
  const cluster = parseClusterText(
    `nodes:
  node1: { data: ${join(data, 'node1')}, listen: 127.0.0.1:${await freePort()}, manage: 127.0.0.1:0 }
  node2: { data: ${join(data, 'node2')}, listen: 127.0.0.1:0, manage: 127.0.0.1:0 }
storageGroups:
  SG1: { active: node1, copies: [node2] }
`,
    'x.yaml',
  )
  const log = serviceLog('error', { write: () => undefined })
  const [url1, url2] = [await started('node1'), await started('node2')]
  async function started(name: string): Promise<string> {
    const node = await startNodeService({ cluster, name, settings: SETTINGS_USED, log })
    onTestFinished(() => node.close())
    return node.managementUrl
  }
  const [active, passive] = [connection(url1), connection(url2)]
  let lastId = 0
  const mail = async (messages: number): Promise<number> => {
    for (let n = 0; n < messages; n++) {
      lastId += 1
      const operations = [{ op: 'insert', mailbox: 1, id: lastId, size: 48_000, seed: lastId }]
      await active.json('POST', '/api/v1/stores/SG1/transactions', { transactions: [{ operations }] })
    }
    const { closed } = (await active.json('POST', '/api/v1/stores/SG1/roll', {})) as { closed: number } // of the API
    for (;;) {
      const copy = (await passive.json('GET', '/api/v1/copies/SG1').catch(() => ({}))) as { LastLogReplayed?: number }
      if ((copy.LastLogReplayed ?? 0) >= closed) return closed
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
  const events = async (node: ApiConnection): Promise<number[]> => {
    const page = (await node.json('GET', '/api/v1/events?limit=1000')) as { events: { id: number }[] } // of the API
    return page.events.map(({ id }) => id % 1_000_000)
  }
  const writer = async (node: ApiConnection): Promise<WriterDocument | undefined> =>
    ((await node.json('GET', '/api/v1/writers')) as { writers: WriterDocument[] }).writers[0] // of the API
  return { data, urls: { active: url1, passive: url2 }, active, passive, mail, events, writer }
}

function connection(server: string): ApiConnection {
  const made = new ApiConnection({ server, timeoutMs: 30_000, signal: new AbortController().signal })
  onTestFinished(() => made.close())
  return made
}
