import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { seededChoices } from '../../sim/choices.ts'
import { waitUntil } from '../command.ts'
import { readJson, runCcr } from '../product.ts'
import { NodeBed, type NodeName } from './node-bed.ts'

/** How many rounds, and by which choices. */
export interface SeedKillPlan {
  readonly rounds: number
  readonly seed: number
  tell(text: string): void
}

/** What came of them. */
export interface SeedKillOutcome {
  /** Each round in words, for the message of a failure. */
  readonly story: readonly string[]
  /** Seeds that a kill met before they had ended: a run without any proves nothing. */
  readonly met: number
  /** Seeds that went on with what an earlier one had left. */
  readonly resumed: number
  readonly faults: readonly string[]
}

/** Slow enough for a seed of some megabytes to be met anywhere on its way. */
const RATE = '5M'
/** Per cent that a kill waits for: from the first look of the source to what comes behind the last page. */
const SHARES = 105
const FIRST_LOAD = ['--full-speed', '--size', '4K..40K', '--clients', '8', '--count', '600']
const AT_WORK = ['--rate', '60/s', '--size', '4K..40K', '--clients', '4', '--count', '90']
const VICTIMS = ['active', 'passive'] as const
const SEED = ['seed', 'SG1', '--delete-existing-files', '--force']
const SEED_MS = 60_000

/**
 * Seeds the copy of a cluster under load again and again, and kills one node when a random share of each seed has come. The copy has a whole
 * database then, it is suspended, and the same command ends well, with both databases equal.
 */
export async function runSeedKills(plan: SeedKillPlan): Promise<SeedKillOutcome> {
  const run = new SeedKills(await NodeBed.make(), seededChoices(plan.seed))
  try {
    return await run.all(plan)
  } finally {
    await run.bed.close()
  }
}

/** What the rounds look at in a seed of a node. */
interface Seed {
  readonly id: number
  readonly phase: string
  readonly percent: number
}

function newestOf(list: Readonly<Record<string, unknown>>): Seed | undefined {
  const seeds = list['seeds'] as readonly Seed[] // by the schema of the API
  return seeds.reduce<Seed | undefined>(
    (last, seed) => (last !== undefined && last.id > seed.id ? last : seed),
    undefined,
  )
}

function isOver({ phase }: Pick<Seed, 'phase'>): boolean {
  return phase === 'completed' || phase === 'failed'
}

function isLate(seed: Seed): boolean {
  return seed.phase === 'finishing' || isOver(seed)
}

class SeedKills {
  readonly bed: NodeBed
  readonly #below: (bound: number) => number
  readonly #story: string[] = []
  readonly #faults: string[] = []
  #met = 0
  #resumed = 0

  constructor(bed: NodeBed, choices: { below(bound: number): number }) {
    this.bed = bed
    this.#below = (bound) => choices.below(bound)
  }

  async all({ rounds, tell }: SeedKillPlan): Promise<SeedKillOutcome> {
    const { bed } = this
    await Promise.all([bed.start('active'), bed.start('passive')])
    await bed.load(...FIRST_LOAD).done
    await bed.untilReplayed()
    for (let n = 1; n <= rounds && this.#faults.length === 0; n++) {
      await this.#round(VICTIMS[this.#below(VICTIMS.length)] ?? 'active', this.#below(SHARES))
      tell(`round ${n}: ${this.#story.at(-1)}`)
    }
    const { sound, findings } = await bed.check()
    if (!sound) this.#faults.push(`acknowledged messages are not there: ${JSON.stringify(findings)}`)
    return { story: this.#story, met: this.#met, resumed: this.#resumed, faults: this.#faults }
  }

  async #round(victim: NodeName, percent: number): Promise<void> {
    const { bed } = this
    await bed.must('passive', 'suspend', 'SG1')
    const before = await bed.until('passive', 'seeds', () => true)
    const working = bed.load(...AT_WORK)
    const seeding = bed.begin('passive', ...SEED, '--rate', RATE)
    if (await this.#hasCome(percent, newestOf(before)?.id ?? 0)) this.#met++
    await bed.node(victim).kill()
    if (victim === 'passive') await this.#expectWhole()
    await bed.start(victim)
    await bed.until('active', 'stores/SG1', ({ state }) => state === 'running')
    const { exitCode } = await seeding.done
    await bed.until('passive', 'copies/SG1', ({ SummaryCopyStatus }) => SummaryCopyStatus !== 'Seeding')
    const { SummaryCopyStatus } = await bed.until('passive', 'copies/SG1', () => true)
    if (exitCode !== 0 && SummaryCopyStatus !== 'Suspended' && !(await this.#hasEnded()))
      this.#faults.push(`${victim} killed at ${percent} %: the copy is ${String(SummaryCopyStatus)}`)
    await working.done
    await bed.must('passive', 'suspend', 'SG1')
    const again = JSON.parse(await bed.must('passive', ...SEED, '--rate', 'off', '--json')) as { resumedBytes: number }
    if (again.resumedBytes > 0) this.#resumed++
    await bed.untilReplayed()
    await this.#expectEqual()
    this.#story.push(
      `${victim} at ${percent} %, the command ended with ${exitCode}, ${again.resumedBytes} bytes resumed`,
    )
  }

  /** Waits until so much of a seed that is newer than `before` has come; answers whether it is still under way then. */
  async #hasCome(percent: number, before: number): Promise<boolean> {
    let last: Seed | undefined
    await this.bed.until('passive', 'seeds', (list) => {
      last = newestOf(list)
      return last !== undefined && last.id > before && (last.percent >= percent || isLate(last))
    })
    return last !== undefined && !isOver(last)
  }

  /** The command hears nothing of a seed that has ended as its node was killed: then the copy goes on. */
  async #hasEnded(): Promise<boolean> {
    return !existsSync(join(this.bed.root('passive'), 'seeding'))
  }

  /** What lies in the place of the database, while nothing runs. */
  async #expectWhole(): Promise<void> {
    const path = join(this.bed.root('passive'), 'database', 'priv1.edb')
    const { exitCode, stdout, stderr } = await runCcr(['verify', path])
    if (exitCode !== 0) this.#faults.push(`the database of the killed copy is not whole: ${stdout}${stderr}`)
  }

  async #expectEqual(): Promise<void> {
    const [active, copy] = [this.bed.node('active').manage, this.bed.node('passive').manage]
    const { exitCode, stdout, stderr } = await runCcr(['compare', 'SG1', '--active', active, '--copy', copy])
    if (exitCode !== 0) this.#faults.push(`the databases differ (${exitCode}): ${stdout}${stderr}`)
    await waitUntil(
      'seeds are over',
      async () => {
        const list = (await readJson(`${copy}/api/v1/seeds`)) as { seeds: Seed[] } | null
        return list?.seeds.every(isOver) ?? false
      },
      SEED_MS,
      20,
    )
  }
}
