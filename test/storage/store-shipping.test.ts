// Goal: what a mailbox store closes is shipped and truncated like the logs of any other program.
// Method: real files; the watcher of log directories beside a store that rolls, writes checkpoints and uses its reserve logs.
import fs from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { checkpointAt, LOG_BYTES, prepare, roll, write } from '../../bench/soak/store-script.ts'
import { asGeneration } from '../../engine/generation.ts'
import { watchLogDirectory } from '../../storage/log-directory.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import { StoreRig } from './store-rig.ts'

const LAST = 12

it('closed logs are seen in their order and whole, nothing else is, and truncation takes them away', async () => {
  const root = fs.mkdtempSync(join(tmpdir(), 'ccr-shipping-'))
  const files = nodeFileOperations({ shortCalls: 'inline' })
  const rig = await StoreRig.open(files, { root })
  const seen: number[] = []
  const problems: unknown[] = []
  let tellAllSeen = (): void => undefined
  const allSeen = new Promise<void>((resolve) => {
    tellAllSeen = resolve
  })
  const directory = watchLogDirectory({
    path: join(root, 'logs'),
    format: { kind: 'ese', baseName: 'E00' },
    files,
    expectedSizeBytes: LOG_BYTES,
    onScan: () => undefined,
    onClosed: (logs) => {
      seen.push(...logs.map(({ generation }) => generation))
      if (seen.length === LAST - 1) tellAllSeen()
    },
    onProblem: (problem) => problems.push(problem),
  })
  try {
    await directory.rescan()
    for (let opens = 1; opens <= LAST; opens++) {
      await rig.log(prepare(), roll(opens === 1 ? null : opens - 1, opens), write(opens, 0, opens))
      await rig.database({ order: 'write-checkpoint', checkpoint: checkpointAt(opens) })
    }
    await allSeen

    const closed = [...seen]
    const outcome = await directory.truncate({ first: asGeneration(1), last: asGeneration(4) })
    await rig.log(prepare(), roll(LAST, LAST + 1))

    expect([closed, problems]).toEqual([Array.from({ length: LAST - 1 }, (_, index) => index + 1), []])
    expect(outcome).toMatchObject({ deleted: 4, failure: null })
    expect(await directory.rescan()).toMatchObject({ lowest: 5, highest: LAST, gaps: [], foreign: { total: 0 } })
    expect((await rig.store.list()).closed).toEqual([{ first: 5, last: LAST }])
    expect(rig.failure).toBeNull()
  } finally {
    await directory.close()
    await rig.store.close()
    fs.rmSync(root, { recursive: true })
  }
})
