// Goal: the figures that the bench prints can be believed.
// Method: its arithmetic on values worked out by hand, its meters on a process whose use is known, its table as text.
import { describe, expect, it } from 'vitest'
import { runScript } from '../../bench/command.ts'
import { cpuSecondsOfStat } from '../../bench/process-usage.ts'
import { markdownOf } from '../../bench/report.ts'
import { percentile, ratiosByRound, spreadOf } from '../../bench/statistics.ts'

describe('the arithmetic of the bench', () => {
  it('takes a percentile by nearest rank', () => {
    const values = Array.from({ length: 200 }, (_, index) => 200 - index)

    expect([50, 99, 100].map((per) => percentile(values, per))).toEqual([100, 198, 200])
    expect(percentile([7], 99)).toBe(7)
  })

  it('tells median, least and most', () => {
    expect(spreadOf([3, 1, 2])).toEqual({ median: 2, min: 1, max: 3 })
    expect(spreadOf([4, 1, 2, 3])).toEqual({ median: 2.5, min: 1, max: 4 })
  })

  it('divides only what was measured in the same round', () => {
    expect(ratiosByRound([10, 20, 30], [5, 40])).toEqual([2, 0.5])
  })

  it('reads the times behind a process name that has spaces and parentheses', () => {
    const stat = '42 (a (b) c) S 1 1 1 0 -1 4194560 100 200 0 0 150 50 25 25 20 0 1 0 100 0 0'

    expect(cpuSecondsOfStat(stat)).toBe(2.5)
  })
})

describe('a command of the bench', () => {
  it('tells the CPU time of the programs that it ran, also of parallel ones', { timeout: 60_000 }, async () => {
    // Each ends only when it has used 0.3 s; the kernel counts in ticks of 10 ms.
    const spin = `"${process.execPath}" -e 'while (process.cpuUsage().user < 300_000);'`

    const seconds = await runScript(`${spin} & ${spin} & wait`).done

    expect(seconds).toBeGreaterThanOrEqual(0.58)
  })

  it('fails with what the program said', async () => {
    await expect(runScript('echo out of order >&2; exit 3').done).rejects.toThrow(/failed \(3\).*out of order/s)
  })
})

describe('the table of the bench', () => {
  it('has a row for each contender, a line for each ratio, and each note', () => {
    const text = markdownOf({
      machine: { cpu: 'X', cores: 2, memoryGiB: 4, kernel: '6', fileSystem: 'ext4', node: 'v20', commit: 'abc' },
      startedAt: '2026-01-02T03:04:05.000Z',
      steadyState: 'none',
      measures: [
        {
          name: 'm',
          title: 'A measure',
          method: 'By hand.',
          rows: [
            {
              contender: 'ours',
              columns: { 'MB/s': { median: 1234.5, min: 1000, max: 1500 }, verified: 'yes' },
              raw: {},
            },
            { contender: 'theirs', columns: { 'MB/s': { median: 0.5, min: 0.5, max: 0.5 } }, raw: {} },
          ],
          ratios: [{ what: 'ours ÷ theirs', spread: { median: 2, min: 1.5, max: 3 }, target: '≥ 1' }],
          notes: ['a note'],
        },
      ],
    })

    expect(text).toContain('- 2026-01-02 03:04 UTC, commit abc, Node v20')
    expect(text).toContain('| ours | 1,235 (1,000 to 1,500) | yes |')
    expect(text).toContain('| theirs | 0.500 | – |')
    expect(text).toContain('| ours ÷ theirs | 2.00 (1.50 to 3.00) | ≥ 1 |')
    expect(text).toContain('- a note')
  })
})
