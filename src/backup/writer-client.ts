import { ReplicationError } from '../../engine/error.ts'
import type { WriterDocument } from '../../transport/management-writer-documents.ts'
import type { WriterName } from '../../transport/management-writers.ts'
import type { ApiConnection } from '../api-connection.ts'
import type { CommandContext } from '../cli-context.ts'
import { withConnection } from '../management.ts'
import { readWriter, readWriters } from './format-writer.ts'

/** The writers of one node, as a command speaks to them. */
export interface WriterClient {
  readonly list: () => Promise<readonly WriterDocument[]>
  /** Errors: those of the writer, and of the connection. */
  readonly call: (name: WriterName, call: string, body?: object) => Promise<WriterDocument>
}

/** Speaks to the writers of the node of a copy, and closes the connection afterwards. */
export async function withWriters<Result>(
  context: CommandContext,
  of: WriterName['of'],
  use: (writers: WriterClient) => Promise<Result>,
): Promise<Result> {
  return await withConnection(context, of === 'active' ? 'share' : 'copy', (node) => use(clientOf(node)))
}

/** Gives a backup up that has failed. Answers whether it could be told, or was given up already. */
export async function abortAfterAll(writers: WriterClient, name: WriterName): Promise<boolean> {
  try {
    await writers.call(name, 'abort')
    return true
  } catch (error) {
    return error instanceof ReplicationError && error.code === 'STATE_REFUSED'
  }
}

function clientOf(node: ApiConnection): WriterClient {
  return {
    list: async () => readWriters(await node.json('GET', '/api/v1/writers')),
    call: async ({ storageGroup, of }, call, body = {}) => {
      const path = `/api/v1/writers/${encodeURIComponent(storageGroup)}/${call}`
      return readWriter(await node.json('POST', path, { of, ...body }))
    },
  }
}
