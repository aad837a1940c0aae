// Goal: a replay that is killed at any boundary of its writing leaves a database that the next one brings to the very same pages.
// Method: processes that stand still at a boundary and are killed there; then the rest is replayed, and held against a replay from nothing.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ReplayVictimPlan, replayToEnd } from '../../bench/soak/replay-victim.ts'
import type { PageDigest } from '../../engine/database/page-digest.ts'
import { STORE_FAILPOINTS } from '../../storage/store-failpoint.ts'
import { CopyOnDisk } from '../workers/replay-rig.ts'

const LAST = 24
const VICTIM = fileURLToPath(new URL('../../dist/bench/soak/replay-victim.js', import.meta.url))
/** A replay writes a database, and no log. */
const OF_A_LOG = /^(write-log|roll-log|prepare-log|mend-log|discard-logs|delete-logs)/
/** Of these a new database has one. */
const ONCE = /^create-database/
const STOPS = STORE_FAILPOINTS.filter((name) => !OF_A_LOG.test(name)).flatMap((failpoint) =>
  (ONCE.test(failpoint) ? [1] : [1, 3]).map((count) => ({ failpoint, count })),
)

/** What a victim says until it is killed or ends. */
async function killAt(plan: ReplayVictimPlan): Promise<string> {
  const child = spawn(process.execPath, [VICTIM, JSON.stringify(plan)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const gone = once(child, 'exit')
  let said = ''
  for await (const text of child.stdout.setEncoding('utf8')) {
    said += String(text)
    if (said.includes('\n')) child.kill('SIGKILL')
  }
  await gone
  return said.trim()
}

describe('a replay', () => {
  let directory: string
  let undisturbed: readonly PageDigest[]

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'ccr-replay-failpoints-'))
    const copy = new CopyOnDisk(join(directory, 'undisturbed'))
    copy.putLogs(1, LAST)
    undisturbed = await replayToEnd({ root: copy.root, last: LAST, failpoint: '', count: 1 })
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  it.each(STOPS)('killed at $failpoint, time $count, is gone on with to the same pages', async (stop) => {
    const copy = new CopyOnDisk(join(directory, `${stop.failpoint}-${stop.count}`))
    copy.putLogs(1, LAST)

    const said = await killAt({ root: copy.root, last: LAST, ...stop })

    expect(said).toBe('reached')
    expect(undisturbed.length).toBeGreaterThan(100)
    expect(await replayToEnd({ root: copy.root, last: LAST, failpoint: '', count: 1 })).toEqual(undisturbed)
  })
})
