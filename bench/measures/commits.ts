import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { runJsonChild } from '../command.ts'
import { installSqlite } from '../peers/sqlite.ts'
import type { MeasureResult, Ratio, Row } from '../result.ts'
import type { CommitCount } from '../sqlite-child.ts'
import { ratiosByRound, spreadOf } from '../statistics.ts'
import type { BenchRun, Measure } from './measure.ts'

/** The figures of one contender with so many clients, round by round. */
interface Figures {
  readonly contender: string
  readonly clients: number
  readonly perSecond: number[]
  readonly cpuMicroseconds: number[]
}

const CLIENTS = [1, 16] as const
/** A mail of text without attachment. */
const MESSAGE_BYTES = 1_000
const STORE = 'ccr store'
const SQLITE = 'SQLite, WAL, synchronous=FULL'

/** Durable transactions of one small message each, by one client and by sixteen, beside SQLite on the same disk. */
export const COMMITS: Measure = {
  name: 'commits',
  prepare: () => Promise.resolve(),
  run: async (bench) => {
    const sqlite = installSqlite(bench.tell)
    const contenders = [STORE, ...('modules' in sqlite ? [SQLITE] : [])]
    const figures = contenders.flatMap((contender) =>
      CLIENTS.map((clients): Figures => ({ contender, clients, perSecond: [], cpuMicroseconds: [] })),
    )
    for (let round = 1; round <= bench.options.runs; round++)
      for (const one of inTurn(figures, round)) await runOnce(bench, { one, round, sqlite })
    return resultOf(bench, figures, 'missing' in sqlite ? [`SQLite was left out: ${sqlite.missing}`] : [])
  },
}

/** Another contender is first in each round. */
function inTurn(figures: readonly Figures[], round: number): readonly Figures[] {
  const first = (round - 1) % figures.length
  return [...figures.slice(first), ...figures.slice(0, first)]
}

async function runOnce(
  bench: BenchRun,
  run: { readonly one: Figures; readonly round: number; readonly sqlite: ReturnType<typeof installSqlite> },
): Promise<void> {
  const { one, round, sqlite } = run
  const directory = join(bench.directory, `commits-${one.contender === STORE ? 'store' : 'sqlite'}`)
  mkdirSync(directory)
  const plan = {
    clients: one.clients,
    seconds: bench.options.scale.commitSeconds,
    messageBytes: MESSAGE_BYTES,
    ...(one.contender === STORE
      ? { root: directory }
      : { database: join(directory, 'messages.db'), modules: 'modules' in sqlite ? sqlite.modules : '' }),
  }
  bench.steadyState?.fill()
  const count = await runJsonChild<CommitCount>(one.contender === STORE ? 'commits-child' : 'sqlite-child', plan)
  rmSync(directory, { recursive: true })
  const perSecond = count.commits / count.seconds
  one.perSecond.push(perSecond)
  one.cpuMicroseconds.push((count.cpuSeconds / count.commits) * 1e6)
  bench.tell(`round ${round}: ${one.contender}, ${one.clients} clients: ${Math.round(perSecond)} commits/s`)
}

function resultOf(bench: BenchRun, figures: readonly Figures[], notes: readonly string[]): MeasureResult {
  const seconds = bench.options.scale.commitSeconds
  return {
    name: 'commits',
    title: `Durable transactions of one message of ${MESSAGE_BYTES.toLocaleString('en-US')} bytes`,
    method: `Clients that insert one message each time, wait until it is durable, and insert the next, for ${seconds} s. SQLite: a thread and a connection for each client, through better-sqlite3, one table of mailbox, number and bytes. Ours: the store with its log, its pages and its index, in one thread, its clients in the same process; what HTTP costs is not in it. A message is found by mailbox and by number in both.`,
    rows: figures.map(rowOf),
    ratios: CLIENTS.flatMap((clients) => ratioOf(figures, clients)),
    notes: ['To reach with 16 clients: at least as many as SQLite.', ...notes],
  }
}

function rowOf({ contender, clients, perSecond, cpuMicroseconds }: Figures): Row {
  return {
    contender: `${contender}, ${clients} ${clients === 1 ? 'client' : 'clients'}`,
    columns: { 'commits/s': spreadOf(perSecond), 'CPU µs each': spreadOf(cpuMicroseconds) },
    raw: { 'commits/s': perSecond, 'CPU µs each': cpuMicroseconds },
  }
}

function ratioOf(figures: readonly Figures[], clients: number): Ratio[] {
  const of = (contender: string) => figures.find((one) => one.contender === contender && one.clients === clients)
  const [ours, theirs] = [of(STORE), of(SQLITE)]
  if (ours === undefined || theirs === undefined) return []
  const ratios = ratiosByRound(ours.perSecond, theirs.perSecond)
  const what = `commits/s, ${clients} ${clients === 1 ? 'client' : 'clients'}: ${STORE} ÷ ${SQLITE}`
  return [{ what, spread: spreadOf(ratios), target: clients === 1 ? null : '≥ 1' }]
}
