import { parseArgs } from 'node:util'

/** What a bench run does. */
export interface BenchOptions {
  /** Names of measures; empty for all. */
  readonly only: readonly string[]
  /** Rounds: each contender runs once in each of them. */
  readonly runs: number
  /** Logs of 1 MiB in the catch-up. */
  readonly logs: number
  /** Where the result goes, besides the printed tables. */
  readonly json: string
  /** Path of the Markdown file to make from the result, or null. */
  readonly markdown: string | null
  /** A directory on the disk to be measured; the work directory is made in it. */
  readonly directory: string | null
  readonly scale: BenchScale
  /** Results of earlier runs to tell again instead of measuring; of a measure in several of them the last counts. */
  readonly from: readonly string[]
}

/** The sizes of the other measures. */
export interface BenchScale {
  /** How long logs are fed to each contender of a latency measure. */
  readonly latencySeconds: number
  /** Small logs of the measures with 100,000 of them. */
  readonly backlogLogs: number
  readonly idleGroups: number
  readonly idleNames: number
  readonly idleSeconds: number
  /** How long clients commit. */
  readonly commitSeconds: number
  /** Logs of 1 MiB that are replayed. */
  readonly redoLogs: number
  /** Length of the database that is backed up, in MiB. */
  readonly databaseMebibytes: number
}

const FULL: BenchScale = {
  latencySeconds: 30,
  backlogLogs: 100_000,
  idleGroups: 1_000,
  idleNames: 10_000,
  idleSeconds: 60,
  commitSeconds: 10,
  redoLogs: 256,
  databaseMebibytes: 2_048,
}
/** Everything runs, nothing means anything: to see in a minute whether the bench itself works. */
const QUICK: BenchScale = {
  latencySeconds: 3,
  backlogLogs: 2_000,
  idleGroups: 20,
  idleNames: 100,
  idleSeconds: 3,
  commitSeconds: 1,
  redoLogs: 16,
  databaseMebibytes: 32,
}
const LOGS_FULL = 2_000
const LOGS_QUICK = 60

/** How the bench is called. */
export const BENCH_USAGE = `usage: npm run bench [-- OPTIONS]
  --only NAME     a measure to run, may be given several times (--list names them)
  --runs N        rounds in which every contender runs once (default 3)
  --logs N        logs of 1 MiB in the catch-up (default ${LOGS_FULL})
  --database N    MiB of the database that is backed up (default ${FULL.databaseMebibytes})
  --quick         tiny sizes: shows that the bench works, measures nothing
  --dir DIR       a directory on the disk to be measured (default: the temporary directory)
  --json FILE     where the result goes (default bench-results/<time>.json)
  --markdown FILE also make the Markdown table, such as docs/BENCHMARKS.md
  --from FILE     measure nothing; tell the result of an earlier run, may be given several times
  --list          print the names of the measures`

/** Reads the command line. Throws what `parseArgs` throws for words it does not know. */
export function readBenchOptions(args: readonly string[], now: Date): BenchOptions & { readonly list: boolean } {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string', multiple: true },
      runs: { type: 'string' },
      logs: { type: 'string' },
      database: { type: 'string' },
      json: { type: 'string' },
      markdown: { type: 'string' },
      dir: { type: 'string' },
      from: { type: 'string', multiple: true },
      quick: { type: 'boolean' },
      list: { type: 'boolean' },
    },
  })
  const quick = values.quick === true
  const scale = quick ? QUICK : FULL
  const databaseMebibytes = positive('--database', values.database ?? String(scale.databaseMebibytes))
  return {
    only: values.only ?? [],
    runs: positive('--runs', values.runs ?? (quick ? '1' : '3')),
    logs: positive('--logs', values.logs ?? String(quick ? LOGS_QUICK : LOGS_FULL)),
    json: values.json ?? `bench-results/${now.toISOString().replaceAll(':', '-')}.json`,
    markdown: values.markdown ?? null,
    directory: values.dir ?? null,
    scale: { ...scale, databaseMebibytes },
    from: values.from ?? [],
    list: values.list === true,
  }
}

function positive(flag: string, text: string): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < 1) throw new Error(`${flag} takes a whole number from 1, not ${text}`)
  return value
}
