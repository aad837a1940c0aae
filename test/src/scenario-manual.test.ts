// Goal: docs/SCENARIOS.md teaches what the program does: every verb and expectation is in it, and its examples hold.
// Method: its last chapter is made from the schema that the reader's tables give; its examples are read, or played in the toy world.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ACTS } from '../../src/scenario/acts.ts'
import { scenarioSchema } from '../../src/scenario/scenario-file.ts'
import { OTHER_VERBS } from '../../src/scenario/steps.ts'
import { ccr, temporaryDirectory } from './cli-harness.ts'

interface Described {
  readonly description?: string
  readonly properties?: Readonly<Record<string, Described>>
  readonly patternProperties?: Readonly<Record<string, Described>>
  readonly anyOf?: readonly Described[]
  readonly items?: Described
}

const manual = join(import.meta.dirname, '../../docs/SCENARIOS.md')
const BEGIN = /<!-- made from .* -->\n/
const END = '<!-- end -->'

// The schema is a document of our own.
const schema = scenarioSchema() as unknown as Described & { readonly $defs: { readonly expectations: Described } }

function reference(): string {
  const { expectations } = schema.$defs
  const world = schema.properties?.['world']?.properties ?? {}
  const copyNames = Object.entries(expectations.patternProperties ?? {}).map(
    ([pattern, described]): [string, Described] => [
      `copy1.${pattern.replace(/^.*\\\./, '').replace(/\$$/, '')}`,
      described,
    ],
  )
  return [
    '### The file',
    '',
    ...table(['field', 'meaning'], rowsOf(schema.properties ?? {})),
    '### The world',
    '',
    ...table(['field', 'meaning; what it is when nothing is said'], rowsOf(world)),
    ...table(['standby', 'meaning; what it is when nothing is said'], rowsOf(world['standby']?.properties ?? {})),
    ...table(['toy', 'meaning; what it is when nothing is said'], rowsOf(world['toy']?.properties ?? {})),
    '### Acts',
    '',
    ...verbLines(ACTS),
    '### Other verbs',
    '',
    ...verbLines(OTHER_VERBS),
    '### Expectations',
    '',
    ...table(['subject', 'what it says'], [...rowsOf(expectations.properties ?? {}), ...copyNames.map(rowOf)]),
  ].join('\n')
}

function verbLines(verbs: typeof ACTS | typeof OTHER_VERBS): readonly string[] {
  const rows = Object.values(verbs).map(({ example, about }) => [`\`${example}\``, about])
  const fields = Object.entries(verbs).flatMap(([name, verb]) =>
    Object.entries(fieldsIn(verb.schema as Described)).map(([field, { description = '' }]) => [
      `\`${name}\``,
      `\`${field}\``,
      description,
    ]),
  )
  return [...table(['example', 'what it does'], rows), ...table(['verb', 'field', 'meaning'], fields)]
}

/** The fields of a verb whose value is a map, or may be one. */
function fieldsIn({ properties, anyOf }: Described): Readonly<Record<string, Described>> {
  return properties ?? anyOf?.find((one) => one.properties !== undefined)?.properties ?? {}
}

function rowsOf(properties: Readonly<Record<string, Described>>): readonly (readonly string[])[] {
  return Object.entries(properties).map(rowOf)
}

function rowOf([name, { description = '' }]: readonly [string, Described]): readonly string[] {
  return [`\`${name}\``, description]
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  return [line(heads), `|${heads.map(() => '---').join('|')}|`, ...rows.map(line), '']
}

describe('docs/SCENARIOS.md', () => {
  const text = readFileSync(manual, 'utf8')
  const examples = [...text.matchAll(/```yaml\n([\s\S]*?)```/g)].map((match) => match[1] ?? '')

  it('has every verb, field and expectation', async () => {
    const begin = BEGIN.exec(text)
    const from = (begin?.index ?? 0) + (begin?.[0].length ?? 0)
    const written = `${text.slice(0, from)}\n${reference()}\n${END}${text.slice(text.indexOf(END) + END.length)}`

    expect(begin).not.toBeNull()
    await expect(written).toMatchFileSnapshot(manual)
  })

  it.each(examples.map((example, index) => [index + 1, example] as const))(
    'has example %d that holds in the toy world',
    async (_, example) => {
      const path = join(temporaryDirectory(), 'example.yaml')
      writeFileSync(path, example)
      const { exitCode, stdout } = await ccr(['scenario', 'run', '--virtual', path])

      expect(stdout).toMatch(/1 passed\n$/)
      expect(exitCode).toBe(0)
    },
  )
})
