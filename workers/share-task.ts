import type { MessagePort } from 'node:worker_threads'
import type { FastifyInstance } from 'fastify'
import { unreachable } from '../engine/assert.ts'
import { ReplicationError } from '../engine/error.ts'
import type { Fault } from '../engine/fact.ts'
import { nodeFileOperations } from '../storage/node-file-operations.ts'
import { createLogShareApp } from '../transport/log-share-app.ts'
import { LogStreamServer } from '../transport/log-stream-server.ts'
import { type ListenAddress, listenOnLoopback } from '../transport/loopback.ts'
import { BackupQuestions } from './backup-questions.ts'
import type { ShareCommand } from './messages.ts'
import { SeedSources } from './seed-sources.ts'
import { ShareReports } from './share-reports.ts'
import { SharedLogs } from './shared-logs.ts'
import { createSlab } from './slab.ts'

/** What a share worker is started with. */
export interface ShareTaskSetup {
  /** {@link ShareCommand} in, arrays of `ShareReport` out. */
  readonly port: MessagePort
  readonly listen: ListenAddress
  /** See `createXxh64`. */
  readonly wasmPath: string
  /** Slots of 1 MiB. */
  readonly slots: number
}

/** Pieces of databases in memory at a time: a few on the wire for each of some seeds. */
const SEED_SLOTS = 8

interface Parts {
  readonly shares: SharedLogs
  readonly server: LogStreamServer
  readonly app: FastifyInstance
  readonly reports: ShareReports
  readonly backups: BackupQuestions
  readonly seeds: SeedSources
}

/** The whole replication listener of a source; ends after the command `stop`, or when it cannot listen. */
export async function runShareTask(setup: ShareTaskSetup): Promise<void> {
  const parts = await buildParts(setup)
  const { app, server, reports, seeds, shares } = parts
  try {
    const { host, port } = await listenOnLoopback(app, setup.listen)
    const stopped = commandsFrom(setup.port, parts)
    reports.tell({ kind: 'listening', host, port })
    await stopped
  } catch (error) {
    reports.tell({ kind: 'listen-failed', fault: faultOf(error) })
  }
  shares.close()
  server.close()
  await app.close()
  await seeds.close()
  reports.close()
  setup.port.postMessage({ kind: 'stopped' })
  setup.port.close()
}

async function buildParts(setup: ShareTaskSetup): Promise<Parts> {
  const slab = await createSlab(setup.wasmPath, setup.slots)
  const files = nodeFileOperations({ shortCalls: 'inline' })
  const reports = new ShareReports((report) => setup.port.postMessage(report))
  const backups = new BackupQuestions((question) => reports.tell({ kind: 'backup-asked', ...question }))
  // A slab of their own: a seed that takes all its slots keeps no log waiting.
  const seeds = new SeedSources(files, await createSlab(setup.wasmPath, SEED_SLOTS))
  const shares = new SharedLogs({ files, slab, seeds, now: () => performance.now(), startedAtMs: Date.now() })
  const server = new LogStreamServer({
    shares,
    // The slab takes back only what it gave out: the places of this server are its slots.
    places: slab,
    ports: {
      subscribed: (share, copyId, label) => reports.tell({ kind: 'copy-subscribed', share, copyId, label }),
      reported: (share, copyId, report) => reports.copyReported(share, copyId, report),
      lost: (share, copyId) => reports.tell({ kind: 'copy-lost', share, copyId }),
      unreadable: (share, generation, fault) => reports.unreadable(share, generation, fault),
      served: (share, bytes) => reports.served(share, bytes),
    },
  })
  const app = createLogShareApp(shares, {
    onUpgrade: (request, socket, head) => server.upgrade(request, socket, head),
    onServed: (share, _generation, bytes) => reports.served(share, bytes),
    onSeeded: (share, bytes) => reports.seeded(share, bytes),
    onBackup: (share, ask) => backups.ask(share, ask),
    onFault: (fault) => reports.tell({ kind: 'request-failed', fault: faultOf(fault) }),
  })
  return { shares, server, app, reports, backups, seeds }
}

/** Obeys until `stop`. */
function commandsFrom(port: MessagePort, parts: Parts): Promise<void> {
  return new Promise((resolve) => {
    port.on('message', (command: ShareCommand) => {
      if (command.kind === 'stop') resolve()
      else obey(command, parts)
    })
  })
}

function obey(command: Exclude<ShareCommand, { kind: 'stop' }>, { shares, server, backups, seeds }: Parts): void {
  switch (command.kind) {
    case 'open-share':
      shares.openShare(command.shared)
      break
    case 'close-share':
      shares.closeShare(command.share)
      seeds.end(command.share)
      server.closeShare(command.share)
      break
    case 'announce':
      shares.announce(command.share, command.announcement)
      server.announce(command.share, command.announcement)
      break
    case 'accept-copy':
      server.acceptCopy(command.share, command.copyId)
      break
    case 'refuse-copy':
      server.refuseCopy(command.share, command.copyId, command.fault)
      break
    case 'backup-answered':
      backups.answered(command.request, command.answer)
      break
    case 'backup-refused':
      backups.refused(command.request, command.error)
      break
    case 'open-seed':
      seeds.open(command.share, command.session, command.database)
      break
    case 'close-seed':
      seeds.end(command.share, command.session)
      break
    default:
      unreachable(command)
  }
}

/** Anything thrown, as a fault for the log. */
function faultOf(thrown: unknown): Fault {
  if (thrown instanceof ReplicationError) return { code: thrown.code, message: thrown.message }
  return { code: 'INTERNAL', message: thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown) }
}
