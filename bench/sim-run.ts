// Runs the toy world over many seeds: SIM_RUNS of them (10,000 by default), from SIM_SEED on (a number; 1 by default).
// Each is played in seven worlds: with copies that keep logs only, with copies that have a database, with these and backups, with standby
// targets among them, with a source that is restored, with copies that are seeded, and with nodes that change their roles (SIM_WORLD=logs,
// databases, backups, standby, restores, seeds or moves chooses one).
// SIM_TRACE=1 with SIM_RUNS=1 prints the trace of the run. Exit code 1 when a promise broke or a situation never arose.
import { WORLD_KINDS, type WorldKind } from '../sim/fault.ts'
import { describeFailure, type RunResult, runSeed } from '../sim/run-world.ts'
import { SITUATIONS } from '../sim/situations.ts'

/** Runs below this number may miss a rare situation by chance: they only report. */
const SITUATIONS_REQUIRED_FROM = 10_000
/** Failures are told up to this number; the rest is counted. */
const FAILURES_TOLD_MAX = 20

interface Totals {
  readonly failures: string[]
  readonly seen: Map<string, number>
  failed: number
  steps: number
  happenings: number
  virtualMs: number
}

function wholeNumber(name: string, usual: number): number {
  const text = process.env[name]
  if (text === undefined || text === '') return usual
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  console.error(`${name} has to be a whole number, not ${text}`)
  process.exit(2)
}

function count(totals: Totals, { seed, kind }: { seed: number; kind: WorldKind }, result: RunResult): void {
  totals.steps += result.steps
  totals.happenings += result.happenings
  totals.virtualMs += result.virtualMs
  for (const name of result.seen) totals.seen.set(name, (totals.seen.get(name) ?? 0) + 1)
  if (result.violation === null) return
  totals.failed++
  if (totals.failures.length >= FAILURES_TOLD_MAX) return
  totals.failures.push(
    `${describeFailure(seed, result)}\n  replay: SIM_SEED=${seed} SIM_RUNS=1 SIM_TRACE=1 SIM_WORLD=${kind} npm run sim`,
  )
}

function tell(totals: Totals, runs: number, seconds: number): void {
  const perSecond = (value: number): string => Math.round(value / seconds).toLocaleString('en-US')
  const hours = (totals.virtualMs / 3_600_000).toFixed(1)
  console.log(`${runs} seeds in ${seconds.toFixed(1)} s: ${perSecond(runs)} seeds/s, ${hours} virtual hours`)
  console.log(
    `${totals.steps} engine steps (${perSecond(totals.steps)}/s), ${totals.happenings} happenings, every guarantee checked at every step`,
  )
  for (const failure of totals.failures) console.log(failure)
  const never = SITUATIONS.filter((name) => !totals.seen.has(name))
  console.log(`${SITUATIONS.length - never.length} of ${SITUATIONS.length} situations were met`)
  for (const name of never) console.log(`  never met: ${name}`)
  console.log(totals.failed === 0 ? 'no promise was broken' : `${totals.failed} seeds broke a promise`)
  if (totals.failed > 0 || (never.length > 0 && runs >= SITUATIONS_REQUIRED_FROM)) process.exitCode = 1
}

const firstSeed = wholeNumber('SIM_SEED', 1)
const runs = wholeNumber('SIM_RUNS', 10_000)
const isTraced = process.env['SIM_TRACE'] === '1'
const totals: Totals = { failures: [], seen: new Map(), failed: 0, steps: 0, happenings: 0, virtualMs: 0 }
const beganMs = performance.now()
const kinds = WORLD_KINDS.filter((kind) => [undefined, '', kind].includes(process.env['SIM_WORLD']))
for (let seed = firstSeed; seed < firstSeed + runs; seed++)
  for (const kind of kinds) {
    const result = runSeed(seed, { kind, ...(isTraced && { tell: (line: string) => console.log(line) }) })
    count(totals, { seed, kind }, result)
  }
tell(totals, runs, (performance.now() - beganMs) / 1000)
