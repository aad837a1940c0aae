import type { FastifyInstance } from 'fastify'
import type { CopyStatus } from '../engine/replication/copy-status.ts'
import {
  type CopyTruncationExplanation,
  explainCopyInWords,
  type HeldOnCopy,
} from '../engine/replication/explain-truncation.ts'
import { type CopyStatusDocument, copyStatusDocument } from './management-documents.ts'
import type { DigestPages } from './management-pages.ts'
import { describedBy, foundGroup, type GroupRoute, type GroupsPort } from './management-route.ts'
import { ANSWERS, COPY_STATUS, COPY_TRUNCATION, EMPTY_BODY, SUSPEND_BODY } from './management-schemas.ts'

/** The copies of a process. Commands resolve with a remark, `''` for none; they reject with `STATE_REFUSED` and others. */
export interface CopiesPort extends GroupsPort<CopyStatus> {
  readonly list: () => readonly CopyStatus[]
  /** Resolves when the suspension is durable and no more I/O touches the copy. `comment` null leaves the one that stands. */
  readonly suspend: (name: string, comment: string | null) => Promise<string>
  /** Resolves when the resumption is durable. */
  readonly resume: (name: string) => Promise<string>
  /** Why each log is still on the copy. */
  readonly explain: (name: string) => CopyTruncationExplanation
  /** Digests of the pages of the copy's database, once it has replayed that log. */
  readonly digestPages: (name: string) => DigestPages
}

/** What suspending and resuming answer: the status afterwards. */
interface SuspensionDocument {
  readonly status: CopyStatusDocument
  readonly remark: string
}

/** A run of logs as the engine explains it, and the same as a sentence. */
interface HeldOnCopyDocument extends HeldOnCopy {
  readonly text: string
}

function explained(
  name: string,
  copies: CopiesPort | undefined,
): (Omit<CopyTruncationExplanation, 'held'> & { readonly held: readonly HeldOnCopyDocument[] }) | undefined {
  const explanation = copies?.explain(name)
  if (explanation === undefined) return undefined
  return { ...explanation, held: explanation.held.map((run) => ({ ...run, text: explainCopyInWords(name, run) })) }
}

/** Adds the routes about copies. Without a port the list is empty and every name unknown. */
export function addCopyRoutes(api: FastifyInstance, server: string, copies: CopiesPort | undefined): void {
  const tag = 'copies'
  const found = (name: string): CopyStatus => foundGroup(name, copies, 'copy')
  const document = (name: string): CopyStatusDocument => copyStatusDocument(found(name), server)
  api.get('/api/v1/copies', describedBy({ tag, summary: 'Status of every copy', answer: ANSWERS.copies }), () => ({
    copies: (copies?.list() ?? []).map((status) => copyStatusDocument(status, server)),
  }))
  api.get<GroupRoute>(
    '/api/v1/copies/:storageGroup',
    describedBy({ tag, summary: 'Status of one copy', answer: COPY_STATUS, group: true }),
    ({ params }) => document(params.storageGroup),
  )
  api.get<GroupRoute>(
    '/api/v1/copies/:storageGroup/truncation',
    describedBy({ tag, summary: 'Why each log is still on the copy', answer: COPY_TRUNCATION, group: true }),
    ({ params }) => explained(found(params.storageGroup).storageGroup, copies),
  )
  const suspension = { tag, answer: ANSWERS.suspension, group: true }
  api.post<GroupRoute & { Body: { comment?: string } }>(
    '/api/v1/copies/:storageGroup/suspend',
    describedBy({ ...suspension, summary: 'Suspend a copy; answers when no more I/O touches it', body: SUSPEND_BODY }),
    async ({ params, body }): Promise<SuspensionDocument> => {
      const name = found(params.storageGroup).storageGroup
      const remark = (await copies?.suspend(name, body.comment ?? null)) ?? ''
      return { status: document(name), remark }
    },
  )
  api.post<GroupRoute>(
    '/api/v1/copies/:storageGroup/resume',
    describedBy({ ...suspension, summary: 'Resume a suspended copy', body: EMPTY_BODY }),
    async ({ params }): Promise<SuspensionDocument> => {
      const name = found(params.storageGroup).storageGroup
      const remark = (await copies?.resume(name)) ?? ''
      return { status: document(name), remark }
    },
  )
}
