import type { Generation } from '../generation.ts'
import { ESE_ERROR_OF } from '../log-identity.ts'
import { checkContinuation } from './log-chain.ts'
import type { LogVerdict, SoundLog } from './log-file.ts'
import { formatSignature } from './log-signature.ts'
import { formatLogTime } from './log-time.ts'

/** One file of a set of logs, verified. */
export interface LogSetEntry {
  readonly path: string
  /** What its name says; null for the open log, whose name has no generation. */
  readonly generation: Generation | null
  /** Of `verifyLog` without an expected generation: the set's own lines tell of a name that does not fit. */
  readonly verdict: LogVerdict
}

/** A set of logs of one base name, ascending by generation, the open log last. */
export interface LogSet {
  readonly baseName: string
  /** Hexadecimal digits in the names: 8 (Exchange) or 5. */
  readonly digits: 5 | 8
  readonly entries: readonly LogSetEntry[]
}

/** Errors are set in under the log's own line. */
const ERROR_INDENT = ' '.repeat(16)

/**
 * The lines that `eseutil /k E00` prints of a set of logs: each file, what is missing between them, what is wrong with each,
 * and at the end, when nothing is, that nothing is.
 */
export function dumpLogSet(set: LogSet): string[] {
  const lines = ['Verifying log files...', `     Base name: ${set.baseName}`, '']
  let previous: LogSetEntry | null = null
  let faults = 0
  for (const entry of set.entries) {
    const missing = missingLine(set, previous, entry)
    const errors = errorLines(entry, missing === null ? previous : null)
    if (missing !== null) lines.push(missing)
    lines.push(errors.length === 0 ? `      Log file: ${entry.path} - OK` : `      Log file: ${entry.path}`)
    lines.push(...errors.map((line) => ERROR_INDENT + line))
    faults += errors.length + (missing === null ? 0 : 1)
    previous = entry
  }
  return faults === 0 ? [...lines, '', 'No damaged log files were found.'] : lines
}

/** The generation that stands for an entry: its name's, else its header's. */
function generationOf(entry: LogSetEntry): number | null {
  if (entry.generation !== null) return entry.generation
  return entry.verdict.verdict === 'sound' ? entry.verdict.header.generation : null
}

function missingLine(set: LogSet, previous: LogSetEntry | null, entry: LogSetEntry): string | null {
  const before = previous === null ? null : generationOf(previous)
  const here = generationOf(entry)
  if (before === null || here === null || here <= before + 1) return null
  const digits = (generation: number): string => generation.toString(16).toUpperCase().padStart(set.digits, '0')
  if (here === before + 2) return `      Missing log file: ${set.baseName}${digits(before + 1)}.log`
  return `      Missing log files: ${set.baseName}{${digits(before + 1)} - ${digits(here - 1)}}.log`
}

/** What is wrong with one log, by itself and as the successor of the one before it, when that is at hand. */
function errorLines(entry: LogSetEntry, previous: LogSetEntry | null): string[] {
  const { verdict } = entry
  if (verdict.verdict === 'rejected') {
    const { reason, detail } = verdict.rejection
    return [`ERROR: Log damaged (unusable): ${detail}. Error ${ESE_ERROR_OF[reason]}.`]
  }
  const { generation } = verdict.header
  if (entry.generation !== null && generation !== entry.generation) {
    const named = `Expected generation ${entry.generation} (0x${hex(entry.generation)}).`
    return [`ERROR: Mismatched log generation ${generation} (0x${hex(generation)}) with log file name. ${named}`]
  }
  return previous?.verdict.verdict === 'sound' ? sequenceErrors(previous.verdict, verdict) : []
}

function sequenceErrors(previous: SoundLog, next: SoundLog): string[] {
  const rejection = checkContinuation(previous.identity, next.identity)
  if (rejection === null) return []
  if (rejection.reason === 'bad-signature')
    return [
      `ERROR: Invalid log signature: ${formatSignature(next.header.signature)}`,
      `          Expected signature: ${formatSignature(previous.header.signature)}`,
    ]
  const expected = formatLogTime(previous.header.createTime)
  const found = formatLogTime(next.header.previousCreateTime)
  return [`ERROR: Invalid log sequence. Previous generation time is [${found}], but expected [${expected}].`]
}

function hex(value: number): string {
  return value.toString(16).toUpperCase()
}
