import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ReplicationError } from '../../engine/error.ts'
import { asGeneration } from '../../engine/generation.ts'
import { eseLogName } from '../../engine/log-format.ts'
import type { WriterDocument } from '../../transport/management-writer-documents.ts'
import type { CommandContext } from '../cli-context.ts'

/** A command of somebody else that copies files. */
export interface BackupTool {
  readonly context: CommandContext
  readonly command: readonly string[]
}

/** How long a command may go on after its signal, in milliseconds, before it is ended. */
const END_MS_MAX = 10_000

/**
 * Runs a command on the files of a frozen copy; resolves when it has ended with 0. Its output is ours, with `--json` on stderr.
 *
 * Errors: `TOOL_FAILED` for another end; the reason of the signal when the line was interrupted, once the command has ended.
 */
export async function runWithFiles(tool: BackupTool, writer: WriterDocument): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'ccr-writer-'))
  try {
    const list = join(directory, 'files')
    await writeFile(list, [...pathsOf(writer)].map((path) => `${path}\n`).join(''))
    const end = await ended(tool, { ...tool.context.io.env, ...environmentOf(writer), CCR_FILE_LIST: list })
    tool.context.io.signal.throwIfAborted()
    if (end !== 0) throw failed(tool.command, end)
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

function environmentOf({ storageGroup, of, scope, files }: WriterDocument): Readonly<Record<string, string>> {
  const { database, checkpoint, logs, range } = files
  return {
    CCR_STORAGE_GROUP: storageGroup,
    CCR_OF: of,
    CCR_SCOPE: scope ?? '',
    CCR_DATABASE: database ?? '',
    CCR_CHECKPOINT: checkpoint ?? '',
    CCR_LOGS: logs,
    CCR_LOG_FIRST: range?.firstName ?? '',
    CCR_LOG_LAST: range?.lastName ?? '',
  }
}

function* pathsOf({ files }: WriterDocument): Generator<string> {
  const { database, checkpoint, logs, baseName, range } = files
  if (database !== null) yield database
  if (checkpoint !== null) yield checkpoint
  if (range === null) return
  for (let generation = range.first; generation <= range.last; generation++)
    yield join(logs, eseLogName(baseName, asGeneration(generation)))
}

/** The exit code of the command, or the signal that ended it. */
async function ended({ context, command }: BackupTool, env: NodeJS.ProcessEnv): Promise<number | string> {
  const { io, globals } = context
  const [program = '', ...line] = command
  const child = spawn(program, line, { stdio: ['inherit', globals.json === true ? 2 : 'inherit', 'inherit'], env })
  let force: NodeJS.Timeout | undefined
  const interrupt = (): void => {
    child.kill('SIGTERM')
    force = setTimeout(() => child.kill('SIGKILL'), END_MS_MAX)
  }
  io.signal.addEventListener('abort', interrupt, { once: true })
  if (io.signal.aborted) interrupt()
  try {
    return await new Promise<number | string>((resolve, reject) => {
      child.once('error', (cause) => reject(failed(command, cause.message)))
      child.once('exit', (code, signal) => resolve(code ?? signal ?? 1))
    })
  } finally {
    clearTimeout(force)
    io.signal.removeEventListener('abort', interrupt)
  }
}

function failed(command: readonly string[], end: number | string): ReplicationError {
  return new ReplicationError({
    code: 'TOOL_FAILED',
    message: `the backup command ${JSON.stringify(command[0])} ended with ${end}`,
    hint: 'The backup was given up, and nothing was truncated: look at what the command says, and take it again.',
  })
}
