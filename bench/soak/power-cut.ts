import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { runScript } from '../command.ts'
import { NUMBERED_PATTERN } from '../log-files.ts'
import { copyFigures, startCopy, startShare, untilInspected } from '../product.ts'
import { CutDisk, type CutFileSystem } from './cut-disk.ts'
import type { Plant } from './publish-victim.ts'
import { auditStore, type TrueLog } from './store-verifier.ts'
import { fillVictimLog, victimLogBytes, victimTruth } from './victim-log.ts'

/** What came of a series of cuts. */
export interface CutSeries {
  readonly what: string
  readonly cuts: number
  /** Cuts after which the auditor found something. */
  readonly caught: number
  /** What it said of the first of them. */
  readonly example: string
}

/** Logs acknowledged at most before a cut; the number changes from cut to cut. */
const LOGS_MAX = 12

/**
 * Cuts the power `cuts` times right after an acknowledgement of the publish sequence alone, in a process that does nothing
 * else: fast, and able to leave a sync out on purpose.
 */
export async function cutPublishing(
  directory: string,
  series: { fileSystem: CutFileSystem; plant: Plant; cuts: number },
): Promise<CutSeries> {
  const disk = new CutDisk(directory, series.fileSystem)
  const findings: string[][] = []
  try {
    disk.mount()
    for (let cut = 0; cut < series.cuts; cut++) {
      const store = join(disk.path, `store-${cut}`)
      const count = 1 + (cut % LOGS_MAX)
      mkdirSync(join(store, 'logs/inspector'), { recursive: true })
      // The directories were there long before; only what the victim does is in question.
      await runScript('sync -f "$1"', [store]).done
      const acknowledged = await cutAfterAcknowledgement(disk, store, { plant: series.plant, count })
      findings.push(auditStore(cutAudit(store, victimTruth(count), acknowledged)))
      rmSync(store, { recursive: true })
    }
  } finally {
    disk.close()
  }
  return summary(`publish sequence, ${series.plant}, ${series.fileSystem}`, findings)
}

async function cutAfterAcknowledgement(
  disk: CutDisk,
  store: string,
  run: { plant: Plant; count: number },
): Promise<number> {
  const program = fileURLToPath(new URL('./publish-victim.js', import.meta.url))
  const victim = spawn(process.execPath, [program, join(store, 'logs'), run.plant, String(run.count)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let acknowledged = 0
  for await (const line of victim.stdout.setEncoding('utf8')) {
    acknowledged = Number(String(line).trim().split('\n').at(-1))
    if (acknowledged >= run.count) break
  }
  if (acknowledged < run.count) throw new Error(`the victim ended after ${acknowledged} of ${run.count}`)
  disk.cut()
  const gone = victim.exitCode !== null || victim.signalCode !== null ? Promise.resolve() : once(victim, 'exit')
  victim.kill('SIGKILL')
  await gone
  disk.unmount()
  disk.mount()
  return acknowledged
}

/**
 * The same with the whole product: a source on the real disk, `ccr copy` on the disk that is cut as soon as the status says
 * that all is inspected. Then the copy starts again on what is left, and must go on by itself.
 */
export async function cutProduct(
  directory: string,
  series: { fileSystem: CutFileSystem; cuts: number },
): Promise<CutSeries> {
  const disk = new CutDisk(directory, series.fileSystem)
  const findings: string[][] = []
  try {
    disk.mount()
    for (let cut = 0; cut < series.cuts; cut++) {
      const scratch = join(directory, `cut-${cut}`)
      mkdirSync(join(scratch, 'logs'), { recursive: true })
      const store = join(disk.path, `store-${cut}`)
      findings.push(await cutCopy(disk, { scratch, store, count: 1 + (cut % LOGS_MAX) }))
      for (const path of [scratch, store]) rmSync(path, { recursive: true })
    }
  } finally {
    disk.close()
  }
  return summary(`ccr copy, ${series.fileSystem}`, findings)
}

async function cutCopy(disk: CutDisk, run: { scratch: string; store: string; count: number }): Promise<string[]> {
  const { scratch, store, count } = run
  const source = join(scratch, 'logs')
  const truth = victimTruth(count + 1)
  for (const log of truth.slice(0, count)) placeLog(source, log)
  const words = ['--format', 'numbered', '--pattern', NUMBERED_PATTERN]
  const share = await startShare(source, { arguments: words })
  const url = `${share.listen}/shares/SG1`
  try {
    const copy = await startCopy(url, store)
    await untilInspected(copy, count)
    disk.cut()
    await copy.kill()
    disk.unmount()
    disk.mount()
    const faults = auditStore({ ...cutAudit(store, truth.slice(0, count), count), sourceDirectory: source })
    return [...faults, ...(await goesOn({ url, store, source, truth }))]
  } finally {
    await share.stop()
  }
}

/** After the power is back: the copy starts, does not forget what it had acknowledged, and takes the next log. */
async function goesOn(run: {
  url: string
  store: string
  source: string
  truth: readonly TrueLog[]
}): Promise<string[]> {
  const next = run.truth[run.truth.length - 1]
  if (next === undefined) return []
  const copy = await startCopy(run.url, run.store)
  try {
    placeLog(run.source, next)
    await untilInspected(copy, next.generation)
    return auditStore({
      ...cutAudit(run.store, run.truth, next.generation),
      sourceDirectory: run.source,
      settled: true,
    })
  } catch (error) {
    return [`copy: does not go on after the cut: ${String(error)} ${JSON.stringify(await copyFigures(copy))}`]
  } finally {
    await copy.stop()
  }
}

function placeLog(directory: string, log: TrueLog): void {
  const bytes = new Uint8Array(victimLogBytes(log.generation))
  fillVictimLog(bytes, log.generation)
  writeFileSync(join(directory, log.name), bytes, { flag: 'wx' })
}

function cutAudit(store: string, truth: readonly TrueLog[], acknowledged: number): Parameters<typeof auditStore>[0] {
  return { truth, acknowledged, marked: 0, sourceDirectory: null, store, settled: false }
}

function summary(what: string, findings: readonly string[][]): CutSeries {
  const caught = findings.filter((faults) => faults.length > 0)
  return { what, cuts: findings.length, caught: caught.length, example: caught[0]?.[0] ?? '' }
}
