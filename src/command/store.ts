import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { type JsonObject, listOf, shapeOf } from '../api-answer.ts'
import type { Act, CommandContext } from '../cli-context.ts'
import { writeJson, writeLines } from '../cli-io.ts'
import { formatList } from '../format-list.ts'
import { fittedColumns, formatTable } from '../format-table.ts'
import { storageGroupArgument, withConnection } from '../management.ts'

/** `ccr store`. */
export function addStoreCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('store')
    .description('how each mailbox store stands: its state, logs, checkpoint and database')
    .argument('[storage-group]', 'one storage group, with every field; all of the node in a table when absent')
    .addHelpText(
      'after',
      '\nRequired are the logs that the database needs to recover: from the first that its file lacks changes of, to the last of which it may have some, and up to the last committed.\n\nExamples:\n  ccr store\n  ccr store SG1 --json | jq .openGeneration',
    )
    .action((name) =>
      act((context) => (name === undefined ? showAll(context) : showOne(context, storageGroupArgument(name)))),
    )
}

const HEADERS = ['Name', 'State', 'Open log', 'Checkpoint', 'Required', 'Pages', 'Committed', 'Database'] as const

async function showAll(context: CommandContext): Promise<number> {
  const { io, globals } = context
  const answer = await ask(context, '/api/v1/stores')
  const stores = listOf(shapeOf(answer, 'the answer', { stores: 'object' })['stores'], 'stores').map(readStore)
  const rows = stores.map(cellsOf)
  if (globals.json === true) writeJson(io.stdout, { stores })
  else if (stores.length === 0) writeLines(io.stderr, ['This node has no mailbox store.'])
  else writeLines(io.stdout, formatTable(fittedColumns(HEADERS, rows), rows))
  return 0
}

async function showOne(context: CommandContext, storageGroup: string): Promise<number> {
  const { io, globals } = context
  const store = readStore(await ask(context, `/api/v1/stores/${encodeURIComponent(storageGroup)}`))
  if (globals.json === true) writeJson(io.stdout, store)
  else writeLines(io.stdout, formatList(Object.entries(store).flatMap(rowsOf)))
  return 0
}

function ask(context: CommandContext, path: string): Promise<unknown> {
  return withConnection(context, 'share', (node) => node.json('GET', path))
}

function readStore(value: unknown): JsonObject {
  return shapeOf(value, 'a store', { storageGroup: 'string', state: 'string' })
}

function cellsOf(store: JsonObject): string[] {
  const { storageGroup, state, openGeneration, checkpointGeneration, requiredLogs, databasePages, transactions } = store
  const { low, high } = membersOf(requiredLogs)
  const { committed } = membersOf(transactions)
  return [
    String(storageGroup),
    String(state),
    textOf(openGeneration),
    textOf(checkpointGeneration),
    low === undefined ? '' : `${textOf(low)}-${textOf(high)}`,
    textOf(databasePages),
    textOf(committed),
    textOf(store['databaseState']),
  ]
}

/** A field is a row; each backup has its own. */
function rowsOf([field, value]: [string, unknown]): [string, string][] {
  if (field !== 'backups' || value === null) return [[field, textOf(value)]]
  return Object.entries(membersOf(value)).map(([scope, backup]) => [`${scope}Backup`, backupText(membersOf(backup))])
}

/** Nothing where there was none. */
function backupText({ first, last, kind, mark, atMs }: JsonObject): string {
  if (first === undefined) return ''
  const time = typeof atMs === 'number' ? `, ${new Date(atMs).toISOString()}` : ''
  return `logs ${textOf(first)}-${textOf(last)}, ${textOf(kind)}, mark ${textOf(mark)}${time}`
}

/** A nested object field by field; nothing where only a running store knows. */
function textOf(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value !== 'object') return String(value)
  return Object.entries(value)
    .map(([name, inner]) => `${name} ${textOf(inner)}`)
    .join(', ')
}

function membersOf(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null ? { ...value } : {}
}
