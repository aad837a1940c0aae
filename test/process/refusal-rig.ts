import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { FinishedCommand } from '../../bench/product.ts'

/** How a command is refused. */
export interface Refusal {
  readonly exit: number
  readonly error: RegExp
  readonly hint?: RegExp
}

/** One line that says why, one that says what helps, and nothing else. */
export function expectRefused(
  { exitCode, stdout, stderr }: FinishedCommand,
  { exit, error, hint = /./ }: Refusal,
): void {
  expect(stderr).toMatch(/^error: [^\n]+\nhint: [^\n]+\n$/)
  const [first = '', second = ''] = stderr.split('\n')
  expect({ exitCode, stdout, first, second }).toMatchObject({
    exitCode: exit,
    stdout: '',
    first: expect.stringMatching(error),
    second: expect.stringMatching(hint),
  })
}

/** All files below a directory with what is in them. What a running node notes down by itself is left out. */
export function digestOf(directory: string): string[] {
  return namesBelow(directory).map((name) => `${name} ${contentOf(join(directory, name))}`)
}

/** All names below a directory, but for those that come and go while a store runs: its closed logs, and a page that is being written. */
export function lastingNames(directory: string): string[] {
  return namesBelow(directory).filter((name) => !/E00[0-9A-F]{8}\.log$|\.saved$|\.tmp$/.test(name))
}

function namesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => !/(^|\/)(events\.ndjson|store\.lock.*)$/.test(name))
    .sort()
}

/** What is in a file, as a hash. */
export function contentOf(path: string): string {
  const facts = statSync(path, { throwIfNoEntry: false })
  if (facts === undefined) return `to ${readlinkSync(path)}`
  if (!facts.isFile()) return 'no file'
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}
