import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cpuSecondsOfStat } from './process-usage.ts'

/** A command that runs until it is done. */
export interface RunningCommand {
  readonly pid: number
  /** CPU seconds of the command and of everything it waited for. Rejects with its stderr when it fails. */
  readonly done: Promise<number>
}

/**
 * Runs a shell script to its end and tells the CPU time it took: the shell that ran it prints its own line of /proc, in which
 * the time of its ended children stands.
 */
export function runScript(script: string, words: readonly string[] = []): RunningCommand {
  const wrapped = `{ ${script}\n}\nstatus=$?; cat /proc/$$/stat >&3; exit $status`
  const child = spawn('bash', ['-c', wrapped, 'bash', ...words], { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] })
  if (child.pid === undefined) throw new Error('bash does not start')
  return { pid: child.pid, done: outcomeOf(child, script) }
}

/** Starts a daemon; stderr is kept for the message of its failure. */
export async function startDaemon(file: string, args: readonly string[]): Promise<Daemon> {
  const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'pipe'] })
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-4000)
  })
  alive.add(child)
  child.once('exit', () => alive.delete(child))
  await once(child, 'spawn')
  const { pid } = child
  if (pid === undefined) throw new Error(`${file} has no process id`)
  return { pid, complaint: () => stderr, stop: () => stopChild(child) }
}

/** Runs a program of the system to its end while nothing else happens, and answers its exit code; null for a signal. */
export function runNow(words: readonly string[], output: 'inherit' | 'ignore' = 'ignore'): number | null {
  const [file = '', ...args] = words
  return spawnSync(file, args, { stdio: ['ignore', output, 'inherit'] }).status
}

/** As {@link runNow}; throws when the program fails. */
export function runOrThrow(...words: readonly string[]): void {
  const status = runNow(words)
  if (status !== 0) throw new Error(`failed (${status}): ${words.join(' ')}`)
}

/**
 * Runs a program of the bench with a plan, both as JSON, and answers the document that it prints. `Answer` is what the program says
 * that it prints.
 */
export async function runJsonChild<Answer>(name: string, plan: object): Promise<Answer> {
  const program = fileURLToPath(new URL(`./${name}.js`, import.meta.url))
  const child = spawn(process.execPath, [program, JSON.stringify(plan)], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
  })
  await once(child, 'close')
  if (child.exitCode !== 0) throw new Error(`${name} ended with ${child.exitCode}`)
  return JSON.parse(text) as Answer
}

/** Daemons that have not ended: none of them outlives this process, however that ends. */
const alive = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of alive) child.kill('SIGTERM')
})

/** A daemon that the bench started. */
export interface Daemon {
  readonly pid: number
  complaint(): string
  stop(): Promise<void>
}

/** How long a process gets to end by itself before it is killed. */
const STOP_MS = 10_000

/** Ends a child: politely, then not. Resolves when it is gone. */
export async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGTERM')
  const killer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await gone
  clearTimeout(killer)
}

/** Whether a program is on the search path (also where only root's has it). */
export function hasProgram(name: string): boolean {
  const places = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return places.some((place) => existsSync(join(place, name)))
}

/** Below the ports that systems give to connections by themselves (32768 on Linux): none of those takes one before it is listened on. */
const PORTS = { first: 15_000, last: 32_000 } as const

/** A TCP port of 127.0.0.1 that was free a moment ago, for daemons that cannot take port 0, or that come back at the same one. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = PORTS.first + Math.floor(Math.random() * (PORTS.last - PORTS.first))
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false)) // somebody has it: another one is tried
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    server.close()
    await once(server, 'close')
    return port
  }
}

/** Polls until `ready` answers true. A failure says what was waited for. */
export async function waitUntil(
  what: string,
  ready: () => boolean | Promise<boolean>,
  limitMs = 60_000,
  pollMs = POLL_MS,
): Promise<void> {
  const deadline = performance.now() + limitMs
  while (!(await ready())) {
    if (performance.now() > deadline) throw new Error(`gave up after ${limitMs} ms: ${what}`)
    await pause(pollMs)
  }
}

const POLL_MS = 5

/** Waits. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

async function outcomeOf(child: ChildProcess, script: string): Promise<number> {
  let stderr = ''
  let stat = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-4000)
  })
  child.stdio[3]?.on('data', (text: Buffer) => {
    stat += text.toString()
  })
  await once(child, 'close')
  if (child.exitCode !== 0) throw new Error(`failed (${child.exitCode ?? child.signalCode}): ${script}\n${stderr}`)
  return cpuSecondsOfStat(stat.trim())
}
