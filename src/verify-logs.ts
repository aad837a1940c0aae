import { open, readFile } from 'node:fs/promises'
import { checkContinuation } from '../engine/database/log-chain.ts'
import { type LogVerdict, verifyLog } from '../engine/database/log-file.ts'
import { LOG_HEADER_BYTES, readLogHeader } from '../engine/database/log-header.ts'
import { dumpLogSet, type LogSetEntry } from '../engine/database/log-set-dump.ts'
import { ESE_ERROR_OF, type Rejection } from '../engine/log-identity.ts'
import type { ChecksumPool } from '../workers/pool.ts'
import { type LogFile, type LogFiles, unreadable } from './log-set.ts'

/** What came of one log. */
interface VerifiedLog {
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
  const onFile = (): void => {
    done += 1
    work.onProgress(done, total)
  }
  return await withVerifier(total, work.signal, async (verify) => {
    const verified: VerifiedSet[] = []
    for (const set of sets)
      verified.push(judge(set, await verifyFiles(set.files, { verify, signal: work.signal, onFile })))
    return verified
  })
}

/** Up to so many files one thread, this one, is done before others would have started. */
const FILES_WITHOUT_THREADS = 8
/** Files handed to the threads at a time: each always has the next one at hand. */
const FILES_IN_FLIGHT = 8

type VerifyFile = (path: string) => Promise<LogVerdict>

async function withVerifier<Result>(
  files: number,
  signal: AbortSignal,
  use: (verify: VerifyFile) => Promise<Result>,
): Promise<Result> {
  if (files <= FILES_WITHOUT_THREADS) return await use(verifyHere)
  const { startChecksumPool } = await import('../workers/pool.ts')
  const pool = startChecksumPool()
  try {
    return await use((path) => verifyInThread(pool, path, signal))
  } finally {
    await pool.close()
  }
}

async function verifyFiles(
  files: readonly LogFile[],
  work: { readonly verify: VerifyFile; readonly signal: AbortSignal; readonly onFile: () => void },
): Promise<LogSetEntry[]> {
  const entries: LogSetEntry[] = []
  for (let at = 0; at < files.length; at += FILES_IN_FLIGHT) {
    work.signal.throwIfAborted()
    const batch = files.slice(at, at + FILES_IN_FLIGHT).map(async ({ path, generation }) => {
      const verdict = await work.verify(path)
      work.onFile()
      return { path, generation, verdict }
    })
    entries.push(...(await Promise.all(batch)))
  }
  return entries
}

async function verifyHere(path: string): Promise<LogVerdict> {
  return verifyLog(await contentOf(path))
}

/** The header is read here, for the chain; the thread reads the whole file and verifies every byte of it. */
async function verifyInThread(pool: ChecksumPool, path: string, signal: AbortSignal): Promise<LogVerdict> {
  const read = readLogHeader(await contentOf(path, LOG_HEADER_BYTES))
  if (read.verdict === 'rejected') return read
  const { header, identity } = read
  const format = { kind: 'ese', baseName: 'E00' } as const // the name was looked at already; the bytes do not depend on it
  const result = await pool.checksum({ path, name: '', generation: header.generation, format }, signal)
  if (result.kind === 'unreadable') throw unreadable(path, result.fault.message)
  if (result.inspection.rejection !== null) return { verdict: 'rejected', rejection: result.inspection.rejection }
  return {
    verdict: 'sound',
    identity,
    header,
    endByte: result.sizeBytes,
    checksums: 0,
    records: null,
    accumulatedChecksum: 0n,
  }
}

/** The bytes of a file, or the first so many of them. Errors: `READ_FAILED`. */
async function contentOf(path: string, bytesMax?: number): Promise<Uint8Array> {
  try {
    if (bytesMax === undefined) return await readFile(path)
    const file = await open(path)
    try {
      const { bytesRead, buffer } = await file.read(new Uint8Array(bytesMax), 0, bytesMax, 0)
      return buffer.subarray(0, bytesRead)
    } finally {
      await file.close()
    }
  } catch (cause) {
    throw unreadable(path, cause)
  }
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
