import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import { STORE_FAILPOINTS, type StoreFailpoint } from '../../storage/store-failpoint.ts'
import { CutDisk, type CutFileSystem } from './cut-disk.ts'
import type { CutSeries } from './power-cut.ts'
import type { Plant } from './publish-victim.ts'
import { afterOrder, contentsOf, judgeDatabase, judgeLogs, NOTHING } from './store-oracle.ts'
import { DATABASE_SCRIPT, LOG_SCRIPT } from './store-script.ts'
import type { StoreVictimPlan } from './store-victim.ts'

/** A victim that stands still, or has come to its end, with how many orders of each script have ended. */
export interface StoppedVictim {
  readonly child: ChildProcess
  readonly log: number
  readonly database: number
  /** How it came to stop: at the failpoint, at the end of the scripts, or by an error of its own. */
  readonly stopped: 'reached' | 'done' | 'failed'
}

/** Boundaries that the scripts never come to: they delete no logs, and their disk is never full. */
const NOT_IN_SCRIPTS: ReadonlySet<StoreFailpoint> = new Set([
  'prepare-log.disk-full',
  'delete-logs.before',
  'delete-logs.after',
])
/** Reached once only; every other one is met at its second time, when there is something to lose. */
const ONCE = /^(mend-log|discard-logs|create-database|prepare-log\.file)/

/** Where a victim can be stopped, and at which time that the boundary is reached. */
export const VICTIM_STOPS: readonly { readonly failpoint: StoreFailpoint; readonly count: number }[] =
  STORE_FAILPOINTS.filter((name) => !NOT_IN_SCRIPTS.has(name)).map((failpoint) => ({
    failpoint,
    count: ONCE.test(failpoint) ? 1 : 2,
  }))

/** Starts a victim and waits until it stands still or has ended. It needs the built program. */
export async function runStoreVictim(
  plan: Pick<StoreVictimPlan, 'root'> & Partial<StoreVictimPlan>,
): Promise<StoppedVictim> {
  const whole: StoreVictimPlan = { plant: 'correct', failpoint: '', count: 1, log: 0, database: 0, ...plan }
  const child = spawn(process.execPath, [VICTIM, JSON.stringify(whole)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = { log: whole.log, database: whole.database }
  let stopped: StoppedVictim['stopped'] = 'failed'
  let text = ''
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    text += String(chunk)
    const lines = text.split('\n')
    text = lines.pop() ?? ''
    for (const line of lines) {
      const [word = '', number = ''] = line.split(' ')
      if (word === 'log' || word === 'database') ended[word] = Number(number)
      if (word === 'reached' || word === 'done') stopped = word
    }
    if (stopped !== 'failed') break
  }
  return { child, ...ended, stopped }
}

const VICTIM = fileURLToPath(new URL('../../dist/bench/soak/store-victim.js', import.meta.url)).replace(
  '/dist/dist/',
  '/dist/',
)

/** Ends a victim at once. */
export async function killVictim({ child }: StoppedVictim): Promise<void> {
  const gone = child.exitCode !== null || child.signalCode !== null ? Promise.resolve() : once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

/** What is broken of what a victim said. */
export async function auditMailboxStore(root: string, victim: StoppedVictim): Promise<string[]> {
  const found = await contentsOf(
    { list: filesIn, read: (path) => readFileSync(path), files: nodeFileOperations({ shortCalls: 'inline' }) },
    root,
  )
  const before = LOG_SCRIPT.slice(0, victim.log).reduce(afterOrder, NOTHING)
  const reused = LOG_SCRIPT.slice(0, victim.log + 1).flatMap((order) =>
    order.order === 'prepare-log' ? (order.reuse ?? []) : [],
  )
  const promise = { before, order: LOG_SCRIPT[victim.log] ?? null, reused: new Set<number>(reused) }
  return [...judgeLogs(found, promise), ...judgeDatabase(found, victim.database)]
}

function filesIn(directory: string): string[] {
  if (!existsSync(directory)) return []
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [entry.name] : []))
}

/** Lets a new process carry out what is left of the scripts, and says what is broken then. */
export async function auditGoingOn(root: string, victim: StoppedVictim): Promise<string[]> {
  const next = await runStoreVictim({ root, log: victim.log, database: durableOrders(victim.database) })
  await killVictim(next)
  if (next.stopped !== 'done') return [`it does not go on: ${next.stopped}`]
  const isWhole = next.log === LOG_SCRIPT.length && next.database === DATABASE_SCRIPT.length
  return [...(isWhole ? [] : ['not every order has ended']), ...(await auditMailboxStore(root, next))]
}

/** How many orders of the database need not be given again: those behind the last pages that nothing has made durable. */
function durableOrders(ended: number): number {
  return DATABASE_SCRIPT[ended - 1]?.order === 'write-pages' ? ended - 1 : ended
}

/** Cuts the power of a store's disk at each of its boundaries, audits what is left, and lets a new process go on. */
export async function cutStore(directory: string, fileSystem: CutFileSystem): Promise<CutSeries> {
  const cuts = VICTIM_STOPS.map((stop) => ({ ...stop, plant: 'correct' as const, database: 0 }))
  return cutAt(directory, fileSystem, { what: `store, ${fileSystem}`, cuts, goesOn: true })
}

/** Cuts it where a sync that is left out must show: a log was opened, and nothing else has happened. */
export async function cutPlantedStore(
  directory: string,
  series: { readonly fileSystem: CutFileSystem; readonly plant: Plant; readonly cuts: number },
): Promise<CutSeries> {
  const { fileSystem, plant } = series
  // The other lane's syncs would make the names of this one durable as well.
  const cut = { failpoint: 'write-log.before', count: 1, plant, database: DATABASE_SCRIPT.length } as const
  const cuts = Array.from({ length: series.cuts }, () => cut)
  return cutAt(directory, fileSystem, { what: `store, ${plant}, ${fileSystem}`, cuts, goesOn: false })
}

interface Cuts {
  readonly what: string
  readonly cuts: readonly Pick<StoreVictimPlan, 'failpoint' | 'count' | 'plant' | 'database'>[]
  readonly goesOn: boolean
}

async function cutAt(directory: string, fileSystem: CutFileSystem, { what, cuts, goesOn }: Cuts): Promise<CutSeries> {
  const disk = new CutDisk(directory, fileSystem)
  const findings: string[][] = []
  try {
    disk.mount()
    for (const [index, cut] of cuts.entries()) {
      const root = join(disk.path, `store-${index}`)
      const victim = await runStoreVictim({ ...cut, root })
      disk.cut()
      await killVictim(victim)
      disk.unmount()
      disk.mount()
      const faults = victim.stopped === 'reached' ? [] : [`${cut.failpoint} was not reached`]
      // A lane that was left out has promised nothing.
      const promised = cut.database > 0 ? { ...victim, database: 0 } : victim
      faults.push(...(await auditMailboxStore(root, promised)))
      if (goesOn) faults.push(...(await auditGoingOn(root, victim)))
      findings.push(faults.map((fault) => `${cut.failpoint}: ${fault}`))
      rmSync(root, { recursive: true, force: true })
    }
  } finally {
    disk.close()
  }
  const caught = findings.filter((faults) => faults.length > 0)
  return { what, cuts: findings.length, caught: caught.length, example: caught[0]?.[0] ?? '' }
}
