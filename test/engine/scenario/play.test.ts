// Goal: the machine of a scenario asks its stage what the steps say, in their order, and tells what became of each.
// Method: a stage that is a table of answers: it notes every question, and its clock goes on by what it is asked to let pass.
import { describe, expect, it } from 'vitest'
import {
  playScenario,
  type ScenarioResult,
  type StageAnswer,
  type StageQuestion,
} from '../../../engine/scenario/play.ts'
import type { Sight } from '../../../engine/scenario/sight.ts'
import type { ActRefusal, ScenarioMode } from '../../../engine/scenario/step.ts'
import { parseScenario } from '../../../src/scenario/scenario-file.ts'

interface Played {
  readonly result: ScenarioResult
  /** What was asked besides time and looks. */
  readonly acts: readonly string[]
  readonly passedMs: number
}

interface StageTable {
  readonly mode?: ScenarioMode
  readonly refusal?: ActRefusal
  /** The copy queue at a time. */
  readonly queueAt?: (ms: number) => number
  readonly fails?: string
  /** Numbers of events that the active has raised. */
  readonly events?: readonly number[]
}

const REFUSAL: ActRefusal = { code: 'STATE_REFUSED', eseError: -505, message: 'a backup is under way', exit: 6 }

function play(steps: string, table: StageTable = {}): Played {
  const file = parseScenario(`steps:\n${steps}`, 'test.yaml')
  const machine = playScenario(file, table.mode ?? 'virtual')
  const acts: string[] = []
  let nowMs = 0
  const answer = (question: StageQuestion): StageAnswer => {
    switch (question.ask) {
      case 'build':
      case 'tell':
        return null
      case 'pass':
        nowMs += question.ms
        return nowMs
      case 'look':
        return sightWith(table.queueAt?.(nowMs) ?? 0, table.events)
      case 'act':
        acts.push(JSON.stringify(question.act))
        return table.refusal ?? null
    }
  }
  let next = machine.next()
  while (next.done !== true) {
    const question = next.value
    if (question.ask === 'act' && table.fails !== undefined) next = machine.throw(new Error(table.fails))
    else next = machine.next(answer(question))
  }
  return { result: next.value, acts, passedMs: nowMs }
}

function sightWith(queue: number, ids: readonly number[] = []): Sight {
  const numbers = new Map([
    ['copy1.copyQueue', queue],
    ['active.checkpoint', 81],
  ])
  const events = ids.map((id) => ({ id, of: 'active', text: '' }))
  return { numbers, words: new Map(), logs: new Map(), events, held: [], messages: null }
}

describe('the machine of a scenario', () => {
  it('works out the counts of an act from names', () => {
    const { acts, result } = play('  - let: {chk: active.checkpoint, half: 40}\n  - mark: ${chk + half}')

    expect(result.outcome).toBe('passed')
    expect(acts).toEqual(['{"kind":"mark","through":121}'])
    expect(result.steps[0]?.remark).toBe('chk is 81, half is 40')
  })

  it('waits until what is expected is so, and no longer', () => {
    const { passedMs, result } = play('  - wait: {until: {copy1.copyQueue: 0}, within: 10s}', {
      queueAt: (ms) => (ms >= 300 ? 0 : 5),
    })

    expect(result.outcome).toBe('passed')
    expect(passedMs).toBe(300)
  })

  it('fails a wait whose time is over, with what was found last, and plays nothing after it', () => {
    const { result, acts } = play('  - wait: {until: {copy1.copyQueue: 0}, within: 1s}\n  - close: 1', {
      queueAt: () => 5,
    })

    expect(result.outcome).toBe('failed')
    expect(result.steps[0]).toMatchObject({
      place: 'test.yaml:2:5',
      mismatches: [{ subject: 'copy1.copyQueue', expected: '0', actual: '5' }],
    })
    expect(result.notPlayed.map(({ title }) => title)).toEqual(['close: 1'])
    expect(acts).toEqual([])
  })

  it('fails an act that is refused, unless the refusal was expected', () => {
    expect(play('  - close: 1', { refusal: REFUSAL }).result.outcome).toBe('failed')
    expect(play('  - attempt: {close: 1, refused: STATE_REFUSED}', { refusal: REFUSAL }).result.outcome).toBe('passed')
    expect(play('  - attempt: {close: 1, refused: -505}', { refusal: REFUSAL }).result.outcome).toBe('passed')
    expect(play('  - attempt: {close: 1, refused: -617}', { refusal: REFUSAL }).result.outcome).toBe('failed')
  })

  it('fails an attempt that was not refused', () => {
    expect(play('  - attempt: {close: 1, refused: -505}').result.steps[0]?.mismatches[0]).toMatchObject({
      expected: 'refused with -505',
      actual: 'done',
    })
  })

  it('remembers the exit code of the last act', () => {
    const steps = '  - attempt: {close: 1, refused: -505}\n  - expect: {exit: 6}'

    expect(play(steps, { refusal: REFUSAL }).result.outcome).toBe('passed')
  })

  it('fails the step under way when its stage fails', () => {
    const { result } = play('  - close: 1', { fails: 'a promise broke' })

    expect(result.steps[0]?.mismatches[0]?.actual).toBe('a promise broke')
  })

  it('lets all of the time pass in virtual runs, and little of it in real ones', () => {
    const steps = '  - advance: 8h\n  - close: 1'
    const beforeWait = '  - advance: 8h\n  - wait: {until: {copy1.copyQueue: 0}, within: 1s}'

    expect(play(steps).passedMs).toBe(8 * 3_600_000)
    expect(play(steps, { mode: 'real' }).passedMs).toBe(10_000)
    expect(play(beforeWait, { mode: 'real' }).passedMs).toBe(0)
  })

  it('plays the steps of a block in its mode only', () => {
    const steps = '  - virtual: [{close: 1}]\n  - real: [{close: 2}, {close: 3}]\n  - close: 4'

    expect(play(steps).acts).toHaveLength(2)
    expect(play(steps, { mode: 'real' }).acts).toHaveLength(3)
  })

  it('leaves the events that a block of the other mode speaks of to be looked at', () => {
    const steps = '  - expect: {real: {events: [224]}}\n  - expect: {events: [224]}\n  - expect: {noEvents: [224]}'

    expect(play(steps, { events: [224] }).result).toMatchObject({ outcome: 'passed', notPlayed: [] })
  })

  it('skips a scenario of the other mode without building anything', () => {
    const file = parseScenario('only: real\nsteps: [{close: 1}]', 'test.yaml')

    expect(playScenario(file, 'virtual').next()).toMatchObject({ done: true, value: { outcome: 'skipped' } })
  })
})
