import { checkContinuation } from '../engine/database/log-chain.ts'
import type { PageFinding } from '../engine/database/page-tally.ts'
import { signatureDigits } from '../engine/database/redo-mark.ts'
import { ReplicationError } from '../engine/error.ts'
import type { LogIdentity } from '../engine/log-identity.ts'
import { type BackupManifest, kindOfSetFile, type SetFile } from '../storage/backup-manifest.ts'
import { examineSet, readManifest, type SetFinding } from '../storage/backup-set.ts'
import { pathIn } from '../storage/file-operations.ts'
import type { VerifiedBackupSet, VerifiedSetFile } from './backup-messages.ts'
import { type CheckedDatabase, checkDatabase } from './checked-database.ts'
import type { CheckedContent, CheckingParts } from './checked-file.ts'
import { type CheckedLog, checkCheckpoint, checkLog } from './checked-log.ts'
import { inParallel } from './in-parallel.ts'

/** Logs that are read at a time: what one waits for the disk, another is verified. */
const FILES_AT_ONCE = 4
/** Faults of one file that are named; a database may have thousands of them. */
const FAULTS_MAX = 100

/**
 * Verifies a set: every file against the manifest, every page, every log and their chain. What is wrong with a file is told of it; only a
 * directory that is no set, or a disk that fails, is an error.
 *
 * Errors: `BACKUP_REJECTED` without a manifest that can be read, and those of the file system.
 */
export async function verifySet(parts: CheckingParts, directory: string): Promise<VerifiedBackupSet> {
  const manifest = await readManifest(parts.files, directory)
  const findings = await examineSet(parts.files, directory, manifest)
  const faultOf = new Map(findings.map(({ path, fault }) => [path, fault]))
  const identities = new Map<string, LogIdentity>()
  const files = await inParallel(manifest.files, FILES_AT_ONCE, async (file): Promise<VerifiedSetFile> => {
    const { path } = file
    return { path, faults: await faultsOf(parts, { directory, manifest, file, found: faultOf.get(path), identities }) }
  })
  const chained = withChain(manifest, files, identities)
  const others = findings.filter(({ fault }) => fault === 'not in the manifest').map(asFile)
  const all = [...chained, ...others]
  return { directory, manifest, files: all, sound: all.every(({ faults }) => faults.length === 0) }
}

interface FileOfSet {
  readonly directory: string
  readonly manifest: BackupManifest
  readonly file: SetFile
  readonly found: SetFinding['fault'] | undefined
  readonly identities: Map<string, LogIdentity>
}

function asFile({ path, fault }: SetFinding): VerifiedSetFile {
  return { path, faults: [fault] }
}

async function faultsOf(parts: CheckingParts, of: FileOfSet): Promise<string[]> {
  const { file, found } = of
  // The content of a file of another length is looked at too: what is wrong with it says more.
  if (found !== undefined && found !== 'wrong size') return [found]
  const faults: string[] = found === undefined ? [] : [found]
  try {
    const { content, faults: inside } = await readFile(parts, of)
    faults.push(...inside)
    if (content.xxh64 !== file.xxh64) faults.push(`checksum ${content.xxh64}, the manifest says ${file.xxh64}`)
  } catch (error) {
    if (!(error instanceof ReplicationError) || !DAMAGE.has(error.code)) throw error
    faults.push(error.code === 'LOG_MISSING' ? 'missing' : error.message)
  }
  return faults
}

/** `LOG_MISSING` is told of any file that goes while the others are read. */
const DAMAGE: ReadonlySet<string> = new Set([
  'PAGE_REJECTED',
  'DATABASE_REJECTED',
  'LOG_REJECTED',
  'READ_FAILED',
  'LOG_MISSING',
])

async function readFile(
  parts: CheckingParts,
  { directory, manifest, file, identities }: FileOfSet,
): Promise<{ readonly content: CheckedContent; readonly faults: readonly string[] }> {
  const from = pathIn(directory, file.path)
  const kind = kindOfSetFile(file.path, manifest.baseName)
  if (kind?.kind === 'database') {
    const checked = await checkDatabase(parts, { from, to: null, state: 'whole', isTolerant: true })
    return { content: checked, faults: faultsOfDatabase(manifest, checked) }
  }
  if (kind?.kind !== 'log') return { content: await checkCheckpoint(parts, { from, to: null }), faults: [] }
  const log = await checkLog(parts, { from, to: null }, kind.generation)
  identities.set(file.path, log.identity)
  return { content: log, faults: faultsOfLog(manifest, log) }
}

function faultsOfDatabase(manifest: BackupManifest, { header, pages }: CheckedDatabase): string[] {
  const faults = pages.findings.slice(0, FAULTS_MAX).map(faultOfPage)
  const damaged = pages.bad + pages.correctable + pages.wrongNumber
  if (damaged > faults.length) faults.push(`${damaged - faults.length} more pages are damaged`)
  const signature = signatureDigits(header.logSignature)
  if (signature !== manifest.logSignature)
    faults.push(`it is of the stream ${signature}, the manifest says ${manifest.logSignature}`)
  if (manifest.method === 'streaming' && pages.trailer === null)
    faults.push('it lacks the trailer of a streaming backup')
  const needed = manifest.method === 'streaming' ? neededByTrailer(pages.trailer) : neededByHeader(header)
  const first = manifest.required?.first ?? 0
  const last = manifest.required?.last ?? 0
  if (needed !== null && (needed.first < first || needed.last > last))
    faults.push(`it needs the logs ${needed.first} to ${needed.last}, the manifest says ${first} to ${last}`)
  return faults
}

interface Needed {
  readonly first: number
  readonly last: number
}

function neededByTrailer(trailer: CheckedDatabase['pages']['trailer']): Needed | null {
  return trailer === null ? null : { first: trailer.backup.firstGeneration, last: trailer.backup.lastGeneration }
}

function neededByHeader({ required }: CheckedDatabase['header']): Needed | null {
  return required.minRequired === 0 ? null : { first: required.minRequired, last: required.maxRequired }
}

function faultOfPage({ page, kind, bits, detail }: PageFinding): string {
  if (kind === 'correctable') return `page ${page}: bits ${bits.join(', ')} are turned`
  return `page ${page}: ${kind === 'bad' ? 'damaged' : 'another page lies there'}: ${detail}`
}

function faultsOfLog(manifest: BackupManifest, { identity }: CheckedLog): string[] {
  return identity.signature === manifest.logSignature
    ? []
    : [`it is a log of the stream ${identity.signature}, the manifest says ${manifest.logSignature}`]
}

/** The files, with what their neighbours tell of them. */
function withChain(
  { files }: BackupManifest,
  verified: readonly VerifiedSetFile[],
  identities: ReadonlyMap<string, LogIdentity>,
): VerifiedSetFile[] {
  let before: LogIdentity | null = null
  return files.map(({ path }, index) => {
    const faults = verified[index]?.faults ?? []
    const identity = identities.get(path) ?? null
    if (!path.endsWith('.log')) return { path, faults }
    const rejection = before === null || identity === null ? null : checkContinuation(before, identity)
    before = identity
    return {
      path,
      faults: rejection === null ? faults : [...faults, `it does not continue the log before it: ${rejection.detail}`],
    }
  })
}
