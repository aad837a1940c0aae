// Goal: who waits sees a count; who reads the output of a script sees nothing of it.
import { describe, expect, it } from 'vitest'
import { progressLine } from '../../src/progress-line.ts'

function written(isTerminal: boolean): string {
  const texts: string[] = []
  const sink = { isTerminal, columns: 80, write: (text: string) => void texts.push(text) }
  const { show, end } = progressLine(sink, 'logs')
  show(1, 3)
  show(2, 3)
  show(3, 3)
  end()
  return texts.join('')
}

describe('a progress line', () => {
  it('counts on a terminal, in one line that is gone at the end', () => {
    expect(written(true)).toBe('\r1 of 3 logs\r2 of 3 logs\r\u001b[K\r\u001b[K')
  })

  it('writes nothing where nobody watches', () => {
    expect(written(false)).toBe('')
  })
})
