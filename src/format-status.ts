import type { StatusDocument } from './api-answer.ts'
import { formatList } from './format-list.ts'
import { formatTable, type TableColumn } from './format-table.ts'
import { formatShellTime } from './format-time.ts'
import { statusRows } from './status-fields.ts'

/** Widths of the first four columns of Get-StorageGroupCopyStatus, as the Exchange Management Shell has them. */
const NAME_WIDTH = 25
const COLUMN_WIDTH = 13
/** `12/31/2026 12:59:59 PM`: what a time needs. The shell cuts it on 80 columns; a wider window shows it whole. */
const TIME_WIDTH = 22

/**
 * The table of `ccr status`: the five columns of Get-StorageGroupCopyStatus. Source: Microsoft aa997246.
 *
 * @param columns width of the window in characters
 */
export function statusTable(copies: readonly StatusDocument[], columns: number): string[] {
  const used = NAME_WIDTH + 3 * COLUMN_WIDTH + 4
  const timeWidth = columns >= used + TIME_WIDTH ? TIME_WIDTH : COLUMN_WIDTH
  const layout: TableColumn[] = [
    { header: 'Name', width: NAME_WIDTH },
    { header: 'SummaryCopyStatus', width: COLUMN_WIDTH },
    { header: 'CopyQueueLength', width: COLUMN_WIDTH },
    { header: 'ReplayQueueLength', width: COLUMN_WIDTH },
    { header: 'LastInspectedLogTime', width: timeWidth },
  ]
  return formatTable(
    layout,
    copies.map((copy) => [
      copy.StorageGroupName,
      copy.SummaryCopyStatus,
      String(copy.CopyQueueLength),
      String(copy.ReplayQueueLength),
      formatShellTime(copy['LastInspectedLogTime']),
    ]),
  )
}

/** `ccr status --format list`: one block per copy, an empty line between two. */
export function statusList(copies: readonly StatusDocument[]): string[] {
  return copies.flatMap((copy, index) => [...(index === 0 ? [] : ['']), ...formatList(statusRows(copy))])
}
