import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { ShareCommand, ShareReport } from '../workers/messages.ts'
import { startShareWorker, type WorkerHandle } from '../workers/pool.ts'

/** A source with databases that may be read in session 1 of their shares. */
export interface SeedSource {
  readonly port: number
  /** Address of a share. */
  readonly url: (share: string, port?: number) => string
  readonly close: () => Promise<void>
}

/** Starts the replication listener of a source over these databases, by share. */
export async function startSeedSource(directory: string, databases: ReadonlyMap<string, string>): Promise<SeedSource> {
  const logs = join(directory, 'no-logs')
  mkdirSync(logs, { recursive: true })
  let told: (port: number) => void = () => undefined
  const listening = new Promise<number>((resolve) => {
    told = resolve
  })
  const worker: WorkerHandle<ShareCommand> = startShareWorker({
    listen: { host: '127.0.0.1', port: 0 },
    onReport: (report: ShareReport) => {
      if (report.kind === 'listening') told(report.port)
    },
    onCrash: ({ message }) => {
      throw new Error(message)
    },
  })
  const port = await listening
  for (const [share, database] of databases) {
    const format = { kind: 'ese', baseName: 'E00' } as const
    worker.send({ kind: 'open-share', shared: { share, directory: logs, format, store: 'mailbox' } })
    worker.send({ kind: 'open-seed', share, session: 1, database })
  }
  return {
    port,
    url: (share, at = port) => `http://127.0.0.1:${at}/shares/${share}`,
    close: () => worker.close(),
  }
}
