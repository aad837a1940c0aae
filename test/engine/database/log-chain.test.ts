// Goal: two logs continue each other exactly when generation, signature and time say so together.
// Method: neighbours of one stream, then each of the three facts made wrong alone.

import { describe, expect, test } from 'vitest'
import { checkContinuation } from '../../../engine/database/log-chain.ts'
import { readIdentity } from '../../../engine/database/log-file.ts'
import { beginStream, nextInStream } from '../../../engine/database/log-stream.ts'
import { composeLog } from '../../../engine/database/log-writer.ts'
import { asGeneration } from '../../../engine/generation.ts'
import type { LogIdentity } from '../../../engine/log-identity.ts'
import { aLog, SIGNATURE } from './build.ts'

function identityOf(log: Uint8Array): LogIdentity {
  const verdict = readIdentity(log)
  if (verdict.verdict === 'rejected') throw new Error(verdict.rejection.detail)
  return verdict.identity
}

describe('two logs', () => {
  const first = identityOf(aLog(1))
  const second = identityOf(aLog(2))
  const third = identityOf(aLog(3))

  test('of one stream continue each other', () => {
    expect(checkContinuation(first, second)).toBeNull()
    expect(checkContinuation(second, third)).toBeNull()
  })

  test('with a generation missing between them, or twice the same, or the wrong way round, do not', () => {
    expect(checkContinuation(first, third)).toEqual({
      reason: 'gap',
      detail: 'generation 00000003 where 00000002 continues the stream',
    })
    expect(checkContinuation(second, second)?.reason).toBe('gap')
    expect(checkContinuation(second, first)?.reason).toBe('gap')
  })

  test('of two streams do not, even when their times fit', () => {
    const foreign = { ...second, signature: second.signature.replace(/^../, '00') }

    expect(checkContinuation(first, foreign)).toEqual({
      reason: 'bad-signature',
      detail: `signature ${foreign.signature} is not ${first.signature}, the stream's own`,
    })
  })

  test('do not when the later one was made after another log of that generation', () => {
    const diverged = { ...first, createTime: third.createTime }

    expect(checkContinuation(diverged, second)).toEqual({
      reason: 'gap',
      detail: `previous generation time ${first.createTime}, but log 00000001 was created at ${third.createTime}`,
    })
  })

  test('tell of the generation before the signature, and of the signature before the time', () => {
    const allWrong = { ...third, signature: 'f'.repeat(56) }
    const twoWrong = { ...allWrong, generation: asGeneration(2) }

    expect(checkContinuation(first, allWrong)?.detail).toMatch(/^generation/)
    expect(checkContinuation(first, twoWrong)?.reason).toBe('bad-signature')
  })

  test('created within one second are still neighbours', () => {
    const one = beginStream(SIGNATURE)
    const two = nextInStream(one, one.createTime)
    const three = nextInStream(two, one.createTime)
    const [a, b, c] = [one, two, three].map((stream) =>
      identityOf(composeLog({ ...stream, seed: 1, sizeBytes: 65_536 })),
    )
    if (a === undefined || b === undefined || c === undefined) throw new Error('three logs were made')

    expect(b.createTime).toBe(a.createTime)
    expect(checkContinuation(a, b)).toBeNull()
    expect(checkContinuation(b, c)).toBeNull()
    expect(checkContinuation(a, c)?.reason).toBe('gap')
  })
})

describe('two numbered logs', () => {
  const numbered = (generation: number, signature: string): LogIdentity => ({
    generation: asGeneration(generation),
    signature,
    createTime: '',
    previousCreateTime: '',
  })

  test('continue each other when the number follows and the timeline stays', () => {
    expect(checkContinuation(numbered(255, '00000001'), numbered(256, '00000001'))).toBeNull()
    expect(checkContinuation(numbered(7, ''), numbered(8, ''))).toBeNull()
  })

  test('do not over a gap or a change of timeline', () => {
    expect(checkContinuation(numbered(7, ''), numbered(9, ''))?.reason).toBe('gap')
    expect(checkContinuation(numbered(7, '00000001'), numbered(8, '00000002'))?.reason).toBe('bad-signature')
    expect(checkContinuation(numbered(7, '00000001'), numbered(8, ''))?.detail).toBe(
      "signature (none) is not 00000001, the stream's own",
    )
  })
})
