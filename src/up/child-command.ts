import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { ReplicationError } from '../../engine/error.ts'
import { programPath } from './child-service.ts'

/** One of our own commands, in a process of its own. */
export interface ChildCommand {
  /** Resolves with what it printed and its exit code, whoever ended it. */
  readonly ended: Promise<ChildOutcome>
  /** Asks it to stop; idempotent. */
  readonly stop: () => void
}

/** What a command came to. */
export interface ChildOutcome {
  /** Null when a signal ended it that it did not handle. */
  readonly exitCode: number | null
  /** The last document that it printed, or null. */
  readonly document: Readonly<Record<string, unknown>> | null
  /** The last line on stderr. */
  readonly complaint: string
}

/** What a command is started with. */
export interface ChildCommandOptions {
  /** The words behind `ccr`; `--json` is added. */
  readonly line: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Starts a command as a child, in a process group of its own, so that Ctrl-C reaches the parent alone. */
export function startCommand({ line, env }: ChildCommandOptions): ChildCommand {
  const words = [...process.execArgv, programPath(), ...line, '--json']
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env: { ...env } })
  let document: ChildOutcome['document'] = null
  let complaint = ''
  createInterface({ input: child.stdout }).on('line', (text) => {
    document = documentIn(text) ?? document
  })
  createInterface({ input: child.stderr }).on('line', (text) => {
    complaint = text
  })
  const ended = new Promise<ChildOutcome>((resolve) => {
    child.once('error', (error) => resolve({ exitCode: null, document, complaint: error.message }))
    child.once('close', (exitCode) => resolve({ exitCode, document, complaint }))
  })
  return { ended, stop: () => void child.kill('SIGTERM') }
}

/** What a command came to that may take so long, in milliseconds: then it is asked to stop, and so it is when the signal fires, which is thrown. */
export async function endedWithin(command: ChildCommand, ms: number, signal: AbortSignal): Promise<ChildOutcome> {
  const overdue = setTimeout(command.stop, ms)
  signal.addEventListener('abort', command.stop)
  try {
    if (signal.aborted) command.stop()
    const outcome = await command.ended
    signal.throwIfAborted()
    return outcome
  } finally {
    clearTimeout(overdue)
    signal.removeEventListener('abort', command.stop)
  }
}

/** The document of a command that must not fail; `codes` are exit codes that are no failure. Errors: `INTERNAL`. */
export function documentOf(outcome: ChildOutcome, what: string, codes: readonly number[]): Record<string, unknown> {
  if (outcome.document !== null && outcome.exitCode !== null && codes.includes(outcome.exitCode))
    return { ...outcome.document }
  throw new ReplicationError({
    code: 'INTERNAL',
    message: `${what} ended with ${outcome.exitCode ?? 'a signal'}: ${outcome.complaint}`,
    hint: 'Run the same command by itself to see all that it says.',
  })
}

/** What a line says that is a document; null for a line for people. */
export function documentIn(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : null
  } catch {
    return null
  }
}
