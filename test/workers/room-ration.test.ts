// Goal: copies behind a bounded rate get room as fast as the bytes that came before are paid for, and never more than a tenth of a second ahead;
// without a bound they get what is free.
// Method: one copy that takes what it is given, a slab of plain memory, a rate that the test sets.
import { afterEach, expect, it } from 'vitest'
import { RoomRation, type RoomTaker } from '../../workers/room-ration.ts'
import type { PacedRate } from '../../workers/shared-rate.ts'
import type { Slab, Slot } from '../../workers/slab.ts'

const MEBIBYTE = 1024 * 1024
let ration: RoomRation | null = null

afterEach(() => ration?.close())

/** A slab of so many slots, of which only their number counts. */
function slabOf(slots: number): Slab {
  const free: Slot[] = Array.from({ length: slots }, (_, address) => ({ bytes: new Uint8Array(0), address }))
  return {
    slots,
    get free() {
      return free.length
    },
    take: () => free.pop() ?? null,
    give: (slot: Slot) => void free.push(slot),
  } as unknown as Slab // a ration asks for nothing else
}

/** A copy with a use for every slot. */
class Greedy implements RoomTaker {
  readonly slots: Slot[] = []
  readonly wantsRoom = true

  get held(): number {
    return this.slots.length
  }

  takeRoom(slot: Slot): void {
    this.slots.push(slot)
  }

  tookRooms(): void {
    // nobody is told
  }
}

interface TestRate extends PacedRate {
  bytesPerSecond: number | null
  owedMs: number
  charged: number
}

function rateOf(bytesPerSecond: number | null): TestRate {
  return {
    bytesPerSecond,
    owedMs: 0,
    charged: 0,
    waitMs() {
      return this.owedMs
    },
    take: () => true,
    charge(bytes) {
      this.charged += bytes
      this.owedMs = 5
    },
  }
}

it('gives three quarters of what is there without a bound', () => {
  const [copy, rate] = [new Greedy(), rateOf(null)]
  ration = new RoomRation(slabOf(32), rate)
  ration.want(copy)

  expect(copy.held).toBe(24)
})

it.each([
  [1, 1],
  [10, 1],
  [25, 3],
  [100, 10],
])('has at most a tenth of a second on its way at %i MiB/s: %i slots', (mebibytes, most) => {
  const copy = new Greedy()
  ration = new RoomRation(slabOf(32), rateOf(mebibytes * MEBIBYTE))
  ration.want(copy)

  expect(copy.held).toBe(most)
})

it('gives the next room when the bytes before are paid for, without being asked again', async () => {
  const [copy, rate] = [new Greedy(), rateOf(MEBIBYTE)]
  ration = new RoomRation(slabOf(32), rate)
  ration.want(copy)
  ration.landed(MEBIBYTE)
  const [first] = copy.slots.splice(0)
  if (first !== undefined) ration.release(first)
  expect([copy.held, rate.charged]).toEqual([0, MEBIBYTE])

  rate.owedMs = 0
  await expect.poll(() => copy.held).toBe(1)
})
