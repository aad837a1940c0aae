/**
 * A process that replays the logs of a copy into its database. At the boundary that it was told it stands still: whoever reads the line
 * kills it.
 */
import { randomBytes } from 'node:crypto'
import { writeSync } from 'node:fs'
import { basename } from 'node:path'
import type { PageDigest } from '../../engine/database/page-digest.ts'
import { asGeneration } from '../../engine/generation.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'
import { ReplayedDatabase } from '../../workers/replayed-database.ts'
import { standStillAt } from './store-victim.ts'

/** What a victim does. Its argument is this as JSON. */
export interface ReplayVictimPlan {
  readonly root: string
  /** The last log. */
  readonly last: number
  /** Where it stands still, and at which time that this is reached; an empty name for nowhere. */
  readonly failpoint: string
  readonly count: number
}

/** A small memory and a shallow checkpoint: every boundary is met within some logs. */
const CACHE_BYTES = 96 * 8192
const CHECKPOINT_DEPTH_BYTES = 256 * 1024

/** Replays everything, writes every change to the file, and answers the digests of all pages. */
export async function replayToEnd({ root, last, failpoint, count }: ReplayVictimPlan): Promise<PageDigest[]> {
  const database = await ReplayedDatabase.open(
    {
      files: nodeFileOperations({ shortCalls: 'inline' }),
      newId: () => randomBytes(16).toString('hex'),
      cacheBytes: CACHE_BYTES,
      checkpointDepthBytes: CHECKPOINT_DEPTH_BYTES,
      reach: standStillAt({ failpoint, count }),
    },
    { root, format: { kind: 'ese', baseName: 'E00' } },
  )
  for (let log = database.progress.replayedThrough + 1; log <= last; log++)
    await database.replay(asGeneration(log), asGeneration(last))
  while (await database.settleBatch());
  const digests: PageDigest[] = []
  for await (const piece of database.digests()) digests.push(...piece)
  await database.close()
  return digests
}

if (basename(process.argv[1] ?? '').startsWith('replay-victim')) {
  // The argument comes from replay-kill.test.ts, which has the type.
  await replayToEnd(JSON.parse(process.argv[2] ?? '{}') as ReplayVictimPlan)
  writeSync(1, 'done\n')
}
