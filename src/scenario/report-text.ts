import type { StepResult } from '../../engine/scenario/play.ts'
import { formatDuration } from '../format-time.ts'
import type { FileResult } from './run-scenarios.ts'

/** A step on a line, and what was not as expected below it. */
export function stepLines({ outcome, title, remark, place, mismatches }: StepResult): string[] {
  const told = remark === '' ? '' : ` (${remark})`
  if (outcome === 'passed') return [`  ok      ${title}${told}`]
  return [
    `  FAILED  ${title}${told}`,
    `          at ${place}`,
    ...mismatches.map(({ subject, expected, actual }) => `          ${subject}: expected ${expected}, found ${actual}`),
  ]
}

/** What came of a file, below its steps. */
export function fileLines(file: FileResult): string[] {
  const { path, name, mode, result, error, trace } = file
  const where = `${path}, ${mode}, ${formatDuration(file.tookMs)}`
  const last = trace.length === 0 ? [] : ['  what happened last:', ...trace.map((line) => `    ${line}`)]
  if (error !== null)
    return [...last, `ERROR   ${name} (${where})`, `        ${error.message}`, `        hint: ${error.hint}`]
  if (result === null || result.outcome === 'skipped') return [`skipped ${name} (${path} is not for ${mode} runs)`]
  if (result.outcome === 'passed') return [`passed  ${name} (${where})`]
  const { notPlayed } = result
  return [
    ...(notPlayed.length === 0 ? [] : [`  ${notPlayed.length} more steps were not played`]),
    ...last,
    `FAILED  ${name} (${where}${file.seed === null ? '' : `, seed ${file.seed}`})`,
  ]
}

/** The last line. */
export function totalLine(files: readonly FileResult[]): string {
  const passed = files.filter(({ result }) => result?.outcome === 'passed').length
  const skipped = files.filter(({ result }) => result?.outcome === 'skipped').length
  const failed = files.filter(({ result }) => result?.outcome === 'failed').length
  const wrong = files.filter(({ error }) => error !== null).length
  const more = [
    ...(failed === 0 ? [] : [`${failed} failed`]),
    ...(wrong === 0 ? [] : [`${wrong} could not be played`]),
    ...(skipped === 0 ? [] : [`${skipped} skipped`]),
  ]
  return `${files.length} scenario${files.length === 1 ? '' : 's'}: ${[`${passed} passed`, ...more].join(', ')}`
}

/** What came of a file, for machines. */
export function fileDocument(file: FileResult): object {
  const { path, name, mode, seed, result, error, trace, tookMs } = file
  return {
    path,
    name,
    mode,
    seed,
    outcome: error === null ? (result?.outcome ?? 'failed') : 'error',
    tookMs: Math.round(tookMs),
    error,
    steps: result?.steps ?? [],
    notPlayed: (result?.notPlayed ?? []).map(({ place, title }) => ({ place, title })),
    trace,
  }
}
