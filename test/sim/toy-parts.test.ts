// Goal: the parts of the toy world keep the contracts of what they stand for: the queue, the directory, the order queue, the link.
// Method: properties against dumb twins, and small cases for the power cut.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { asGeneration } from '../../engine/generation.ts'
import { listedChoices } from '../../sim/choices.ts'
import { EventQueue } from '../../sim/event-queue.ts'
import { OrderQueue } from '../../sim/order-queue.ts'
import { ToyDirectory } from '../../sim/toy-directory.ts'
import { DAMAGES, damagedLog, trueLog } from '../../sim/toy-log.ts'

const inode = (generation: number, isSynced = true) => ({ log: trueLog(asGeneration(generation), 1), isSynced })

describe('the event queue', () => {
  it('gives out what was planned by time, then by order of planning', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 20 }), { maxLength: 200 }), (times) => {
        const queue = new EventQueue()
        const told: number[] = []
        for (const [index, atMs] of times.entries()) queue.add(atMs, () => void told.push(index))
        for (let next = queue.pop(); next !== undefined; next = queue.pop()) next.happen()

        expect(told).toEqual(times.map((_, index) => index).sort((a, b) => (times[a] ?? 0) - (times[b] ?? 0) || a - b))
      }),
    )
  })
})

describe('a toy directory', () => {
  it('loses at a power cut the names that no sync has reached, newest first', () => {
    const directory = new ToyDirectory<number>()
    directory.link(1, inode(1))
    directory.sync()
    directory.link(2, inode(2))
    directory.link(3, inode(3))
    directory.losePower(listedChoices([1]), 'prefix')

    expect(directory.sortedNames()).toEqual([1, 2])
  })

  it('may lose any of them where the file system keeps no order', () => {
    const directory = new ToyDirectory<number>()
    directory.link(1, inode(1))
    directory.link(2, inode(2))
    directory.losePower(listedChoices([1, 0]), 'any')

    expect(directory.sortedNames()).toEqual([2])
  })

  it('may bring back what was deleted and not synced', () => {
    const directory = new ToyDirectory<number>()
    directory.place(1, inode(1).log)
    directory.unlink(1)
    directory.losePower(listedChoices([1]), 'prefix')

    expect(directory.sortedNames()).toEqual([1])
  })

  it('tears the content that was not synced', () => {
    const directory = new ToyDirectory<number>()
    directory.link(1, inode(1, false))
    directory.sync()
    directory.losePower(listedChoices([]), 'prefix')

    expect(directory.get(1)?.log.damage?.reason).toBe('bad-size')
  })
})

describe('a damaged log', () => {
  it('never equals the true one, and no damage equals another', () => {
    const log = trueLog(asGeneration(5), 1)
    const all = [log, ...DAMAGES.map((damage) => damagedLog(log, damage))]

    expect(new Set(all.map((one) => JSON.stringify(one))).size).toBe(all.length)
  })
})

describe('the order queue', () => {
  it('holds later orders back while an awaited one is under way, and forgets them when the process dies', () => {
    const begun: string[] = []
    let done = (): void => {}
    const queue = new OrderQueue<string>((order, finished) => {
      begun.push(order)
      done = finished
      return order.startsWith('await') ? 'awaited' : 'begun'
    })
    queue.give(['a', 'await b', 'c'])
    const whileAwaiting = [...begun]
    done()
    queue.give(['await d', 'e'])
    const oldDone = done
    queue.clear()
    oldDone()

    expect(whileAwaiting).toEqual(['a', 'await b'])
    expect(begun).toEqual(['a', 'await b', 'c', 'await d'])
    expect(queue.isIdle).toBe(true)
  })
})
