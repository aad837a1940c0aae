import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { SharedRate } from '../../workers/shared-rate.ts'
import { pause } from '../command.ts'
import { type Arrival, CountingRelay } from '../counting-relay.ts'
import { withThread } from '../database-contender.ts'
import { makeDatabase } from '../database-file.ts'
import type { MeasureResult, Row } from '../result.ts'
import { startSeedSource } from '../seed-source.ts'
import { spreadOf } from '../statistics.ts'
import type { BenchRun, Measure } from './measure.ts'

/** Rates that are asked for, in MB/s of 10^6 bytes. */
const RATES = [10, 50, 200] as const
/** How long each rate is watched, in milliseconds, and what is left out at its beginning. */
const WATCH_MS = 8_000
const WARM_UP_MS = 1_000
const BIN_MS = 100
/** Windows in which the bound is looked for, in milliseconds. */
const WINDOWS_MS = [100, 1_000] as const
/** From this rate to that one, to see when a change holds. */
const CHANGE = { from: 50, to: 10 } as const
/** A bin is at the new rate when it is so near to it. */
const NEAR = 0.15

/** How even a bounded seed is, counted on the wire: bodies only. */
export const SEED_THROTTLE: Measure = {
  name: 'seed-throttle',
  prepare: async (bench) => {
    bench.tell(`making a database of ${bench.options.scale.databaseMebibytes} MiB`)
    makeDatabase(databaseOf(bench), bench.options.scale.databaseMebibytes)
  },
  run: async (bench) => {
    const source = await startSeedSource(bench.directory, new Map([['SG1', databaseOf(bench)]]))
    const rows: Row[] = []
    try {
      for (const rate of RATES) {
        const errors: number[] = []
        const deviations: number[] = []
        const excesses: number[] = []
        for (let round = 0; round < bench.options.runs; round++) {
          const seen = await watched(bench, source.port, { rate, changeTo: null })
          errors.push(seen.errorPercent)
          deviations.push(seen.deviationPercent)
          excesses.push(seen.excessMs)
          bench.tell(
            `${rate} MB/s: mean off by ${seen.errorPercent.toFixed(2)} %, bins ${seen.deviationPercent.toFixed(1)} %`,
          )
        }
        rows.push(rowOf(rate, { errors, deviations, excesses }))
      }
      const changes: number[] = []
      for (let round = 0; round < bench.options.runs; round++) {
        const { changedMs } = await watched(bench, source.port, { rate: CHANGE.from, changeTo: CHANGE.to })
        changes.push(changedMs)
      }
      return resultOf(rows, changes)
    } finally {
      await source.close()
    }
  },
}

interface Seen {
  /** Of the mean against the rate. */
  readonly errorPercent: number
  /** Standard deviation of bins of {@link BIN_MS}, in per cent of the rate. */
  readonly deviationPercent: number
  /** The most that any window had beyond its share, as milliseconds of the rate. */
  readonly excessMs: number
  /** From the change until bins stay near the new rate; NaN without one. */
  readonly changedMs: number
}

async function watched(
  bench: BenchRun,
  sourcePort: number,
  { rate, changeTo }: { readonly rate: number; readonly changeTo: number | null },
): Promise<Seen> {
  const target = join(bench.directory, 'throttle-target')
  mkdirSync(target)
  const relay = await CountingRelay.to(sourcePort)
  const shared = new SharedRate()
  shared.set(rate * 1e6)
  let changedAt = Number.NaN
  let arrivals: readonly Arrival[] = []
  try {
    await withThread(async (thread) => {
      const stop = new AbortController()
      const url = `http://127.0.0.1:${relay.port}/shares/SG1`
      const query = {
        ask: 'read-seed',
        sourceUrl: url,
        session: 1,
        to: join(target, 'priv1.edb'),
        rate: shared.memory,
      } as const
      const reading = thread.ask(query, { signal: stop.signal }).catch(() => undefined) // it is cut off, or comes to its end
      await pause(changeTo === null ? WATCH_MS : WATCH_MS / 2)
      if (changeTo !== null) {
        changedAt = Number(process.hrtime.bigint()) / 1e6
        shared.set(changeTo * 1e6)
        await pause(WATCH_MS / 2)
      }
      stop.abort()
      await reading
    })
    arrivals = await relay.arrivals()
  } finally {
    await relay.close()
    rmSync(target, { recursive: true })
  }
  return seenIn(arrivals, { rate: rate * 1e6, changedAt, changeTo: (changeTo ?? 0) * 1e6 })
}

function seenIn(
  arrivals: readonly Arrival[],
  { rate, changedAt, changeTo }: { readonly rate: number; readonly changedAt: number; readonly changeTo: number },
): Seen {
  const first = arrivals[0]?.atMs ?? 0
  const last = arrivals.at(-1)?.atMs ?? 0
  const from = first + WARM_UP_MS
  const bins = binned(arrivals, { from, to: last, binMs: BIN_MS })
  const mean = bins.reduce((sum, bytes) => sum + bytes, 0) / bins.length
  const variance = bins.reduce((sum, bytes) => sum + (bytes - mean) ** 2, 0) / bins.length
  const share = (rate * BIN_MS) / 1_000
  const fine = binned(arrivals, { from: first, to: last, binMs: 10 })
  const excesses = WINDOWS_MS.map((windowMs) => mostIn(fine, windowMs / 10) - (rate * windowMs) / 1_000)
  return {
    errorPercent: ((mean - share) / share) * 100,
    deviationPercent: (Math.sqrt(variance) / share) * 100,
    excessMs: (Math.max(...excesses) / rate) * 1_000,
    changedMs: Number.isNaN(changedAt) ? Number.NaN : timeToChange(arrivals, { changedAt, changeTo }),
  }
}

/** Until the first bin behind the last one that is not near the new rate. */
function timeToChange(
  arrivals: readonly Arrival[],
  { changedAt, changeTo }: { changedAt: number; changeTo: number },
): number {
  const bins = binned(arrivals, { from: changedAt, to: arrivals.at(-1)?.atMs ?? changedAt, binMs: BIN_MS })
  const share = (changeTo * BIN_MS) / 1_000
  const off = bins.findLastIndex((bytes, index) => index < bins.length / 2 && Math.abs(bytes - share) > share * NEAR)
  return (off + 1) * BIN_MS
}

function binned(
  arrivals: readonly Arrival[],
  { from, to, binMs }: { from: number; to: number; binMs: number },
): number[] {
  const bins = new Array<number>(Math.max(1, Math.floor((to - from) / binMs))).fill(0)
  for (const { atMs, bytes } of arrivals) {
    const index = Math.floor((atMs - from) / binMs)
    if (index >= 0 && index < bins.length) bins[index] = (bins[index] ?? 0) + bytes
  }
  return bins
}

function mostIn(bins: readonly number[], window: number): number {
  let sum = 0
  let most = 0
  bins.forEach((bytes, index) => {
    sum += bytes - (bins[index - window] ?? 0)
    most = Math.max(most, sum)
  })
  return most
}

function databaseOf({ directory }: BenchRun): string {
  return join(directory, 'throttle-source', 'priv1.edb')
}

function rowOf(rate: number, seen: { errors: number[]; deviations: number[]; excesses: number[] }): Row {
  return {
    contender: `${rate} MB/s`,
    columns: {
      'mean off by %': spreadOf(seen.errors),
      'sd of 100 ms bins, % of the rate': spreadOf(seen.deviations),
      'most beyond a window, ms of the rate': spreadOf(seen.excesses),
    },
    raw: { 'mean off by %': seen.errors, deviation: seen.deviations, excess: seen.excesses },
  }
}

function resultOf(rows: readonly Row[], changes: readonly number[]): MeasureResult {
  return {
    name: 'seed-throttle',
    title: 'Seed at a bounded rate',
    method: `Bodies of answers, counted by a relay in a process of its own between source and copy over ${WATCH_MS / 1_000} s each, the first second left out for the mean. Windows of ${WINDOWS_MS.join(' and ')} ms.`,
    rows,
    ratios: [
      {
        what: `ms until ${CHANGE.from} MB/s have become ${CHANGE.to}`,
        spread: spreadOf(changes),
        target: '≤ 500, then 200',
      },
    ],
    notes: [
      'To reach: mean off by ≤ 0.3 %, then 0.1 %; standard deviation ≤ 3 %, then 0.8 %; no window beyond its share by more than one burst (50 ms and one piece).',
    ],
  }
}
