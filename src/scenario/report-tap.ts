import { stringify } from 'yaml'
import type { StepResult } from '../../engine/scenario/play.ts'
import type { FileResult } from './run-scenarios.ts'

/** The first lines of a run of so many files, in the Test Anything Protocol, version 14. */
export function tapHead(files: number): readonly string[] {
  return ['TAP version 14', `1..${files}`]
}

/** What came of a file: a subtest with its steps, then the file itself. */
export function tapLines(file: FileResult, number: number): readonly string[] {
  const { name, path, error, result, mode } = file
  if (error !== null)
    return [
      `not ok ${number} - ${escaped(name)}`,
      ...diagnostic({ message: error.message, hint: error.hint, code: error.code, at: path }),
    ]
  if (result === null || result.outcome === 'skipped')
    return [`ok ${number} - ${escaped(name)} # SKIP not for ${mode} runs`]
  const { steps, notPlayed, outcome } = result
  const lines = [
    `# Subtest: ${escaped(name)}`,
    ...indented([
      `1..${steps.length + notPlayed.length}`,
      ...steps.flatMap((step, index) => stepLines(step, index + 1)),
      ...notPlayed.map(
        ({ title }, index) => `ok ${steps.length + index + 1} - ${escaped(title)} # SKIP a step before it failed`,
      ),
    ]),
  ]
  if (outcome === 'passed') return [...lines, `ok ${number} - ${escaped(name)}`]
  return [
    ...lines,
    `not ok ${number} - ${escaped(name)}`,
    ...diagnostic({ at: path, mode, seed: file.seed, trace: file.trace }),
  ]
}

function stepLines({ outcome, title, place, remark, mismatches }: StepResult, number: number): readonly string[] {
  if (outcome === 'passed') return [`ok ${number} - ${escaped(title)}`]
  const told = mismatches.map(({ subject, expected, actual }) => ({ subject, expected, actual }))
  return [
    `not ok ${number} - ${escaped(title)}`,
    ...diagnostic({ at: place, ...(remark === '' ? {} : { remark }), mismatches: told }),
  ]
}

/** A block of YAML below a point. */
function diagnostic(document: object): readonly string[] {
  const yaml = stringify(document, { lineWidth: 0 }).trimEnd().split('\n')
  return ['---', ...yaml, '...'].map((line) => `  ${line}`)
}

/** Lines of a subtest stand four characters further to the right. */
function indented(lines: readonly string[]): readonly string[] {
  return lines.map((line) => `    ${line}`)
}

/** What would begin a directive in a description. */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('#', '\\#').replace(/\s+/g, ' ')
}
