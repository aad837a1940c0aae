import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort, hasProgram, pause, waitUntil } from '../command.ts'
import { NUMBERED_PATTERN, numberedName } from '../log-files.ts'
import { copyFigures, postJson, type Service, type ShareService, startCopy, startShare } from '../product.ts'
import { auditStore, type TrueLog } from './store-verifier.ts'
import { fillVictimLog, victimLogBytes, victimTruth } from './victim-log.ts'

/** One error at one place. */
interface ErrnoCase {
  /** System calls, as strace names them. */
  readonly calls: string
  readonly errno: string
  /** strace's `when`: counted in each thread by itself. */
  readonly when: string
  /** Only calls on these files of the store; empty for all. A plain `write` also wakes threads and feeds sockets. */
  readonly files: readonly string[]
  /** What else happens while errors are injected, so that the calls are made. */
  readonly act: 'nothing else' | 'suspend and resume' | 'truncate'
}

/** What came of the sweep. */
export interface SweepOutcome {
  readonly cases: number
  /** Cases in which an error really was injected. */
  readonly injected: number
  readonly faults: readonly string[]
}

const ERRNOS = ['ENOSPC', 'EIO', 'EACCES', 'EROFS', 'EMFILE', 'EBUSY', 'EDQUOT'] as const
/** First call, a later one, and every one from the first on. */
const PLACES = ['1', '2', '1+'] as const
/** The calls of the publish path as Node makes them, those of truncation, and the appends to journal and event log. */
const PATHS: readonly Pick<ErrnoCase, 'calls' | 'files' | 'act'>[] = [
  { calls: 'pwrite64', files: [], act: 'nothing else' },
  { calls: 'fdatasync', files: [], act: 'nothing else' },
  { calls: 'fsync', files: [], act: 'nothing else' },
  { calls: 'link,linkat', files: [], act: 'nothing else' },
  { calls: 'unlink,unlinkat', files: [], act: 'nothing else' },
  { calls: 'unlink,unlinkat', files: [], act: 'truncate' },
  { calls: 'rename,renameat,renameat2', files: [], act: 'truncate' },
  { calls: 'open,openat', files: [], act: 'nothing else' },
  { calls: 'write,pwrite64,writev', files: ['intent.ndjson', 'events.ndjson'], act: 'suspend and resume' },
  { calls: 'fdatasync,fsync', files: ['intent.ndjson'], act: 'suspend and resume' },
]
/** Logs that arrive while errors are injected. */
const LOGS_PER_CASE = 5
const LOGS_MAX = 4_000
/** How long a case may take to go on by itself while it is hurt; then the error ends. */
const HURT_MS = 400
/** After the error has ended: by itself, then by Suspend and Resume, then by a restart. */
const BY_ITSELF_MS = 3_000
const HEALED_MS = 30_000

/** Why the sweep cannot run here, or null. */
export function sweepMissing(): string | null {
  if (!hasProgram('strace')) return "Debian's package strace is absent"
  return process.getuid?.() === 0 ? null : 'only root may trace a process that is no child'
}

/**
 * Injects each error at each place of the publish path of a running `ccr copy`, while logs arrive. No log may be acknowledged
 * that is not whole, the process must not end, and once the error is gone the copy must catch up.
 */
export async function runErrnoSweep(plan: { cases: number; tell: (text: string) => void }): Promise<SweepOutcome> {
  const chosen = spreadOver(allCases(), plan.cases)
  const bed = await makeBed()
  const faults: string[] = []
  let injected = 0
  try {
    for (const [index, one] of chosen.entries()) {
      const found = await runCase(bed, one)
      if (found.injected > 0) injected += 1
      faults.push(...found.faults.map((fault) => `${nameOf(one)}: ${fault}`))
      plan.tell(`${index + 1}/${chosen.length} ${nameOf(one)}: ${found.injected} injected, ${found.healed}`)
    }
  } finally {
    await bed.copy.kill()
    await bed.share.stop()
    rmSync(bed.directory, { recursive: true })
  }
  return { cases: chosen.length, injected, faults }
}

function allCases(): ErrnoCase[] {
  return PATHS.flatMap((path) => ERRNOS.flatMap((errno) => PLACES.map((when) => ({ ...path, errno, when }))))
}

function spreadOver(cases: readonly ErrnoCase[], wanted: number): ErrnoCase[] {
  const step = Math.max(1, Math.ceil(cases.length / Math.max(1, wanted)))
  return cases.filter((_, index) => index % step === 0)
}

function nameOf({ calls, errno, when, files, act }: ErrnoCase): string {
  const where = `${files.length === 0 ? '' : ` on ${files.join(' and ')}`}${act === 'nothing else' ? '' : ` (${act})`}`
  return `${calls.split(',')[0]}${where} ${errno} at ${when}`
}

/** The pair that is hurt, and the truth. */
interface Bed {
  readonly directory: string
  readonly source: string
  readonly store: string
  readonly truth: readonly TrueLog[]
  readonly share: ShareService
  readonly startCopy: () => Promise<Service>
  copy: Service
  placed: number
  marked: number
}

async function makeBed(): Promise<Bed> {
  const directory = mkdtempSync(join(tmpdir(), 'ccr-errno-'))
  const source = join(directory, 'source')
  const store = join(directory, 'store')
  mkdirSync(source)
  const share = await startShare(source, { arguments: ['--format', 'numbered', '--pattern', NUMBERED_PATTERN] })
  const managePort = await freePort()
  const begin = (): Promise<Service> => startCopy(`${share.listen}/shares/SG1`, store, { managePort })
  const bed = { directory, source, store, truth: victimTruth(LOGS_MAX), share, startCopy: begin, placed: 0, marked: 0 }
  const whole = { ...bed, copy: await begin() }
  place(whole)
  await caughtUp(whole, HEALED_MS)
  return whole
}

async function runCase(bed: Bed, one: ErrnoCase): Promise<{ injected: number; healed: string; faults: string[] }> {
  const trace = join(bed.directory, 'trace')
  const strace = await attach(bed, one, trace)
  place(bed)
  const faults = await act(bed, one.act)
  await caughtUp(bed, HURT_MS)
  faults.push(...(await auditNow(bed)))
  strace.kill('SIGTERM')
  await once(strace, 'exit')
  if (!bed.copy.running()) faults.push(`the copy ended (${bed.copy.exitCode()}): ${bed.copy.said().slice(-600)}`)
  const healed = await heal(bed)
  if (healed === NEVER) {
    faults.push(`does not catch up: ${JSON.stringify(await copyFigures(bed.copy))}`)
    await restart(bed)
  }
  return { injected: readFileSync(trace, 'utf8').split('INJECTED').length - 1, healed, faults }
}

/** Does what makes the calls. A suspension that was answered must be in force; one that was refused may not be. */
async function act(bed: Bed, what: ErrnoCase['act']): Promise<string[]> {
  if (what === 'suspend and resume') {
    const url = `${bed.copy.manage}/api/v1/copies/SG1`
    const { status } = await postJson(`${url}/suspend`, {}).catch(() => ({ status: 0 }))
    const figures = await copyFigures(bed.copy)
    await postJson(`${url}/resume`, {}).catch(() => undefined)
    if (status === 200 && figures?.Suspend !== true) return ['the suspension was answered and is not in force']
  }
  if (what === 'truncate') {
    bed.marked = bed.placed - LOGS_PER_CASE
    await postJson(`${bed.share.manage}/api/v1/shares/SG1/backup-mark`, { through: bed.marked })
  }
  return []
}

async function attach(bed: Bed, one: ErrnoCase, trace: string): Promise<ChildProcess> {
  const files = one.files.flatMap((name) => ['-P', join(bed.store, name)])
  const inject = `inject=${one.calls}:error=${one.errno}:when=${one.when}`
  const words = ['-f', '-e', 'signal=none', '-o', trace, ...files, '-e', `trace=${one.calls}`, '-e', inject]
  const strace = spawn('strace', [...words, '-p', String(bed.copy.pid)], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  strace.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  await waitUntil('strace is attached', () => /attached/.test(said) || strace.exitCode !== null)
  if (strace.exitCode !== null) throw new Error(`strace does not attach: ${said}`)
  return strace
}

function place(bed: Bed): void {
  for (let count = 0; count < LOGS_PER_CASE; count++) {
    bed.placed += 1
    const bytes = new Uint8Array(victimLogBytes(bed.placed))
    fillVictimLog(bytes, bed.placed)
    writeFileSync(join(bed.source, numberedName(bed.placed)), bytes, { flag: 'wx' })
  }
}

async function caughtUp(bed: Bed, limitMs: number): Promise<boolean> {
  const done = async (): Promise<boolean> => {
    if (!bed.copy.running()) return true
    const figures = await copyFigures(bed.copy)
    // Truncation has to come to its end as well.
    return figures !== null && figures.LastLogInspected >= bed.placed && figures.LowestLog > bed.marked
  }
  await waitUntil('the copy catches up', done, limitMs).catch(() => undefined)
  return bed.copy.running() && (await done())
}

/** What is acknowledged is whole, whatever has just failed. The copy stands still while it is read. */
async function auditNow(bed: Bed): Promise<string[]> {
  const acknowledged = (await copyFigures(bed.copy))?.LastLogInspected ?? 0
  if (bed.copy.running()) process.kill(bed.copy.pid, 'SIGSTOP')
  const faults = auditStore({
    truth: bed.truth.slice(0, bed.placed),
    acknowledged,
    marked: bed.marked,
    sourceDirectory: null,
    store: bed.store,
    settled: false,
  })
  if (bed.copy.running()) process.kill(bed.copy.pid, 'SIGCONT')
  return faults
}

const NEVER = 'never healed'

async function heal(bed: Bed): Promise<string> {
  if (await caughtUp(bed, BY_ITSELF_MS)) return 'healed by itself'
  if (bed.copy.running()) {
    for (const act of ['suspend', 'resume'])
      await postJson(`${bed.copy.manage}/api/v1/copies/SG1/${act}`, {}).catch(() => undefined)
    if (await caughtUp(bed, BY_ITSELF_MS)) return 'healed by Suspend and Resume'
  }
  await restart(bed)
  return (await caughtUp(bed, HEALED_MS)) ? 'healed by a restart' : NEVER
}

async function restart(bed: Bed): Promise<void> {
  await bed.copy.kill()
  await pause(0)
  bed.copy = await bed.startCopy()
}
