// Goal: what others import is a promise; a name that goes or changes is seen in review.
// Method: compare the names that the package exports with the list kept here.
import { expect, it } from 'vitest'
import * as face from '../../src/index.ts'

it('the package exports these names', () => {
  expect(Object.keys(face).sort()).toMatchInlineSnapshot(`
    [
      "COPY_MANAGE_DEFAULT",
      "CopyHost",
      "EventLog",
      "ReplicationError",
      "SHARE_LISTEN_DEFAULT",
      "SHARE_MANAGE_DEFAULT",
      "ShareHost",
      "StoreHost",
      "mailboxSettings",
      "openEventLog",
      "serviceLog",
      "startCopyService",
      "startMailboxService",
      "startShareService",
      "systemClock",
      "systemRandom",
    ]
  `)
})
