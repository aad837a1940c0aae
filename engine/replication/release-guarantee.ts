import type { ReplicaFact } from '../fact.ts'
import type { ReplicaOrder } from '../order.ts'
import { type Guarantee, guarantee, type Step } from '../step.ts'
import { retryDelayMs } from './copier.ts'
import { copyStatus } from './copy-status.ts'
import { isAtRest, type ReplicaState } from './replica-state.ts'
import { TRIAL_MS } from './restart.ts'

type ReplicaStep = Step<ReplicaState, ReplicaFact, ReplicaOrder>

/** What a copy promises of the release that it behaves as. */
export const releaseGuarantees: readonly Guarantee<ReplicaState, ReplicaFact, ReplicaOrder>[] = [
  guarantee('a copy of SP1 never forgets by itself why it failed', true, sp1Remembers),
  guarantee('what the status of RTM hides stands in its remark', true, hiddenIsRemarked),
  guarantee('a copy of RTM that misses a log is started again, within a bounded time', true, missingIsRetried),
  guarantee('a trial of RTM is bounded, and no replay that failed is tried again in it', true, trialIsBounded),
]

function sp1Remembers({ after }: ReplicaStep): string | null {
  return after.release === 'sp1' && after.trial !== null ? `it forgot: ${after.trial.forgot}` : null
}

function hiddenIsRemarked({ after }: ReplicaStep): string | null {
  if (after.release === 'sp1') return null
  const { summary, remark } = copyStatus(after)
  const isHidden = after.failure !== null || after.trial !== null || !after.connected || !after.sawLog
  return summary === 'Healthy' && isHidden && remark === '' ? 'it is called Healthy without a remark' : null
}

/** The longest wait is that of many failures. */
const RETRY_MS_MAX = retryDelayMs(Number.MAX_SAFE_INTEGER)

function missingIsRetried({ after, fact }: ReplicaStep): string | null {
  if (after.release === 'sp1' || after.failure?.kind !== 'missing' || isAtRest(after)) return null
  if (after.phase !== 'waiting') return `it is ${after.phase} and Failed`
  return after.retryAtMs > fact.nowMs + RETRY_MS_MAX ? `it waits until ${after.retryAtMs}` : null
}

function trialIsBounded({ after, fact, orders }: ReplicaStep): string | null {
  if (after.trial === null) return null
  if (after.trial.untilMs <= fact.nowMs) return 'it is over and goes on'
  if (after.trial.untilMs > fact.nowMs + TRIAL_MS) return `it lasts until ${after.trial.untilMs}`
  const isEarly = (after.database?.trouble ?? null) !== null && orders.some((order) => order.kind === 'replay-logs')
  return isEarly ? 'logs are replayed in it' : null
}
