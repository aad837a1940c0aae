import { comparePages, type PageComparison, type PageDigest } from '../../engine/database/page-digest.ts'
import { ReplicationError } from '../../engine/error.ts'
import { asGeneration, type Generation } from '../../engine/generation.ts'
import { anySignal } from '../any-signal.ts'
import { ApiClient } from '../api-client.ts'
import { ApiConnection, type ApiConnectionOptions } from '../api-connection.ts'
import { StoreClient } from '../load/store-client.ts'
import { pauseUntil } from '../pause-until.ts'
import { readDigests } from './digest-list.ts'

/** How long a Failed copy may take to find its source again, in milliseconds: it tries after 1 s, 2 s, 4 s, and so on. */
const RECONNECT_MS_MAX = 20_000
/** How often it is looked at, in milliseconds. */
const LOOK_MS = 250

/** What is compared, and how long it may take. */
export interface ComparisonWanted {
  readonly storageGroup: string
  readonly active: ApiConnectionOptions
  readonly copy: ApiConnectionOptions
  /** How long the copy may take to come to the boundary and to digest its pages, in milliseconds. */
  readonly patienceMs: number
  readonly signal: AbortSignal
  /** Hears how many pages of the copy have come, and of the active. */
  readonly onPages: (copy: number, active: number) => void
}

/** What a comparison has come to. */
export interface ComparisonOutcome extends PageComparison {
  /** The log at whose end the databases were compared. */
  readonly through: Generation
}

/**
 * How many logs ahead the boundary is set, from try to try: a store that is busy may close its log before the copy has heard of the
 * wish. Those before the boundary are closed early.
 */
const MARGINS = [0, 1, 4, 16, 48] as const

/**
 * Compares the database of a store with that of its copy at the end of the log that the store writes now. The copy hears of it
 * first, then the store closes the log, and the copy gets it like all the others.
 *
 * Errors: `STATE_REFUSED` for a copy that does not replay, those of both sides, `WAIT_TIMED_OUT`.
 */
export async function compareDatabases(wanted: ComparisonWanted): Promise<ComparisonOutcome> {
  await refuseRestingCopy(wanted)
  let refusal: unknown = null
  for (const margin of MARGINS) {
    try {
      return await withDeadline(wanted, (signal) => tryAt(wanted, margin, signal))
    } catch (error) {
      // What else is refused is refused again, which costs a moment and closes no log.
      if (!(error instanceof ReplicationError) || error.code !== 'STATE_REFUSED') throw error
      refusal = error
    }
  }
  throw refusal
}

/** A copy that is suspended, or stays Failed, would be waited for in vain; one whose source has just come back is Failed for some seconds. */
async function refuseRestingCopy({ copy, storageGroup, patienceMs, signal }: ComparisonWanted): Promise<void> {
  const client = new ApiClient(copy)
  const untilMs = Date.now() + Math.min(patienceMs, RECONNECT_MS_MAX)
  try {
    let told = await client.copy(storageGroup)
    while (told.SummaryCopyStatus === 'Failed' && told['SourceConnected'] === false && Date.now() < untilMs) {
      await pauseUntil(LOOK_MS, signal)
      told = await client.copy(storageGroup)
    }
    const { SummaryCopyStatus: summary, FailedMessage: failed } = told
    if (summary !== 'Suspended' && summary !== 'Failed') return
    throw new ReplicationError({
      code: 'STATE_REFUSED',
      message: `the copy of ${storageGroup} is ${summary}${summary === 'Failed' ? `: ${String(failed)}` : ''}, and replays no log`,
      hint:
        summary === 'Suspended'
          ? `Resume it first: ccr resume ${storageGroup}.`
          : `Mend what it says first; ccr status ${storageGroup} --format list has it all.`,
    })
  } finally {
    await client.close()
  }
}

async function tryAt(
  { storageGroup, active, copy, onPages }: ComparisonWanted,
  margin: number,
  signal: AbortSignal,
): Promise<ComparisonOutcome> {
  const connections = { active: new ApiConnection({ ...active, signal }), copy: new ApiConnection({ ...copy, signal }) }
  try {
    const { openGeneration } = await new StoreClient(connections.active, storageGroup).status()
    const through = asGeneration(openGeneration + margin)
    const sides = await digestBoth(connections, { storageGroup, through, onPages })
    return { through, ...comparePages(sides.active, sides.copy) }
  } finally {
    await Promise.all([connections.active.close(), connections.copy.close()])
  }
}

async function digestBoth(
  { active, copy }: { readonly active: ApiConnection; readonly copy: ApiConnection },
  wish: { readonly storageGroup: string; readonly through: Generation; readonly onPages: ComparisonWanted['onPages'] },
): Promise<{ readonly active: readonly PageDigest[]; readonly copy: readonly PageDigest[] }> {
  const { through, onPages } = wish
  const name = encodeURIComponent(wish.storageGroup)
  const counts = { active: 0, copy: 0 }
  const count = (side: 'active' | 'copy') => (pages: number) => {
    counts[side] = pages
    onPages(counts.copy, counts.active)
  }
  let digestsOfCopy: Promise<readonly PageDigest[]> = Promise.resolve([])
  const taken = new Promise<void>((resolve) => {
    const path = `/api/v1/copies/${name}`
    digestsOfCopy = readDigests(copy, { path, through, onTaken: resolve, onPages: count('copy') })
  })
  await Promise.race([taken, digestsOfCopy])
  const digestsOfActive = readDigests(active, {
    path: `/api/v1/stores/${name}`,
    through,
    onTaken: () => undefined,
    onPages: count('active'),
  })
  const [ofActive, ofCopy] = await Promise.all([digestsOfActive, digestsOfCopy])
  return { active: ofActive, copy: ofCopy }
}

/** Runs something that a signal ends: that of the caller, or that of time. */
async function withDeadline<Result>(
  { storageGroup, patienceMs, signal }: ComparisonWanted,
  run: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const late = new AbortController()
  const timer = setTimeout(() => late.abort(), patienceMs)
  try {
    return await run(anySignal([signal, late.signal]))
  } catch (error) {
    if (!late.signal.aborted || signal.aborted) throw error
    throw new ReplicationError({
      code: 'WAIT_TIMED_OUT',
      message: `the copy of ${storageGroup} did not come to the boundary within ${patienceMs} ms`,
      hint: 'Look at its queues with ccr status; wait longer with --patience.',
      cause: error,
    })
  } finally {
    clearTimeout(timer)
  }
}
