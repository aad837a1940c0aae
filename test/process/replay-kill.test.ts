// Goal: SIGKILL at any moment of a replay leaves a database that the next start brings to the very pages of an undisturbed replay.
// Method: the built programs; a copy that is killed at random moments while it works off a backlog, with so little memory for pages that they
// are written all the time; at the end each page is held against a replay from scratch. CCR_REPLAY_KILL_ROUNDS sets the number of rounds, CCR_KILL_SEED
// the choices.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { pause } from '../../bench/command.ts'
import type { Service } from '../../bench/product.ts'
import { DATABASE_HEADERS_BYTES_MAX, readDatabaseHeader } from '../../engine/database/database-header-copies.ts'
import { comparePages, type PageDigest } from '../../engine/database/page-digest.ts'
import { seededChoices } from '../../sim/choices.ts'
import { pagesFromScratch, pagesOfFile } from '../workers/replay-rig.ts'
import { ProcessBed, untilStatus } from './process-bed.ts'

const ROUNDS = Number(process.env['CCR_REPLAY_KILL_ROUNDS'] ?? 10)
const SEED = Number(process.env['CCR_KILL_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
/** Logs of 128 KiB that are closed in each round: about as much work as a copy has done when it is killed. */
const LOGS_PER_ROUND = 5
const MOMENT_MS_MAX = 300

let bed: ProcessBed
beforeEach(() => {
  bed = new ProcessBed()
})
afterEach(() => bed.close())

describe('the database of a copy', () => {
  it(`survives ${ROUNDS} kills at random moments (CCR_KILL_SEED=${SEED})`, {
    timeout: 120_000 + ROUNDS * 10_000,
  }, async () => {
    const choices = seededChoices(SEED)
    const share = await bed.share()
    let halfWritten = 0

    // A run in which every kill came before the first page was written, or after the last, would prove nothing: it goes on.
    let rounds = 0
    while (rounds < ROUNDS || (halfWritten === 0 && rounds < 10 * ROUNDS)) {
      const round = ++rounds
      bed.closeStoreLogs((round - 1) * LOGS_PER_ROUND + 1, round * LOGS_PER_ROUND)
      const copy = await startReplaying(share)
      await pause(choices.below(MOMENT_MS_MAX))
      await copy.kill()
      const highest = highestRequired()
      if (highest > 0 && highest < round * LOGS_PER_ROUND) halfWritten++
    }
    const last = rounds * LOGS_PER_ROUND + 1
    bed.closeStoreLogs(last, last)
    const copy = await startReplaying(share)
    await untilStatus(copy, 'everything is replayed', (status) => status.LastLogReplayed === last && !status.Failed)
    await copy.stop()

    const pages: readonly PageDigest[] = pagesOfFile(join(bed.store, 'database', 'priv1.edb'))
    expect(comparePages(await pagesFromScratch(last), pages)).toMatchObject({ differing: 0, first: null })
    expect(halfWritten).toBeGreaterThan(0)
  })
})

function startReplaying(share: { readonly listen: string }): Promise<Service> {
  return bed.copy(share, { arguments: ['--replay'], environment: { CCR_COPY_CACHE: '1MiB' } })
}

/** By the header of the database as it lies there: the last log of which a page in it may have changes; 0 where it is not made yet. */
function highestRequired(): number {
  const path = join(bed.store, 'database', 'priv1.edb')
  if (!existsSync(path)) return 0
  const read = readDatabaseHeader(readFileSync(path).subarray(0, DATABASE_HEADERS_BYTES_MAX))
  return read.verdict === 'read' ? read.header.required.maxRequired : 0
}
