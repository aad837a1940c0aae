/**
 * An auditor of a source and its copy that shares no code with them: it reads files, knows what the writer of the logs has
 * kept of them, and says what is wrong. It works on the remains of killed processes and of cut disks alike.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** What the writer knows of a log that it has closed. */
export interface TrueLog {
  readonly generation: number
  readonly name: string
  readonly sha256: string
}

/** What was known outside of both processes when they were stopped. */
export interface Audit {
  /** Every log that was ever closed, generation 1 first, without a gap. */
  readonly truth: readonly TrueLog[]
  /** Highest generation that the copy was heard to call inspected; 0 for none. */
  readonly acknowledged: number
  /** Highest generation that anybody has asked to treat as backed up; 0 for none. */
  readonly marked: number
  /** Null where there is no source to be looked at. */
  readonly sourceDirectory: string | null
  /** Root of the copy's store. */
  readonly store: string
  /** Whether the two are at rest: then nothing may be arriving. */
  readonly settled: boolean
}

/** Directories that a log directory of the copy holds beside its logs. */
const KNOWN_DIRECTORIES: ReadonlySet<string> = new Set(['inspector', 'IgnoredLogs'])
/** Files that the source keeps beside its logs: those of the store that writes them, and the state of the share. */
const KNOWN_BESIDE = /^(\.ccr|[A-Za-z0-9]{3}(tmp)?\.log)$/

/** Everything that is wrong, one sentence each; empty when all is well. */
export function auditStore(audit: Audit): string[] {
  const byName = new Map(audit.truth.map((log) => [log.name, log]))
  const faults: string[] = []
  const logs = join(audit.store, 'logs')
  const onCopy = presentLogs({ directory: logs, side: 'copy', byName, faults })
  auditCopy(audit, onCopy, faults)
  if (audit.sourceDirectory !== null) {
    const onSource = presentLogs({ directory: audit.sourceDirectory, side: 'source', byName, faults })
    auditSource(audit, { onSource, onCopy }, faults)
  }
  if (audit.settled) auditRest(logs, faults)
  return faults
}

interface Side {
  readonly directory: string
  readonly side: 'copy' | 'source'
  readonly byName: ReadonlyMap<string, TrueLog>
  readonly faults: string[]
}

/** Generations whose files are whole. Every other file is a fault. */
function presentLogs({ directory, side, byName, faults }: Side): Set<number> {
  const present = new Set<number>()
  if (!existsSync(directory)) return present
  for (const name of readdirSync(directory)) {
    const log = byName.get(name)
    if (log === undefined) {
      if (!isKnown(directory, name, side)) faults.push(`${side}: ${name} is no log that was ever closed`)
      continue
    }
    const bytes = readFileSync(join(directory, name))
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    if (sha256 === log.sha256) present.add(log.generation)
    else faults.push(`${side}: ${name} (${bytes.length} bytes) is not what was closed`)
  }
  return present
}

function isKnown(directory: string, name: string, side: Side['side']): boolean {
  if (side === 'source') return KNOWN_BESIDE.test(name)
  return KNOWN_DIRECTORIES.has(name) && statSync(join(directory, name)).isDirectory()
}

function auditCopy(audit: Audit, onCopy: ReadonlySet<number>, faults: string[]): void {
  const highest = Math.max(0, ...onCopy)
  const lowest = Math.min(highest, ...onCopy)
  for (let generation = lowest; generation < highest; generation++)
    if (!onCopy.has(generation)) faults.push(`copy: ${generation} is missing between ${lowest} and ${highest}`)
  if (highest < audit.acknowledged)
    faults.push(`copy: ${audit.acknowledged} was acknowledged, but ${highest} is the highest log that is whole`)
  // The copy deletes only what the source has deleted before, and that only below a mark.
  for (let generation = audit.marked + 1; generation < Math.min(lowest, audit.acknowledged + 1); generation++)
    faults.push(`copy: ${generation} was acknowledged and is gone, and nobody has marked it as backed up`)
}

function auditSource(
  audit: Audit,
  sides: { readonly onSource: ReadonlySet<number>; readonly onCopy: ReadonlySet<number> },
  faults: string[],
): void {
  const { onSource, onCopy } = sides
  const held = Math.max(0, ...onCopy)
  let lastGone = 0
  for (const { generation } of audit.truth) if (!onSource.has(generation)) lastGone = generation
  for (let generation = 1; generation <= lastGone; generation++) {
    if (onSource.has(generation))
      faults.push(`source: ${generation} is there, but ${lastGone} was deleted: not ascending`)
    if (generation > audit.marked && !onSource.has(generation))
      faults.push(`source: ${generation} was deleted, but only ${audit.marked} was marked as backed up`)
  }
  if (lastGone > held) faults.push(`source: ${lastGone} was deleted, but the copy holds only ${held}`)
}

/** Nothing arrives, so nothing may be under way; and what the inspector refused shows that somebody was wrong. */
function auditRest(logs: string, faults: string[]): void {
  for (const directory of ['inspector', 'IgnoredLogs/InspectionFailed']) {
    const names = existsSync(join(logs, directory)) ? readdirSync(join(logs, directory)) : []
    for (const name of names) faults.push(`copy: ${directory}/${name} is left over`)
  }
}
