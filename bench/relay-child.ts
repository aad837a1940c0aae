/**
 * A relay that notes when how many bytes of bodies came from a source, as `bench/counting-relay.ts` forks it. It has a process and buffers of
 * its own: the collector of a process that takes in fresh buffers stands still for 20 ms now and then, which would be measured.
 */
import { connect, createServer, type Socket } from 'node:net'
import type { Arrival } from './counting-relay.ts'

const BUFFER_BYTES = 262_144
const HEAD_START = Buffer.from('HTTP/1.1 ')
const HEAD_END = '\r\n\r\n'

const arrivals: Arrival[] = []
const spare: Buffer[] = []

/** Heads of answers, of which each has one length, are taken off. */
function headBytes(chunk: Buffer): number {
  let bytes = 0
  for (let at = chunk.indexOf(HEAD_START); at >= 0; at = chunk.indexOf(HEAD_START, at + 1)) {
    const end = chunk.indexOf(HEAD_END, at)
    bytes += (end < 0 ? chunk.length : end + HEAD_END.length) - at
  }
  return bytes
}

function relay(near: Socket, sourcePort: number): void {
  const far = connect({
    ...{ port: sourcePort, host: '127.0.0.1', noDelay: true },
    onread: {
      buffer: () => spare.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES),
      callback: (length: number, buffer: Uint8Array): boolean => {
        // It is the buffer that was given out above.
        const taken = buffer as Buffer
        const chunk = taken.subarray(0, length)
        arrivals.push({ atMs: Number(process.hrtime.bigint()) / 1e6, bytes: length - headBytes(chunk) })
        near.write(chunk, () => spare.push(taken))
        return true
      },
    },
  })
  near.setNoDelay()
  near.pipe(far)
  near.on('error', () => far.destroy())
  far.on('error', () => near.destroy())
  far.on('close', () => near.destroy())
}

const sourcePort = Number(process.argv[2])
const server = createServer((near) => relay(near, sourcePort))
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  process.send?.({ port: typeof address === 'object' && address !== null ? address.port : 0 })
})
process.on('message', () => {
  process.send?.({ arrivals: arrivals.splice(0) })
})
process.on('disconnect', () => process.exit())
