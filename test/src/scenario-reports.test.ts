// Goal: servers of continuous integration can read what came of scenarios, whatever stands in names, texts and traces.
// Method: results are made up, also of arbitrary characters; a strict XML parser and the grammar of TAP read the documents back.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { type SaxesAttributeNS, SaxesParser } from 'saxes'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { ReplicationError } from '../../engine/error.ts'
import type { StepResult } from '../../engine/scenario/play.ts'
import { junitDocument } from '../../src/scenario/report-junit.ts'
import { tapLines } from '../../src/scenario/report-tap.ts'
import type { FileResult } from '../../src/scenario/run-scenarios.ts'
import { ccr, temporaryDirectory } from './cli-harness.ts'

interface XmlElement {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  text: string
}

function elementsOf(document: string): readonly XmlElement[] {
  const parser = new SaxesParser({ xmlns: true })
  const elements: XmlElement[] = []
  const open: XmlElement[] = []
  parser.on('error', (error) => {
    throw error
  })
  parser.on('opentag', ({ name, attributes }) => {
    const values = Object.entries<SaxesAttributeNS>(attributes).map(([key, { value }]) => [key, value])
    const element = { name, attributes: Object.fromEntries(values), text: '' }
    elements.push(element)
    open.push(element)
  })
  parser.on('closetag', () => void open.pop())
  parser.on('text', (text) => {
    const element = open.at(-1)
    if (element !== undefined) element.text += text
  })
  parser.write(document).close()
  return elements
}

const named = (elements: readonly XmlElement[], name: string) => elements.filter((element) => element.name === name)

function step(parts: Partial<StepResult> = {}): StepResult {
  return { place: 'f.yaml:3:5', title: 'close: 3', outcome: 'passed', mismatches: [], remark: '', atMs: 100, ...parts }
}

function file(parts: Partial<FileResult> = {}): FileResult {
  const result = { outcome: 'passed' as const, steps: [step()], notPlayed: [] }
  return {
    path: 'f.yaml',
    name: 'a name',
    mode: 'real',
    seed: null,
    result,
    error: null,
    trace: [],
    tookMs: 1500,
    ...parts,
  }
}

const FAILED = file({
  name: 'fails',
  seed: 7,
  trace: ['active 224  deleting'],
  result: {
    outcome: 'failed',
    steps: [
      step(),
      step({
        title: 'expect: {active.logs: none}',
        outcome: 'failed',
        atMs: 1100,
        mismatches: [{ place: 'f.yaml:4:15', subject: 'active.logs', expected: 'none', actual: '1..3' }],
      }),
    ],
    notPlayed: [{ place: 'f.yaml:5:5', title: 'close: 1', does: { verb: 'advance', ms: 1 } }],
  },
})
const WRONG = file({
  name: 'wrong.yaml',
  result: null,
  error: new ReplicationError({ code: 'SCENARIO_INVALID', message: 'f.yaml:1:1: not a map', hint: 'Write one.' }),
})
const SKIPPED = file({ name: 'skipped', result: { outcome: 'skipped', steps: [], notPlayed: [] } })

describe('the JUnit document', () => {
  it('has a suite for each file, a case for each step, and counts that agree', () => {
    const elements = elementsOf(junitDocument([file(), FAILED, WRONG, SKIPPED]))

    expect(elements[0]).toMatchObject({
      name: 'testsuites',
      attributes: { tests: '6', failures: '1', errors: '1', skipped: '2' },
    })
    expect(named(elements, 'testsuite').map(({ attributes }) => [attributes['name'], attributes['tests']])).toEqual([
      ['a name', '1'],
      ['fails', '3'],
      ['wrong.yaml', '1'],
      ['skipped', '1'],
    ])
    expect(named(elements, 'testcase').map(({ attributes }) => [attributes['name'], attributes['time']])).toEqual([
      ['01 close: 3', '0.100'],
      ['01 close: 3', '0.100'],
      ['02 expect: {active.logs: none}', '1.000'],
      ['03 close: 1', '0.000'],
      ['wrong.yaml', '1.500'],
      ['skipped', '1.500'],
    ])
  })

  it('says what was expected and found, where, with which seed, and what happened last', () => {
    const elements = elementsOf(junitDocument([FAILED]))

    expect(named(elements, 'failure')[0]).toMatchObject({
      attributes: { message: 'active.logs: expected none, found 1..3' },
      text: 'at f.yaml:3:5\nactive.logs: expected none, found 1..3',
    })
    expect(named(elements, 'property').map(({ attributes }) => attributes)).toContainEqual({ name: 'seed', value: '7' })
    expect(named(elements, 'system-out')[0]?.text).toBe('active 224  deleting')
  })

  it('is well formed and gives everything back, whatever characters there are', () => {
    const characters = fc.string({ unit: 'binary', maxLength: 30 })
    fc.assert(
      fc.property(characters, characters, (name, said) => {
        const mismatches = [{ place: 'f', subject: said, expected: '<&>"', actual: ']]>' }]
        const failed = { outcome: 'failed' as const, steps: [step({ outcome: 'failed', mismatches })], notPlayed: [] }
        const elements = elementsOf(junitDocument([file({ name, result: failed, trace: [said] })]))

        expect(named(elements, 'testsuite')[0]?.attributes['name']).toBe(asXml(name))
        expect(named(elements, 'system-out')[0]?.text).toBe(asXml(said))
        expect(named(elements, 'failure')[0]?.text).toContain(`${asXml(said)}: expected <&>", found ]]>`)
      }),
    )
  })
})

/** What a document of XML 1.0 can say of a text. */
function asXml(text: string): string {
  return text.replace(/[^\t\n\r -\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '\uFFFD')
}

describe('the lines of the Test Anything Protocol', () => {
  it('have a plan for the steps of a file, and a point for each of them and for the file', () => {
    expect(tapLines(FAILED, 2).filter((line) => /^( {4})?(not ok|ok|#|\d)/.test(line))).toEqual([
      '# Subtest: fails',
      '    1..3',
      '    ok 1 - close: 3',
      '    not ok 2 - expect: {active.logs: none}',
      '    ok 3 - close: 1 # SKIP a step before it failed',
      'not ok 2 - fails',
    ])
  })

  it('say in YAML what was expected and found', () => {
    const lines = tapLines(FAILED, 1)
    const from = lines.indexOf('      ---')
    const document = parse(lines.slice(from + 1, lines.indexOf('      ...')).join('\n'))

    expect(document).toEqual({
      at: 'f.yaml:3:5',
      mismatches: [{ subject: 'active.logs', expected: 'none', actual: '1..3' }],
    })
  })

  it('tell files that were skipped, and those that could not be played', () => {
    expect(tapLines(SKIPPED, 1)).toEqual(['ok 1 - skipped # SKIP not for real runs'])
    expect(tapLines(WRONG, 3)[0]).toBe('not ok 3 - wrong.yaml')
  })

  it('keep a sign of number in a name from being read as a directive', () => {
    expect(tapLines(file({ name: 'log #7 # SKIP \\' }), 1).at(-1)).toBe('ok 1 - log \\#7 \\# SKIP \\\\')
  })
})

describe('ccr scenario run', () => {
  const steps = 'steps: [{close: 1}, {expect: {active.logs: none}}]'

  it('writes the JUnit document also when every file is wrong', async () => {
    const directory = temporaryDirectory()
    const path = join(directory, 'wrong.yaml')
    writeFileSync(path, 'steps: 3')
    const { exitCode } = await ccr(['scenario', 'run', '--virtual', path, '--junit', join(directory, 'results.xml')])

    const elements = elementsOf(readFileSync(join(directory, 'results.xml'), 'utf8'))
    expect(exitCode).toBe(2)
    expect(named(elements, 'error')[0]?.attributes['message']).toContain('wrong.yaml:1:8')
  })

  it('prints nothing but TAP on standard output with --tap', async () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'few.yaml'), steps)
    const { exitCode, stdout, stderr } = await ccr([
      'scenario',
      'run',
      '--virtual',
      '--tap',
      join(directory, 'few.yaml'),
    ])

    expect(exitCode).toBe(3)
    expect(stdout).toMatch(/^TAP version 14\n1\.\.1\n# Subtest: few\n {4}1\.\.2\n {4}ok 1 - close: 1\n {4}not ok 2/)
    expect(stderr).toContain('FAILED  few')
  })

  it('says when the document cannot be written', async () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'few.yaml'), steps)
    const line = [
      'scenario',
      'run',
      '--virtual',
      join(directory, 'few.yaml'),
      '--junit',
      join(directory, 'no/where.xml'),
    ]

    expect(await ccr(line)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('where.xml cannot be written'),
    })
  })
})
