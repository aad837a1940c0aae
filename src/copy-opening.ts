import { ReplicationError } from '../engine/error.ts'
import { lagText } from '../engine/replication/standby-lag.ts'
import { refuseForeignRoot } from './copy-disk.ts'
import { CopyInstance, type CopyInstanceParts, type OpenedCopy } from './copy-instance.ts'
import { freshId } from './fresh-id.ts'
import { HeldDirectory } from './held-directory.ts'
import { type IntentKeeper, openIntentKeeper } from './intent-keeper.ts'
import { type CopyIntent, type CopyRecord, compactCopyRecords, copyIntentOf, copyRecordIn } from './intent-records.ts'
import { OperatorRequests } from './operator-requests.ts'

/**
 * Opens a copy: takes its store for this process, reads its intent, looks at its disk unless it is suspended, and starts the
 * instance. A new store gets its identity here and its directories when its source is reached.
 *
 * Errors: `STORE_LOCKED`, `STORE_FOREIGN`, `JOURNAL_CORRUPT`, `DIRECTORY_MISSING`, and those of the file system.
 */
export async function openCopyInstance(parts: CopyInstanceParts): Promise<CopyInstance> {
  await refuseForeignRoot(parts.root)
  const late: { instance: CopyInstance | null } = { instance: null }
  const held = new HeldDirectory({
    path: parts.root,
    files: parts.files,
    make: true,
    lock: parts.lock,
    onLost: (error) => late.instance?.ownershipLost(error),
  })
  await held.makeAndTake()
  let intents: IntentKeeper<CopyRecord> | null = null
  try {
    const requests = new OperatorRequests()
    intents = await openIntents(parts, { held, requests })
    const instance = new CopyInstance(parts, { held, requests, intents, ...(await ownIdentity(parts, intents)) })
    late.instance = instance
    parts.onOpened(instance)
    await instance.start()
    return instance
  } catch (error) {
    await intents?.close()
    await held.release()
    throw error
  }
}

function openIntents(
  parts: CopyInstanceParts,
  { held, requests }: Pick<OpenedCopy, 'held' | 'requests'>,
): Promise<IntentKeeper<CopyRecord>> {
  return openIntentKeeper<CopyRecord>({
    ...parts,
    directory: parts.root,
    validate: copyRecordIn,
    compact: compactCopyRecords,
    beforeWriting: () => held.take(),
    onTrouble: (error) => requests.failAll(error),
  })
}

async function ownIdentity(
  parts: CopyInstanceParts,
  intents: IntentKeeper<CopyRecord>,
): Promise<Pick<OpenedCopy, 'copyId' | 'intent'>> {
  const intent = withStandby(parts, await withChoice(parts, intents))
  const { adopted } = intent
  const name = parts.source.share
  if (adopted !== null && adopted.storageGroup !== name) throw otherGroup(parts.root, adopted.storageGroup, name)
  if (intent.copyId !== null) return { copyId: intent.copyId, intent }
  const copyId = freshId(parts.random)
  // First: a store that is made is one of its kind.
  if (intent.standby !== null) await intents.record({ kind: 'standby-chosen', ...intent.standby })
  await intents.record({ kind: 'store-created', version: 1, copyId, atMs: parts.clock.nowMs() })
  return { copyId, intent: { ...intent, copyId } }
}

/** What an operator chose stays chosen: a source that lets logs go must know for ever what the database needs. */
async function withChoice({ replay }: CopyInstanceParts, intents: IntentKeeper<CopyRecord>): Promise<CopyIntent> {
  const intent = copyIntentOf(intents.records)
  if (!replay || intent.replayChosen || intent.adopted?.store === 'mailbox') return intent
  await intents.record({ kind: 'replay-chosen' })
  return { ...intent, replayChosen: true }
}

/** What a copy was made for stays: a store without an identity takes what is asked, any other keeps its own. */
function withStandby({ standby, root, source }: CopyInstanceParts, intent: CopyIntent): CopyIntent {
  if (standby === null) return intent
  if (intent.copyId === null) return { ...intent, standby }
  const { standby: made } = intent
  if (made?.replayLagMs === standby.replayLagMs && made.truncationLagMs === standby.truncationLagMs) return intent
  const was = made === null ? 'a copy that is no standby target' : `a standby target with ${lagText(made)}`
  throw new ReplicationError({
    code: 'STATE_REFUSED',
    message: `${root} holds ${was}, and one with ${lagText(standby)} is wanted`,
    hint: `The values of a standby target are fixed for its life: run "ccr disable ${source.share} --copy ID" at its source, then enrol a new one in another directory.`,
    fields: { path: root },
  })
}

function otherGroup(root: string, found: string, wanted: string): ReplicationError {
  return new ReplicationError({
    code: 'STORE_FOREIGN',
    message: `${root} holds a copy of ${found}, not of ${wanted}`,
    hint: 'Give the copy of this source another directory.',
    fields: { path: root },
  })
}
