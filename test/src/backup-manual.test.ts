// Goal: docs/BACKUP.md says what the program does: its lines are understood, its numbers and events are those of the engine, its states those of the writer.
// Method: read the page; parse its command lines; look its numbers up in the tables that the program uses.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { EVENT_CATALOGUE, eventNumber } from '../../engine/event-catalogue.ts'
import { STABLE_WRITER, stepWriter, type WriterFailure, writerStanding } from '../../engine/source/vss-writer.ts'
import { commandTree } from '../../src/cli.ts'
import type { CliIo } from '../../src/cli-io.ts'
import { ESE_ERRORS } from '../../src/explain-ese-error.ts'

const ROOT = join(import.meta.dirname, '../..')
const page = readFileSync(join(ROOT, 'docs/BACKUP.md'), 'utf8')

/** The rows of the table below a heading, without its head. */
function rowsBelow(heading: string): string[] {
  const from = page.slice(page.indexOf(`\n${heading}\n`))
  const table = /\n\|(?:.*\|\n\|)+.*\|\n/.exec(from)?.[0] ?? ''
  return table.trim().split('\n').slice(2)
}

/** Why a line is not understood; `''` when it is. */
function faultOf(line: string): string {
  const sink = { write: () => undefined, isTerminal: false, columns: 80 }
  const io: CliIo = { stdout: sink, stderr: sink, env: {}, signal: new AbortController().signal }
  try {
    commandTree(io, () => undefined).parse(line.split(' ').slice(1), { from: 'user' })
    return ''
  } catch (error) {
    return `${line}: ${String(error)}`
  }
}

describe('the manual of backups', () => {
  it('has lines that the program understands', () => {
    const blocks = [...page.matchAll(/```\n([\s\S]*?)```/g)].flatMap(([, block = '']) => block.split('\n'))
    const inline = [...page.matchAll(/`(ccr [^`]*)`/g)].map(([, line = '']) => line)
    const lines = [...blocks, ...inline]
      .flatMap((line) => line.replace(/ #.*/, '').split('&&'))
      .map((line) => line.replace(/^\$ /, '').replaceAll('…', '').trim().replace('active|passive', 'active'))
      .map((line) =>
        line.replace('streaming|vss', 'vss').replace('SG1 FAILURE', 'SG1 vote-no').replace('through G', 'through 7'),
      )
      .filter((line) => line.startsWith('ccr '))

    expect(lines.length).toBeGreaterThan(25)
    expect(lines.map(faultOf).filter((fault) => fault !== '')).toEqual([])
  })

  it('names every number that the source refuses a backup with, and none that the program does not know', () => {
    const rows = rowsBelow('## What is refused')
    const numbers = rows.map((row) => Number(/^\| (-\d+) /.exec(row)?.[1]))
    const rules = ['backup-session', 'backup-step', 'vss-writer']
      .map((name) => readFileSync(join(ROOT, `engine/source/${name}.ts`), 'utf8'))
      .join('\n')
    const ofEngine = new Set([...rules.matchAll(/-\d{3,4}\b/g)].map(([number]) => Number(number)))

    expect(new Set(numbers)).toEqual(ofEngine)
    for (const number of numbers) expect(ESE_ERRORS, String(number)).toHaveProperty(String(number))
  })

  it('has the state that each provoked failure leaves, and events of the catalogue', () => {
    const rows = rowsBelow('## Failures to provoke')
    const known = Object.keys(EVENT_CATALOGUE).map((id) => eventNumber(Number(id) as keyof typeof EVENT_CATALOGUE)) // its keys
    const failedAt = (at: WriterFailure['at']): string =>
      writerStanding(
        stepWriter(STABLE_WRITER, {
          kind: 'call-failed',
          failure: { at, retryable: at !== 'vote', reason: '', eseError: null },
        }),
      ).shownState

    for (const [index, at] of (['vote', 'freeze', 'thaw'] as const).entries())
      expect(rows[index]).toContain(failedAt(at))
    for (const [number] of rows.join('\n').matchAll(/\b20\d\d\b/g)) expect(known).toContain(Number(number))
  })
})
