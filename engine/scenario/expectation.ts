import { evaluate, type Formula, namesIn } from './formula.ts'
import { runsText, type SeenEvent, type Sight } from './sight.ts'
import type { ScenarioMode } from './step.ts'

/** One thing that has to be so. */
export interface Expectation {
  /** `path:line:column`. */
  readonly place: string
  /** What it speaks of: `active.logs`, `events`. */
  readonly subject: string
  /** What was written of it, on one line. */
  readonly written: string
  readonly test: ExpectationTest
  /** Holds in one mode only; null in both. */
  readonly only: ScenarioMode | null
}

/** First and last number, both included. */
interface FormulaRange {
  readonly first: Formula
  readonly last: Formula
}

/** How two numbers are compared. */
export type Comparison = '=' | '!=' | '>' | '>=' | '<' | '<='

/** What exactly has to be so. */
export type ExpectationTest =
  | { readonly kind: 'number'; readonly comparison: Comparison; readonly to: Formula }
  | { readonly kind: 'between'; readonly range: FormulaRange }
  /** Exactly these logs; an empty list for none. A range that ends before it begins is none. */
  | { readonly kind: 'logs'; readonly ranges: readonly FormulaRange[] }
  | { readonly kind: 'word'; readonly oneOf: readonly string[] }
  /** Each was raised since the last look at the events; with `none` not one of them was. */
  | { readonly kind: 'events'; readonly events: readonly WantedEvent[]; readonly none: boolean }
  /** Exactly these rules hold each of these logs. */
  | { readonly kind: 'held'; readonly range: FormulaRange; readonly rules: readonly string[] }
  | { readonly kind: 'exit'; readonly code: number }
  /** Every acknowledged message is there; or so many of them are, without a fault. */
  | { readonly kind: 'messages'; readonly found: Formula | null }

/** An event that is expected. */
export interface WantedEvent {
  readonly id: number
  /** Who has to have raised it; null for anybody. */
  readonly of: string | null
}

/** What was expected and what was found instead. */
export interface Mismatch {
  readonly place: string
  readonly subject: string
  readonly expected: string
  readonly actual: string
}

/** What expectations are judged by. */
export interface Evidence {
  readonly sight: Sight
  /** Names that the scenario gave to numbers. */
  readonly bound: ReadonlyMap<string, number>
  /** Events before this one were looked at already: an index into those of the sight. */
  readonly eventsFrom: number
  /** The exit code of the last act. */
  readonly exit: number
  readonly mode: ScenarioMode
}

/** The names and subjects that have to be looked at to judge expectations. */
export function namesWanted(expectations: readonly Expectation[]): readonly string[] {
  return expectations.flatMap(({ subject, test }) => [
    subject,
    ...formulasOf(test)
      .flatMap(namesIn)
      .map(({ name }) => name),
  ])
}

/** Those that are for the mode. The others look at nothing: the events that they speak of are still to be looked at. */
export function inMode(expectations: readonly Expectation[], mode: ScenarioMode): readonly Expectation[] {
  return expectations.filter(({ only }) => only === null || only === mode)
}

/** Those that do not hold, of expectations that are for the mode. */
export function mismatches(expectations: readonly Expectation[], evidence: Evidence): readonly Mismatch[] {
  return expectations.flatMap((expectation) => {
    const { place, subject } = expectation
    const found = judge(expectation, evidence)
    return found === null ? [] : [{ place, subject, ...found }]
  })
}

interface Verdict {
  readonly expected: string
  readonly actual: string
}

/** The number that a name stands for now. */
export function valueIn({ sight, bound }: Pick<Evidence, 'sight' | 'bound'>): (name: string) => number | undefined {
  return (name) => bound.get(name) ?? sight.numbers.get(name)
}

function judge({ subject, test, written }: Expectation, evidence: Evidence): Verdict | null {
  const { sight, exit } = evidence
  const values = formulasOf(test).map((formula) => evaluate(formula, valueIn(evidence)))
  const unknown = values.find((value) => typeof value === 'string')
  if (unknown !== undefined) return { expected: written, actual: `${unknown} is not known at this time` }
  const numbers = values.map(Number)
  switch (test.kind) {
    case 'number':
    case 'between':
      return judgeNumber(test, numbers, sight.numbers.get(subject))
    case 'logs':
      return unlessSame(
        runsText(rangesIn(numbers)),
        sight.logs.has(subject) ? runsText(sight.logs.get(subject) ?? []) : NOT_KNOWN,
      )
    case 'word':
      return judgeWord(test.oneOf, sight.words.get(subject))
    case 'events':
      return judgeEvents(test, sight.events.slice(evidence.eventsFrom))
    case 'held':
      return judgeHeld(test.rules, numbers, sight)
    case 'exit':
      return unlessSame(`${test.code}`, `${exit}`)
    case 'messages':
      return evidence.mode === 'virtual' ? null : judgeMessages(numbers[0] ?? null, sight)
  }
}

const NOT_KNOWN = 'not known at this time'

function formulasOf(test: ExpectationTest): readonly Formula[] {
  switch (test.kind) {
    case 'number':
      return [test.to]
    case 'between':
    case 'held':
      return [test.range.first, test.range.last]
    case 'logs':
      return test.ranges.flatMap(({ first, last }) => [first, last])
    case 'messages':
      return test.found === null ? [] : [test.found]
    case 'word':
    case 'events':
    case 'exit':
      return []
  }
}

function judgeNumber(
  test: Extract<ExpectationTest, { kind: 'number' | 'between' }>,
  [first = 0, last = 0]: readonly number[],
  actual: number | undefined,
): Verdict | null {
  const expected =
    test.kind === 'between' ? `${first}..${last}` : `${test.comparison === '=' ? '' : `${test.comparison} `}${first}`
  if (actual === undefined) return { expected, actual: NOT_KNOWN }
  const holds = test.kind === 'between' ? actual >= first && actual <= last : COMPARES[test.comparison](actual, first)
  return holds ? null : { expected, actual: `${actual}` }
}

const COMPARES: Readonly<Record<Comparison, (actual: number, to: number) => boolean>> = {
  '=': (actual, to) => actual === to,
  '!=': (actual, to) => actual !== to,
  '>': (actual, to) => actual > to,
  '>=': (actual, to) => actual >= to,
  '<': (actual, to) => actual < to,
  '<=': (actual, to) => actual <= to,
}

function judgeWord(oneOf: readonly string[], actual: string | undefined): Verdict | null {
  if (actual !== undefined && oneOf.includes(actual)) return null
  return {
    expected: oneOf.map(quotedIfEmpty).join(' or '),
    actual: actual === undefined ? NOT_KNOWN : quotedIfEmpty(actual),
  }
}

function judgeEvents(
  { events, none }: Extract<ExpectationTest, { kind: 'events' }>,
  since: readonly SeenEvent[],
): Verdict | null {
  const wrong = events.filter((wanted) => since.some((seen) => isWanted(seen, wanted)) === none)
  if (wrong.length === 0) return null
  const expected = `${none ? 'no ' : ''}${wrong.map(({ id, of }) => (of === null ? `${id}` : `${id} of ${of}`)).join(', ')}`
  return { expected, actual: eventsText(since) || 'no events since the last look' }
}

/** Each event once, with how often it came. */
function eventsText(events: readonly SeenEvent[]): string {
  const counts = new Map<string, number>()
  for (const { id, of } of events) counts.set(`${id} of ${of}`, (counts.get(`${id} of ${of}`) ?? 0) + 1)
  return [...counts].map(([event, count]) => (count === 1 ? event : `${event} (${count} times)`)).join(', ')
}

function isWanted(seen: SeenEvent, { id, of }: WantedEvent): boolean {
  return seen.id === id && (of === null || of === seen.of)
}

function judgeHeld(
  rules: readonly string[],
  [first = 0, last = 0]: readonly number[],
  { held }: Sight,
): Verdict | null {
  const expected = rulesText(rules)
  const covering = held.filter(({ range }) => range.last >= first && range.first <= last)
  const reached =
    covering.length > 0 && (covering[0]?.range.first ?? 0) <= first && (covering.at(-1)?.range.last ?? 0) >= last
  if (reached && covering.every((each) => rulesText(each.rules) === expected)) return null
  const told = covering.map(({ range, rules: by }) => `${runsText([range])}: ${rulesText(by)}`)
  return { expected: `${runsText([{ first, last }])}: ${expected}`, actual: told.join('; ') || 'not there any more' }
}

function rulesText(rules: readonly string[]): string {
  return [...rules].sort().join(', ') || 'held by nothing'
}

function judgeMessages(found: number | null, { messages }: Sight): Verdict | null {
  const expected = found === null ? 'all acknowledged messages' : `${found} messages`
  if (messages === null) return { expected, actual: NOT_KNOWN }
  if (messages.faults === 0 && (found === null || found === messages.found)) return null
  return { expected, actual: `${messages.found} messages and ${messages.faults} faults` }
}

function rangesIn(numbers: readonly number[]): readonly { readonly first: number; readonly last: number }[] {
  const ranges: { first: number; last: number }[] = []
  for (let at = 0; at < numbers.length; at += 2) {
    const [first = 0, last = 0] = numbers.slice(at, at + 2)
    const before = ranges.at(-1)
    if (before !== undefined && first === before.last + 1) before.last = Math.max(last, before.last)
    else if (last >= first) ranges.push({ first, last })
  }
  return ranges
}

function unlessSame(expected: string, actual: string): Verdict | null {
  return expected === actual ? null : { expected, actual }
}

function quotedIfEmpty(word: string): string {
  return word === '' ? '""' : word
}
