// Goal: the writer of a database takes the calls of a backup tool in their one order, and says of every other one what comes next.
// Method: a dumb twin that is a list of calls, against any sequence of calls, outcomes and provocations; the words of vssadmin by hand.
import { assert as check, constantFrom, property, array as sequenceOf } from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  NEXT_CALL,
  STABLE_WRITER,
  stepWriter,
  type VssWriter,
  type WriterCall,
  type WriterFailure,
  whyNotCall,
  whyNotProvoke,
  writerStanding,
} from '../../../engine/source/vss-writer.ts'

const CALLS: readonly WriterCall[] = ['prepare', 'freeze', 'thaw', 'post', 'abort']
const FAILURE: WriterFailure = { at: 'freeze', retryable: true, reason: 'its disk is slow', eseError: -2402 }

function called(writer: VssWriter, call: WriterCall): VssWriter {
  return stepWriter(writer, { kind: 'call-came', call, nowMs: 1_000, scope: 'full' })
}

function thatWas(...calls: readonly WriterCall[]): VssWriter {
  return calls.reduce((writer, call) => stepWriter(called(writer, call), { kind: 'call-done' }), STABLE_WRITER)
}

describe('a writer', () => {
  it('takes exactly the next call, and abort as soon as there is something to give up', () => {
    const order = ['prepare', 'freeze', 'thaw', 'post'] as const

    const tried = sequenceOf(constantFrom(...CALLS, 'fails' as const), { maxLength: 30 })
    void check(
      property(tried, (attempts) => {
        let writer = STABLE_WRITER
        let place = 0
        for (const attempt of attempts) {
          const call = attempt === 'fails' ? (order[place] ?? 'prepare') : attempt
          const mayCome = call === 'abort' ? place > 0 : call === order[place]
          expect(whyNotCall(writer, call, 'the writer') === null).toBe(mayCome)
          if (!mayCome) continue
          const fact = attempt === 'fails' ? ({ kind: 'call-failed', failure: FAILURE } as const) : null
          writer = stepWriter(called(writer, call), fact ?? { kind: 'call-done' })
          place = fact !== null || call === 'abort' ? 0 : (place + 1) % order.length
          expect(NEXT_CALL[writer.phase]).toBe(order[place])
        }
      }),
    )
  })

  it.each([
    ['freeze', [], 'Next comes prepare.'],
    ['prepare', ['prepare'], 'Next comes freeze, or abort.'],
    ['post', ['prepare', 'freeze'], 'Next comes thaw, or abort.'],
    ['freeze', ['prepare', 'freeze', 'thaw'], 'Next comes post, or abort.'],
    ['post', ['prepare', 'freeze', 'thaw', 'post'], 'Next comes prepare.'],
    ['abort', ['prepare', 'abort'], 'Next comes prepare.'],
  ] as const)('refuses %s after %j with -521, and says what comes', (call, before, hint) => {
    expect(whyNotCall(thatWas(...before), call, 'the writer')).toMatchObject({ eseError: -521, hint })
  })

  it('refuses every call while another one is under way', () => {
    for (const call of CALLS)
      expect(whyNotCall(called(STABLE_WRITER, 'prepare'), call, 'the writer')?.message).toContain('prepare of the')
  })

  it('tells a tool that comes too late why its backup has failed, and forgets that with the next one', () => {
    const failed = stepWriter(called(thatWas('prepare'), 'freeze'), { kind: 'call-failed', failure: FAILURE })

    expect(whyNotCall(failed, 'thaw', 'the writer')).toMatchObject({ eseError: -2402 })
    expect(whyNotCall(failed, 'prepare', 'the writer')).toBeNull()
    expect(writerStanding(called(failed, 'prepare'))).toMatchObject({ shownError: 'No error' })
  })
})

describe('vssadmin', () => {
  it('shows a writer as stable, waiting, or failed where it failed', () => {
    const shown = (writer: VssWriter): string => Object.values(writerStanding(writer)).join(', ')
    const failedAt = (failure: Partial<WriterFailure>): string =>
      shown(stepWriter(STABLE_WRITER, { kind: 'call-failed', failure: { ...FAILURE, ...failure } }))

    expect(shown(thatWas('prepare', 'freeze', 'thaw', 'post'))).toBe('stable, [1] Stable, No error')
    expect(shown(thatWas('prepare'))).toBe('waiting-for-completion, [5] Waiting for completion, No error')
    expect(failedAt({})).toBe('retryable-error, [9] Failed, Retryable error')
    expect(failedAt({ at: 'vote', retryable: false })).toBe('non-retryable-error, [8] Failed, Non-retryable error')
    expect(failedAt({ at: 'post' })).toContain('[12] Failed')
  })
})

describe('a provocation', () => {
  it('is for the next backup and goes with it', () => {
    const provoked = stepWriter(STABLE_WRITER, { kind: 'provoked', provocation: 'vote-no' })
    const under = stepWriter(called(provoked, 'prepare'), { kind: 'call-done' })

    expect(whyNotProvoke(STABLE_WRITER, 'the writer')).toBeNull()
    expect(whyNotProvoke(under, 'the writer')?.eseError).toBe(-521)
    expect(under.provocation).toBe('vote-no')
    expect(stepWriter(called(under, 'abort'), { kind: 'call-done' })).toEqual(STABLE_WRITER)
  })

  it('to lose the success leaves the writer waiting, and the same word works when it comes again', () => {
    const provoked = stepWriter(STABLE_WRITER, { kind: 'provoked', provocation: 'lose-post' })
    const thawed = (['prepare', 'freeze', 'thaw'] as const).reduce(
      (writer, call) => stepWriter(called(writer, call), { kind: 'call-done' }),
      provoked,
    )
    const lost = stepWriter(called(thawed, 'post'), { kind: 'call-lost' })

    expect(lost).toMatchObject({ phase: 'thawed', underWay: null, provocation: null })
    expect(whyNotCall(lost, 'post', 'the writer')).toBeNull()
  })
})
