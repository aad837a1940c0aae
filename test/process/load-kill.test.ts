// Goal: a store that is killed under load loses nothing that it acknowledged, its copy agrees with it, and a store that did lose something
// is found out.
// Method: the node, the copy and ccr load as processes of their own; SIGKILL at random moments; ccr load --check and ccr compare after
// it. Controls set files of the store back to an earlier state.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePort, waitUntil } from '../../bench/command.ts'
import {
  type BegunCommand,
  beginCcr,
  postJson,
  readJson,
  runCcr,
  type Service,
  startCopy,
  untilLive,
} from '../../bench/product.ts'
import { spawnMailboxNode } from '../../bench/soak/mailbox-node.ts'
import { readLogHeader } from '../../engine/database/log-header.ts'
import { asGeneration } from '../../engine/generation.ts'
import { eseLogName } from '../../engine/log-format.ts'

/** Longer than a start under load, with all logs redone. */
const START_MS = 60_000
const KILLS = 3
/** Transactions between two kills. */
const TRANSACTIONS = 200

let directory: string
let ports: { readonly listenPort: number; readonly managePort: number }
let services: Service[]

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'ccr-load-kill-'))
  ports = { listenPort: await freePort(), managePort: await freePort() }
  services = []
})
afterEach(async () => {
  for (const service of services.reverse()) await service.stop()
  rmSync(directory, { recursive: true, force: true })
})

const root = () => join(directory, 'SG1')
const ledger = () => join(directory, 'sg1.ledger')

async function startNode(): Promise<Service> {
  const node = spawnMailboxNode({ root: root(), ...ports, settings: { cacheBytes: 4 * 1024 * 1024 } })
  services.push(node)
  await untilLive(node)
  return node
}

function load(...words: readonly string[]): BegunCommand {
  const server = `http://127.0.0.1:${ports.managePort}`
  return beginCcr(['load', 'SG1', '--server', server, '--ledger', ledger(), '--json', ...words])
}

const AT_WORK = ['--full-speed', '--size', '500..20K', '--mailboxes', '20', '--clients', '8']

/** Waits until a store has committed so many transactions since it was started. */
async function untilCommitted(node: Service, transactions: number): Promise<void> {
  await waitUntil(
    `${transactions} transactions are committed`,
    async () => {
      if (!node.running()) throw new Error(`the node has ended:\n${node.said()}`)
      return ((await storeStatus(node))?.transactions?.committed ?? 0) >= transactions
    },
    START_MS,
  )
}

interface StoreFigures {
  readonly state: string
  readonly openGeneration: number | null
  readonly transactions: { readonly committed: number } | null
}

async function storeStatus(node: Service): Promise<StoreFigures | null> {
  return (await readJson(`${node.manage}/api/v1/stores/SG1`)) as StoreFigures | null // its schema is tested elsewhere
}

async function check(): Promise<{ exitCode: number | null; found: Record<string, unknown> }> {
  const { exitCode, stdout, stderr } = await load('--check').done
  if (stdout === '') throw new Error(stderr)
  return { exitCode, found: JSON.parse(stdout) }
}

describe('a store under load', () => {
  it('that is killed again and again has all that it acknowledged, and its copy the same pages', {
    timeout: 120_000,
  }, async () => {
    let node = await startNode()
    const copy = await startCopy(`http://127.0.0.1:${ports.listenPort}/shares/SG1`, join(directory, 'copy'))
    services.push(copy)
    const working = load(...AT_WORK)
    for (let kill = 0; kill < KILLS; kill++) {
      await untilCommitted(node, TRANSACTIONS + Math.floor(Math.random() * TRANSACTIONS))
      await node.kill()
      node = await startNode()
    }
    await untilCommitted(node, TRANSACTIONS)
    const words = ['compare', 'SG1', '--active', node.manage, '--copy', copy.manage, '--json']
    const compared = await runCcr(words)
    working.interrupt()

    const { exitCode, stdout, stderr } = await working.done
    const { exitCode: checkExit, found } = await check()

    expect({ exitCode, stderr }).toMatchObject({ exitCode: 130, stderr: expect.stringContaining('is back after') })
    expect(JSON.parse(stdout)).toMatchObject({ faults: 0 })
    expect(JSON.parse(stdout).outages).toBeGreaterThan(0)
    expect({ checkExit, found }).toMatchObject({ checkExit: 0, found: { sound: true, findings: [] } })
    expect(found['messages']).toBeGreaterThan(100)
    expect(compared.exitCode, compared.stdout + compared.stderr).toBe(0)
    expect(JSON.parse(compared.stdout)).toMatchObject({ equal: true, differing: 0, first: null })
  })

  it('that is set back to an earlier state is found out', { timeout: 120_000 }, async () => {
    let node = await startNode()
    await load(...AT_WORK, '--count', '300').done
    await node.kill()
    const earlier = join(directory, 'earlier')
    cpSync(root(), earlier, { recursive: true })
    node = await startNode()
    await load(...AT_WORK, '--count', '300').done
    await node.kill()

    rmSync(root(), { recursive: true })
    cpSync(earlier, root(), { recursive: true })
    await startNode()
    const { exitCode, found } = await check()

    const kinds = new Set((found['findings'] as { kind: string }[]).map(({ kind }) => kind))
    expect(exitCode).toBe(3)
    expect(kinds).toContain('missing')
  })

  it('whose last closed log is an older state of it is found out', {
    timeout: 120_000,
  }, async () => {
    let node = await startNode()
    await load(...AT_WORK, '--count', '200').done
    const openLog = join(root(), 'logs', 'E00.log')
    const older = readFileSync(openLog)
    const generation = generationOf(older)
    await load(...AT_WORK, '--count', '40', '--size', '500..2K').done
    await postJson(`${node.manage}/api/v1/stores/SG1/roll`, {})
    await node.kill()
    const closedLog = join(root(), 'logs', eseLogName('E00', asGeneration(generation)))
    expect(readFileSync(closedLog).equals(older)).toBe(false)

    writeFileSync(closedLog, older)
    node = spawnMailboxNode({ root: root(), ...ports })
    services.push(node)
    const isLive = await untilLive(node).then(
      () => true,
      () => false,
    )

    // What lies in the next log decides: records that go on from what is missing make the redo fail, an empty log does not.
    if (isLive) expect(await check()).toMatchObject({ exitCode: 3, found: { sound: false } })
    else expect(node.said()).toContain('DATABASE_REJECTED')
  })
})

function generationOf(log: Uint8Array): number {
  const read = readLogHeader(log)
  if (read.verdict !== 'read') throw new Error('the open log has a header')
  return read.header.generation
}
