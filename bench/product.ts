import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Agent, request } from 'undici'
import type { CopyStatusDocument } from '../transport/management-documents.ts'
import { freePort, stopChild, waitUntil } from './command.ts'

/** The built command line program. */
export const CCR_BIN: string = fileURLToPath(new URL('../dist/src/bin.js', import.meta.url)).replace(
  '/dist/dist/',
  '/dist/',
)

/** A `ccr share` or `ccr copy` that runs as a process of its own. */
export interface Service {
  readonly pid: number
  /** Address of its management API, `http://127.0.0.1:PORT`. */
  readonly manage: string
  /** The last 16 KB of what it said. */
  said(): string
  /** Its exit code, or null while it runs or when a signal ended it. */
  exitCode(): number | null
  running(): boolean
  /** Resolves when it has ended. */
  readonly ended: Promise<void>
  /** Ends it at once, as a power cut of the process. */
  kill(): Promise<void>
  stop(): Promise<void>
}

/** A running source. */
export interface ShareService extends Service {
  /** Address of its replication listener, `http://127.0.0.1:PORT`. */
  readonly listen: string
}

/** What the measurements and the tests read of a copy's status. */
export type CopyFigures = Pick<
  CopyStatusDocument,
  | 'SummaryCopyStatus'
  | 'FailedMessage'
  | 'LastLogGenerated'
  | 'LastLogCopied'
  | 'LastLogInspected'
  | 'LastLogReplayed'
  | 'LowestRequiredLog'
  | 'Failed'
  | 'CopyQueueLength'
  | 'LowestLog'
  | 'SourceConnected'
  | 'Suspend'
>

/** How a service is started, besides its own words. */
export interface StartOptions {
  readonly arguments?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  /** Words that come before `node`, such as those of strace. */
  readonly wrapper?: readonly string[]
  /** Ports to take again after a restart. */
  readonly listenPort?: number
  readonly managePort?: number
}

/** Starts `ccr share` and waits until it answers. */
export async function startShare(directory: string, options: StartOptions = {}): Promise<ShareService> {
  const share = await spawnShare(directory, options)
  await untilLive(share)
  return share
}

/** Starts `ccr share` without waiting. */
export async function spawnShare(directory: string, options: StartOptions = {}): Promise<ShareService> {
  const listenPort = options.listenPort ?? (await freePort())
  const managePort = options.managePort ?? (await freePort())
  const addresses = ['--listen', `127.0.0.1:${listenPort}`, '--manage', `127.0.0.1:${managePort}`]
  const service = spawnService(['share', directory, ...addresses], options, managePort)
  return { ...service, listen: `http://127.0.0.1:${listenPort}` }
}

/** Starts `ccr copy` and waits until it answers. */
export async function startCopy(url: string, store: string, options: StartOptions = {}): Promise<Service> {
  const copy = await spawnCopy(url, store, options)
  await untilLive(copy)
  return copy
}

/** Starts `ccr copy` without waiting. */
export async function spawnCopy(url: string, store: string, options: StartOptions = {}): Promise<Service> {
  const managePort = options.managePort ?? (await freePort())
  return spawnService(['copy', url, store, '--manage', `127.0.0.1:${managePort}`], options, managePort)
}

/** Starts `ccr node` without waiting; the configuration names its ports. */
export function spawnNode(
  config: string,
  name: string,
  options: StartOptions & { readonly managePort: number },
): Service {
  return spawnService(['node', '--config', config, '--name', name], options, options.managePort)
}

/** Waits until a service's management API answers. Fails at once when the service has ended. */
export async function untilLive(service: Service): Promise<void> {
  await waitUntil(`the service answers at ${service.manage}`, async () => {
    if (!service.running()) throw new Error(`the service ended (${service.exitCode()}):\n${service.said()}`)
    return (await readJson(`${service.manage}/livez`)) !== null
  })
}

/** Status of one storage group, or null while the copy does not answer or does not know it. */
export async function copyFigures(copy: Service, storageGroup = 'SG1'): Promise<CopyFigures | null> {
  // The API's own schema is tested elsewhere; a wrong shape shows here as undefined figures, which no wait accepts.
  return (await readJson(`${copy.manage}/api/v1/copies/${encodeURIComponent(storageGroup)}`)) as CopyFigures | null
}

/** Waits until a copy has inspected everything through `generation`. */
export async function untilInspected(
  copy: Service,
  generation: number,
  limitMs = 60_000,
  pollMs?: number,
): Promise<void> {
  let last: CopyFigures | null = null
  const reached = async (): Promise<boolean> => {
    if (!copy.running()) throw new Error(`the copy ended:\n${copy.said()}`)
    last = (await copyFigures(copy)) ?? last
    return last !== null && last.LastLogInspected >= generation
  }
  await waitUntil(`generation ${generation} is inspected`, reached, limitMs, pollMs).catch((cause: unknown) => {
    throw new Error(`${String(cause)}; last status ${JSON.stringify(last)}\n${copy.said()}`)
  })
}

/** GETs a JSON document; null when nobody answers or the answer is no success. */
export async function readJson(url: string): Promise<unknown> {
  try {
    const { statusCode, body } = await request(url, { dispatcher: connections() })
    const text = await body.text()
    return statusCode === 200 ? (JSON.parse(text) as unknown) : null
  } catch {
    return null
  }
}

/** POSTs a JSON document and answers status and body. */
export async function postJson(url: string, document: object): Promise<{ status: number; body: unknown }> {
  const { statusCode, body } = await request(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(document),
    dispatcher: connections(),
  })
  const text = await body.text()
  return { status: statusCode, body: text === '' ? null : (JSON.parse(text) as unknown) }
}

/** Runs `ccr` to its end. */
export function runCcr(words: readonly string[], options: StartOptions = {}): Promise<FinishedCommand> {
  return beginCcr(words, options).done
}

/** Begins to run `ccr`. */
export function beginCcr(words: readonly string[], options: StartOptions = {}): BegunCommand {
  const child = spawnCcr(words, options)
  alive.add(child)
  child.once('exit', () => alive.delete(child))
  let stdout = ''
  let stderr = ''
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  const done = once(child, 'close').then(() => ({ exitCode: child.exitCode, stdout, stderr }))
  return { done, interrupt: () => void child.kill('SIGINT'), kill: () => void child.kill('SIGKILL') }
}

/** A command that was begun. */
export interface BegunCommand {
  /** Resolves when it has ended. */
  readonly done: Promise<FinishedCommand>
  /** As Ctrl-C. */
  readonly interrupt: () => void
  /** Ends it at once. */
  readonly kill: () => void
}

/** What came of a command. */
export interface FinishedCommand {
  /** Null when a signal ended it. */
  readonly exitCode: number | null
  readonly stdout: string
  readonly stderr: string
}

const SAID_CHARACTERS_MAX = 16_384
/** Idle connections end sooner than this process does. */
const KEEP_ALIVE_MS = 1_000

let agent: Agent | null = null
function connections(): Agent {
  agent ??= new Agent({ keepAliveTimeout: KEEP_ALIVE_MS, connections: 4, headersTimeout: 10_000 })
  return agent
}

function spawnCcr(words: readonly string[], options: StartOptions): ChildProcess {
  if (!existsSync(CCR_BIN)) throw new Error(`${CCR_BIN} is not built: npm run build`)
  const [file = '', ...rest] = [
    ...(options.wrapper ?? []),
    process.execPath,
    CCR_BIN,
    ...words,
    ...(options.arguments ?? []),
  ]
  return spawn(file, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, NO_COLOR: '1', ...options.environment },
  })
}

function spawnService(words: readonly string[], options: StartOptions, managePort: number): Service {
  return serviceOf(spawnCcr(words, options), managePort)
}

/** Services that were started and have not ended: none of them outlives this process, however that ends. */
const alive = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of alive) child.kill('SIGKILL')
})

/** A child process with a management API as a service. */
export function serviceOf(child: ChildProcess, managePort: number): Service {
  alive.add(child)
  child.once('exit', () => alive.delete(child))
  let said = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-SAID_CHARACTERS_MAX)
    })
  const running = (): boolean => child.exitCode === null && child.signalCode === null
  return {
    pid: child.pid ?? 0,
    manage: `http://127.0.0.1:${managePort}`,
    said: () => said,
    exitCode: () => child.exitCode,
    running,
    ended: once(child, 'exit').then(() => undefined),
    kill: async () => {
      if (!running()) return
      const gone = once(child, 'exit')
      child.kill('SIGKILL')
      await gone
    },
    stop: () => stopChild(child),
  }
}
