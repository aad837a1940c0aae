import type { SeedDocument, SeedPlanDocument, SeedRateDocument } from '../../transport/management-seed-documents.ts'
import { listOf, shapeOf } from '../api-answer.ts'
import { formatExactSize, formatRate, formatSize } from '../format-size.ts'
import { fittedColumns, formatTable } from '../format-table.ts'
import { formatDuration } from '../format-time.ts'

/** Takes in a seed of a node. Errors: `WIRE_PROTOCOL`. */
export function readSeed(value: unknown): SeedDocument {
  const shape = {
    id: 'number',
    storageGroup: 'string',
    phase: 'string',
    doneBytes: 'number',
    elapsedMs: 'number',
    remark: 'string',
  } as const
  return shapeOf(value, 'a seed', shape) as unknown as SeedDocument // what else it has is shown and not relied on
}

/** Takes in the seeds of a node. Errors: `WIRE_PROTOCOL`. */
export function readSeeds(value: unknown): SeedDocument[] {
  return listOf(shapeOf(value, 'the answer', { seeds: 'object' })['seeds'], 'seeds').map(readSeed)
}

/** Takes in what a seed would do. Errors: `WIRE_PROTOCOL`. */
export function readPlan(value: unknown): SeedPlanDocument {
  const shape = {
    storageGroup: 'string',
    node: 'string',
    path: 'string',
    databaseBytes: 'number',
    prompts: 'object',
  } as const
  return shapeOf(value, 'the plan of a seed', shape) as unknown as SeedPlanDocument // what else it has is shown and not relied on
}

/** Takes in the bound of the seeds of a node. Errors: `WIRE_PROTOCOL`. */
export function readRate(value: unknown): SeedRateDocument {
  return shapeOf(value, 'the rate of the seeds', { setting: 'string' }) as unknown as SeedRateDocument // what else it has is shown
}

/** A seed under way in one line: how much is done, how fast, and how long it will take. */
export function seedLine({
  id,
  storageGroup,
  phase,
  percent,
  doneBytes,
  totalBytes,
  bytesPerSecond,
  remainingMs,
  remark,
}: SeedDocument): string {
  const rate = bytesPerSecond === null ? '' : `, ${formatRate(bytesPerSecond)}`
  const eta = remainingMs === null ? '' : `, ${formatDuration(remainingMs)} left`
  const why = phase === 'waiting' ? `: ${remark}` : ''
  return `seed ${id} of ${storageGroup}: ${phase}${why}, ${percent.toFixed(1)} % (${formatSize(doneBytes)} of ${formatSize(totalBytes)})${rate}${eta}`
}

/** A seed that is over, for a person. */
export function seedLines(seed: SeedDocument): string[] {
  const { storageGroup, id, doneBytes, resumedBytes, elapsedMs, required, path, remark } = seed
  const rate = formatRate(((doneBytes - resumedBytes) / Math.max(1, elapsedMs)) * 1_000)
  const range = required === null ? 'none' : `${required.first} to ${required.last}`
  return [
    `${storageGroup}: seed ${id} is complete: ${formatSize(doneBytes)} in ${formatDuration(elapsedMs)} (${rate}), which needs the logs ${range}`,
    ...(resumedBytes === 0 ? [] : [`  ${formatSize(resumedBytes)} of it were there from a seed that was cut off`]),
    ...(remark === '' ? [] : [`  ${remark}`]),
    `  ${path}`,
  ]
}

/** What a seed would do, for a person. */
export function planLines(plan: SeedPlanDocument): string[] {
  const { storageGroup, source, path, databaseBytes, resumedBytes, deletes, expectedMs, prompts, refusal } = plan
  const goes = [
    ...(deletes.databaseBytes === null
      ? []
      : [`the database (${formatSize(deletes.databaseBytes)}), when the new one is whole`]),
    ...(deletes.checkpoint === null ? [] : [`the checkpoint ${deletes.checkpoint}`]),
    ...(deletes.logs === 0 ? [] : [`${deletes.logs} logs in ${deletes.logsPath}`]),
  ]
  return [
    `What if: ${storageGroup} would be seeded from ${source}`,
    `  into       ${path}`,
    `  size       ${formatSize(databaseBytes)}${resumedBytes === 0 ? '' : `, ${formatSize(resumedBytes)} of which are there already`}`,
    `  link       ${linkText(plan)}`,
    `  bound      ${plan.bytesPerSecondMax === null ? 'none' : formatRate(plan.bytesPerSecondMax)}`,
    `  duration   ${expectedMs === null ? 'not known: neither link nor bound says it' : formatDuration(expectedMs)}`,
    `  goes       ${goes.length === 0 ? 'nothing' : goes.join('; ')}`,
    ...prompts.map((prompt) => `  asks       ${prompt}`),
    ...(refusal === null ? [] : [`  refused    ${refusal.message}`, `             ${refusal.hint}`]),
    'Nothing was done.',
  ]
}

function linkText({ linkBytesPerSecond, linkIs }: SeedPlanDocument): string {
  if (linkBytesPerSecond === null)
    return 'not known: the source has no closed log to measure it with; state it with --link'
  return `${formatRate(linkBytesPerSecond)}, ${linkIs}`
}

const HEADERS = ['Id', 'Name', 'Phase', '%', 'Done', 'Rate', 'Begun', 'Remark'] as const

/** Seeds in a table. */
export function seedTable(seeds: readonly SeedDocument[]): string[] {
  const rows = seeds.map(({ id, storageGroup, phase, percent, doneBytes, bytesPerSecond, begun, remark, error }) => [
    String(id),
    storageGroup,
    phase,
    percent.toFixed(1),
    formatSize(doneBytes),
    bytesPerSecond === null ? '' : formatRate(bytesPerSecond),
    begun,
    error?.message ?? remark,
  ])
  return formatTable(fittedColumns(HEADERS, rows), rows)
}

/** The bound of a node's seeds in one line. */
export function rateLine({ bytesPerSecond, setting, changes }: SeedRateDocument): string {
  const now = bytesPerSecond === null ? 'no bound' : `${formatExactSize(Math.round(bytesPerSecond))}/s together`
  const later = changes === null ? '' : ` until ${changes}, by the timetable ${setting}`
  return `seeds of this node: ${now}${later}`
}
