import { readFile } from 'node:fs/promises'
import { checkContinuation } from '../engine/database/log-chain.ts'
import { type LogVerdict, verifyLog } from '../engine/database/log-file.ts'
import { dumpLogSet, type LogSetEntry } from '../engine/database/log-set-dump.ts'
import { ESE_ERROR_OF, type Rejection } from '../engine/log-identity.ts'
import { type LogFile, type LogFiles, unreadable } from './log-set.ts'

/** What came of one log. */
export interface VerifiedLog {
  readonly path: string
  /** Of the header, or of the name where the header cannot be read; null where neither says. */
  readonly generation: number | null
  /** `open` is a current log that is still being written: nothing is proved of it and nothing held against it. */
  readonly state: 'sound' | 'damaged' | 'open'
  readonly reason: string
  readonly detail: string
  /** ESE's number of the fault; 0 for none. */
  readonly eseError: number
}

/** What came of one set of logs. */
export interface VerifiedSet {
  readonly baseName: string
  /** As eseutil prints it. */
  readonly lines: readonly string[]
  readonly logs: readonly VerifiedLog[]
  /** Runs of generations that are missing between others, both ends included. */
  readonly missing: readonly { readonly first: number; readonly last: number }[]
  readonly damaged: boolean
}

/** How the work is watched and stopped. */
export interface VerifyWork {
  readonly signal: AbortSignal
  readonly onProgress: (done: number, total: number) => void
}

/** Reads and verifies every file of the sets, then the chain of each. Errors: `READ_FAILED`. */
export async function verifySets(sets: readonly LogFiles[], work: VerifyWork): Promise<VerifiedSet[]> {
  const total = sets.reduce((sum, { files }) => sum + files.length, 0)
  let done = 0
  const verified: VerifiedSet[] = []
  for (const set of sets) {
    const entries = await verifyFiles(set.files, work.signal, () => {
      done += 1
      work.onProgress(done, total)
    })
    verified.push(judge(set, entries))
  }
  return verified
}

async function verifyFiles(files: readonly LogFile[], signal: AbortSignal, onFile: () => void): Promise<LogSetEntry[]> {
  const entries: LogSetEntry[] = []
  for (const { path, generation } of files) {
    signal.throwIfAborted()
    entries.push({ path, generation, verdict: await verifyFile(path) })
    onFile()
  }
  return entries
}

async function verifyFile(path: string): Promise<LogVerdict> {
  const bytes = await readFile(path).catch((cause: unknown) => Promise.reject(unreadable(path, cause)))
  return verifyLog(bytes, { walk: true })
}

function judge({ baseName, digits }: LogFiles, entries: readonly LogSetEntry[]): VerifiedSet {
  // A store writes into its open log at this moment: that it is not whole yet says nothing.
  const open = entries.filter(({ generation, verdict }) => generation === null && verdict.verdict === 'rejected')
  const stillOpen = entries.length > 1 ? open : []
  const judged = entries.filter((entry) => !stillOpen.includes(entry))
  const logs = judged.map((entry, index) => verifiedLog(entry, judged[index - 1]))
  const missing = missingRuns(logs)
  return {
    baseName,
    lines: [
      ...dumpLogSet({ baseName, digits, entries: judged }),
      ...stillOpen.map(({ path }) => `      Log file: ${path} - in use, not checked (-1032)`),
    ],
    logs: [...logs, ...stillOpen.map(openLog)],
    missing,
    damaged: missing.length > 0 || logs.some(({ state }) => state === 'damaged'),
  }
}

function verifiedLog(entry: LogSetEntry, previous: LogSetEntry | undefined): VerifiedLog {
  const rejection = rejectionOf(entry, previous)
  const generation = entry.verdict.verdict === 'sound' ? entry.verdict.identity.generation : entry.generation
  if (rejection === null) return { path: entry.path, generation, state: 'sound', reason: '', detail: '', eseError: 0 }
  const { reason, detail } = rejection
  return { path: entry.path, generation, state: 'damaged', reason, detail, eseError: ESE_ERROR_OF[reason] }
}

/** What is wrong with a log by itself, by its name, or as the next one after `previous`. */
function rejectionOf({ generation, verdict }: LogSetEntry, previous: LogSetEntry | undefined): Rejection | null {
  if (verdict.verdict === 'rejected') return verdict.rejection
  const { identity } = verdict
  if (generation !== null && identity.generation !== generation)
    return {
      reason: 'generation-mismatch',
      detail: `generation ${identity.generation} in the header, ${generation} in the name`,
    }
  // Where logs are missing between the two, they are reported as missing, and nothing can be said of the chain.
  if (previous?.verdict.verdict !== 'sound' || identity.generation !== previous.verdict.identity.generation + 1)
    return null
  return checkContinuation(previous.verdict.identity, identity)
}

function missingRuns(logs: readonly VerifiedLog[]): { first: number; last: number }[] {
  const runs: { first: number; last: number }[] = []
  let before: number | null = null
  for (const { generation } of logs) {
    if (before !== null && generation !== null && generation > before + 1)
      runs.push({ first: before + 1, last: generation - 1 })
    before = generation ?? before
  }
  return runs
}

function openLog({ path }: LogSetEntry): VerifiedLog {
  return { path, generation: null, state: 'open', reason: '', detail: 'the log is still open', eseError: -1032 }
}
