import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { LogFormat } from '../engine/log-format.ts'
import { freePort, waitUntil } from './command.ts'
import type { HostPlan } from './host-process.ts'
import type { FedStream } from './latency-run.ts'
import { copyFigures, readJson, type Service, serviceOf } from './product.ts'

/** One source process and one copy process that keep all of the streams. */
export interface ProductPair {
  readonly pids: readonly number[]
  readonly copy: Service
  stop(): Promise<void>
}

/** A directory to be shared. */
export interface SharedSource {
  readonly share: string
  readonly directory: string
}

/** Starting 1,000 storage groups reads as many directories. */
const START_MS = 600_000

/** Starts the pair, and waits until each copy knows its source. The store of a stream is the parent of its `arrived`. */
export async function startPair(scratch: string, streams: readonly FedStream[]): Promise<ProductPair> {
  const shared = streams.map((stream) => ({ share: stream.group, directory: stream.source }))
  const share = await startManyShares(scratch, shared, { kind: 'ese', baseName: 'E00' })
  const copy = await startHost(scratch, {
    role: 'copy',
    managePort: await freePort(),
    copies: streams.map((stream) => ({
      sourceUrl: `${share.listen}/shares/${stream.group}`,
      store: join(stream.arrived, '..'),
    })),
  })
  for (const { group } of streams)
    await waitUntil(
      `the copy of ${group} is connected`,
      async () => (await copyFigures(copy, group))?.SourceConnected === true,
    )
  return {
    pids: [share.pid, copy.pid],
    copy,
    stop: async () => {
      await copy.stop()
      await share.stop()
    },
  }
}

/** Starts one process that shares all of the directories. */
export async function startManyShares(
  scratch: string,
  shared: readonly SharedSource[],
  format: LogFormat,
): Promise<Service & { readonly listen: string }> {
  const listenPort = await freePort()
  const shares = shared.map(({ share, directory }) => ({
    name: share,
    logs: directory,
    state: join(scratch, 'states', share),
  }))
  for (const { state } of shares) mkdirSync(state, { recursive: true })
  const service = await startHost(scratch, { role: 'share', listenPort, managePort: await freePort(), format, shares })
  return { ...service, listen: `http://127.0.0.1:${listenPort}` }
}

async function startHost(scratch: string, plan: HostPlan): Promise<Service> {
  mkdirSync(scratch, { recursive: true })
  const path = join(scratch, `${plan.role}-plan.json`)
  writeFileSync(path, JSON.stringify(plan))
  const child = spawn(process.execPath, [fileURLToPath(new URL('./host-process.js', import.meta.url)), path], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, UV_THREADPOOL_SIZE: '8' },
  })
  const service = serviceOf(child, plan.managePort)
  const ready = async (): Promise<boolean> => {
    if (!service.running()) throw new Error(`the ${plan.role} process ended:\n${service.said()}`)
    return (await readJson(`${service.manage}/readyz`)) !== null
  }
  await waitUntil(`the ${plan.role} process is ready`, ready, START_MS)
  return service
}
