/**
 * The public face of the engine: the rules of replication and the ESE log format, pure. A snapshot test lists these names;
 * they are added to, never renamed.
 */
export { AssertionError, assert } from './assert.ts'
export { checkContinuation } from './database/log-chain.ts'
export { type LogVerdict, readIdentity, type SoundLog, type VerifyOptions, verifyLog } from './database/log-file.ts'
export { type LogHeader, readLogHeader } from './database/log-header.ts'
export { ERROR_CODES, type ErrorCode, type ErrorDocument, ReplicationError } from './error.ts'
export { type CatalogueEvent, EVENT_CATALOGUE, type EventId, eventText } from './event-catalogue.ts'
export type * from './fact.ts'
export * from './generation.ts'
export { brokenGuarantee, type Guarantee, replicaGuarantees, type Step, sourceGuarantees } from './guarantee.ts'
export { eseLogName, type LogFormat, type LogNameParser, logNameParser } from './log-format.ts'
export { ESE_ERROR_OF, type LogIdentity, type Rejection, type RejectionReason } from './log-identity.ts'
export type * from './order.ts'
export { type CopyStatus, copyStatus, type SummaryCopyStatus } from './replication/copy-status.ts'
export { stepReplica } from './replication/replica-instance.ts'
export { type ReplicaState, startReplica } from './replication/replica-state.ts'
export { explainInWords, explainTruncation, type TruncationExplanation } from './source/explain-truncation.ts'
export { stepSource } from './source/source-instance.ts'
export { type SourceOptions, type SourceState, startSource } from './source/source-state.ts'
export { type HoldingRule, holds, truncatableThrough } from './source/truncation-rule.ts'
export { asStorageGroupName } from './storage-group.ts'
