import type { StepResult } from '../../engine/scenario/play.ts'
import type { FileResult } from './run-scenarios.ts'

/** One case of a suite. */
interface JunitCase {
  readonly name: string
  readonly seconds: number
  readonly problem: JunitProblem | null
}

interface JunitProblem {
  readonly kind: 'failure' | 'error' | 'skipped'
  readonly message: string
  /** Everything that there is to read; `''` for nothing. */
  readonly text: string
}

/**
 * What came of scenarios as a document that the servers of continuous integration read: a suite for each file, a case for each of its
 * steps. A file that could not be played, or was skipped, has one case, so that no reader takes it for nothing.
 */
export function junitDocument(files: readonly FileResult[]): string {
  const suites = files.map((file) => suiteOf(file, casesOf(file)))
  const all = files.flatMap(casesOf)
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites name="ccr scenario"${countsOf(all)}>`,
    ...suites,
    '</testsuites>',
    '',
  ].join('\n')
}

function suiteOf(file: FileResult, cases: readonly JunitCase[]): string {
  const { name, path, mode, seed, trace, tookMs } = file
  const properties = Object.entries({ mode, ...(seed === null ? {} : { seed }) })
  return [
    `  <testsuite name=${quoted(name)} file=${quoted(path)}${countsOf(cases)} time="${inSeconds(tookMs)}">`,
    '    <properties>',
    ...properties.map(([key, value]) => `      <property name=${quoted(key)} value=${quoted(String(value))}/>`),
    '    </properties>',
    ...cases.map((each) => caseOf(each, file)),
    ...(trace.length === 0 ? [] : [`    <system-out>${escaped(trace.join('\n'))}</system-out>`]),
    '  </testsuite>',
  ].join('\n')
}

function casesOf({ name, error, result, mode, tookMs }: FileResult): readonly JunitCase[] {
  const whole = (problem: JunitProblem | null): readonly JunitCase[] => [{ name, seconds: tookMs / 1000, problem }]
  if (error !== null)
    return whole({ kind: 'error', message: error.message, text: `${error.code}: ${error.message}\n${error.hint}` })
  if (result === null || result.outcome === 'skipped')
    return whole({ kind: 'skipped', message: `not for ${mode} runs`, text: '' })
  if (result.steps.length === 0) return whole(null)
  const played = result.steps.map((step, index) => ({
    name: numbered(index, step.title),
    seconds: (step.atMs - (result.steps[index - 1]?.atMs ?? 0)) / 1000,
    problem: failureOf(step),
  }))
  const left = result.notPlayed.map(({ title }, index) => ({
    name: numbered(played.length + index, title),
    seconds: 0,
    problem: { kind: 'skipped' as const, message: 'a step before it failed', text: '' },
  }))
  return [...played, ...left]
}

function failureOf({ outcome, mismatches, place, remark }: StepResult): JunitProblem | null {
  if (outcome === 'passed') return null
  const told = mismatches.map(({ subject, expected, actual }) => `${subject}: expected ${expected}, found ${actual}`)
  return { kind: 'failure', message: told[0] ?? '', text: [`at ${place}`, ...told, remark].join('\n').trimEnd() }
}

function caseOf({ name, seconds, problem }: JunitCase, file: FileResult): string {
  const open = `    <testcase name=${quoted(name)} classname=${quoted(file.name)} time="${seconds.toFixed(3)}"`
  if (problem === null) return `${open}/>`
  const { kind, message, text } = problem
  const type = kind === 'failure' ? ' type="expectation"' : ''
  return [
    `${open}>`,
    `      <${kind} message=${quoted(message)}${type}>${escaped(text)}</${kind}>`,
    '    </testcase>',
  ].join('\n')
}

function countsOf(cases: readonly JunitCase[]): string {
  const count = (kind: JunitProblem['kind']): number => cases.filter(({ problem }) => problem?.kind === kind).length
  return ` tests="${cases.length}" failures="${count('failure')}" errors="${count('error')}" skipped="${count('skipped')}"`
}

/** Steps keep their order where a reader sorts them by name. */
function numbered(index: number, title: string): string {
  return `${String(index + 1).padStart(2, '0')} ${title}`
}

function inSeconds(ms: number): string {
  return (ms / 1000).toFixed(3)
}

function quoted(text: string): string {
  return `"${escaped(text).replaceAll('"', '&quot;').replaceAll('\n', '&#10;').replaceAll('\t', '&#9;')}"`
}

/** Characters that no document of XML 1.0 may have, however they are written. */
const FORBIDDEN = /[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu

function escaped(text: string): string {
  return text
    .replace(FORBIDDEN, '\uFFFD')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('\r', '&#13;')
}
