import { fork } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { LogFormat } from '../engine/log-format.ts'
import { freePort, waitUntil } from './command.ts'
import type { HostPlan } from './host-process.ts'
import type { FedStream, InspectedReport, Reporter } from './latency-run.ts'
import { copyFigures, readJson, type Service, serviceOf } from './product.ts'

/** One source process and one copy process that keep all of the streams. */
export interface ProductPair {
  readonly pids: readonly number[]
  /** `http://HOST:PORT` of the source. */
  readonly listen: string
  readonly reporter: Reporter
  stop(): Promise<void>
}

/** A directory to be shared. */
export interface SharedSource {
  readonly share: string
  readonly directory: string
}

/** Starting 1,000 storage groups reads as many directories. */
const START_MS = 600_000

/** Starts the pair, and waits until each copy knows its source. A database may be read for a seed of the first. The store of a stream is the parent of its `arrived`. */
export async function startPair(scratch: string, streams: readonly FedStream[], seed?: string): Promise<ProductPair> {
  const shared = streams.map((stream) => ({ share: stream.group, directory: stream.source }))
  const format = { kind: 'ese', baseName: 'E00' } as const
  const share = await startManyShares(scratch, shared, { format, ...(seed === undefined ? {} : { seed }) })
  const copy = await startCopies(scratch, share.listen, streams).catch(async (error: unknown) => {
    await share.stop()
    throw error
  })
  return {
    pids: [share.pid, copy.service.pid],
    listen: share.listen,
    reporter: copy.reporter,
    stop: async () => {
      await copy.service.stop()
      await share.stop()
    },
  }
}

async function startCopies(scratch: string, listen: string, streams: readonly FedStream[]): Promise<Host> {
  const copies = streams.map(({ group, arrived }) => ({
    sourceUrl: `${listen}/shares/${group}`,
    store: join(arrived, '..'),
  }))
  const copy = await startHost(scratch, { role: 'copy', managePort: await freePort(), copies })
  for (const { group, arrived } of streams) {
    const connected = async (): Promise<boolean> => (await copyFigures(copy.service, group))?.SourceConnected === true
    await waitUntil(
      `the copy of ${group} is connected and has made its store`,
      async () => (await connected()) && existsSync(arrived),
    )
  }
  return copy
}

/** Starts one process that shares all of the directories. */
export async function startManyShares(
  scratch: string,
  shared: readonly SharedSource[],
  of: { readonly format: LogFormat; readonly seed?: string },
): Promise<Service & { readonly listen: string }> {
  const listenPort = await freePort()
  const shares = shared.map(({ share, directory }) => ({
    name: share,
    logs: directory,
    state: join(scratch, 'states', share),
  }))
  for (const { state } of shares) mkdirSync(state, { recursive: true })
  const plan: HostPlan = { role: 'share', listenPort, managePort: await freePort(), shares, ...of }
  const { service } = await startHost(scratch, plan)
  return { ...service, listen: `http://127.0.0.1:${listenPort}` }
}

interface Host {
  readonly service: Service
  readonly reporter: Reporter
}

async function startHost(scratch: string, plan: HostPlan): Promise<Host> {
  mkdirSync(scratch, { recursive: true })
  const path = join(scratch, `${plan.role}-plan.json`)
  writeFileSync(path, JSON.stringify(plan))
  const child = fork(fileURLToPath(new URL('./host-process.js', import.meta.url)), [path], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const service = serviceOf(child, plan.managePort)
  const ready = async (): Promise<boolean> => {
    if (!service.running()) throw new Error(`the ${plan.role} process ended:\n${service.said()}`)
    return (await readJson(`${service.manage}/readyz`)) !== null
  }
  await waitUntil(`the ${plan.role} process is ready`, ready, START_MS)
  const reporter: Reporter = (listener) => {
    // The process sends nothing else.
    child.on('message', (reports) => (reports as InspectedReport[]).forEach(listener))
  }
  return { service, reporter }
}
