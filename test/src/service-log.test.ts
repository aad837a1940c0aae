// Goal: at level debug the log is the trace, one line of JSON for each fact and order; above it nothing is paid for.
// Method: a log into memory.
import { describe, expect, it } from 'vitest'
import { serviceLog, traceTo } from '../../src/service-log.ts'

function aLog(level: 'debug' | 'info') {
  const lines: string[] = []
  return { lines, log: serviceLog(level, { write: (line) => void lines.push(line) }) }
}

describe('the log of a service', () => {
  it('names facts and orders as the engine does, with their values as fields', () => {
    const { lines, log } = aLog('debug')
    const range = { first: 3, last: 4 }

    traceTo(log, 'SG1')?.('order', { kind: 'copy-logs', session: 2, range } as { kind: string })

    expect(lines).toHaveLength(1)
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ storageGroup: 'SG1', order: 'copy-logs', session: 2, range })
    expect(JSON.parse(lines[0] ?? '').t).toMatch(/^\d{4}-\d\d-\d\dT.*Z$/)
  })

  it('has no trace where nobody would read it', () => {
    expect(traceTo(aLog('info').log, 'SG1')).toBeNull()
  })
})
