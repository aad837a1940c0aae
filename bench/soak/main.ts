/**
 * `npm run soak`: what takes longer than a test may: kill rounds, killed backups, power cuts with their negative controls, and errors of every
 * system call of the publish path. Ends with 1 when anything was found, or when a planted bug was not.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runNow } from '../command.ts'
import { runBackupKills } from './backup-rounds.ts'
import { type CutFileSystem, cutMissing, OWN_MOUNTS } from './cut-disk.ts'
import { runErrnoSweep, sweepMissing } from './errno-sweep.ts'
import { runKillRounds } from './kill-rounds.ts'
import { type CutSeries, cutProduct, cutPublishing } from './power-cut.ts'
import { runSeedKills } from './seed-rounds.ts'
import { cutPlantedStore, cutStore } from './store-cut.ts'

const USAGE = `usage: npm run soak [-- OPTIONS]
  --only PART   kill, backups, seeds, cuts or errno (default: all)
  --rounds N    kill rounds (default 200; of backups a tenth of it, of seeds a half)
  --cuts N      power cuts of each series (default 20)
  --cases N     errno cases, taken evenly from all of them (default: all)
  --seed N      choices of the kill rounds`

interface SoakOptions {
  readonly only: string | null
  readonly rounds: number
  readonly cuts: number
  readonly cases: number
  readonly seed: number
  /** Set by the program itself when it has started anew inside a mount namespace of its own. */
  readonly inside: boolean
}

function readOptions(args: readonly string[]): SoakOptions {
  const text = { type: 'string' } as const
  const options = {
    only: text,
    rounds: text,
    cuts: text,
    cases: text,
    seed: text,
    inside: { type: 'boolean' },
  } as const
  const { values } = parseArgs({ args: [...args], options })
  const number = (given: string | undefined, preset: number): number => {
    const value = Number(given ?? preset)
    if (Number.isSafeInteger(value) && value >= 0) return value
    throw new Error(`${given} is no whole number`)
  }
  const { only = null } = values
  if (only !== null && !['kill', 'backups', 'seeds', 'cuts', 'errno'].includes(only))
    throw new Error(`there is no part ${only}`)
  return {
    only,
    rounds: number(values.rounds, 200),
    cuts: number(values.cuts, 20),
    cases: number(values.cases, Number.MAX_SAFE_INTEGER),
    seed: number(values.seed, Math.floor(Math.random() * 2 ** 31)),
    inside: values.inside === true,
  }
}

const tell = (text: string): void => console.log(`  ${text}`)

async function soakKills(options: SoakOptions): Promise<boolean> {
  console.log(`kill rounds: ${options.rounds} with seed ${options.seed}`)
  const outcome = await runKillRounds({ rounds: options.rounds, seed: options.seed, tell })
  tell(`${outcome.logs} logs, ${outcome.acknowledged} acknowledged, ${outcome.truncated} truncated`)
  for (const fault of outcome.faults) tell(`FAULT ${fault}`)
  return outcome.faults.length === 0
}

/** A round with a backup takes as long as ten others. */
const ROUNDS_PER_BACKUP = 10

async function soakBackups({ rounds, seed }: SoakOptions): Promise<boolean> {
  const backups = Math.ceil(rounds / ROUNDS_PER_BACKUP)
  console.log(`kills of backups: ${backups} with seed ${seed}`)
  const { messages, truncated, restored, faults } = await runBackupKills({ rounds: backups, seed, tell })
  tell(`${messages} messages found, ${truncated} logs truncated, restored from ${restored.join(' ')}`)
  for (const fault of faults) tell(`FAULT ${fault}`)
  return faults.length === 0
}

/** A round with two seeds takes as long as two others. */
const ROUNDS_PER_SEED = 2

async function soakSeeds({ rounds, seed }: SoakOptions): Promise<boolean> {
  const seeds = Math.ceil(rounds / ROUNDS_PER_SEED)
  console.log(`kills of seeds: ${seeds} with seed ${seed}`)
  const { met, resumed, faults } = await runSeedKills({ rounds: seeds, seed, tell })
  tell(`${met} seeds were met by a kill, ${resumed} went on with what was there`)
  for (const fault of faults) tell(`FAULT ${fault}`)
  return faults.length === 0 && met > 0
}

/** Mounts need a namespace of their own, so that part runs in a process that was started inside one. */
function soakCutsInside(args: readonly string[]): boolean {
  const [, program = ''] = process.argv
  const words = [...OWN_MOUNTS, process.execPath, program, ...args, '--only', 'cuts', '--inside']
  return runNow(words, 'inherit') === 0
}

async function soakCuts(options: SoakOptions): Promise<boolean> {
  let sound = true
  for (const fileSystem of ['ext4', 'xfs'] as const) {
    const missing = cutMissing(fileSystem)
    if (missing === null) sound = (await cutAll(fileSystem, options.cuts)) && sound
    else tell(`${fileSystem} was skipped: ${missing}`)
  }
  return sound
}

async function cutAll(fileSystem: CutFileSystem, cuts: number): Promise<boolean> {
  const directory = mkdtempSync(join(tmpdir(), 'ccr-cut-'))
  try {
    let sound = true
    for (const plant of ['correct', 'no-file-sync', 'no-directory-sync'] as const) {
      const series = await cutPublishing(directory, { fileSystem, plant, cuts })
      sound = judge(series, plant === 'correct' ? 0 : cuts) && sound
    }
    for (const plant of ['no-file-sync', 'no-directory-sync'] as const)
      sound = judge(await cutPlantedStore(directory, { fileSystem, plant, cuts }), cuts) && sound
    sound = judge(await cutStore(directory, fileSystem), 0) && sound
    return judge(await cutProduct(directory, { fileSystem, cuts }), 0) && sound
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** A correct program must never be caught, a planted bug always. */
function judge(series: CutSeries, expected: number): boolean {
  const sound = series.caught === expected
  tell(`${sound ? 'ok' : 'FAULT'} ${series.what}: ${series.caught} of ${series.cuts} cuts caught, ${expected} expected`)
  if (series.example !== '') tell(`   ${series.example}`)
  return sound
}

async function soakErrnos(options: SoakOptions): Promise<boolean> {
  const missing = sweepMissing()
  if (missing !== null) {
    tell(`errno sweep was skipped: ${missing}`)
    return true
  }
  console.log('errno sweep')
  const outcome = await runErrnoSweep({ cases: options.cases, tell })
  tell(`${outcome.cases} cases, ${outcome.injected} with an error injected, ${outcome.faults.length} faults`)
  for (const fault of outcome.faults) tell(`FAULT ${fault}`)
  return outcome.faults.length === 0
}

async function main(args: readonly string[]): Promise<number> {
  let options: SoakOptions
  try {
    options = readOptions(args)
  } catch (error) {
    console.error(`error: ${error instanceof Error ? error.message : String(error)}\n${USAGE}`)
    return 2
  }
  if (options.inside) return (await soakCuts(options)) ? 0 : 1
  const wanted = (part: string): boolean => options.only === null || options.only === part
  let sound = true
  if (wanted('cuts')) {
    console.log(`power cuts: ${options.cuts} of each series, right after an acknowledgement`)
    sound = soakCutsInside(['--cuts', String(options.cuts)]) && sound
  }
  if (wanted('errno')) sound = (await soakErrnos(options)) && sound
  if (wanted('kill')) sound = (await soakKills(options)) && sound
  if (wanted('backups')) sound = (await soakBackups(options)) && sound
  if (wanted('seeds')) sound = (await soakSeeds(options)) && sound
  console.log(sound ? 'sound' : 'NOT sound')
  return sound ? 0 : 1
}

process.exitCode = await main(process.argv.slice(2))
