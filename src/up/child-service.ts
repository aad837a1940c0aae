import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { ERROR_CODES, type ErrorCode, ReplicationError } from '../../engine/error.ts'

/** One of our own services in a process of its own. */
export interface ChildService {
  /** Where it can be reached, as it told when it had started. */
  readonly started: StartedService
  /** Resolves when the process has ended, whoever ended it. */
  readonly ended: Promise<void>
  /** Asks it to stop and waits for its end; idempotent. */
  readonly stop: () => Promise<void>
  /** Ends it at once, as a crash does, and waits for its end; idempotent. */
  readonly kill: () => Promise<void>
}

/** What a service tells when it has started. */
interface StartedService {
  readonly managementUrl: string
  /** The shares of a node, with the URL that copies connect to; empty where it has none. */
  readonly shares: readonly { readonly storageGroup: string; readonly url: string }[]
}

/** What a service is started with. */
export interface ChildOptions {
  /** The words behind `ccr`. */
  readonly line: readonly string[]
  /** File that takes its log. */
  readonly logPath: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** A start that recovers a large store takes minutes; what takes longer hangs, in milliseconds. */
const START_MS_MAX = 600_000
/** A service stops within 10 s of its own; what takes longer hangs. */
const STOP_MS_MAX = 15_000

/**
 * Starts a service as a child and waits until it tells where it is. It has a process group of its own, so that Ctrl-C reaches the
 * parent alone, and it ends when the parent does, since its standard input then closes.
 *
 * Errors: the child's own, where it told one; else `INTERNAL`.
 */
export async function startChild(options: ChildOptions): Promise<ChildService> {
  const log = openSync(options.logPath, 'a')
  const child = spawn(
    process.execPath,
    [...process.execArgv, programPath(), ...options.line, '--json', '--until-stdin-ends'],
    {
      stdio: ['pipe', 'pipe', log],
      detached: true,
      env: { ...options.env },
    },
  )
  closeSync(log)
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve())
    child.once('exit', () => resolve())
  })
  const overdue = setTimeout(() => child.kill('SIGKILL'), START_MS_MAX)
  const first = await Promise.race([firstLine(child.stdout), ended.then(() => null)])
  clearTimeout(overdue)
  if (first === null) throw failureIn(options)
  const kill = async (): Promise<void> => {
    child.kill('SIGKILL')
    await ended
  }
  return { started: readStarted(first), ended, stop: () => stopChild(child, ended), kill }
}

/** This program itself: the built file, or its source where that runs. */
export function programPath(): string {
  return fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../bin.ts' : '../bin.js', import.meta.url))
}

async function firstLine(stdout: Readable | null): Promise<string | null> {
  if (stdout === null) return null
  for await (const line of createInterface({ input: stdout })) return line
  return null
}

function readStarted(line: string): StartedService {
  const { managementUrl, shares } = JSON.parse(line) as Partial<StartedService> // our own document; checked below
  if (typeof managementUrl === 'string') return { managementUrl, shares: Array.isArray(shares) ? shares : [] }
  throw new Error(`a service tells where it is, not ${line}`)
}

async function stopChild(child: ChildProcess, ended: Promise<void>): Promise<void> {
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS_MAX)
  await ended
  clearTimeout(timer)
}

/** The error that the child printed last, or one that says where its log is. */
function failureIn({ line, logPath }: ChildOptions): ReplicationError {
  for (const text of readFileSync(logPath, 'utf8').trimEnd().split('\n').reverse()) {
    const told = parsedError(text)
    if (told !== null) return told
  }
  return new ReplicationError({
    code: 'INTERNAL',
    message: `ccr ${line[0] ?? ''} ended before it had started`,
    hint: `Its log says why: ${logPath}`,
    fields: { path: logPath },
  })
}

function parsedError(text: string): ReplicationError | null {
  try {
    const { code, message, hint } = JSON.parse(text) as Record<string, unknown> // checked on the next line
    if (typeof code !== 'string' || !Object.hasOwn(ERROR_CODES, code)) return null
    return new ReplicationError({ code: code as ErrorCode, message: String(message), hint: String(hint) }) // a code of the list
  } catch {
    return null
  }
}
