import { ReplicationError } from '../../engine/error.ts'
import type { Generation } from '../../engine/generation.ts'
import type { LogShareClient } from '../../transport/log-share-client.ts'
import type { CopyInstance } from '../copy-instance.ts'

/** How long a link is measured at most, in milliseconds; a log that is under way is finished. */
const MEASURE_MS = 1_000
/** Logs that are fetched for it, and the bytes of each that count. */
const LOGS_MAX = 16
const LOG_BYTES = 1_048_576

/**
 * What the way to the source carries now, in bytes per second: some of its closed logs are fetched, one after the other, and thrown away. Null
 * where it has none.
 */
export async function measureLink(client: LogShareClient, copy: CopyInstance): Promise<number | null> {
  const { lowest, closedThrough } = copy.state.announcement
  if (lowest === 0) return null
  const begun = performance.now()
  let bytes = 0
  for (let back = 0; back < LOGS_MAX && performance.now() - begun < MEASURE_MS; back += 1) {
    const generation = (closedThrough - (back % (closedThrough - lowest + 1))) as Generation // between two generations
    bytes += await lengthOf(client, copy, generation)
  }
  const seconds = (performance.now() - begun) / 1_000
  return bytes === 0 || seconds === 0 ? null : bytes / seconds
}

async function lengthOf(client: LogShareClient, copy: CopyInstance, generation: Generation): Promise<number> {
  try {
    const of = { generation, bytes: LOG_BYTES }
    return (await client.readLogStart(copy.source, of, new AbortController().signal)).length
  } catch (error) {
    // Truncated meanwhile: another one says as much.
    if (error instanceof ReplicationError && error.code === 'LOG_MISSING') return 0
    throw error
  }
}
