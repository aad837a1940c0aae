// Goal: a passive meets a source that was restored to an earlier state as Exchange's does: it is quiet until it is suspended and resumed, Failed
// with its newer files, built anew without them where log 1 is there, and else told to be seeded; and it never mixes two streams.
// Method: two nodes as processes; a backup, messages behind it, a restore to its moment; files of the passive are digested.
import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { postJson, readJson, runCcr } from '../../bench/product.ts'
import { NodeBed } from '../../bench/soak/node-bed.ts'
import { contentOf } from './refusal-rig.ts'

const AT_WORK = ['--full-speed', '--size', '4K..40K']
/** Less than the depth of the checkpoint: the database needs log 1 still. */
const FEW = '10'
/** Some logs more than that depth. */
const MANY = '500'

type Status = Readonly<Record<string, unknown>>

let bed: NodeBed
beforeEach(async () => {
  bed = await NodeBed.make()
  await Promise.all([bed.start('active'), bed.start('passive')])
})
afterEach(() => bed.close())

async function roll(): Promise<void> {
  await postJson(`${bed.node('active').manage}/api/v1/stores/SG1/roll`, {})
}

/** A message in a log of its own, which is closed. */
async function closeLog(id: number): Promise<void> {
  const operations = [{ op: 'insert', mailbox: 9_999, id, size: 8_000, seed: id }]
  await postJson(`${bed.node('active').manage}/api/v1/stores/SG1/transactions`, { transactions: [{ operations }] })
  await roll()
}

/** Backs up, lets both go on, and sets the active back to the moment of the backup. */
async function goBack(messages: string): Promise<void> {
  await bed.load(...AT_WORK, '--count', messages).done
  await bed.must('active', 'backup', 'full', 'SG1', '--to', bed.set('full'))
  for (let id = 1; id <= 6; id++) await closeLog(id)
  await bed.untilReplayed()
  await bed.must('active', 'dismount', 'SG1')
  const told = await bed.must('active', 'restore', 'SG1', '--from', bed.set('full'), '--point-in-time')
  expect(told).toMatch(
    /then, at the copy, .*: ccr suspend SG1, remove the files in its folders logs and database, ccr resume SG1/,
  )
  await bed.must('active', 'mount', 'SG1')
}

const suspend = (): Promise<string> => bed.must('passive', 'suspend', 'SG1')
const resume = (): Promise<string> => bed.must('passive', 'resume', 'SG1')

/** The files, as the help says: a copy whose directories are others than before is Failed, since a disk may be missing. */
function empty(): void {
  for (const name of ['logs', 'database']) {
    const directory = join(bed.root('passive'), name)
    for (const entry of readdirSync(directory, { withFileTypes: true }))
      if (entry.isFile()) rmSync(join(directory, entry.name))
  }
}

async function events(id: number): Promise<string[]> {
  const page = (await readJson(`${bed.node('passive').manage}/api/v1/events?limit=1000`)) as {
    events: { id: number; text: string }[]
  }
  return page.events.filter((event) => event.id === id).map(({ text }) => text)
}

/** The logs of the copy. Its database is written by itself as long as it replays or rests. */
const files = (): string[] => {
  const logs = join(bed.root('passive'), 'logs')
  const names = readdirSync(logs).filter((name) => /^E00[0-9A-F]{8}\.log$/.test(name))
  return names.sort().map((name) => `${name} ${contentOf(join(logs, name))}`)
}
const refused = (): string[] => readdirSync(join(bed.root('passive'), 'logs', 'IgnoredLogs', 'InspectionFailed'))
const wasRestored = ({ Remark }: Status): boolean => String(Remark).includes('was restored')
const isWritten = ({ LowestRequiredLog, LastLogReplayed }: Status): boolean =>
  Number(LowestRequiredLog) >= Number(LastLogReplayed)
const isFailed = ({ SummaryCopyStatus }: Status): boolean => SummaryCopyStatus === 'Failed'

describe('the passive of an active that was restored to an earlier moment', () => {
  it('is quiet, then Failed, and is built anew once it is empty', { timeout: 180_000 }, async () => {
    await goBack(FEW)
    const before = files()
    for (let id = 101; id <= 102; id++) await closeLog(id)
    const quiet = await bed.until('passive', 'copies/SG1', wasRestored)
    await bed.must('active', 'backup', 'full', 'SG1', '--to', bed.set('later'))
    const [lowest, filesOfQuiet, quietEvents] = [bed.closedLogs('active')[0], files(), await events(9020)]

    await suspend()
    await resume()
    const failed = await bed.until('passive', 'copies/SG1', isFailed)
    const [filesOfFailed, failedEvents] = [files(), await events(2058)]

    await suspend()
    empty()
    await resume()
    await bed.untilReplayed()
    const sides = ['--active', bed.node('active').manage, '--copy', bed.node('passive').manage]
    const compared = await runCcr(['compare', 'SG1', ...sides, '--json'])

    expect(quiet).toMatchObject({ SummaryCopyStatus: 'Healthy' })
    expect(quietEvents).toHaveLength(1)
    expect(filesOfQuiet).toEqual(before)
    expect(lowest).toBe(1)
    expect(failed['FailedMessage']).toMatch(/seeded/)
    expect(failedEvents).toHaveLength(1)
    expect(filesOfFailed).toEqual(before)
    expect(compared.exitCode, compared.stdout + compared.stderr).toBe(0)
    expect(JSON.parse(compared.stdout)).toMatchObject({ equal: true })
  })

  it.each([
    ['its service is killed and started again instead', () => bed.node('passive').kill()],
    ['the new logs come to the number that it waits for', () => Promise.resolve()],
  ])('takes nothing of the new stream when %s', { timeout: 120_000 }, async (_, happen) => {
    await goBack(FEW)
    // Of logs that are in memory only nothing would be left to differ by: then the copy comes back by itself.
    await bed.until('passive', 'copies/SG1', isWritten)
    const before = files()
    await happen()
    for (let id = 101; id <= 109; id++) await closeLog(id)
    if (!bed.node('passive').running()) await bed.start('passive')

    // It is Failed when the third try has failed; what was refused by then lies beside its logs.
    await bed.until('passive', 'copies/SG1', (status) => isFailed(status) || refused().length > 0)

    expect(files()).toEqual(before)
  })

  it('says that it has to be seeded where log 1 is gone', { timeout: 120_000 }, async () => {
    await goBack(MANY)
    await suspend()
    empty()
    await resume()

    const { FailedMessage } = await bed.until('passive', 'copies/SG1', isFailed)

    expect(FailedMessage).toBe('log 00000001 is missing on the source')
    expect(await events(2059)).toEqual([expect.stringContaining('the copy is seeded again')])
    expect(bed.closedLogs('passive')).toEqual([])
  })
})
