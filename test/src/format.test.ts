// Goal: what people read and write (sizes, rates, times, generations, tables, lists) is what Exchange and the help say.
// Method: examples by hand, and properties for what must survive the way there and back.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatExactSize, formatRate, formatSize, parseLogRate, parseSize } from '../../src/format-size.ts'
import { statusList, statusTable } from '../../src/format-status.ts'
import { formatTable } from '../../src/format-table.ts'
import { formatDuration, formatExactDuration, formatShellTime, parseDuration } from '../../src/format-time.ts'
import { truncationLines, truncationSentence } from '../../src/format-truncation.ts'
import { parseGeneration } from '../../src/generation-argument.ts'
import { nearestWord } from '../../src/nearest-word.ts'

const copy = {
  Identity: 'NODE1\\StorageGroup1',
  StorageGroupName: 'StorageGroup1',
  SummaryCopyStatus: 'Healthy',
  Failed: false,
  Suspend: true,
  FailedMessage: '',
  CopyQueueLength: 0,
  ReplayQueueLength: 0,
  LastInspectedLogTime: new Date(2007, 5, 14, 16, 42, 1).toISOString(),
  LastReplayedLogTime: null,
  OutstandingDumpsterRequests: [],
}

describe('sizes and rates', () => {
  it.each([
    ['256K', 262_144],
    ['1M', 1_048_576],
    ['1.5G', 1_610_612_736],
    ['512', 512],
    ['25MiB', 26_214_400],
  ])('reads %s with K, M and G as binary multiples', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })

  it.each(['', 'M', '-1', '1X', '1e9', '99999999999T'])('refuses %j as a size', (text) => {
    expect(() => parseSize(text)).toThrow(/no size/)
  })

  it('gives a size back as it can be read again', () => {
    fc.assert(fc.property(fc.nat(2 ** 31 - 1), (bytes) => parseSize(formatExactSize(bytes)) === bytes))
  })

  it('shows sizes and rates to people', () => {
    expect([formatSize(512), formatSize(1_048_576), formatRate(24_536_678)]).toEqual(['512 B', '1.0 MiB', '23.4 MiB/s'])
  })

  it('reads a rate of logs per second, minute and hour', () => {
    expect([parseLogRate('20/s'), parseLogRate('90/m'), parseLogRate('7200/h'), parseLogRate('5')]).toEqual([
      20, 1.5, 2, 5,
    ])
    expect(() => parseLogRate('0/s')).toThrow(/no rate/)
    expect(() => parseLogRate('fast')).toThrow(/no rate/)
  })
})

describe('times', () => {
  it('reads durations with a unit and refuses a bare number, which could be anything', () => {
    expect([parseDuration('500ms'), parseDuration('20s'), parseDuration('1.5m'), parseDuration('1d')]).toEqual([
      500, 20_000, 90_000, 86_400_000,
    ])
    expect([parseDuration('1.00:00:00'), parseDuration('0.00:30:00'), parseDuration('0:00:05')]).toEqual([
      86_400_000, 1_800_000, 5_000,
    ])
    for (const wrong of ['1.24:00:00', '0:60:00', '1.00:00', '-1.00:00:00'])
      expect(() => parseDuration(wrong)).toThrow(/no duration/)
    expect(() => parseDuration('20')).toThrow(/no duration/)
  })

  it('gives a duration back as it can be read again', () => {
    fc.assert(fc.property(fc.nat(2 ** 31 - 1), (ms) => parseDuration(formatExactDuration(ms)) === ms))
  })

  it('shows durations to people', () => {
    expect([formatDuration(250), formatDuration(4200), formatDuration(200_000)]).toEqual([
      '250 ms',
      '4.2 s',
      '3 min 20 s',
    ])
  })

  it('shows a time as the Exchange Management Shell does, midnight and noon as 12', () => {
    const shown = [0, 9, 12, 23].map((hour) => formatShellTime(new Date(2007, 5, 14, hour, 2, 1).toISOString()))

    expect(shown).toEqual([
      '6/14/2007 12:02:01 AM',
      '6/14/2007 9:02:01 AM',
      '6/14/2007 12:02:01 PM',
      '6/14/2007 11:02:01 PM',
    ])
    expect([formatShellTime(null), formatShellTime('never')]).toEqual(['', ''])
  })
})

describe('generations', () => {
  it.each([
    ['42', 42],
    ['0x2A', 42],
    ['0000002A', 42],
    ['00000042', 66],
    ['1234567', 1_234_567],
    ['123456789', 123_456_789],
  ])('reads %s as generation %d', (text, generation) => {
    expect(parseGeneration(text)).toBe(generation)
  })

  it.each(['0', '-1', '2A', '10000000', '0x', '1.5', '', '999999999999999'])('refuses %j rather than guess', (text) => {
    expect(() => parseGeneration(text)).toThrow(/no generation/)
  })
})

describe('the status', () => {
  it('is a table of five columns, with headers that wrap as those of PowerShell', () => {
    expect(statusTable([copy], 80)).toEqual([
      'Name                      SummaryCopySt CopyQueueLeng ReplayQueueLe LastInspected',
      '                          atus          th            ngth          LogTime',
      '----                      ------------- ------------- ------------- -------------',
      'StorageGroup1             Healthy       0             0             6/14/2007 ...',
    ])
  })

  it('shows the whole time where the window is wide enough', () => {
    expect(statusTable([copy], 120).at(-1)).toContain('6/14/2007 4:42:01 PM')
  })

  it('is a list with the colons in one column, booleans as words and nothing behind the colon of an empty value', () => {
    const lines = statusList([copy])

    expect(new Set(lines.map((line) => line.indexOf(' :')))).toEqual(
      new Set(['SnapshotLatestDifferentialBackup'.length]),
    )
    expect(lines.find((line) => line.startsWith('Suspend '))).toMatch(/: True$/)
    expect(lines.find((line) => line.startsWith('FailedMessage'))).toMatch(/:$/)
    expect(lines.find((line) => line.startsWith('OutstandingDumpster'))).toMatch(/: \{\}$/)
    expect(lines.find((line) => line.startsWith('LastInspectedLogTime'))).toMatch(/: 6\/14\/2007 4:42:01 PM$/)
  })

  it('cuts a value that does not fit and says so', () => {
    expect(formatTable([{ header: 'Name', width: 8 }], [['a very long name']]).at(-1)).toBe('a ver...')
  })
})

describe('the word that was meant', () => {
  it.each([
    ['stauts', 'status'],
    ['Helthy', 'Healthy'],
    ['INITIALISING', 'Initializing'],
  ])('of %s is %s', (typed, meant) => {
    expect(nearestWord(typed, ['status', 'suspend', 'Healthy', 'Initializing'])).toBe(meant)
  })

  it('is nobody’s when nothing is near', () => {
    expect(nearestWord('xyz', ['status', 'suspend'])).toBeNull()
  })
})

describe('one log in one sentence', () => {
  const explanation = {
    storageGroup: 'SG1',
    closed: { first: 81, last: 101 },
    backedUpThrough: 80,
    truncatableThrough: 80,
    truncatedBelow: 81,
    lastFailure: '',
    held: [
      { range: { first: 81, last: 81 }, reasons: [] },
      {
        range: { first: 82, last: 101 },
        reasons: [
          { rule: 'not-backed-up', why: 'the last backup lets go of logs through 00000050', release: 'a backup' },
          { rule: 'suspended', why: 'copy node2 was suspended', release: 'resuming it' },
        ],
      },
    ],
  }

  it.each([
    [80, 'Log 00000050 of SG1 was truncated: it was backed up, and processed by every copy.'],
    [81, 'Log 00000051 of SG1 may go and is being deleted.'],
    [
      82,
      'Log 00000052 of SG1 was not truncated because the last backup lets go of logs through 00000050; and copy node2 was suspended.',
    ],
    [102, 'Log 00000066 of SG1 is not closed yet, so that nothing truncates it.'],
  ])('%i', (generation, sentence) => {
    expect(truncationSentence(explanation, generation)).toBe(sentence)
  })

  it('and all of them in a table of the rules that hold them', () => {
    expect(truncationLines(explanation).slice(3, 7)).toEqual([
      'Logs                 Count Held by',
      '----                 ----- -------',
      '00000051             1     nothing',
      '00000052 to 00000065 20    not-backed-up, suspended',
    ])
  })
})
