// Goal: the network in front of a copy damages what it is told to, each time, and leads where it is told.
// Method: a source that answers each byte with a burst, asked through the network.
import { once } from 'node:events'
import { connect, createServer, type Server } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Network } from '../../src/scenario/network.ts'

/** More than a network waits for before it damages, and less than a log. */
const BURST_BYTES = 256 * 1024

let source: Server
let network: Network
beforeEach(async () => {
  source = createServer((socket) => socket.on('data', () => socket.write(new Uint8Array(BURST_BYTES))))
  source.listen(0, '127.0.0.1')
  await once(source, 'listening')
  network = await Network.open()
  network.leadTo(portOf(source))
})
afterEach(async () => {
  await network.close()
  source.close()
})

describe('the network in front of a copy', () => {
  it('damages the next log again when it is told so again', async () => {
    const copy = await joined()
    network.damageNext(1)
    const first = await copy.burst()
    const sound = await copy.burst()

    network.damageNext(1)

    expect([first, sound, await copy.burst()]).toEqual([1, 0, 1])
    copy.end()
  })

  it('leads nowhere while its source is down', async () => {
    network.leadTo(0)
    const socket = connect(networkPort(), '127.0.0.1')

    await expect(once(socket, 'close')).resolves.toEqual([false])
  })
})

interface Copy {
  /** Asks for a burst, and answers how many of its bytes were changed. */
  readonly burst: () => Promise<number>
  readonly end: () => void
}

async function joined(): Promise<Copy> {
  const socket = connect(networkPort(), '127.0.0.1')
  await once(socket, 'connect')
  const burst = (): Promise<number> =>
    new Promise((resolve) => {
      let [left, changed] = [BURST_BYTES, 0]
      socket.on('data', (bytes: Buffer) => {
        left -= bytes.length
        changed += bytes.filter((byte) => byte !== 0).length
        if (left > 0) return
        socket.removeAllListeners('data')
        resolve(changed)
      })
      socket.write('?')
    })
  return { burst, end: () => socket.destroy() }
}

function networkPort(): number {
  return Number(network.address.split(':')[1])
}

function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('a server that listens has a port')
  return address.port
}
