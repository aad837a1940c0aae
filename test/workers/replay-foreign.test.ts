// Goal: a database that another program created is not made from its logs, which lack its first pages: the replay ends, with a number.
// Method: streams that real ESE wrote, read beside the checkout; skipped where they are absent.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { HAS_SPECIMENS, SPECIMEN_STREAMS, SPECIMENS_NOTE, specimen } from '../engine/database/build.ts'
import { ReplayRig, replayed } from './replay-rig.ts'

let rig: ReplayRig
beforeEach(() => {
  rig = new ReplayRig()
})
afterEach(() => rig.close())

describe.skipIf(!HAS_SPECIMENS)(`a stream of real ESE${SPECIMENS_NOTE}`, () => {
  it.each(SPECIMEN_STREAMS)('of $name ends at the first page that no log brings', async ({ first }) => {
    writeFileSync(join(rig.disk.root, 'logs', 'edb00001.log'), specimen(first))
    const kept = { root: rig.disk.root, format: { kind: 'ese', baseName: 'edb' } } as const
    rig.post({ kind: 'open-database', copy: 0, session: 1, kept })
    expect(await rig.next()).toMatchObject({ kind: 'database-opened', progress: { requiredLow: 1 } })

    const failed = await replayed(rig, 1, 1)

    expect(failed).toMatchObject({ kind: 'replay-failed', fault: { eseError: -566, generation: 1 } })
  })
})
