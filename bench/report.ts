import type { BenchResult, MeasureResult, Ratio, Row } from './result.ts'
import type { Spread } from './statistics.ts'

/** One measure as lines for people. */
export function reportLines(measure: MeasureResult): string[] {
  const table = tableOf(measure)
  const widths = (table[0] ?? []).map((_, column) => Math.max(...table.map((cells) => (cells[column] ?? '').length)))
  const padded = table.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  return [
    '',
    measure.title,
    ...padded.map((line) => `  ${line}`),
    ...measure.ratios.map((ratio) => `  ${ratioText(ratio)}`),
    ...measure.notes.map((note) => `  ${note}`),
  ]
}

/** The whole result as Markdown: docs/BENCHMARKS.md. */
export function markdownOf(result: BenchResult): string {
  const { machine } = result
  const head = [
    '# Benchmarks',
    '',
    'Made by `npm run bench -- --markdown docs/BENCHMARKS.md`; do not edit by hand. Figures are median (least to most) over the rounds of one run.',
    'One machine on one day: the ratios count, the seconds do not.',
    '',
    `- ${result.startedAt.slice(0, 16).replace('T', ' ')} UTC, commit ${machine.commit}, Node ${machine.node}`,
    `- ${machine.cores} cores (${machine.cpu}), ${machine.memoryGiB} GiB, Linux ${machine.kernel}`,
    `- disk: ${machine.fileSystem}`,
    `- steady state: ${result.steadyState}`,
  ]
  return `${[...head, ...result.measures.flatMap(measureMarkdown)].join('\n')}\n`
}

function measureMarkdown(measure: MeasureResult): string[] {
  const [header = [], ...rows] = tableOf(measure)
  const table =
    measure.rows.length === 0
      ? []
      : [
          `| ${header.join(' | ')} |`,
          `|${header.map((_, column) => (column === 0 ? '---' : '---:')).join('|')}|`,
          ...rows.map((cells) => `| ${cells.join(' | ')} |`),
          '',
        ]
  const ratios =
    measure.ratios.length === 0
      ? []
      : [
          '| ratio within the same round | median (least to most) | to reach |',
          '|---|---:|---:|',
          ...measure.ratios.map(({ what, spread, target }) => `| ${what} | ${spreadText(spread)} | ${target ?? ''} |`),
          '',
        ]
  const notes = measure.notes.map((note) => `- ${note}`)
  return ['', `## ${measure.title}`, '', measure.method, '', ...table, ...ratios, ...notes]
}

function tableOf(measure: MeasureResult): string[][] {
  const columns = [...new Set(measure.rows.flatMap((row) => Object.keys(row.columns)))]
  return [
    ['', ...columns],
    ...measure.rows.map((row) => [row.contender, ...columns.map((column) => cell(row, column))]),
  ]
}

function cell(row: Row, column: string): string {
  const value = row.columns[column]
  if (value === undefined) return '–'
  return typeof value === 'string' ? value : spreadText(value)
}

function ratioText(ratio: Ratio): string {
  return `${ratio.what}: ${spreadText(ratio.spread)}${ratio.target === null ? '' : `   to reach: ${ratio.target}`}`
}

function spreadText({ median, min, max }: Spread): string {
  if (Number.isNaN(median)) return '–'
  return min === max ? figure(median) : `${figure(median)} (${figure(min)} to ${figure(max)})`
}

/** Three digits that count, and thousands kept apart. */
function figure(value: number): string {
  if (value === 0) return '0'
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))))
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}
