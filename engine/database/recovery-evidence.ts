import { asGeneration, type Generation, nextGeneration } from '../generation.ts'
import type { LogIdentity, Rejection } from '../log-identity.ts'
import type { CheckpointFile } from './checkpoint-file.ts'
import type { DatabaseHeader } from './database-header.ts'
import { type EndOfLog, findEndOfLog } from './end-of-log.ts'
import { openLogBytes } from './log-bytes.ts'
import { checkContinuation } from './log-chain.ts'
import { type SoundLog, verifyLog } from './log-file.ts'
import { FORMAT_7, type LogHeader, readLogHeader } from './log-header.ts'
import { NOTHING_REQUIRED } from './lost-log-resilience.ts'
import type { RecoveryEvidence } from './recovery-plan.ts'
import { askLog, type StoreMachine } from './store-machine.ts'

/** What a scan of a store's directories found. Headers were read, logs were not. */
export interface StoreFiles {
  /** Closed logs by their names, ascending. */
  readonly closed: readonly Generation[]
  /** Whether an open log (`E00.log`) lies there. */
  readonly hasOpenLog: boolean
  /** Whether a prepared log (`E00tmp.log`) lies there. */
  readonly hasPreparedLog: boolean
  /** Null where there is no database file. */
  readonly database: DatabaseHeader | null
  /** Whole pages behind its header. */
  readonly databasePages: number
  /** Null where there is none, or none that can be read: replay begins at the lowest log that may be needed. */
  readonly checkpoint: CheckpointFile | null
}

/** The open log as it lies there, and what recovery makes of its end. */
interface FoundOpenLog {
  readonly header: LogHeader
  readonly end: EndOfLog
  /** The whole file as recovery leaves it. */
  readonly bytes: Uint8Array
}

/** What recovery goes by. */
export interface GatheredEvidence {
  readonly evidence: RecoveryEvidence
  /** Null where no open log lies there, or none that is one. */
  readonly open: FoundOpenLog | null
  /** The headers of those that have one. */
  readonly headers: ReadonlyMap<Generation, LogHeader>
}

/**
 * Reads every log from `first` on, and judges each by itself and by the one before it.
 *
 * @param signature of the stream, as 56 hexadecimal digits, or null where nothing says
 */
export function* gatherEvidence(
  files: StoreFiles,
  of: { readonly first: Generation; readonly signature: string | null; readonly ignoreLostLogs: boolean },
): StoreMachine<GatheredEvidence> {
  const headers = new Map<Generation, LogHeader>()
  const closed: RecoveryEvidence['closed'][number][] = []
  const generations = files.closed.filter((generation) => generation >= of.first)
  const last = generations.at(-1) ?? of.first
  let previous: LogIdentity | null = null
  for (const generation of generations) {
    const bytes = yield* askLog({ generation, open: false, last })
    const found = judgeClosed(bytes ?? new Uint8Array(0), { generation, previous, signature: of.signature })
    closed.push({ generation, createTime: found.sound?.identity.createTime ?? '', rejection: found.rejection })
    if (found.sound !== null) headers.set(generation, found.sound.header)
    previous = found.sound?.identity ?? previous
  }
  const expected = nextGeneration(previous?.generation ?? asGeneration(of.first - 1))
  const open = files.hasOpenLog ? yield* readOpen(expected, { previous, signature: of.signature }) : null
  if (open?.found != null) headers.set(open.found.header.generation, open.found.header)
  return {
    evidence: {
      range: files.database === null ? NOTHING_REQUIRED : files.database.required,
      closed,
      open: open === null ? null : open.evidence,
      hasPreparedLog: files.hasPreparedLog,
      ignoreLostLogs: of.ignoreLostLogs,
    },
    open: open?.found ?? null,
    headers,
  }
}

/** What a log has to continue. */
interface LogPlace {
  readonly generation: Generation
  /** The log before it; null for the first that is read. */
  readonly previous: LogIdentity | null
  readonly signature: string | null
}

/** A log by itself and in its place. */
interface JudgedLog {
  /** The log by itself; null when it is refused by itself. */
  readonly sound: SoundLog | null
  /** Why it may not be replayed; null when it may. */
  readonly rejection: Rejection | null
}

/** Judges a closed log that lies where generation `place.generation` belongs. Damage of any kind refuses it. */
export function judgeClosed(bytes: Uint8Array, place: LogPlace): JudgedLog {
  const verdict = verifyLog(bytes, { expectedGeneration: place.generation })
  if (verdict.verdict === 'rejected') return { sound: null, rejection: verdict.rejection }
  return { sound: verdict, rejection: faultOfFormat(verdict.header) ?? faultOfPlace(verdict.identity, place) }
}

/** Our redo knows the records of one format. */
function faultOfFormat({ version }: LogHeader): Rejection | null {
  if (version.major === FORMAT_7.major) return null
  return { reason: 'bad-version', detail: `format ${version.major},${version.minor} is verified, but not redone` }
}

function faultOfPlace(identity: LogIdentity, { previous, signature }: Omit<LogPlace, 'generation'>): Rejection | null {
  if (signature !== null && identity.signature !== signature)
    return {
      reason: 'bad-signature',
      detail: `signature ${identity.signature} is not ${signature}, the database's own`,
    }
  // A gap of generations is seen by who counts them.
  if (previous === null || identity.generation !== nextGeneration(previous.generation)) return null
  return checkContinuation(previous, identity)
}

interface ReadOpenLog {
  readonly found: FoundOpenLog | null
  readonly evidence: NonNullable<RecoveryEvidence['open']>
}

/** The open log may be torn or have its end from a shadow; only its header must be whole. */
function* readOpen(expected: Generation, place: Omit<LogPlace, 'generation'>): StoreMachine<ReadOpenLog | null> {
  const bytes = yield* askLog({ generation: expected, open: true, last: expected })
  if (bytes === null) return null
  const read = readLogHeader(bytes)
  const rejection = read.verdict === 'rejected' ? read.rejection : faultOfOpen(bytes, read.header)
  if (read.verdict === 'rejected' || rejection !== null) {
    const generation = read.verdict === 'read' ? read.header.generation : expected
    const end = { state: 'corrupt', detail: rejection?.detail ?? '' } as const
    return { found: null, evidence: { generation, createTime: '', rejection, end } }
  }
  const { header, identity } = read
  const end = findEndOfLog(openLogBytes(bytes), header)
  return {
    found: { header, end, bytes: end.patched ?? bytes.slice() },
    evidence: {
      generation: header.generation,
      createTime: identity.createTime,
      rejection: faultOfPlace(identity, place),
      end,
    },
  }
}

function faultOfOpen(bytes: Uint8Array, header: LogHeader): Rejection | null {
  const stated = header.sectorBytes * header.fileSectors
  if (bytes.byteLength === stated) return faultOfFormat(header)
  return { reason: 'bad-size', detail: `${bytes.byteLength} bytes, but the header states ${stated}` }
}
