// Goal: a source or a copy that is killed while it deletes logs leaves one contiguous rest; after a start the truncation goes on by
// itself, to where it was granted and not a log further, on both sides.
// Method: the built programs and many small logs, of which nearly all are marked as backed up; SIGKILL as soon as some are gone.
import { readdirSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePort, waitUntil } from '../../bench/command.ts'
import { makeNumberedLogs, NUMBERED_PATTERN, numberedName } from '../../bench/log-files.ts'
import { postJson, type Service, untilInspected } from '../../bench/product.ts'
import { ProcessBed } from './process-bed.ts'

const LOGS = 1_200
/** The last log that is backed up. */
const THROUGH = 1_150
const SIZE_BYTES = 512
const REST_MS = 60_000
/** More kills than this are not needed to see that it goes on each time. */
const KILLS_MAX = 3

let bed: ProcessBed
beforeEach(() => {
  bed = new ProcessBed()
})
afterEach(() => bed.close())

const namesFrom = (first: number): string[] =>
  Array.from({ length: LOGS - first + 1 }, (_, index) => numberedName(first + index))

function logsIn(directory: string): string[] {
  return readdirSync(directory)
    .filter((name) => new RegExp(`^${NUMBERED_PATTERN}$`).test(name))
    .sort()
}

interface Side {
  readonly directory: string
  readonly start: () => Promise<Service>
}

/** Kills a service each time it has deleted some logs and not all, and starts it again. Answers what was left by each kill. */
async function killWhileDeleting(running: Service, { directory, start }: Side): Promise<string[][]> {
  const rests: string[][] = []
  let service = running
  let left = LOGS
  while (left > LOGS - THROUGH && rests.length < KILLS_MAX) {
    await waitUntil('a log goes', () => logsIn(directory).length < left, REST_MS, 1)
    await service.kill()
    const rest = logsIn(directory)
    left = rest.length
    if (left > LOGS - THROUGH) rests.push(rest)
    service = await start()
  }
  return rests
}

describe('a truncation that is killed', () => {
  it.each(['source', 'copy'] as const)(
    'of the %s leaves no gap, goes on, and takes no log too many',
    {
      timeout: 180_000,
    },
    async (side) => {
      makeNumberedLogs(bed.source, { first: 1, last: LOGS, sizeBytes: SIZE_BYTES })
      const ports = { listenPort: await freePort(), managePort: await freePort() }
      const startShare = () =>
        bed.share({ arguments: ['--format', 'numbered', '--pattern', NUMBERED_PATTERN], ...ports })
      const share = await startShare()
      const startCopy = () => bed.copy(share)
      const copy = await startCopy()
      await untilInspected(copy, LOGS)

      const marked = await postJson(`${share.manage}/api/v1/shares/SG1/backup-mark`, { through: THROUGH })
      const rests =
        side === 'source'
          ? await killWhileDeleting(share, { directory: bed.source, start: startShare })
          : await killWhileDeleting(copy, { directory: bed.copied, start: startCopy })
      const isDone = (directory: string) => () => logsIn(directory).length <= LOGS - THROUGH
      for (const directory of [bed.source, bed.copied]) await waitUntil('the rest is gone', isDone(directory), REST_MS)

      expect(marked.status).toBe(200)
      // A run in which no kill came between two deletions would prove nothing.
      expect(rests.length).toBeGreaterThan(0)
      for (const rest of rests) expect(rest).toEqual(namesFrom(LOGS - rest.length + 1))
      expect(logsIn(bed.source)).toEqual(namesFrom(THROUGH + 1))
      expect(logsIn(bed.copied)).toEqual(namesFrom(THROUGH + 1))
    },
  )
})
