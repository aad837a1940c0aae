// Goal: an intake never stops although its source could go on, and never asks for what it has no room for, however it saves frames.
// Method: a source that knows only what it was told, and a disk that gives slots back when it likes; random turns of both.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Fault } from '../../engine/fact.ts'
import { asGeneration } from '../../engine/generation.ts'
import { PIECE_BYTES_MAX } from '../../transport/wire.ts'
import { CopyIntake, type LandingLog } from '../../workers/copy-intake.ts'
import { RoomRation } from '../../workers/room-ration.ts'
import type { Slab, Slot } from '../../workers/slab.ts'

const MISSING: Fault = { code: 'LOG_MISSING', message: 'not there' }

/** A slab without memory: an intake never looks into its slots. */
function bareSlab(slots: number): Pick<Slab, 'free' | 'take' | 'give'> {
  const free: Slot[] = Array.from({ length: slots }, (_, address) => ({ bytes: new Uint8Array(0), address }))
  return {
    get free() {
      return free.length
    },
    take: () => free.pop() ?? null,
    give: (slot) => free.push(slot),
  }
}

/** Sends what it was asked for, a unit at each turn, while it has credit. */
class TurnSource {
  intake: CopyIntake | null = null
  frames = 0
  credit = 0
  readonly #sizes: readonly (number | null)[]
  readonly #queue: number[] = []
  #left: number | null = null

  constructor(sizes: readonly (number | null)[]) {
    this.#sizes = sizes
  }

  ask(generations: readonly number[], pieces: number): void {
    if (generations.length + pieces > 0) this.frames++
    this.#queue.push(...generations)
    this.credit += pieces
  }

  /** Answers false when it can do nothing. As ours does, it begins no log without credit. */
  turn(): boolean {
    const intake = this.intake
    const [generation] = this.#queue
    if (intake === null || generation === undefined) return false
    const sizeBytes = this.#sizes[generation - 1] ?? null
    if (this.#left === null) {
      if (this.credit === 0) return false
      if (sizeBytes === null)
        intake.logUnavailable({ session: 1, generation: asGeneration(generation), fault: MISSING })
      else intake.logBegun({ session: 1, generation: asGeneration(generation), sizeBytes, logTimeMs: 0, name: 'log' })
      this.#left = sizeBytes
      if (sizeBytes === null) this.#queue.shift()
      return true
    }
    if (this.#left > 0) return this.#sendPiece(intake)
    this.#queue.shift()
    this.#left = null
    intake.logEnded(0n)
    return true
  }

  #sendPiece(intake: CopyIntake): boolean {
    if (this.credit === 0) return false
    this.credit -= 1
    const length = Math.min(PIECE_BYTES_MAX, this.#left ?? 0)
    intake.openPiece(length)
    intake.closePiece(length)
    this.#left = (this.#left ?? 0) - length
    return true
  }
}

interface World {
  readonly source: TurnSource
  readonly ended: Set<number>
  readonly failed: Set<number>
  readonly intake: CopyIntake
  /** Slots that hold bytes to be written. */
  readonly writing: Slot[]
}

function worldOf(slots: number, sizes: readonly (number | null)[]): World {
  const source = new TurnSource(sizes)
  const [ended, failed, writing] = [new Set<number>(), new Set<number>(), [] as Slot[]]
  const intake = new CopyIntake({
    // A ration uses these three of a slab.
    ration: new RoomRation(bareSlab(slots) as Slab),
    ask: (requests, pieces) => {
      const generations = requests.flatMap(({ range }) =>
        Array.from({ length: range.last - range.first + 1 }, (_, index) => range.first + index),
      )
      source.ask(generations, pieces)
    },
    cancel: () => {
      source.credit = 0
      intake.cancelled()
    },
    begin: (head): LandingLog => ({
      piece: (slot) => writing.push(slot),
      end: () => ended.add(head.generation),
      abandon: () => undefined,
    }),
    failed: (_, generation) => failed.add(generation),
  })
  source.intake = intake
  return { source, ended, failed, intake, writing }
}

const size = fc.oneof(
  { weight: 8, arbitrary: fc.constant(PIECE_BYTES_MAX) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 20 * PIECE_BYTES_MAX }) },
  { weight: 1, arbitrary: fc.constant(null) },
)

describe('a copy intake', () => {
  it('gets every log that its source has, in whatever order bytes arrive and are written', () => {
    const plan = fc.record({
      slots: fc.integer({ min: 1, max: 32 }),
      sizes: fc.array(size, { minLength: 1, maxLength: 60 }),
      turns: fc.infiniteStream(fc.nat({ max: 3 })),
    })
    fc.assert(
      fc.property(plan, ({ slots, sizes, turns }) => {
        const { source, ended, failed, intake, writing } = worldOf(slots, sizes)
        intake.connect()
        intake.want(1, { first: asGeneration(1), last: asGeneration(sizes.length) })
        for (const turn of turns) {
          const written = turn === 0 ? writing.shift() : undefined
          if (written !== undefined) intake.release(written)
          else if (!source.turn()) {
            const last = writing.shift()
            if (last === undefined) break
            intake.release(last)
          }
        }

        const present = sizes.flatMap((each, index) => (each === null ? [] : [index + 1]))
        expect([...ended].sort((a, b) => a - b)).toEqual(present)
        expect(failed.size).toBe(sizes.length - present.length)
      }),
      { numRuns: 1000 },
    )
  })

  it('sends a frame for several logs while the source has enough to do', () => {
    const sizes = Array.from({ length: 1000 }, () => PIECE_BYTES_MAX)
    const { source, ended, intake, writing } = worldOf(32, sizes)
    intake.connect()
    intake.want(1, { first: asGeneration(1), last: asGeneration(sizes.length) })
    while (ended.size < sizes.length) {
      source.turn()
      if (writing.length > 3) intake.release(writing.shift() as Slot)
    }

    expect(source.frames).toBeLessThan(sizes.length / 3)
  })
})
