// Goal: what others import is a promise; a name that goes or changes is seen in review.
// Method: compare the names that the engine exports with the list kept here.
import { expect, it } from 'vitest'
import * as engine from '../../engine/index.ts'

it('the engine exports these names', () => {
  expect(Object.keys(engine).sort()).toMatchInlineSnapshot(`
    [
      "AssertionError",
      "ERROR_CODES",
      "ESE_ERROR_OF",
      "ESE_GENERATION_MAX",
      "EVENT_CATALOGUE",
      "GENERATION_MAX",
      "NO_GENERATION",
      "ReplicationError",
      "asGeneration",
      "asStorageGroupName",
      "assert",
      "brokenGuarantee",
      "checkContinuation",
      "copyStatus",
      "eseLogName",
      "eventText",
      "explainInWords",
      "explainTruncation",
      "formatGeneration",
      "higherOf",
      "holds",
      "logNameParser",
      "lowerOf",
      "nextGeneration",
      "previousGeneration",
      "rangeLength",
      "readIdentity",
      "readLogHeader",
      "replicaGuarantees",
      "sourceGuarantees",
      "startReplica",
      "startSource",
      "stepReplica",
      "stepSource",
      "truncatableThrough",
      "verifyLog",
    ]
  `)
})
