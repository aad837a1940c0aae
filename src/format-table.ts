/** One column of a table in the manner of PowerShell: fixed width, headers that wrap, values that are cut. */
export interface TableColumn {
  readonly header: string
  /** In characters; one space stands between columns. */
  readonly width: number
}

/** What PowerShell puts in place of the end of a value that does not fit. */
const ELLIPSIS = '...'

/**
 * Lays rows out as PowerShell's Format-Table does: a header longer than its column goes on in the next line, a rule as long as
 * the header stands below, and a value longer than its column is cut and ends in `...`. Lines carry no trailing spaces.
 */
export function formatTable(columns: readonly TableColumn[], rows: readonly (readonly string[])[]): string[] {
  const heights = columns.map((column) => Math.ceil(column.header.length / column.width))
  const headerLines = Array.from({ length: Math.max(...heights) }, (_, line) =>
    lineOf(
      columns,
      columns.map((column) => column.header.slice(line * column.width, (line + 1) * column.width)),
    ),
  )
  const rule = lineOf(
    columns,
    columns.map((column) => '-'.repeat(Math.min(column.width, column.header.length))),
  )
  return [...headerLines, rule, ...rows.map((row) => lineOf(columns, row))]
}

/** Columns that are as wide as what stands in them, for tables that nobody compares with PowerShell's. */
export function fittedColumns(headers: readonly string[], rows: readonly (readonly string[])[]): TableColumn[] {
  return headers.map((header, index) => ({
    header,
    width: Math.max(header.length, ...rows.map((row) => (row[index] ?? '').length)),
  }))
}

function lineOf(columns: readonly TableColumn[], cells: readonly string[]): string {
  return columns
    .map((column, index) => cut(cells[index] ?? '', column.width).padEnd(column.width))
    .join(' ')
    .trimEnd()
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : text.slice(0, Math.max(0, width - ELLIPSIS.length)) + ELLIPSIS
}
