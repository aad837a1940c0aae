import { join } from 'node:path'
import { waitUntil } from './command.ts'
import type { FedStream } from './latency-run.ts'
import { copyFigures, type Service, startCopy, startShare } from './product.ts'

/** One source process and one copy process that keep all of the streams. */
export interface ProductPair {
  readonly pids: readonly number[]
  readonly copy: Service
  stop(): Promise<void>
}

/** Starts the pair, and waits until each copy knows its source. The store of a stream is the parent of its `arrived`. */
export async function startPair(scratch: string, streams: readonly FedStream[]): Promise<ProductPair> {
  const [stream] = streams
  if (stream === undefined) throw new Error('a pair keeps at least one stream')
  const share = await startShare(stream.source, {
    arguments: ['--name', stream.group, '--state', join(scratch, 'state')],
  })
  const copy = await startCopy(`${share.listen}/shares/${stream.group}`, join(stream.arrived, '..'))
  for (const each of streams)
    await waitUntil(`the copy of ${each.group} is known`, async () => (await copyFigures(copy, each.group)) !== null)
  return {
    pids: [share.pid, copy.pid],
    copy,
    stop: async () => {
      await copy.stop()
      await share.stop()
    },
  }
}
