// Goal: seeds of several storage groups go on side by side and share one rate, which may be changed while they run; what the way turns is found.
// Method: two nodes in this process; bytes are counted and put in order, never timed. A relay that turns bits stands between the nodes.
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { temporaryDirectory } from './cli-harness.ts'
import { SeedNodes } from './seed-nodes.ts'

let nodes: SeedNodes
afterEach(() => nodes.close())

const isOver = ({ phase }: { readonly phase: string }): boolean => phase === 'completed' || phase === 'failed'

async function begin(storageGroup: string): Promise<number> {
  const order = { storageGroup, deleteExistingFiles: true, deleteCheckpoint: true }
  return ((await nodes.post('node2', 'seeds', order)) as { id: number }).id
}

describe('two seeds of a node', () => {
  it('share one rate: neither ends while it is low, both when it is lifted', async () => {
    nodes = await SeedNodes.start({ directory: temporaryDirectory(), groups: ['SG1', 'SG2'] })
    for (const group of ['SG1', 'SG2']) {
      await nodes.mail(30, group)
      await nodes.healthy(group)
      await nodes.suspend(group)
    }
    await nodes.ccr(['seed-rate', '16K'])
    const ids = [await begin('SG1'), await begin('SG2')]
    for (const id of ids) await nodes.seed(id, ({ doneBytes }) => doneBytes > 0)

    const underWay = await nodes.seeds()
    expect(underWay.map(({ phase }) => phase)).toEqual(['database', 'database'])
    expect((await nodes.ccr(['seed-rate'])).stdout).toBe('seeds of this node: 16K/s together\n')
    const elapsedMs = Math.max(...underWay.map((seed) => seed.elapsedMs))
    const doneBytes = underWay.reduce((sum, seed) => sum + seed.doneBytes, 0)
    // A burst, and the piece that each has on the way.
    expect(doneBytes).toBeLessThanOrEqual((16_384 * elapsedMs) / 1_000 + 16_384 / 20 + 2 * 16_384)
    expect(await nodes.ccr(['seed-rate', '1K'])).toMatchObject({ exitCode: 2 })
    expect(await nodes.ccr(['seed-rate', 'off'])).toMatchObject({ stdout: 'seeds of this node: no bound\n' })

    for (const id of ids) expect(await nodes.seed(id, isOver)).toMatchObject({ phase: 'completed', error: null })
    for (const group of ['SG1', 'SG2']) {
      await nodes.healthy(group)
      expect((await nodes.compare(group)).exitCode).toBe(0)
    }
  })
})

/** Passes bytes on, and turns a bit of the bodies that come from the source now and then. */
class TurningRelay {
  turned = 0
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #isTurning = false
  #sinceBytes = 0

  constructor(port: () => number, everyBytes: number) {
    this.#server = createServer((down) => {
      const up = connect(port(), '127.0.0.1')
      for (const socket of [down, up]) {
        this.#sockets.add(socket)
        socket.on('error', () => undefined)
      }
      down.on('close', () => up.destroy())
      up.on('close', () => down.destroy())
      down.pipe(up)
      up.on('data', (bytes: Buffer) => {
        this.#sinceBytes += bytes.length
        if (this.#isTurning && this.#sinceBytes > everyBytes) {
          this.#sinceBytes = 0
          this.turned += 1
          const at = (this.turned * 7_919) % bytes.length
          bytes[at] = (bytes[at] ?? 0) ^ (1 << (this.turned % 8))
        }
        down.write(bytes)
      })
    })
  }

  async listen(): Promise<number> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('it listens to no port')
    return address.port
  }

  turn(isTurning: boolean): void {
    this.#isTurning = isTurning
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }
}

describe('a way that turns bits', () => {
  it('is found out each time: the seed ends with a database that is equal', async () => {
    nodes = await SeedNodes.start({ directory: temporaryDirectory() })
    await nodes.mail(110)
    await nodes.healthy()
    await nodes.suspend()
    const relay = new TurningRelay(() => nodes.sharePort, 1_500_000)
    const port = await relay.listen()
    relay.turn(true)

    const words = ['seed', 'SG1', '--delete-existing-files', '--force', '--data-host-names', `127.0.0.1:${port}`]
    const { exitCode, stderr } = await nodes.ccr(words)

    await relay.close()
    expect([exitCode, stderr]).toEqual([0, ''])
    expect(relay.turned).toBeGreaterThan(1)
    await nodes.healthy()
    expect((await nodes.compare()).exitCode).toBe(0)
  })
})
