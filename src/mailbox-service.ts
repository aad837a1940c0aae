import { join, resolve } from 'node:path'
import { makeDirectoriesDurably } from '../storage/durable-directory.ts'
import { nodeFileOperations } from '../storage/node-file-operations.ts'
import { type ShareService, type ShareServiceOptions, startShareService } from './share-service.ts'
import { BASE_NAME, type StoreRequest } from './store-host.ts'
import type { StoreInstance } from './store-instance.ts'

/** How the active side of a storage group is run: its mailbox store, and the sharing of its logs. */
export interface MailboxServiceOptions extends Omit<ShareServiceOptions, 'logs' | 'format' | 'store' | 'mailbox'> {
  readonly mailbox: Omit<StoreRequest, 'name'>
}

/** A mailbox store whose logs are shared, with the listeners of both. */
export interface MailboxService extends ShareService {
  readonly store: StoreInstance
}

/**
 * Runs a mailbox store and shares its logs: the active node of one storage group. The folder is made where it is not there.
 *
 * Errors: those of `startShareService`.
 */
export async function startMailboxService(options: MailboxServiceOptions): Promise<MailboxService> {
  const { root, baseName = BASE_NAME } = options.mailbox
  const logs = join(resolve(root), 'logs')
  await makeDirectoriesDurably(nodeFileOperations({ shortCalls: 'pooled' }), logs)
  const service = await startShareService({ ...options, logs, format: { kind: 'ese', baseName }, store: 'mailbox' })
  if (service.store === null) throw new Error('must hold: a service with a mailbox store has one')
  return { ...service, store: service.store }
}
