// Goal: a scrape shows the counters of the performance object, per storage group, as they are at that moment.
// Method: states made by the engine's own start functions, read as the text of Prometheus.
import { describe, expect, it } from 'vitest'
import { asGeneration } from '../../engine/generation.ts'
import { copyStatus } from '../../engine/replication/copy-status.ts'
import { type ReplicaState, startReplica } from '../../engine/replication/replica-state.ts'
import { startSource } from '../../engine/source/source-state.ts'
import { emptyCopyTally, type MetricsSources, serviceMetrics } from '../../src/metrics.ts'

const NOTHING: MetricsSources = { copies: () => [], shares: () => [] }

/** The samples of a scrape by name and labels. */
async function samples(sources: MetricsSources): Promise<Map<string, number>> {
  const text = await serviceMetrics(sources).text()
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  )
}

function aReplica(name: string, change: Partial<ReplicaState>): ReplicaState {
  return { ...startReplica(name), ...change }
}

describe('the metrics of seeds', () => {
  it('show the newest seed of each storage group, and none before the first', async () => {
    const seeds = () => [
      { storageGroup: 'SG1', percent: 12.5 },
      { storageGroup: 'SG2', percent: 100 },
      { storageGroup: 'SG1', percent: 99 },
    ]

    const scrape = await samples({ ...NOTHING, seeds })

    expect(scrape.get('ccr_seeding_finished_percent{storage_group="SG1"}')).toBe(12.5)
    expect(scrape.get('ccr_seeding_finished_percent{storage_group="SG2"}')).toBe(100)
    expect([...(await samples(NOTHING)).keys()].join()).not.toContain('ccr_seeding')
  })
})

describe('the metrics of a copy', () => {
  it('count its queue from what the copier was told', async () => {
    const generation = asGeneration
    const announcement = {
      lowest: generation(1),
      closedThrough: generation(12),
      generated: generation(20),
      missing: generation(13),
      truncatedBelow: generation(0),
      stream: 0,
      logTimeMs: 0,
    }
    const state = aReplica('SG1', { announcement, copied: generation(9), inspected: generation(7) })

    const scrape = await samples({
      ...NOTHING,
      copies: () => [{ status: copyStatus(state), tally: emptyCopyTally() }],
    })

    expect(scrape.get('ccr_copy_queue_length{storage_group="SG1"}')).toBe(5)
    expect(scrape.get('ccr_last_log_generated{storage_group="SG1"}')).toBe(20)
    expect(scrape.get('ccr_last_log_copy_notified{storage_group="SG1"}')).toBe(12)
    expect(scrape.get('ccr_last_log_copied{storage_group="SG1"}')).toBe(9)
    expect(scrape.get('ccr_last_log_inspected{storage_group="SG1"}')).toBe(7)
  })

  it('count what waits to be replayed, and how the batch stands', async () => {
    const generation = asGeneration
    const progress = {
      replayedThrough: generation(9),
      logTimeMs: 0,
      requiredLow: generation(6),
      requiredHigh: generation(20),
    }
    const batch = { first: generation(7), last: generation(20) }
    const database = { phase: 'open', progress, batch, trouble: null, damaged: null } as const
    const state = aReplica('SG1', { inspected: generation(30), database })

    const scrape = await samples({
      ...NOTHING,
      copies: () => [{ status: copyStatus(state), tally: emptyCopyTally() }],
    })
    const read = (name: string): number | undefined => scrape.get(`${name}{storage_group="SG1"}`)

    expect(read('ccr_last_log_replayed')).toBe(9)
    expect(read('ccr_replay_queue_length')).toBe(21)
    expect(read('ccr_last_log_replay_notified')).toBe(30)
    expect(read('ccr_replay_batch_logs')).toBe(14)
    expect(read('ccr_replay_batch_logs_complete')).toBe(3)
    expect(read('ccr_replay_batch_logs_remaining')).toBe(11)
    expect(read('ccr_lowest_required_log')).toBe(6)
  })

  it('count what arrived and what was refused, for each copy', async () => {
    const tally = { ...emptyCopyTally(), logs: 3, bytes: 300, rejections: new Map([['gap', 2]]), truncated: 4 }
    const other = emptyCopyTally()

    const scrape = await samples({
      ...NOTHING,
      copies: () => [
        { status: copyStatus(startReplica('SG1')), tally },
        { status: copyStatus(startReplica('SG2')), tally: other },
      ],
    })

    expect(scrape.get('ccr_copied_bytes_total{storage_group="SG1"}')).toBe(300)
    expect(scrape.get('ccr_copied_logs_total{storage_group="SG2"}')).toBe(0)
    expect(scrape.get('ccr_rejected_logs_total{storage_group="SG1",reason="gap"}')).toBe(2)
    expect(scrape.get('ccr_truncated_generation{storage_group="SG1"}')).toBe(4)
  })
})

describe('the metrics of a share', () => {
  it('show what is held and for whom', async () => {
    const copy = {
      copyId: 'a'.repeat(32),
      label: 'node2:/store',
      connected: true,
      report: {
        inspected: asGeneration(5),
        replayed: asGeneration(0),
        requiredLow: null,
        condition: 'running',
        stream: 0,
        sinceMs: 0,
      },
      lastReportMs: 0,
    } as const
    const options = { copiesExpected: 1, passiveGate: 'inspected' } as const
    const state = { ...startSource('SG1', options), generated: asGeneration(9), copies: [copy] }

    const scrape = await samples({ ...NOTHING, shares: () => [{ state, tally: { logs: 7, bytes: 70, seedBytes: 9 } }] })

    expect(scrape.get('ccr_share_last_log_generated{storage_group="SG1"}')).toBe(9)
    expect(scrape.get('ccr_share_directory_readable{storage_group="SG1"}')).toBe(0)
    expect(scrape.get('ccr_share_copy_inspected{storage_group="SG1",copy="node2:/store"}')).toBe(5)
    expect(scrape.get('ccr_served_bytes_total{storage_group="SG1"}')).toBe(70)
  })
})

describe('the metrics of a process', () => {
  it('show the lag of its event loop and the batches of the inspector', async () => {
    const metrics = serviceMetrics(NOTHING)
    metrics.inspectedBatch(3)

    const text = await metrics.text()

    expect(text).toContain('nodejs_eventloop_lag_p99_seconds')
    expect(text).toContain('ccr_inspected_batch_logs_bucket{le="4"} 1')
  })
})
