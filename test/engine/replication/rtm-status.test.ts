// Goal: what the status of RTM hides, and that SP1 hides nothing in the same situation.
// Method: the same facts to a copy of each release that holds logs 1 to 5 and has replayed them.
import { describe, expect, it } from 'vitest'
import { copyStatus } from '../../../engine/replication/copy-status.ts'
import { aCopiedLog, aFault, announcing } from './build.ts'
import { atWork, Bench, RELEASES, type Told } from './release-bench.ts'

describe('an idle copy', () => {
  const vanished: Told = { kind: 'store-failed', fault: aFault('DIRECTORY_MISSING') }

  it('is Failed with SP1 as soon as something is wrong', () => {
    expect(atWork('sp1').tell(vanished).summary).toBe('Failed')
  })

  it('is Healthy with RTM until there is a log to be replayed', () => {
    const bench = atWork('rtm').tell(vanished)
    const idle = copyStatus(bench.state)
    const busy = copyStatus(bench.announce(announcing(1, 6)).state)

    expect(idle).toMatchObject({ summary: 'Healthy', failed: false, failedMessage: '' })
    expect(idle.remark).toBe('RTM shows no failure of an idle copy: it was DIRECTORY_MISSING')
    expect(busy).toMatchObject({ summary: 'Failed', failedMessage: 'it was DIRECTORY_MISSING', remark: '' })
  })

  it('tells its source the truth with either', () => {
    for (const release of RELEASES) {
      const { orders } = atWork(release).tell(vanished)
      expect(orders.at(-1)).toMatchObject({ kind: 'report-progress', report: { condition: 'failed' } })
    }
  })

  it.each(RELEASES)('is Failed with %s when its source cannot be reached', (release) => {
    expect(atWork(release).tell({ kind: 'source-lost', fault: aFault('NODE_UNREACHABLE') }).summary).toBe('Failed')
  })

  it('is Suspended with RTM when it failed before, and seeded when it is seeded', () => {
    const bench = atWork('rtm').tell(vanished).tell({ kind: 'operator-suspended', requestId: 1, comment: '' })
    const suspended = bench.summary
    bench.tell({ kind: 'operator-began-seed', requestId: 2 })

    expect([suspended, bench.summary]).toEqual(['Suspended', 'Seeding'])
  })
})

describe('initialising', () => {
  it.each([
    ['sp1', ['Initializing', 'Resynchronizing', 'Initializing']],
    ['rtm', ['Healthy', 'Healthy', 'Healthy']],
  ] as const)('is told by %s as %s', (release, told) => {
    const bench = atWork(release).tell({ kind: 'operator-suspended', requestId: 1, comment: null })
    const looking = bench.tell({ kind: 'operator-resumed', requestId: 2 }).summary
    const log = aCopiedLog(5)
    bench.check(5).tell({ kind: 'log-copied', log }).tell({ kind: 'log-matched', log, isSame: true })

    expect([new Bench(release).summary, looking, bench.summary]).toEqual(told)
    expect(bench.remark).toBe(release === 'sp1' ? '' : 'RTM does not say that no log was inspected since the start')
    const { initializing, resynchronizing } = copyStatus(bench.state)
    expect([initializing, resynchronizing]).toEqual([release === 'sp1', false])
  })
})

describe('LastLogGenerated', () => {
  it.each([
    ['sp1', 9, 4],
    ['rtm', 5, 0],
  ] as const)(
    'of %s is %i while the source is away, the copy queue %i',
    (release, lastLogGenerated, copyQueueLength) => {
      const bench = atWork(release)
        .tell({ kind: 'operator-suspended', requestId: 1, comment: null })
        .announce(announcing(1, 9))
      const heard = copyStatus(bench.state)
      const away = copyStatus(bench.tell({ kind: 'source-lost', fault: aFault('NODE_UNREACHABLE') }).state)

      expect(heard).toMatchObject({ lastLogGenerated: 9, copyQueueLength: 4 })
      expect(away).toMatchObject({ lastLogGenerated, copyQueueLength })
      expect(away.remark).toBe(release === 'sp1' ? '' : 'RTM has forgotten that its source has closed log 00000009')
    },
  )
})
