import type { CommanderError } from 'commander'
import { ReplicationError } from '../engine/error.ts'
import { type CliIo, mayColour, writeJson, writeLines } from './cli-io.ts'
import { cmdletNames } from './cmdlet.ts'
import { nearestWord } from './nearest-word.ts'

/**
 * Prints why a command failed and gives its exit code: one line `error: …` and one line `hint: …`, or with `json` one object
 * `{code, message, hint, retriable}`. On stderr in either form, since stdout is for data.
 */
export function reportError(error: unknown, io: CliIo, json: boolean): number {
  const known = error instanceof ReplicationError ? error : internalError(error)
  if (json) writeJson(io.stderr, known)
  else {
    const red = mayColour(io.stderr, io.env) ? (text: string) => `\u001b[31m${text}\u001b[39m` : (text: string) => text
    writeLines(io.stderr, [`${red('error:')} ${known.message}`, `hint: ${known.hint}`])
    if (known.code === 'INTERNAL' && error instanceof Error) writeLines(io.stderr, [error.stack ?? String(error)])
  }
  return known.exitCode
}

/** What commander found wrong with a line, in our own form: its guess at what was meant becomes the hint. */
export function usageError(error: CommanderError): ReplicationError {
  const [first = '', ...more] = error.message.replace(/^error: /, '').split('\n')
  const guess = /\(Did you mean (.*)\?\)/.exec(more.join(' '))?.[1] ?? cmdletMeant(first)
  return new ReplicationError({
    code: 'USAGE',
    message: first.replace(/\.$/, ''),
    hint: guess === undefined ? 'Run ccr --help, or ccr COMMAND --help, for what is taken.' : `Did you mean ${guess}?`,
    cause: error,
  })
}

/** The cmdlet that was meant by an unknown command, which the parser knows nothing of. */
function cmdletMeant(message: string): string | undefined {
  const typed = /^unknown command '(.+)'$/.exec(message)?.[1]
  return typed === undefined ? undefined : (nearestWord(typed, cmdletNames()) ?? undefined)
}

function internalError(error: unknown): ReplicationError {
  return new ReplicationError({
    code: 'INTERNAL',
    message: error instanceof Error ? error.message : String(error),
    hint: 'This is a fault of ccr itself. Please report it with the command line and the lines below.',
    cause: error,
  })
}
