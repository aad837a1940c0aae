import type { FastifyInstance } from 'fastify'
import type { Generation } from '../engine/generation.ts'
import { explainTruncation } from '../engine/source/explain-truncation.ts'
import {
  type SharedGroup,
  type ShareStatus,
  shareStatus,
  type TruncationDocument,
  truncationDocument,
} from './management-documents.ts'
import { describedBy, foundGroup, type GroupRoute, type GroupsPort } from './management-route.ts'
import { ANSWERS, BACKUP_MARK_BODY, DISABLE_COPY_BODY, SHARE_STATUS, TRUNCATION } from './management-schemas.ts'

/** The shares of a process. Commands resolve with a remark, `''` for none, once they are durable. */
export interface SharesPort extends GroupsPort<SharedGroup> {
  readonly list: () => readonly SharedGroup[]
  /** Another product has backed the logs up through this generation. */
  readonly markBackup: (name: string, through: Generation) => Promise<string>
  /** The copy no longer holds truncation and may not come back by itself. */
  readonly disableCopy: (name: string, copyId: string) => Promise<string>
}

/** What a backup mark answers: the explanation afterwards. */
interface MarkDocument {
  readonly explanation: TruncationDocument
  readonly remark: string
}

/** What a disablement answers: the share afterwards. */
interface DisablementDocument {
  readonly share: ShareStatus
  readonly remark: string
}

/** Adds the routes about shares. Without a port the list is empty and every name unknown. */
export function addShareRoutes(api: FastifyInstance, shares: SharesPort | undefined): void {
  const tag = 'shares'
  const found = (name: string): SharedGroup => foundGroup(name, shares, 'share')
  const explained = (name: string): TruncationDocument => truncationDocument(explainTruncation(found(name).state))
  api.get('/api/v1/shares', describedBy({ tag, summary: 'Status of every share', answer: ANSWERS.shares }), () => ({
    shares: (shares?.list() ?? []).map(shareStatus),
  }))
  api.get<GroupRoute>(
    '/api/v1/shares/:storageGroup',
    describedBy({ tag, summary: 'Status of one share', answer: SHARE_STATUS, group: true }),
    ({ params }) => shareStatus(found(params.storageGroup)),
  )
  api.get<GroupRoute>(
    '/api/v1/shares/:storageGroup/truncation',
    describedBy({ tag, summary: 'Why each closed log is still there', answer: TRUNCATION, group: true }),
    ({ params }) => explained(params.storageGroup),
  )
  addShareCommands(api, { shares, found, explained })
}

interface Commands {
  readonly shares: SharesPort | undefined
  readonly found: (name: string) => SharedGroup
  readonly explained: (name: string) => TruncationDocument
}

function addShareCommands(api: FastifyInstance, { shares, found, explained }: Commands): void {
  const tag = 'shares'
  const mark = { tag, summary: 'Logs through a generation were backed up', answer: ANSWERS.mark, group: true }
  api.post<GroupRoute & { Body: { through: Generation } }>(
    '/api/v1/shares/:storageGroup/backup-mark',
    describedBy({ ...mark, body: BACKUP_MARK_BODY }),
    async ({ params, body }): Promise<MarkDocument> => {
      const { name } = found(params.storageGroup).state
      const remark = (await shares?.markBackup(name, body.through)) ?? ''
      return { explanation: explained(name), remark }
    },
  )
  const disablement = { tag, summary: 'Disable a copy for good', answer: ANSWERS.disablement, group: true }
  api.post<GroupRoute & { Body: { copyId: string } }>(
    '/api/v1/shares/:storageGroup/disable-copy',
    describedBy({ ...disablement, body: DISABLE_COPY_BODY }),
    async ({ params, body }): Promise<DisablementDocument> => {
      const { name } = found(params.storageGroup).state
      const remark = (await shares?.disableCopy(name, body.copyId)) ?? ''
      return { share: shareStatus(found(name)), remark }
    },
  )
}
