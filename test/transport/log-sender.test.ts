// Goal: one log is read while the one before it is sent, and whatever the disk and the copy do, the order and the room are kept.
// Method: the sender alone, over logs whose reads end when the test says so.

import { describe, expect, it } from 'vitest'
import { ReplicationError } from '../../engine/error.ts'
import { asGeneration } from '../../engine/generation.ts'
import { LogSender, type OutgoingPiece, type StreamedLog } from '../../transport/log-sender.ts'
import type { PiecePlace } from '../../transport/place-queue.ts'
import { PIECE_BYTES_MAX } from '../../transport/wire.ts'

interface PendingRead {
  readonly generation: number
  readonly position: number
  end(error?: ReplicationError): void
}

class World {
  readonly reads: PendingRead[] = []
  readonly told: string[] = []
  readonly open = new Set<number>()
  places = 0
  spare = true
  readonly sender: LogSender

  constructor(pieces: Readonly<Record<number, number>>) {
    this.sender = new LogSender({
      open: async (generation) => this.#log(generation, (pieces[generation] ?? 1) * PIECE_BYTES_MAX),
      acquire: async () => {
        this.places += 1
        return { bytes: new Uint8Array(1) }
      },
      acquireSpare: () => {
        if (!this.spare) return null
        this.places += 1
        return { bytes: new Uint8Array(1) }
      },
      release: () => {
        this.places -= 1
      },
      send: (piece) => this.#sent(piece),
      unavailable: (_session, generation, { code }) => this.told.push(`${generation} ${code}`),
      served: () => undefined,
      readMs: 60_000,
    })
  }

  request(first: number, last: number): void {
    this.sender.request(1, { first: asGeneration(first), last: asGeneration(last) })
  }

  /** Ends the read of that log's next piece. */
  async read(generation: number, error?: ReplicationError): Promise<void> {
    await settle()
    const at = this.reads.findIndex((read) => read.generation === generation)
    const [read] = this.reads.splice(at, at < 0 ? 0 : 1)
    if (read === undefined) throw new Error(`log ${generation} is not being read`)
    read.end(error)
    await settle()
  }

  get reading(): number[] {
    return this.reads.map(({ generation }) => generation)
  }

  #log(generation: number, sizeBytes: number): StreamedLog {
    this.open.add(generation)
    return {
      name: `E00${generation}`,
      sizeBytes,
      logTimeMs: 0,
      read: (_place: PiecePlace, position: number) =>
        new Promise((resolve, reject) => {
          this.reads.push({ generation, position, end: (error) => (error === undefined ? resolve() : reject(error)) })
        }),
      checksum: () => BigInt(generation),
      close: () => this.open.delete(generation),
    }
  }

  #sent({ head, checksum }: OutgoingPiece): void {
    this.places -= 1
    this.told.push(
      `${head === null ? '' : `head ${head.generation} `}piece${checksum === null ? '' : ` end ${checksum}`}`,
    )
  }
}

/** All that can happen by itself has happened. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

const unread = new ReplicationError({ code: 'READ_FAILED', message: 'the disk says no', hint: 'Look at it.' })

describe('a sender', () => {
  it('reads a log while the one before it is read and sent, never more, and sends in order', async () => {
    const world = new World({})
    world.sender.grant(4)
    world.request(1, 4)
    await settle()
    expect(world.reading).toEqual([1, 2])

    await world.read(2)
    expect([world.told, world.reading]).toEqual([[], [1]])
    await world.read(1)
    expect(world.told).toEqual(['head 1 piece end 1', 'head 2 piece end 2'])
    expect(world.reading).toEqual([3, 4])
    await world.read(3)
    await world.read(4)
    expect(world.told.slice(2)).toEqual(['head 3 piece end 3', 'head 4 piece end 4'])
    expect([world.places, world.open.size]).toEqual([0, 0])
  })

  it('gives a log all the room that it needs before the next one gets any', async () => {
    const world = new World({ 1: 3 })
    world.sender.grant(1)
    world.request(1, 2)
    await world.read(1)
    expect([world.told, world.reading]).toEqual([['head 1 piece'], []])
    world.sender.grant(1)
    await world.read(1)
    expect(world.reading).toEqual([])
    world.sender.grant(1)
    await world.read(1)
    expect(world.told).toEqual(['head 1 piece', 'piece', 'piece end 1'])
    world.sender.grant(1)
    await world.read(2)
    expect(world.told.at(-1)).toBe('head 2 piece end 2')
  })

  it('tells a log that cannot be read in its turn, and uses its room for the next', async () => {
    const world = new World({})
    world.sender.grant(3)
    world.request(1, 4)
    await world.read(2, unread)
    expect(world.told).toEqual([])
    await world.read(1)
    await world.read(3)
    await world.read(4)
    expect(world.told).toEqual(['head 1 piece end 1', '2 READ_FAILED', 'head 3 piece end 3', 'head 4 piece end 4'])
    expect([world.places, world.open.size]).toEqual([0, 0])
  })

  it('drops what was read ahead when it is cancelled, and begins anew', async () => {
    const world = new World({})
    world.sender.grant(3)
    world.request(1, 3)
    await settle()
    world.sender.cancel()
    world.sender.grant(1)
    world.request(7, 7)
    await world.read(2)
    await world.read(1)
    await world.read(7)
    expect(world.told).toEqual(['head 7 piece end 7'])
    expect([world.places, world.open.size]).toEqual([0, 0])
  })

  it('reads the log that is announced next before a copy that keeps up has asked for it', async () => {
    const world = await worldThrough(1)
    world.sender.announced(asGeneration(2))
    await world.read(2)
    expect([world.told.length, world.places]).toEqual([1, 1])
    world.sender.grant(1)
    world.request(2, 2)
    await settle()

    expect(world.told.at(-1)).toBe('head 2 piece end 2')
    expect([world.reading, world.places, world.open.size]).toEqual([[], 0, 0])
  })

  it('waits for a read that began unasked instead of reading twice', async () => {
    const world = await worldThrough(1)
    world.sender.announced(asGeneration(2))
    world.sender.grant(1)
    world.request(2, 2)
    await settle()
    expect(world.reading).toEqual([2])
    await world.read(2)
    expect(world.told.at(-1)).toBe('head 2 piece end 2')
  })

  it('reads nothing unasked for a copy that lags behind, or without room to spare', async () => {
    const world = await worldThrough(1)
    world.sender.announced(asGeneration(3))
    world.spare = false
    world.sender.announced(asGeneration(2))
    await settle()
    expect([world.reading, world.places, world.open.size]).toEqual([[], 0, 0])
  })

  it('gives up what it read unasked for another request, a cancellation or a later announcement', async () => {
    for (const event of ['request', 'cancel', 'announcement'] as const) {
      const world = await worldThrough(1)
      world.sender.announced(asGeneration(2))
      await world.read(2)
      if (event === 'cancel') world.sender.cancel()
      else if (event === 'announcement') {
        world.spare = false
        world.sender.announced(asGeneration(2))
      } else {
        world.sender.grant(1)
        world.request(7, 7)
        await world.read(7)
      }
      await settle()
      expect([event, world.places, world.open.size]).toEqual([event, 0, 0])
    }
  })

  it('tells nothing of a log that could not be read unasked, and reads it again when it is asked for', async () => {
    const world = await worldThrough(1)
    world.sender.announced(asGeneration(2))
    await world.read(2, unread)
    expect([world.told.length, world.places, world.open.size]).toEqual([1, 0, 0])
    world.sender.grant(1)
    world.request(2, 2)
    await world.read(2)
    expect(world.told.at(-1)).toBe('head 2 piece end 2')
  })
})

/** A sender that has sent all logs through this one. */
async function worldThrough(generation: number): Promise<World> {
  const world = new World({})
  world.sender.grant(generation)
  world.request(1, generation)
  for (let each = 1; each <= generation; each++) await world.read(each)
  return world
}
