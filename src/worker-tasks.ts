import type { Fault } from '../engine/fact.ts'
import type { ListenAddress } from '../transport/loopback.ts'
import type {
  CopyCommand,
  CopyEvent,
  ReplayCommand,
  ReplayEvent,
  ShareCommand,
  ShareReport,
} from '../workers/messages.ts'
import {
  startCopyWorker as startCopyThread,
  startReplayWorker as startReplayThread,
  startShareWorker as startShareThread,
  startStoreWorker as startStoreThread,
  type WorkerHandle,
} from '../workers/pool.ts'
import type { StoreCommand, StoreReport } from '../workers/store-messages.ts'
import type { StartWorker, WorkerLine } from './supervised-worker.ts'

/** Starts a copy worker, to be supervised. */
export const startCopyWorker: StartWorker<CopyCommand, CopyEvent> = (onReport) =>
  lineOver((tell, onCrash) => startCopyThread({ onEvent: tell, onCrash }), onReport)

/** Starts a copy worker whose logs take no more than this rate, together with those of others, to be supervised. */
export function startPacedCopyWorker(rate: SharedArrayBuffer): StartWorker<CopyCommand, CopyEvent> {
  return (onReport) => lineOver((tell, onCrash) => startCopyThread({ onEvent: tell, onCrash, rate }), onReport)
}

/** Starts a share worker whose replication listener binds to this address, to be supervised. */
export function startShareWorker(listen: ListenAddress): StartWorker<ShareCommand, ShareReport> {
  return (onReport) => lineOver((tell, onCrash) => startShareThread({ listen, onReport: tell, onCrash }), onReport)
}

/** Starts a replay worker with so much memory for the pages of each database, to be supervised. */
export function startReplayWorker(options: { readonly cacheBytes: number }): StartWorker<ReplayCommand, ReplayEvent> {
  return (onReport) => lineOver((tell, onCrash) => startReplayThread({ ...options, onEvent: tell, onCrash }), onReport)
}

/** Starts a store worker, to be supervised. */
export const startStoreWorker: StartWorker<StoreCommand, StoreReport> = (onReport) =>
  lineOver((tell, onCrash) => startStoreThread({ onReport: tell, onCrash }), onReport)

/** Every task says `stopped` as its last word; a thread that dies says nothing. */
async function lineOver<Command, Report extends { readonly kind: string }>(
  start: (tell: (report: Report) => void, onCrash: (fault: Fault) => void) => WorkerHandle<Command>,
  onReport: (report: Report) => void,
): Promise<WorkerLine<Command>> {
  let end: (fault: Fault | null) => void = () => {}
  const ended = new Promise<Fault | null>((resolve) => {
    end = resolve
  })
  const handle = start((report) => {
    onReport(report)
    if (report.kind === 'stopped') end(null)
  }, end)
  await handle.ready
  return { post: (command) => handle.send(command), ended, destroy: () => handle.close() }
}
