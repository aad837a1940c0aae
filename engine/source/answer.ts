import type { AnswerOrder } from '../order.ts'

/** The answer to a request: done, unless `parts` say that it was refused. */
export function answer(requestId: number, parts: Partial<Pick<AnswerOrder, 'refusal' | 'remark'>> = {}): AnswerOrder {
  return { kind: 'answer-operator', requestId, refusal: parts.refusal ?? null, remark: parts.remark ?? '' }
}
