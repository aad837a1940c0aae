import { asGeneration, type Generation, nextGeneration } from '../generation.ts'
import { newCheckpointFile } from './checkpoint-file.ts'
import { newDatabaseHeader } from './database-header.ts'
import { LogBuffer } from './log-buffer.ts'
import { openLogBytes } from './log-bytes.ts'
import { LOG_HEADER_BYTES, type LogHeader } from './log-header.ts'
import { positionBefore } from './log-position.ts'
import { LogRedo } from './log-redo.ts'
import { headerOfNextLog } from './log-succession.ts'
import { digitsOfTime, logTimeAt } from './log-time.ts'
import { lostLogsText, rangeAfterLoss } from './lost-log-resilience.ts'
import type { TransactionWatch } from './open-transactions.ts'
import type { PageCache } from './page-cache.ts'
import { mendPages } from './page-mending.ts'
import { type GatheredEvidence, gatherEvidence, judgeClosed, type StoreFiles } from './recovery-evidence.ts'
import { planRecovery, type RecoveryPlan } from './recovery-plan.ts'
import { sameSignature, signatureDigits } from './redo-mark.ts'
import { restoreDatabase } from './restore.ts'
import { logFault, STORE_ERROR, type StoreFault } from './store-fault.ts'
import { askLog, execute, type StoreMachine } from './store-machine.ts'
import type { LogOrder } from './store-order.ts'
import type { StoreSettings, StoreStart } from './store-start.ts'

/** A store that is to be started, whatever its last end was. */
export interface RecoveryStart {
  readonly files: StoreFiles
  readonly settings: StoreSettings
  /** Empty. What is redone stays in it. */
  readonly cache: PageCache
  /** Follows the transactions; what is open in the end is undone by its owner. */
  readonly transactions: TransactionWatch
  /** Whether committed logs that are lost are accepted (`eseutil /r /a`, or a lossy failover). */
  readonly ignoreLostLogs: boolean
  readonly nowMs: number
}

/** What a recovery came to. */
export type RecoveryOutcome =
  /** There is neither a log nor a database that needs one: a new stream begins. */
  | { readonly outcome: 'nothing-there' }
  | { readonly outcome: 'refused'; readonly fault: StoreFault }
  | {
      readonly outcome: 'redone'
      /** A `StoreEngine` goes on from here. Where its header is dirty, what is open is undone next, then it is stopped and attached. */
      readonly start: Omit<StoreStart, 'content'>
      /** The last log that was replayed. */
      readonly through: Generation
      /** The highest dbtime of any change. */
      readonly dbtime: number
      /** Whether a RecoveryUndo2 is due: a transaction or a macro was open at the end. */
      readonly needsUndo: boolean
      /** Pages that a crash had torn or kept from their places, put there from their saved images. */
      readonly mended: readonly number[]
      /** ESE's warning, 585 or 587, and the text of event 524; null for none. */
      readonly loss: { readonly warning: 585 | 587; readonly text: string } | null
    }

type Recover = Extract<RecoveryPlan, { plan: 'recover' }>

/**
 * Brings the files of an active store into the state that its log tells of: everything that was logged is redone. What was not
 * committed is undone afterwards, by who knows the trees, through the store that goes on from here.
 *
 * 1. A database of a streaming backup becomes an ordinary one (`restoreDatabase`); pages that a crash tore are put back.
 * 2. Every log that may be needed is read and judged; the plan decides how far the run of them goes (see `planRecovery`).
 * 3. Logs of an accepted loss leave the directory; the open log is mended.
 * 4. The logs are redone, from the start of the first that the header requires. The checkpoint file is not relied on: it only
 *    tells others what the header says too.
 *
 * A crash at any moment is followed by the same recovery.
 */
export function* recoverStore(start: RecoveryStart): StoreMachine<RecoveryOutcome> {
  const fault = faultOfFiles(start.files)
  if (fault !== null) return { outcome: 'refused', fault }
  const restored = yield* restoreDatabase(start.files)
  if (restored.outcome === 'refused') return restored
  if (restored.outcome === 'nothing-to-restore') return yield* recoverFiles(start)
  return yield* recoverFiles({ ...start, files: { ...start.files, database: restored.database } })
}

function* recoverFiles(start: RecoveryStart): StoreMachine<RecoveryOutcome> {
  const { files } = start
  const needsLogs = files.database !== null && files.database.required.maxRequired !== 0
  if (files.closed.length === 0 && !files.hasOpenLog && !needsLogs) return { outcome: 'nothing-there' }
  const mended = files.database === null ? [] : yield* mendPages(files.database)
  const first = firstLogOf(files)
  const signature = files.database === null ? null : signatureDigits(files.database.logSignature)
  const gathered = yield* gatherEvidence(files, { first, signature, ignoreLostLogs: start.ignoreLostLogs })
  const plan = planRecovery(gathered.evidence)
  if (plan.plan === 'refuse') return { outcome: 'refused', fault: logFault(plan.error, plan.generation, plan.detail) }
  return yield* carryOut(start, gathered, { plan, mended })
}

/** What can be said without reading a log. */
export function faultOfFiles({ database, checkpoint }: StoreFiles): StoreFault | null {
  if (database === null || checkpoint === null) return null
  if (sameSignature(database.logSignature, checkpoint.signature)) return null
  return logFault(
    STORE_ERROR.badCheckpointSignature,
    null,
    'the checkpoint file is of another stream than the database',
  )
}

/** Where redo begins: at the start of a log, whose records may be in the pages already. */
function firstLogOf({ database, closed }: StoreFiles): Generation {
  if (database === null) return closed[0] ?? asGeneration(1)
  const { required, consistent, attach } = database
  if (required.minRequired !== 0) return asGeneration(required.minRequired)
  return asGeneration(Math.max(consistent.position.generation, attach.position.generation, 1))
}

function* carryOut(
  start: RecoveryStart,
  gathered: GatheredEvidence,
  of: { readonly plan: Recover; readonly mended: readonly number[] },
): StoreMachine<RecoveryOutcome> {
  const { plan, mended } = of
  const last = gathered.headers.get(plan.through)
  if (last === undefined) {
    const detail = 'no log is left that the stream could go on from'
    return { outcome: 'refused', fault: logFault(STORE_ERROR.logMissing, plan.through, detail) }
  }
  yield* execute(ordersOfPlan(plan, gathered))
  const redo = beginRedo(start, last, plan)
  const fault = yield* redoThrough(start, gathered, { redo, through: plan.through })
  if (fault !== null) return { outcome: 'refused', fault }
  yield* redo.write(positionBefore(last, redo.end, start.settings.checkpointDepthBytes))
  return {
    outcome: 'redone',
    start: { ...startOf(start, redo), ...logOf(start, gathered, { plan, redo, last }) },
    through: plan.through,
    dbtime: redo.dbtime,
    needsUndo: start.transactions.oldestBegin !== null || redo.hasOpenMacro,
    mended,
    loss: lossOf(start, plan),
  }
}

function ordersOfPlan(plan: Recover, { open }: GatheredEvidence): LogOrder[] {
  if (plan.discardFrom !== null) return [{ order: 'discard-logs', from: plan.discardFrom }]
  if (open === null || open.end.patched === null || plan.open === 'create') return []
  return [{ order: 'mend-log', generation: open.header.generation, bytes: open.bytes }]
}

/** An accepted loss is written into the header with whatever is written next, at the latest when all is redone. */
function beginRedo(start: RecoveryStart, last: LogHeader, plan: Recover): LogRedo {
  const { cache, transactions, files } = start
  const header = files.database ?? newDatabaseHeader(last.signature, last.signature)
  const checkpoint = files.checkpoint ?? newCheckpointFile(last, { generation: 0, sector: 0, byte: 0 })
  const redo = new LogRedo({ cache, header, checkpoint, transactions })
  if (plan.mount.verdict === 'lossy') {
    const through = { generation: plan.through, createTime: digitsOfTime(last.createTime) }
    redo.writer.amend({ required: rangeAfterLoss(header.required, through) })
  }
  return redo
}

/** Redoes the run of logs; between two of them, what holds the checkpoint back is written. */
function* redoThrough(
  start: RecoveryStart,
  { evidence, open }: GatheredEvidence,
  { redo, through }: { readonly redo: LogRedo; readonly through: Generation },
): StoreMachine<StoreFault | null> {
  for (const { generation } of evidence.closed) {
    if (generation > through) return null
    const bytes = yield* askLog({ generation, open: false, last: through })
    const found = judgeClosed(bytes ?? new Uint8Array(0), { generation, previous: null, signature: null })
    if (found.sound === null)
      return logFault(STORE_ERROR.logCorrupt, generation, found.rejection?.detail ?? 'it cannot be read any more')
    const { header, endByte } = found.sound
    const log = openLogBytes(bytes ?? new Uint8Array(0))
    const fault = yield* redo.redoLog({ header, log, endByte, fromByte: LOG_HEADER_BYTES })
    if (fault !== null) return fault
    yield* redo.write(positionBefore(header, redo.end, start.settings.checkpointDepthBytes))
  }
  if (open === null || open.header.generation > through) return null
  const { header, end, bytes } = open
  return yield* redo.redoLog({ header, log: openLogBytes(bytes), endByte: end.endByte, fromByte: LOG_HEADER_BYTES })
}

function startOf({ settings, nowMs, cache }: RecoveryStart, { writer }: LogRedo) {
  const { header, checkpoint } = writer
  return { settings, nowMs, cache, header, checkpoint }
}

/** The log that the store goes on in: the one that was open, or a new one behind the last that was replayed. */
function logOf(
  { settings, nowMs, files }: RecoveryStart,
  { open }: GatheredEvidence,
  { plan, redo, last }: { readonly plan: Recover; readonly redo: LogRedo; readonly last: LogHeader },
): Pick<StoreStart, 'log' | 'isNewLog' | 'lowestLog'> {
  if (plan.open !== 'create' && open !== null) {
    const log = LogBuffer.resume(open.header, open.bytes, open.end)
    return { log, isNewLog: false, lowestLog: files.closed[0] ?? open.header.generation }
  }
  const header = headerOfNextLog(last, {
    createTime: logTimeAt(nowMs),
    database: redo.writer.header,
    databasePath: settings.databasePath,
    dbtime: redo.dbtime,
    objectIdLast: redo.writer.header.objectIdLast,
    checkpoint: redo.writer.checkpoint.checkpoint,
    circularLogging: settings.circularLogging,
    reserveLog: false,
  })
  return { log: new LogBuffer(header), isNewLog: true, lowestLog: files.closed[0] ?? nextGeneration(plan.through) }
}

function lossOf({ settings }: RecoveryStart, { mount, warning }: Recover) {
  if (warning === null) return null
  const text = mount.verdict === 'lossy' ? lostLogsText(settings.databasePath, mount.lost) : ''
  return { warning, text }
}
