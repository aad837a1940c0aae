import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, pause } from '../command.ts'
import {
  copyFigures,
  postJson,
  type Service,
  type ShareService,
  spawnCopy,
  spawnShare,
  untilInspected,
  untilLive,
} from '../product.ts'
import { ClosedLogWriter } from './closed-log-writer.ts'
import { auditStore } from './store-verifier.ts'

/** How many rounds, and by which choices. */
export interface KillPlan {
  readonly rounds: number
  readonly seed: number
  tell(text: string): void
}

/** What came of them. */
export interface KillOutcome {
  readonly rounds: number
  readonly logs: number
  readonly acknowledged: number
  readonly marked: number
  /** Logs that the source has deleted on the way: a run without any proves nothing about truncation. */
  readonly truncated: number
  /** What the auditor said, each with its round. Empty when all is well. */
  readonly faults: readonly string[]
}

/** A log each 12 ms: at every moment one is somewhere between the two directories. */
const LOG_INTERVAL_MS = 12
/** How often the status is read: what was heard before the kill counts as acknowledged. */
const LISTEN_MS = 10
/** The random moment: the pair gets up to so long to be somewhere else. */
const MOMENT_MS_MAX = 250
/** One round in so many reports a backup. */
const MARK_EVERY = 2

/**
 * Kills source, copy or both by SIGKILL at random moments while logs are closed and marked as backed up. After each kill the
 * survivor is stopped too, for as long as the auditor reads; then the dead start again.
 */
export async function runKillRounds(plan: KillPlan): Promise<KillOutcome> {
  const directory = mkdtempSync(join(tmpdir(), 'ccr-kill-'))
  const pair = await startPair(directory, plan.seed)
  const faults: string[] = []
  try {
    pair.writer.start(LOG_INTERVAL_MS)
    for (let round = 1; round <= plan.rounds && faults.length === 0; round++) {
      const found = await runRound(pair, random(plan.seed, round))
      faults.push(...found.map((fault) => `round ${round}: ${fault}`))
      if (round % 10 === 0) plan.tell(`round ${round}: ${pair.acknowledged} acknowledged, ${pair.marked} marked`)
    }
    pair.writer.stop()
    if (faults.length === 0) faults.push(...(await settle(pair)))
    return outcomeOf(pair, plan.rounds, faults)
  } finally {
    pair.writer.stop()
    await pair.share.kill()
    await pair.copy.kill()
    rmSync(directory, { recursive: true })
  }
}

interface Pair {
  readonly writer: ClosedLogWriter
  readonly source: string
  readonly store: string
  readonly startShare: () => Promise<ShareService>
  readonly startCopy: () => Promise<Service>
  share: ShareService
  copy: Service
  acknowledged: number
  marked: number
}

type Random = (below: number) => number

async function startPair(directory: string, seed: number): Promise<Pair> {
  const source = join(directory, 'source')
  const store = join(directory, 'store')
  const writer = new ClosedLogWriter(source, join(directory, 'staging'), seed)
  const shareOptions = { listenPort: await freePort(), managePort: await freePort() }
  const copyOptions = { managePort: await freePort() }
  const url = `http://127.0.0.1:${shareOptions.listenPort}/shares/SG1`
  const startShare = (): Promise<ShareService> => spawnShare(source, shareOptions)
  const startCopy = (): Promise<Service> => spawnCopy(url, store, copyOptions)
  const [share, copy] = await Promise.all([startShare(), startCopy()])
  await Promise.all([untilLive(share), untilLive(copy)])
  return { writer, source, store, startShare, startCopy, share, copy, acknowledged: 0, marked: 0 }
}

async function runRound(pair: Pair, below: Random): Promise<string[]> {
  const target = Math.min(pair.acknowledged + 1, pair.writer.truth.length)
  await untilInspected(pair.copy, target)
  await listenFor(pair, below(MOMENT_MS_MAX), below)
  const victims = below(3)
  const dead = [...(victims === 1 ? [] : [pair.share]), ...(victims === 0 ? [] : [pair.copy])]
  const survivors = [pair.share, pair.copy].filter((service) => !dead.includes(service))
  await Promise.all(dead.map((service) => service.kill()))
  // The survivor goes on for a while with nobody at the other end, then stands still to be read.
  await pause(below(20))
  for (const service of survivors) process.kill(service.pid, 'SIGSTOP')
  const faults = audit(pair, false)
  for (const service of survivors) process.kill(service.pid, 'SIGCONT')
  await startAgain(pair)
  return faults
}

/** Takes note of what is acknowledged for `durationMs`, and reports a backup somewhere in it. */
async function listenFor(pair: Pair, durationMs: number, below: Random): Promise<void> {
  const until = performance.now() + durationMs
  let mark = below(MARK_EVERY) === 0
  do {
    const figures = await copyFigures(pair.copy)
    pair.acknowledged = Math.max(pair.acknowledged, figures?.LastLogInspected ?? 0)
    if (mark && pair.acknowledged > pair.marked) {
      mark = false
      // Also ahead of the copy: then the copy's progress is what releases the logs.
      await markBackup(pair, pair.acknowledged + below(20))
    }
    await pause(LISTEN_MS)
  } while (performance.now() < until)
}

async function markBackup(pair: Pair, wanted: number): Promise<void> {
  const through = Math.min(wanted, pair.writer.truth.length)
  // Before it is asked for: a mark whose answer never comes may be in force all the same.
  pair.marked = Math.max(pair.marked, through)
  await postJson(`${pair.share.manage}/api/v1/shares/SG1/backup-mark`, { through }).catch(() => undefined)
}

function audit(pair: Pair, settled: boolean): string[] {
  const { writer, acknowledged, marked, source, store } = pair
  return auditStore({ truth: writer.truth, acknowledged, marked, sourceDirectory: source, store, settled })
}

async function startAgain(pair: Pair): Promise<void> {
  if (!pair.share.running()) pair.share = await pair.startShare()
  if (!pair.copy.running()) pair.copy = await pair.startCopy()
  await Promise.all([untilLive(pair.share), untilLive(pair.copy)])
}

/** No more faults: everything must come to rest, whole. */
async function settle(pair: Pair): Promise<string[]> {
  const last = pair.writer.truth.length
  await untilInspected(pair.copy, last)
  pair.acknowledged = last
  await pair.copy.stop()
  await pair.share.stop()
  return audit(pair, true).map((fault) => `at rest: ${fault}`)
}

function outcomeOf(pair: Pair, rounds: number, faults: readonly string[]): KillOutcome {
  const logs = pair.writer.truth.length
  const left = readdirSync(pair.source).filter((name) => /^E00[0-9A-F]{8}\.log$/.test(name)).length
  return { rounds, logs, acknowledged: pair.acknowledged, marked: pair.marked, truncated: logs - left, faults }
}

/** Choices of one round: the same for the same seed, whatever the rounds before have drawn. */
function random(seed: number, round: number): Random {
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(round, 0x85ebca6b)) | 1
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0
    return Math.floor(((state >>> 0) / 2 ** 32) * below)
  }
}
