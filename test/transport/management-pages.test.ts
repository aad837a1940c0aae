// Goal: a list of page digests comes as it is made, says how it ended, and costs nobody anything when its reader goes away.
// Method: the API over a service in memory on a free port, asked with fetch and read line by line.
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ReplicationError } from '../../engine/error.ts'
import { ManagementWorld, type RunningManagement, startManagement } from './management-world.ts'

const DIGEST = { page: 1, dbtime: 7, hash: '0123456789abcdef' }

let running: RunningManagement
beforeEach(async () => {
  running = await startManagement(new ManagementWorld())
})
afterEach(() => running.app.close())

function ask(path: string, signal?: AbortSignal): Promise<Response> {
  return fetch(`${running.at.origin}${path}`, signal === undefined ? {} : { signal })
}

async function linesOf(answer: Response): Promise<unknown[]> {
  const lines = (await answer.text()).split('\n').filter((line) => line !== '')
  return lines.map((line) => JSON.parse(line))
}

describe.each(['stores', 'copies'])('the pages of %s', (tag) => {
  const pages = (query: string): string => `/api/v1/${tag}/SG1/pages?${query}`

  it('come a line each, with their number at the end', async () => {
    running.world.digests = [[DIGEST], [], [{ ...DIGEST, page: 2 }]]

    const answer = await ask(pages('through=12'))

    expect(answer.headers.get('content-type')).toBe('application/x-ndjson')
    expect(await linesOf(answer)).toEqual([DIGEST, { ...DIGEST, page: 2 }, { end: true, pages: 2 }])
    expect(running.world.commands).toEqual([tag === 'stores' ? ['digest store', 12] : ['digest copy', 'SG1', 12]])
  })

  it('end with the error that stops them', async () => {
    running.world.refusal = new ReplicationError({ code: 'STATE_REFUSED', message: 'closed already', hint: 'Later.' })

    const answer = await ask(pages('through=12'))

    expect(await linesOf(answer)).toEqual([
      { error: { code: 'STATE_REFUSED', message: 'closed already', hint: 'Later.' } },
    ])
    expect(running.world.faults).toEqual([])
  })

  it.each(['', 'through=x', 'through=0', 'through=12&through=13', 'through=99999999999', 'through=1&more=2'])(
    'are refused for the query "%s"',
    async (query) => {
      const answer = await ask(pages(query))

      expect([answer.status, await answer.json()]).toMatchObject([400, { code: 'REQUEST_INVALID' }])
      expect(running.world.commands).toEqual([])
    },
  )

  it('are not told of what is not there', async () => {
    const answer = await ask(`/api/v1/${tag}/SG2/pages?through=1`)

    expect([answer.status, await answer.json()]).toMatchObject([404, { code: 'STORAGE_GROUP_UNKNOWN' }])
  })

  it('are given up when the reader goes away, and when the service ends', async () => {
    running.world.digests = [[DIGEST], null]
    const leaving = new AbortController()
    const left = await ask(pages('through=12'), leaving.signal)
    const stayed = await ask(pages('through=12'))
    await left.body?.getReader().read()

    leaving.abort()
    await running.app.close()

    await expect(left.text()).rejects.toThrow()
    expect(await linesOf(stayed)).toEqual([DIGEST])
    expect(running.world.faults).toEqual([])
  })
})
