// Goal: a node that is killed while it restores is not started half restored; the same command finishes, and everything is there that
// was acknowledged before the backup (point in time), or at all (roll forward).
// Method: one node, whose folder is put back for each round; SIGKILL at a random moment before or behind the note of the restore.
// CCR_RESTORE_KILL_ROUNDS sets the number of rounds, CCR_KILL_SEED the choices.
import { cpSync, existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { pause } from '../../bench/command.ts'
import type { Service } from '../../bench/product.ts'
import { NodeBed } from '../../bench/soak/node-bed.ts'
import { seededChoices } from '../../sim/choices.ts'

const ROUNDS = Number(process.env['CCR_RESTORE_KILL_ROUNDS'] ?? 2)
const SEED = Number(process.env['CCR_KILL_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
/** Behind the note files are moved, and a streaming backup is recovered: some tens of milliseconds. */
const MOVING_MS_MAX = 60
/** Before it they are copied. */
const STAGING_MS_MAX = 200
const AT_WORK = ['--full-speed', '--size', '4K..40K', '--clients', '8']
/** Of a command that an error of the database ends. */
const REFUSED = { exitCode: 1 }

let bed: NodeBed
beforeEach(async () => {
  bed = await NodeBed.make([])
})
afterEach(() => bed.close())

const note = (): string => join(bed.root('active'), 'restore.json')
const whole = (): string => join(bed.directory, 'whole')
const earlierLedger = (): string => join(bed.directory, 'earlier.ledger')

/** A dismounted store with two full sets, and messages behind them. */
async function prepare(): Promise<void> {
  const node = await bed.start('active')
  await bed.load(...AT_WORK, '--count', '400').done
  await bed.must('active', 'backup', 'full', 'SG1', '--method', 'streaming', '--to', bed.set('streaming'))
  await bed.must('active', 'backup', 'copy', 'SG1', '--method', 'vss', '--to', bed.set('vss'))
  cpSync(bed.ledger, earlierLedger())
  await bed.load(...AT_WORK, '--count', '150').done
  await bed.must('active', 'dismount', 'SG1')
  await node.stop()
  cpSync(bed.root('active'), whole(), { recursive: true })
}

/** The node answers before it has opened its store: a command that comes sooner is told that there is none. */
async function startWithStore(): Promise<Service> {
  const node = await bed.start('active')
  await bed.until('active', 'stores/SG1', () => true)
  return node
}

interface Round {
  readonly words: readonly string[]
  readonly pointInTime: boolean
  /** Whether the note is waited for. */
  readonly isLate: boolean
  readonly afterMs: number
}

/** Answers whether a half restored folder was left. */
async function killWhileRestoring({ words, isLate, afterMs }: Round): Promise<boolean> {
  rmSync(bed.root('active'), { recursive: true })
  cpSync(whole(), bed.root('active'), { recursive: true })
  const node = await startWithStore()
  const restoring = bed.begin('active', ...words)
  let isOver = false
  void restoring.done.then(() => {
    isOver = true
  })
  const begun = (): boolean => existsSync(isLate ? note() : join(bed.root('active'), 'restoring'))
  while (!begun() && !isOver) await pause(1)
  await pause(afterMs)
  await node.kill()
  await restoring.done
  return existsSync(note())
}

async function refusedToMount(): Promise<void> {
  const { exitCode, stderr } = await bed.ccr('active', 'mount', 'SG1')
  expect({ exitCode, stderr }).toMatchObject(REFUSED)
  expect(stderr).toMatch(
    /^error: a restore of .* was interrupted: its files are partly those of before\nhint: Run ccr restore again/,
  )
  const { exitCode: other, stderr: why } = await bed.ccr('active', 'restore', 'SG1', '--from', bed.set('none'))
  expect({ other, why }).toMatchObject({ other: 6, why: expect.stringContaining('another restore of') })
}

describe('a restore that is killed', () => {
  it(`is finished by the same command (${ROUNDS} rounds, CCR_KILL_SEED=${SEED})`, {
    timeout: 120_000 + ROUNDS * 30_000,
  }, async () => {
    const choices = seededChoices(SEED)
    await prepare()
    let half = 0
    // A run in which no kill came between two moves would prove nothing: it goes on, and kills as soon as the note is seen.
    for (let n = 0; n < ROUNDS || (half === 0 && n < 5 * ROUNDS); n++) {
      const method = n % 2 === 0 ? 'streaming' : 'vss'
      const pointInTime = choices.below(2) === 0
      const words = ['restore', 'SG1', '--from', bed.set(method), ...(pointInTime ? ['--point-in-time'] : [])]
      // One round in three is killed before the note.
      const isLate = n >= ROUNDS || n % 3 !== 2
      const round: Round = {
        words,
        pointInTime,
        isLate,
        afterMs: n >= ROUNDS ? 0 : choices.below(isLate ? MOVING_MS_MAX : STAGING_MS_MAX),
      }
      const told = `round ${n}, ${method}, ${JSON.stringify(round)}`

      const isHalf = await killWhileRestoring(round)
      await startWithStore()
      if (isHalf) {
        half++
        await refusedToMount()
      }
      await bed.must('active', ...words)
      await bed.must('active', 'mount', 'SG1')
      const found = await bed.check(pointInTime ? earlierLedger() : bed.ledger)

      expect({ told, ...found }).toMatchObject({ sound: true, findings: [] })
      expect(readdirSync(bed.root('active'))).not.toContain('restoring')
      await bed.node('active').kill()
    }
    expect(half).toBeGreaterThan(0)
  })
})
