// Goal: another product's tool backs up either copy by the writer's calls: what it takes is settled while the copy stands still, and logs go only
// after its success. What is refused, provoked or left undone grants nothing, and the writer shows it.
// Method: two nodes in this process, with real files, spoken to by HTTP as a tool does.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ApiConnection } from '../../src/api-connection.ts'
import type { WriterDocument } from '../../transport/management-writer-documents.ts'
import { type TwoNodes, twoNodes } from './writer-rig.ts'

type Of = 'active' | 'passive'

function tool(nodes: TwoNodes, of: Of) {
  const node: ApiConnection = nodes[of]
  return async (call: string, body: object = {}): Promise<WriterDocument> =>
    (await node.json('POST', `/api/v1/writers/SG1/${call}`, { of, ...body })) as WriterDocument // of the API
}

/** A backup through the thaw. A copy that has just been thawed looks at its files first, and is asked again. */
async function thawed(nodes: TwoNodes, of: Of): Promise<void> {
  const call = tool(nodes, of)
  await call('prepare', { scope: 'full' })
  try {
    await call('freeze')
  } catch (error) {
    if (error instanceof Error && error.message.includes('just being looked at')) return await thawed(nodes, of)
    throw error
  }
  await call('thaw')
}

async function mark({ active }: TwoNodes): Promise<number> {
  const told = (await active.json('GET', '/api/v1/shares/SG1/truncation')) as { backedUpThrough: number } // of the API
  return told.backedUpThrough
}

describe.each(['active', 'passive'] as const)('the writer of the %s', (of) => {
  it('leads a tool through a full backup, after which logs may go, and refuses a second word of success', async () => {
    const nodes = await twoNodes()
    await nodes.mail(80)
    const call = tool(nodes, of)

    await call('prepare', { scope: 'full' })
    const frozen = await call('freeze')
    const { files } = frozen
    expect(frozen).toMatchObject({ phase: 'frozen', shownState: '[5] Waiting for completion', scope: 'full' })
    for (const path of [files.database, join(files.logs, files.range?.lastName ?? '')])
      expect(existsSync(path ?? '')).toBe(true)
    await call('thaw')
    expect(await mark(nodes)).toBe(0)
    await call('post', { outcome: 'success' })

    expect(await mark(nodes)).toBeGreaterThan(0)
    expect(await nodes.writer(nodes[of])).toMatchObject({ shownState: '[1] Stable', phase: 'idle', scope: null })
    await expect(call('post', { outcome: 'success' })).rejects.toMatchObject({
      message: expect.stringContaining('-521'),
      hint: 'Next comes prepare.',
    })
    const expected = of === 'active' ? [2005, 2001, 2003, 2006] : [2021, 2023, 2025, 2027, 2029, 2035, 2046]
    expect(await nodes.events(nodes[of])).toEqual(expect.arrayContaining(expected))
  })

  it('grants nothing when the tool says that it has failed, or gives up', async () => {
    const nodes = await twoNodes()
    await nodes.mail(60)
    const call = tool(nodes, of)

    await thawed(nodes, of)
    await call('post', { outcome: 'failure' })
    await thawed(nodes, of)
    const aborted = await call('abort')

    expect(await mark(nodes)).toBe(0)
    expect(aborted).toMatchObject({ state: 'stable', phase: 'idle' })
    await nodes.mail(1)
  })

  it.each([
    ['vote-no', '[8] Failed', 'Non-retryable error', of === 'active' ? [2005, 2007] : [2021, 2023, 2033]],
    ['freeze-timeout', '[9] Failed', 'Retryable error', of === 'active' ? [2004, 2007] : [2027, 2029, 2033]],
    ['no-thaw', '[10] Failed', 'Retryable error', of === 'active' ? [2004, 2007] : [2027, 2029, 2033]],
  ] as const)(
    'fails once by %s when that is provoked, and the next backup succeeds',
    async (failure, shown, lastError, ids) => {
      const nodes = await twoNodes()
      await nodes.mail(60)
      const call = tool(nodes, of)
      const whole = async (): Promise<void> => {
        await thawed(nodes, of)
        await call('post', { outcome: 'success' })
      }

      expect(await call('provoke', { failure })).toMatchObject({ provocation: failure })
      await expect(whole()).rejects.toMatchObject({ code: 'STATE_REFUSED' })

      expect(await nodes.writer(nodes[of])).toMatchObject({ shownState: shown, lastError })
      expect(await nodes.events(nodes[of])).toEqual(expect.arrayContaining([...ids]))
      expect(await mark(nodes)).toBe(0)
      await whole()
      expect(await mark(nodes)).toBeGreaterThan(0)
    },
  )

  it('waits for a tool that has died, refuses other backups meanwhile, and goes on when that one is given up', async () => {
    const nodes = await twoNodes()
    await nodes.mail(60)
    const call = tool(nodes, of)
    await call('provoke', { failure: 'lose-post' })
    await thawed(nodes, of)

    expect(await call('post', { outcome: 'success' })).toMatchObject({ state: 'waiting-for-completion' })
    expect(await mark(nodes)).toBe(0)
    const order = {
      storageGroup: 'SG1',
      of: 'active',
      scope: 'full',
      method: 'vss',
      directory: join(nodes.data, 'set'),
    }
    await expect(nodes.active.json('POST', '/api/v1/backups', order)).rejects.toMatchObject({
      message: expect.stringContaining(of === 'active' ? '-505' : '-617'),
    })
    const held = (await nodes.active.json('GET', '/api/v1/shares/SG1/truncation')) as { held: object[] } // of the API
    expect(JSON.stringify(held)).toContain('ccr writer abort')
    await call('abort')
    await nodes.active.json('POST', '/api/v1/backups', order)
  })

  it('ends a freeze that nobody ends at its bound, and tells the tool that comes too late', async () => {
    const nodes = await twoNodes()
    await nodes.mail(60)
    const call = tool(nodes, of)
    await call('prepare', { scope: 'full', freezeMs: 300 })
    await call('freeze')
    await expect.poll(async () => (await nodes.writer(nodes[of]))?.state, { timeout: 20_000 }).toBe('retryable-error')

    await expect(call('thaw')).rejects.toThrow('-2402')
    await nodes.mail(1)
  })
})

describe('a backup that the source refuses', () => {
  it('fails the writer for good where the same would be refused again', async () => {
    const nodes = await twoNodes()
    await nodes.mail(60)

    await expect(tool(nodes, 'active')('prepare', { scope: 'incremental' })).rejects.toThrow('-560')

    expect(await nodes.writer(nodes.active)).toMatchObject({ shownState: '[7] Failed', eseError: -560 })
  })
})
