import { setMaxListeners } from 'node:events'
import { LoadLedger } from '../../engine/load/load-ledger.ts'
import { LOAD_PROFILES, withSizes } from '../../engine/load/load-profile.ts'
import { type LedgerFile, ledgerInMemory, readLedgerFile } from '../../storage/ledger-file.ts'
import { ApiConnection } from '../api-connection.ts'
import type { CommandContext } from '../cli-context.ts'
import { writeJson, writeLines } from '../cli-io.ts'
import type { LoadOptions } from '../command/load.ts'
import { formatSize } from '../format-size.ts'
import { liveBlock } from '../live-block.ts'
import { connectionOptions } from '../management.ts'
import { progressLine } from '../progress-line.ts'
import { checkStore, continueBehind } from './load-check.ts'
import { LoadFigures, type LoadSummary } from './load-figures.ts'
import { LoadPace } from './load-pace.ts'
import { findingLines, liveLines, summaryLines } from './load-report.ts'
import { runLoad } from './load-run.ts'
import { findStore, newIdentity, openLedger, withLedgerPlace } from './load-session.ts'
import type { StoreClient } from './store-client.ts'
import { StoreReturn } from './store-return.ts'

/** The exit code of a check that failed. */
const CHECK_FAILED = 3
/** As many as keep a group commit busy. */
const CLIENTS = 16
/** How often the figures are looked at, in milliseconds: a person sees them move. */
const LIVE_MS = 1000
/** Findings that are told in words; with --json as objects. */
const FINDINGS_TOLD_MAX = 20
const FINDINGS_LISTED_MAX = 1000

/** Runs a load and tells what it came to. */
export async function driveLoad(context: CommandContext, storageGroup: string, options: LoadOptions): Promise<number> {
  return await withConnection(context, async (connection) => {
    const client = await findStore(connection, storageGroup)
    const target = { context, client, storageGroup, server: connection.origin, options }
    if (options.ledger === undefined) {
      const ledger = new LoadLedger(newIdentity({ seed: options.seed, mailboxes: options.mailboxes }))
      const { clients = CLIENTS } = options
      await continueBehind(ledger, { client, clients, signal: context.io.signal, onProgress: () => undefined })
      return await runAndTell(target, ledgerInMemory(ledger))
    }
    return await withLedgerPlace(options.ledger, storageGroup, async (place) => {
      const ledger = await openLedger(place, { seed: options.seed, mailboxes: options.mailboxes })
      return await runAndTell(target, ledger).finally(() => ledger.close())
    })
  })
}

/** Reads back what a load left in a store and tells what is wrong. */
export async function checkLoad(context: CommandContext, storageGroup: string, options: LoadOptions): Promise<number> {
  const { io, globals } = context
  const { ledger: path = '', clients = CLIENTS } = options
  const ledger = await withLedgerPlace(path, storageGroup, readLedgerFile)
  const { messages, bytes, findings } = await withConnection(context, async (connection) => {
    const client = await findStore(connection, storageGroup)
    const { show, end } = progressLine(io.stderr, 'mailboxes')
    return await checkStore(ledger, { client, clients, signal: io.signal, onProgress: show }).finally(end)
  })
  const inDoubt = ledger.inDoubt.length
  if (globals.json === true) {
    const listed = findings.slice(0, FINDINGS_LISTED_MAX)
    writeJson(io.stdout, {
      storageGroup,
      sound: findings.length === 0,
      messages,
      bytes,
      inDoubt,
      faults: findings.length,
      findings: listed,
    })
  } else
    writeLines(io.stdout, [
      `${storageGroup}: ${messages} messages (${formatSize(bytes)}) read back, ${inDoubt} transactions in doubt: ${findings.length === 0 ? 'nothing is missing, nothing is wrong' : `${findings.length} faults`}`,
      ...findingLines(findings, FINDINGS_TOLD_MAX),
    ])
  return findings.length === 0 ? 0 : CHECK_FAILED
}

interface LoadTarget {
  readonly context: CommandContext
  readonly client: StoreClient
  readonly storageGroup: string
  readonly server: string
  readonly options: LoadOptions
}

async function runAndTell(target: LoadTarget, ledger: LedgerFile): Promise<number> {
  const { context, storageGroup, server, options } = target
  const { io, globals } = context
  const summary = await runWatched(target, ledger)
  if (globals.json === true) {
    const { seed, mailboxes } = ledger.ledger.identity
    writeJson(io.stdout, { storageGroup, server, seed, mailboxes, ledger: options.ledger ?? null, ...summary })
  } else writeLines(io.stdout, summaryLines(storageGroup, summary))
  return summary.faults === 0 ? 0 : CHECK_FAILED
}

/** Runs the load while its figures are shown, and tells them when all is answered. */
async function runWatched(target: LoadTarget, ledger: LedgerFile): Promise<LoadSummary> {
  const { context, client, storageGroup, options } = target
  const { profile: name, size, fullSpeed, rate, count, batch, patience } = options
  const { mailboxes } = ledger.ledger.identity
  const figures = new LoadFigures(performance.now())
  const pace = new LoadPace({
    rate: fullSpeed === true ? Number.POSITIVE_INFINITY : rate,
    count,
    forMs: options.for,
    signal: context.io.signal,
  })
  const profile = size === undefined ? LOAD_PROFILES[name] : withSizes(LOAD_PROFILES[name], size.least, size.most)
  const storeReturn = storeReturnOf(target, { figures, ending: pace.ending, patienceMs: patience })
  const clients = Math.min(options.clients ?? CLIENTS, mailboxes)
  const stopWatching = watch(target, figures)
  try {
    await storeReturn.untilRunning(storageGroup)
    await runLoad({ client, ledger, profile, pace, figures, storeReturn, clients, batch })
  } finally {
    pace.close()
    await stopWatching()
  }
  return figures.summary(performance.now())
}

function storeReturnOf(
  { context, client, storageGroup }: LoadTarget,
  wait: { readonly figures: LoadFigures; readonly ending: AbortSignal; readonly patienceMs: number },
): StoreReturn {
  const { figures, ending, patienceMs } = wait
  const tell = (text: string): void => writeLines(context.io.stderr, [`${storageGroup}: ${text}`])
  return new StoreReturn({
    client,
    patienceMs,
    ending,
    onAway: (why) => tell(`waiting for the store: ${why}`),
    onBack: (awayMs) => {
      figures.wasAway(awayMs)
      tell(`the store is back after ${(awayMs / 1000).toFixed(1)} s`)
    },
  })
}

/** Looks at the store's open log now, then and at the end, and shows the figures where somebody watches. */
function watch({ context, client, storageGroup }: LoadTarget, figures: LoadFigures): () => Promise<void> {
  const { stderr } = context.io
  const block = liveBlock(stderr)
  let before = figures.summary(performance.now())
  const look = async (): Promise<void> => {
    // A store that is away is no news here: who waits for it says so.
    await client.status().then(
      ({ openGeneration }) => figures.reached(openGeneration),
      () => undefined,
    )
    if (!stderr.isTerminal) return
    const now = figures.summary(performance.now())
    block.show(liveLines(storageGroup, before, now))
    before = now
  }
  let looking = look()
  const timer = setInterval(() => {
    looking = looking.then(look)
  }, LIVE_MS)
  return async () => {
    clearInterval(timer)
    await looking
    await client.status().then(
      ({ openGeneration }) => figures.reached(openGeneration),
      () => undefined,
    )
  }
}

/** A connection that a signal does not cut: what was sent is waited for, so that it need not be in doubt. */
async function withConnection<Result>(
  context: CommandContext,
  use: (connection: ApiConnection) => Promise<Result>,
): Promise<Result> {
  const options = await connectionOptions(context, 'share')
  const { signal } = new AbortController()
  setMaxListeners(0, signal) // every request listens to it
  const connection = new ApiConnection({ ...options, signal })
  try {
    return await use(connection)
  } finally {
    await connection.close()
  }
}
