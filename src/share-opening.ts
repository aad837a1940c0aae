import { ReplicationError } from '../engine/error.ts'
import { directoryFacts } from '../storage/durable-directory.ts'
import { HeldDirectory } from './held-directory.ts'
import { openIntentKeeper } from './intent-keeper.ts'
import { compactShareRecords, type ShareRecord, sameFormat, shareIntentOf, shareRecordIn } from './intent-records.ts'
import { OperatorRequests } from './operator-requests.ts'
import { type OpenedShare, ShareInstance, type ShareInstanceParts } from './share-instance.ts'

/**
 * Opens a share: takes its state directory for this process, reads its intent, and reads the log directory for the first time.
 *
 * Errors: `DIRECTORY_MISSING` and `DIRECTORY_CONFLICT` for the log directory, `STORE_LOCKED`, `STORE_FOREIGN` (the state of
 * another storage group or format), `JOURNAL_CORRUPT`, and those of the file system.
 */
export async function openShareInstance(parts: ShareInstanceParts): Promise<ShareInstance> {
  if ((await directoryFacts(parts.files, parts.logs)) === null) throw noLogs(parts.logs)
  const late: { instance: ShareInstance | null } = { instance: null }
  const held = new HeldDirectory({
    path: parts.state,
    files: parts.files,
    make: true,
    lock: parts.lock,
    onLost: (error) => late.instance?.ownershipLost(error),
  })
  await held.makeAndTake()
  try {
    const instance = new ShareInstance(parts, await openState(parts, held))
    late.instance = instance
    parts.onOpened(instance)
    await instance.start().catch(async (error: unknown) => {
      await instance.close()
      throw error
    })
    return instance
  } catch (error) {
    await held.release()
    throw error
  }
}

async function openState(parts: ShareInstanceParts, held: HeldDirectory): Promise<OpenedShare> {
  const requests = new OperatorRequests()
  const intents = await openIntentKeeper<ShareRecord>({
    ...parts,
    directory: parts.state,
    validate: shareRecordIn,
    compact: compactShareRecords,
    beforeWriting: () => held.take(),
    onTrouble: (error) => requests.failAll(error),
  })
  const intent = shareIntentOf(intents.records)
  const { name, format } = parts
  if (intent.created === null) await intents.record({ kind: 'share-created', version: 1, storageGroup: name, format })
  else if (intent.created.storageGroup !== name || !sameFormat(intent.created.format, format))
    throw otherShare(parts, intent.created.storageGroup)
  return { held, requests, intents, intent }
}

function noLogs(path: string): ReplicationError {
  return new ReplicationError({
    code: 'DIRECTORY_MISSING',
    message: `${path} is not there`,
    hint: 'Give the directory in which the logs are closed; it is not made by itself.',
    fields: { path },
  })
}

function otherShare(parts: ShareInstanceParts, found: string): ReplicationError {
  return new ReplicationError({
    code: 'STORE_FOREIGN',
    message: `${parts.state} keeps the enrolments and marks of ${found} in another name or format than ${parts.name}`,
    hint: 'Share the directory under its old name and format, or give another state directory with --state.',
    fields: { path: parts.state },
  })
}
