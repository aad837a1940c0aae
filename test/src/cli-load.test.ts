// Goal: ccr load keeps what a store acknowledged apart from what is in doubt, goes on where it was, and finds what a store lost.
// Method: command lines inside this process against a fake store, which cuts requests off and has its messages changed.
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { messageContent } from '../../engine/database/message-content.ts'
import { type CliOutcome, ccr, temporaryDirectory } from './cli-harness.ts'
import { FakeStore } from './fake-store.ts'
import { aStatus, copiesPort, managementApi } from './management-fixture.ts'

const SMALL = ['--size', '64..300', '--mailboxes', '6', '--clients', '3', '--full-speed']

function load(store: FakeStore, ...words: readonly string[]): Promise<CliOutcome> {
  return ccr(['load', 'SG1', '--server', store.url, '--json', ...SMALL, ...words])
}

/** A ledger and its check, on a store. */
async function checked(
  store: FakeStore,
  ledger: string,
): Promise<{ exitCode: number; found: Record<string, unknown> }> {
  const { exitCode, stdout } = await ccr([
    'load',
    'SG1',
    '--check',
    '--ledger',
    ledger,
    '--server',
    store.url,
    '--json',
  ])
  return { exitCode, found: JSON.parse(stdout) }
}

function aLedgerPath(): string {
  return join(temporaryDirectory(), 'sg1.ledger')
}

describe('ccr load', () => {
  it('does as many actions as it was told, and a check finds nothing', async () => {
    const store = await new FakeStore().start()
    const ledger = aLedgerPath()

    const { exitCode, stdout } = await load(store, '--count', '400', '--seed', '7', '--ledger', ledger)
    const summary = JSON.parse(stdout)
    const { exitCode: checkExit, found } = await checked(store, ledger)

    expect(exitCode).toBe(0)
    const { delivered, replaced, deleted, read } = summary
    expect(delivered + replaced + deleted + read).toBe(400)
    expect(Math.min(delivered, replaced, deleted, read)).toBeGreaterThan(0)
    expect(summary).toMatchObject({ storageGroup: 'SG1', seed: 7, mailboxes: 6, inDoubt: 0, faults: 0, refused: {} })
    expect(summary.commitMs.p99).toBeGreaterThanOrEqual(summary.commitMs.p50)
    expect(summary.lastGeneration).toBeGreaterThanOrEqual(summary.firstGeneration)
    expect(checkExit).toBe(0)
    expect(found).toMatchObject({ sound: true, messages: delivered - deleted, faults: 0 })
    expect(store.messages.size).toBe(delivered - deleted)
  })

  it('does the same again by the same seed on an empty store', async () => {
    const [one, other] = [await new FakeStore().start(), await new FakeStore().start()]
    const words = ['--count', '200', '--seed', '7', '--clients', '1']

    await load(one, ...words)
    await load(other, ...words)

    expect([...other.messages]).toEqual([...one.messages])
  })

  it('goes on with its ledger, where it had stopped', async () => {
    const store = await new FakeStore().start()
    const ledger = aLedgerPath()

    await load(store, '--count', '150', '--ledger', ledger)
    const again = await load(store, '--count', '150', '--ledger', ledger)

    expect(JSON.parse(again.stdout)).toMatchObject({ faults: 0, refused: {} })
    expect(await checked(store, ledger)).toMatchObject({ exitCode: 0, found: { messages: store.messages.size } })
  })

  it('without a ledger goes on behind the messages of its seed', async () => {
    const store = await new FakeStore().start()

    await load(store, '--count', '150', '--seed', '3')
    const kept = store.messages.size
    const again = await load(store, '--count', '150', '--seed', '3')

    const { delivered, deleted, faults, refused } = JSON.parse(again.stdout)
    expect({ faults, refused }).toEqual({ faults: 0, refused: {} })
    expect(store.messages.size).toBe(kept + delivered - deleted)
  })

  it.each(['before', 'behind'] as const)('holds in doubt what is cut off %s the commit, and goes on', async (when) => {
    const store = await new FakeStore().start()
    const ledger = aLedgerPath()
    store.interrupt = (request) => (request % 9 === 0 ? when : 'none')

    const { exitCode, stdout } = await load(store, '--count', '200', '--ledger', ledger)

    expect(exitCode).toBe(0)
    expect(JSON.parse(stdout).inDoubt).toBeGreaterThan(0)
    const { found } = await checked(store, ledger)
    expect(found).toMatchObject({ sound: true, inDoubt: JSON.parse(stdout).inDoubt, faults: 0 })
  })

  it('waits for a store that recovers, and says so', async () => {
    const store = await new FakeStore().start()
    store.states = ['running', ...Array<string>(5).fill('recovering'), 'running']

    const { exitCode, stdout, stderr } = await load(store, '--count', '20')

    expect({ exitCode, outages: JSON.parse(stdout).outages }).toEqual({ exitCode: 0, outages: 1 })
    expect(stderr).toMatch(/waiting for the store: the store of SG1 is recovering\n.*is back after/)
  })

  it('gives up on a store that stays away longer than its patience', async () => {
    const store = await new FakeStore().start()
    store.states = ['failed']

    const { exitCode, stderr } = await load(store, '--count', '20', '--patience', '1ms')

    expect(exitCode).toBe(5)
    expect(JSON.parse(stderr.slice(stderr.indexOf('{')))).toMatchObject({ code: 'WAIT_TIMED_OUT' })
  })

  it('counts refusals by their code, and ends with 3 where one shows a loss', async () => {
    const store = await new FakeStore().start()
    store.refusal = { code: 'WRITE_CONFLICT', message: 'somebody else has it' }
    const conflict = await load(store, '--count', '30')
    store.refusal = { code: 'MESSAGE_MISSING', message: 'message 7 cannot be replaced' }
    const loss = await load(store, '--count', '30')

    expect(JSON.parse(conflict.stdout)).toMatchObject({ faults: 0, commits: 0 })
    expect(Object.keys(JSON.parse(conflict.stdout).refused)).toEqual(['WRITE_CONFLICT'])
    expect([conflict.exitCode, loss.exitCode]).toEqual([0, 3])
    expect(JSON.parse(loss.stdout).firstFaults[0]).toBe('message 7 cannot be replaced')
  })

  it('notices a message with other bytes when it reads it', async () => {
    const store = await new FakeStore().start()
    const ledger = aLedgerPath()
    await load(store, '--count', '100', '--ledger', ledger)
    for (const [id, { mailbox, bytes }] of store.messages)
      store.messages.set(id, { mailbox, bytes: messageContent(bytes.length, 1) })

    const { exitCode, stdout } = await load(store, '--count', '300', '--ledger', ledger)

    expect(exitCode).toBe(3)
    expect(JSON.parse(stdout).firstFaults[0]).toContain('has other bytes')
  })

  it('ends at a signal with everything answered, and says what it came to', async () => {
    const store = await new FakeStore().start()
    const ending = new AbortController()
    store.interrupt = (request) => {
      if (request === 20) ending.abort('SIGINT')
      return 'none'
    }

    const { exitCode, stdout } = await ccr(['load', 'SG1', '--server', store.url, '--json', ...SMALL], {
      signal: ending.signal,
    })

    expect(exitCode).toBe(130)
    expect(JSON.parse(stdout)).toMatchObject({ inDoubt: 0, outages: 0 })
  })

  it('tells a person what it came to', async () => {
    const store = await new FakeStore().start()

    const { stdout } = await ccr(['load', 'SG1', '--server', store.url, ...SMALL, '--count', '40', '--seed', '7'])

    expect(stdout).toMatch(/^SG1: 40 messages in .* delivered, \d+ replaced, \d+ deleted, \d+ read\n {2}\d+ commits/)
  })

  it('shows how it goes where somebody watches', async () => {
    const store = await new FakeStore().start()

    const { stderr } = await ccr(['load', 'SG1', '--server', store.url, ...SMALL, '--count', '40'], {
      isTerminal: true,
      columns: 120,
    })

    expect(stderr).toMatch(/SG1 {2}.* log \d+ .*\n.*messages\/s.*commits\/s/)
  })
})

describe('ccr load --check', () => {
  it('ends with 3 and names what is missing, came back, or is wrong', async () => {
    const store = await new FakeStore().start()
    const ledger = aLedgerPath()
    await load(store, '--count', '200', '--ledger', ledger)
    const [gone, wrong, last] = [...store.messages.keys()]
    const stranger = (last ?? 0) + 4096 * 10_000
    store.messages.delete(gone ?? 0)
    store.messages.set(wrong ?? 0, { mailbox: mailboxOf(store, wrong), bytes: new Uint8Array(64) })
    store.messages.set(stranger, { mailbox: mailboxOf(store, last), bytes: new Uint8Array(64) })

    const { exitCode, found } = await checked(store, ledger)
    const { stdout } = await ccr(['load', 'SG1', '--check', '--ledger', ledger, '--server', store.url])

    expect({ exitCode, faults: found['faults'] }).toEqual({ exitCode: 3, faults: 3 })
    expect(found['findings']).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ kind: 'missing', id: gone }),
        expect.objectContaining({ kind: 'wrong-content', id: wrong }),
        expect.objectContaining({ kind: 'never-sent', id: stranger }),
      ]),
    )
    expect(stdout).toContain(`message ${gone}`)
    expect(stdout).toContain('was acknowledged, and is missing')
  })

  it('leaves the ledger as it is', async () => {
    const store = await new FakeStore().start()
    const ledger = aLedgerPath()
    await load(store, '--count', '50', '--ledger', ledger)
    const before = readFileSync(ledger)

    await checked(store, ledger)

    expect(readFileSync(ledger).equals(before)).toBe(true)
  })
})

describe('bad input', () => {
  it.each([
    [['--rate', '0'], 2, 'no rate of messages'],
    [['--rate', '10', '--full-speed'], 2, 'conflict|cannot be used'],
    [['--profile', 'enormous'], 2, 'enormous'],
    [['--size', '100K..1K'], 2, 'no range of sizes'],
    [['--size', '1'], 2, 'no range of sizes'],
    [['--size', '2M'], 2, 'no range of sizes'],
    [['--clients', '0'], 2, 'no whole number from 1'],
    [['--mailboxes', '5000'], 2, 'no whole number from 1 to 4096'],
    [['--seed', '65536'], 2, 'no whole number from 0 to 65535'],
    [['--for', 'soon'], 2, 'no duration'],
    [['--check'], 2, '--check needs --ledger'],
    [['--check', '--ledger', '/nowhere/at/all'], 1, 'is not there'],
    [['--ledger', '/nowhere/at/all'], 1, 'is not there'],
  ])('%j ends with %d', async (words, code, why) => {
    const store = await new FakeStore().start()

    const { exitCode, stderr } = await ccr(['load', 'SG1', '--server', store.url, '--count', '1', ...words])

    expect(exitCode).toBe(code)
    expect(stderr).toMatch(new RegExp(`^error: .*(${why}).*\nhint: `))
    expect(store.messages.size).toBe(0)
  })

  it('is a storage group that is not there, a copy, or nobody at all', async () => {
    const store = await new FakeStore().start()
    const copy = await managementApi({ copies: copiesPort(aStatus()) })

    const outcomes = [
      await ccr(['load', 'SG2', '--server', store.url]),
      await ccr(['load', 'SG1', '--server', copy]),
      await ccr(['load', 'SG1', '--server', await freedAddress()]),
    ]

    expect(outcomes.map(({ exitCode }) => exitCode)).toEqual([1, 6, 4])
    expect(outcomes[1]?.stderr).toMatch(
      /holds a copy of SG1, which takes no messages\nhint: Give the management address/,
    )
  })

  it('is a ledger of something else', async () => {
    const store = await new FakeStore().start()
    const directory = temporaryDirectory()
    const ledger = join(directory, 'sg1.ledger')
    const text = join(directory, 'text')
    writeFileSync(text, 'Dear diary\n')
    await load(store, '--count', '20', '--seed', '7', '--ledger', ledger)
    const before = [readFileSync(ledger), readFileSync(text)]

    const other = await load(store, '--count', '1', '--seed', '8', '--ledger', ledger)
    const diary = await load(store, '--count', '1', '--ledger', text)
    const group = await ccr(['load', 'SG2', '--check', '--ledger', ledger, '--server', store.url])

    expect([other.exitCode, diary.exitCode, group.exitCode]).toEqual([2, 1, 6])
    expect(other.stderr).toContain('of a load of seed 7 on 6 mailboxes')
    expect(diary.stderr).toContain('no ledger of a load')
    expect(group.stderr).toContain('the ledger of a load of SG1, not of SG2')
    expect([readFileSync(ledger), readFileSync(text)]).toEqual(before)
  })

  it('is a ledger that another load uses', async () => {
    const store = await new FakeStore().start()
    const ledger = aLedgerPath()
    const ending = new AbortController()
    const inner: CliOutcome[] = []
    const useItToo = async (): Promise<void> => {
      inner.push(await load(store, '--count', '1', '--ledger', ledger))
      ending.abort('SIGINT')
    }
    store.interrupt = (request) => {
      if (request === 1) void useItToo()
      return 'none'
    }

    const { exitCode } = await ccr(['load', 'SG1', '--server', store.url, '--ledger', ledger, '--rate', '50'], {
      signal: ending.signal,
    })

    expect(exitCode).toBe(130)
    expect(inner[0]?.stderr).toContain('in use by another process')
  })
})

function mailboxOf(store: FakeStore, id: number | undefined): number {
  return store.messages.get(id ?? 0)?.mailbox ?? 0
}

/** The address of a server that is gone. */
async function freedAddress(): Promise<string> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
}
