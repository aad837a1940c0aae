import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { runCli } from '../../src/cli.ts'

/** What a command left behind. */
export interface CliOutcome {
  readonly exitCode: number
  readonly stdout: string
  readonly stderr: string
}

/** How a command line is run. */
export interface CliSetting {
  readonly env?: Readonly<Record<string, string>>
  readonly signal?: AbortSignal
  readonly columns?: number
  readonly isTerminal?: boolean
  /** Sees each piece of standard output as it comes. */
  readonly onStdout?: (text: string) => void
  /** Answers what is asked; nobody is there without it. */
  readonly ask?: (question: string) => Promise<string>
}

/** A configuration path that names no file would fall back to the user's own; an empty file shields a test from it. */
export const NO_CONFIG: string = join(import.meta.dirname, 'empty-config.yaml')

/** Runs one command line inside this process. */
export async function ccr(line: readonly string[], setting: CliSetting = {}): Promise<CliOutcome> {
  let stdout = ''
  let stderr = ''
  const { isTerminal = false, columns = 80 } = setting
  const exitCode = await runCli(line, {
    stdout: {
      isTerminal,
      columns,
      write: (text) => {
        stdout += text
        setting.onStdout?.(text)
      },
    },
    stderr: {
      isTerminal,
      columns,
      write: (text) => {
        stderr += text
      },
    },
    env: { CCR_CONFIG: NO_CONFIG, ...setting.env },
    signal: setting.signal ?? new AbortController().signal,
    ...(setting.ask === undefined ? {} : { ask: setting.ask }),
  })
  return { exitCode, stdout, stderr }
}

/** A directory that is gone after the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'ccr-cli-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}
