import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { beginStream, type LogStream, nextInStream } from '../engine/database/log-stream.ts'
import { logTimeAt } from '../engine/database/log-time.ts'
import { composeLog } from '../engine/database/log-writer.ts'
import { emptyFiles, makeFastDirectory } from './freed-inodes.ts'
import { benchLogName, type PipelineJob, type PipelineNews, type WriteJob } from './pipeline-child.ts'

/**
 * Measures the hot path alone: share worker and copy worker in two processes over loopback, driven by a window and nothing else.
 * Prints MB/s, CPU seconds per GB of both sides and peak RSS per round, with `cp` + `sync -f` in the same rounds when asked (the
 * full comparison is the bench's). `--latency` measures the time from rename to inspected at a steady rate instead.
 */
const { values: options } = parseArgs({
  options: {
    logs: { type: 'string', default: '500' },
    rounds: { type: 'string', default: '3' },
    window: { type: 'string', default: '24' },
    slots: { type: 'string', default: '32' },
    threads: { type: 'string', default: '8' },
    directory: { type: 'string', default: '/var/tmp' },
    peers: { type: 'boolean', default: false },
    latency: { type: 'string' },
    'memory-mb': { type: 'string', default: '1024' },
  },
})

const LOG_BYTES = 1_048_576
const logs = Number(options.logs)

/** What one run took. */
interface Measured {
  readonly who: string
  readonly megabytesPerSecond: number
  readonly cpuSecondsPerGigabyte: number
  readonly note: string
}

async function main(): Promise<void> {
  const top = mkdtempSync(join(options.directory, 'ccr-bench-'))
  try {
    const root = await makeFastDirectory(top, console.error)
    const source = join(root, 'source')
    mkdirSync(source)
    writeSource(source)
    joinMemoryGroup(root)
    if (options.latency !== undefined) await measureLatency(source, root)
    else for (let round = 1; round <= Number(options.rounds); round++) await measureRound(round, source, root)
  } finally {
    rmSync(top, { recursive: true, force: true })
  }
}

async function measureRound(round: number, source: string, root: string): Promise<void> {
  const results = [await measurePipeline(source, root)]
  if (options.peers) results.push(measureCopy(source, root))
  for (const { who, megabytesPerSecond, cpuSecondsPerGigabyte, note } of results)
    console.log(
      `round ${round}  ${who.padEnd(24)} ${megabytesPerSecond.toFixed(0).padStart(6)} MB/s  ${cpuSecondsPerGigabyte.toFixed(2)} CPU s/GB  ${note}`,
    )
}

function writeSource(directory: string): void {
  let stream: LogStream = beginStream({ random: 7, createTime: logTimeAt(1_780_000_000_000), computer: '' })
  const target = new Uint8Array(LOG_BYTES)
  for (let generation = 1; generation <= logs; generation++) {
    if (generation > 1) stream = nextInStream(stream, logTimeAt(1_780_000_000_000 + generation * 1000))
    writeFileSync(join(directory, benchLogName(generation)), composeLog({ ...stream, seed: generation, target }))
  }
  execFileSync('sync', ['-f', directory])
}

/** The steady state of a server: a page cache that is full (cgroup v1 as on the machines that this was written on). */
function joinMemoryGroup(root: string): void {
  const group = '/sys/fs/cgroup/memory/ccr-catch-up'
  try {
    mkdirSync(group, { recursive: true })
    writeFileSync(join(group, 'memory.limit_in_bytes'), String(Number(options['memory-mb']) * LOG_BYTES))
    writeFileSync(join(group, 'cgroup.procs'), String(process.pid))
  } catch {
    console.log('note: no memory cgroup; the first round measures a growing page cache')
    return
  }
  const filler = join(root, 'filler')
  const bytes = new Uint8Array(LOG_BYTES)
  for (let index = 0; index < Number(options['memory-mb']); index++) writeFileSync(filler, bytes, { flag: 'a' })
}

/** A child and the news it tells. */
class Side {
  readonly child: ChildProcess
  readonly #news: PipelineNews[] = []
  #wake: () => void = () => undefined

  constructor(job: PipelineJob) {
    const file = fileURLToPath(
      new URL(import.meta.url.endsWith('.ts') ? './pipeline-child.ts' : './pipeline-child.js', import.meta.url),
    )
    this.child = fork(file, ['child'], { env: { ...process.env, UV_THREADPOOL_SIZE: options.threads } })
    this.child.on('message', (news: PipelineNews) => {
      if (news.kind === 'failed') console.log(`failed: ${news.message}`)
      this.#news.push(news)
      this.#wake()
    })
    this.child.send(job)
  }

  /** The first news of a kind that also meets `isThere`. */
  async next<Kind extends PipelineNews['kind']>(
    kind: Kind,
    isThere: (news: Extract<PipelineNews, { kind: Kind }>) => boolean = () => true,
  ): Promise<Extract<PipelineNews, { kind: Kind }>> {
    for (;;) {
      for (const news of this.#news) {
        // The kind was compared, which is all that tells the members of the union apart.
        if (news.kind === kind && isThere(news as Extract<PipelineNews, { kind: Kind }>))
          return news as Extract<PipelineNews, { kind: Kind }>
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  all<Kind extends PipelineNews['kind']>(kind: Kind): Extract<PipelineNews, { kind: Kind }>[] {
    // As above.
    return this.#news.filter((news) => news.kind === kind) as Extract<PipelineNews, { kind: Kind }>[]
  }
}

async function startPipeline(source: string, store: string, closed: number): Promise<{ share: Side; copy: Side }> {
  mkdirSync(join(store, 'inspector'), { recursive: true })
  const share = new Side({ role: 'share', directory: source, logs: closed, slots: 16 })
  const { port } = await share.next('listening')
  const slots = Number(options.slots)
  const copy = new Side({ role: 'copy', port, store, logs: closed, window: Number(options.window), slots })
  return { share, copy }
}

async function endPipeline({
  share,
  copy,
}: {
  share: Side
  copy: Side
}): Promise<{ cpu: string; total: number; rss: string }> {
  copy.child.send('end')
  share.child.send('end')
  const ends = [await share.next('done'), await copy.next('done')] as const
  await Promise.all([share, copy].map(({ child }) => new Promise((resolve) => child.once('exit', resolve))))
  const total = ends.reduce((sum, { userSeconds, systemSeconds }) => sum + userSeconds + systemSeconds, 0)
  const cpu = ends
    .map(({ userSeconds, systemSeconds }) => `${userSeconds.toFixed(2)} user ${systemSeconds.toFixed(2)} sys`)
    .join(' + ')
  return { cpu, total, rss: ends.map(({ rssMb }) => rssMb.toFixed(0)).join(' + ') }
}

async function measurePipeline(source: string, root: string): Promise<Measured> {
  const store = mkdtempSync(join(root, 'copy-'))
  const sides = await startPipeline(source, store, logs)
  const started = await sides.copy.next('started')
  const ended = await sides.copy.next('inspected', ({ last }) => last === logs)
  const { cpu, total, rss } = await endPipeline(sides)
  emptyFiles(store)
  const gigabytes = (logs * LOG_BYTES) / 1e9
  return {
    who: 'share + copy workers',
    megabytesPerSecond: (gigabytes * 1000) / ((ended.atMs - started.atMs) / 1000),
    cpuSecondsPerGigabyte: total / gigabytes,
    note: `CPU ${cpu} s, peak RSS ${rss} MB`,
  }
}

function measureCopy(source: string, root: string): Measured {
  const store = mkdtempSync(join(root, 'cp-'))
  return timed(
    'cp + sync -f',
    () => execFileSync('sh', ['-c', `cp ${source}/*.log ${store} && sync -f ${store}`]),
    store,
  )
}

function timed(who: string, act: () => unknown, store: string): Measured {
  const begun = performance.now()
  act()
  const seconds = (performance.now() - begun) / 1000
  emptyFiles(store)
  return {
    who,
    megabytesPerSecond: (logs * LOG_BYTES) / 1e6 / seconds,
    cpuSecondsPerGigabyte: Number.NaN,
    note: '',
  }
}

async function measureLatency(source: string, root: string): Promise<void> {
  const perSecond = Number(options.latency)
  const sides = await startPipeline(source, mkdtempSync(join(root, 'copy-')), logs)
  await sides.copy.next('inspected', ({ last }) => last === logs)
  const count = perSecond * 20
  const job: WriteJob = { first: logs + 1, count, perSecond }
  sides.share.child.send(job)
  await sides.copy.next('inspected', ({ last }) => last === logs + count)
  const inspected = sides.copy.all('inspected')
  const delays = sides.share.all('renamed').map(({ generation, atMs }) => {
    const when = inspected.find(({ last }) => last >= generation)
    return (when?.atMs ?? Number.NaN) - atMs
  })
  await endPipeline(sides)
  delays.sort((a, b) => a - b)
  const at = (share: number): string => (delays[Math.floor(delays.length * share)] ?? Number.NaN).toFixed(2)
  console.log(`${perSecond} logs/s: p50 ${at(0.5)} ms, p90 ${at(0.9)} ms, p99 ${at(0.99)} ms, worst ${at(0.9999)} ms`)
}

await main()
