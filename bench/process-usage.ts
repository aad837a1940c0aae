import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/** What processes used while something was measured. */
export interface Usage {
  readonly seconds: number
  /** user + system time of all processes, their ended children included. */
  readonly cpuSeconds: number
  /** The highest sum of resident memory that was seen. */
  readonly peakBytes: number
}

/** A running measurement. */
export interface Meter {
  /** Ends it. `extraCpuSeconds` is what one-shot commands, which are gone by now, have told of themselves. */
  stop(extraCpuSeconds?: number): Usage
}

/** How often memory is looked at: short against a measure of seconds, and rare enough not to be part of it. */
const SAMPLE_MS = 50

/** Kernel ticks in a second: the unit of the times in /proc. */
const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/**
 * Begins to measure the trees below `pids` (daemons, already running). `current` names processes that come and go meanwhile:
 * their memory counts too.
 */
export function startMeter(pids: readonly number[], current: () => readonly number[] = () => []): Meter {
  const cpuBefore = cpuSecondsOf(pids)
  let peakBytes = 0
  const sample = (): void => {
    peakBytes = Math.max(peakBytes, residentBytes([...pids, ...current()].flatMap(treeBelow)))
  }
  const timer = setInterval(sample, SAMPLE_MS)
  const started = performance.now()
  return {
    stop: (extraCpuSeconds = 0) => {
      const seconds = (performance.now() - started) / 1000
      clearInterval(timer)
      sample()
      return { seconds, cpuSeconds: cpuSecondsOf(pids) - cpuBefore + extraCpuSeconds, peakBytes }
    },
  }
}

/** CPU time of the trees below `pids`, with that of children that ended and were waited for. */
export function cpuSecondsOf(pids: readonly number[]): number {
  return pids.flatMap(treeBelow).reduce((sum, pid) => sum + cpuSecondsOfStat(readProc(pid, 'stat')), 0)
}

/** CPU seconds in a line of /proc/PID/stat: fields 14 to 17, user and system, own and of ended children. */
export function cpuSecondsOfStat(stat: string): number {
  // The second field is the name in parentheses, which may hold spaces and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index] ?? 0), 0)
  return Number.isFinite(ticks) ? ticks / TICKS_PER_SECOND : 0
}

/** Resident memory of processes in bytes, shared pages counted for each. */
export function residentBytes(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + statusKiB(pid, 'VmRSS') * 1024, 0)
}

/** The highest resident memory that one live process ever had, in bytes. */
export function peakResidentBytes(pid: number): number {
  return statusKiB(pid, 'VmHWM') * 1024
}

/** A process and all that it started. */
function treeBelow(pid: number): number[] {
  const children = readProc(pid, `task/${pid}/children`).trim()
  return [pid, ...(children === '' ? [] : children.split(' ').map(Number).flatMap(treeBelow))]
}

function statusKiB(pid: number, key: string): number {
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB`, 'm').exec(readProc(pid, 'status'))?.[1] ?? 0)
}

function readProc(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, 'utf8')
  } catch {
    return '' // it has just ended
  }
}
