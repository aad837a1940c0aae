// Goal: what a ledger's file says was sent is what was sent, after any end of the process that wrote it, and damage is told.
// Method: ledgers on a real directory, cut and damaged at chosen places, and read again.
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { snapshotOf } from '../../engine/load/ledger-record.ts'
import type { LoadLedger, LoadOperation } from '../../engine/load/load-ledger.ts'
import { messageId } from '../../engine/load/message-number.ts'
import { holdFile } from '../../storage/file-hold.ts'
import { type LedgerFile, openLedgerFile, readLedgerFile } from '../../storage/ledger-file.ts'
import { nodeFileOperations } from '../../storage/node-file-operations.ts'

const files = nodeFileOperations({ shortCalls: 'inline' })
const IDENTITY = { seed: 7, mailboxes: 2 }

let directory: string
let path: string
let ids = 0

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'ccr-ledger-'))
  path = join(directory, 'ledger')
})
afterEach(() => rmSync(directory, { recursive: true }))

function open(rewriteAboveBytes = 1e9): Promise<LedgerFile> {
  const newId = (): string => `id${ids++}`
  const check = (): void => undefined
  return openLedgerFile({ ...place(), identity: IDENTITY, check, newId, rewriteAboveBytes })
}

function place() {
  return { directory, name: 'ledger', files, storageGroup: 'SG1' }
}

/** The next message of mailbox 1 or 2. */
function anInsert(ledger: LoadLedger, mailbox = 1): LoadOperation[] {
  const number = ledger.mailbox(mailbox).nextNumber
  return [{ op: 'insert', id: messageId({ seed: 7, mailbox, number }), size: 64 + number, seed: number }]
}

/** Delivers so many messages, one by one. */
async function deliver(file: LedgerFile, count: number): Promise<void> {
  for (let at = 0; at < count; at++) {
    const [number = 0] = await file.begin([anInsert(file.ledger)])
    file.end(number, at % 5 === 4 ? 'refused' : 'committed')
  }
}

function records(ledger: LoadLedger): unknown[] {
  return [...snapshotOf(ledger, 'SG1')]
}

describe('the file of a ledger', () => {
  it('is read as it was closed', async () => {
    const file = await open()
    await deliver(file, 12)
    await file.close()

    expect(records(await readLedgerFile(place()))).toEqual(records(file.ledger))
    const again = await open()
    expect(records(again.ledger)).toEqual(records(file.ledger))
    await again.close()
  })

  it('has what was begun before anybody may send it, and holds it in doubt without an answer', async () => {
    const file = await open()
    await deliver(file, 3)
    const sent = [anInsert(file.ledger), anInsert(file.ledger, 2)]

    await file.begin(sent)

    const read = await readLedgerFile(place())
    expect(read.inDoubt.flatMap(({ changes }) => changes.map(({ id }) => id))).toEqual(sent.flat().map(({ id }) => id))
    await file.close()
  })

  it('is written anew when it has grown long, without losing what is under way', async () => {
    const file = await open(2_000)
    const [open1 = 0] = await file.begin([anInsert(file.ledger, 2)])
    await deliver(file, 200)

    const sizeBytes = statSync(path).size
    file.end(open1, 'committed')
    await file.close()

    // 200 transactions have 350 bytes each as they happened, and 30 each in a snapshot.
    expect(sizeBytes).toBeLessThan(30_000)
    expect(records(await readLedgerFile(place()))).toEqual(records(file.ledger))
  })

  it('may be cut anywhere: it then says what it said at an earlier moment', async () => {
    const file = await open()
    const moments = new Set([JSON.stringify(records(file.ledger))])
    for (let at = 0; at < 8; at++) {
      const [number = 0] = await file.begin([anInsert(file.ledger)])
      file.end(number, 'committed')
      moments.add(JSON.stringify(records(file.ledger)))
    }
    await file.close()
    const whole = readFileSync(path)
    const headBytes = whole.indexOf(0x0a) + 1

    await fc.assert(
      fc.asyncProperty(fc.integer({ min: headBytes, max: whole.length }), async (cut) => {
        writeFileSync(path, whole.subarray(0, cut))
        const read = await readLedgerFile(place())

        // What the cut has left without an answer is in doubt; all else is as it was at some moment.
        expect(read.inDoubt.length).toBeLessThanOrEqual(1)
        if (read.inDoubt.length === 0) expect(moments).toContain(JSON.stringify(records(read)))
      }),
    )
  })

  it('takes garbage at its end for a torn write, and goes on before it', async () => {
    const file = await open()
    await deliver(file, 4)
    await file.close()
    appendFileSync(path, `${'\0'.repeat(700)}\n{"check":"00000000","record":{}}\n`)

    const again = await open()
    await deliver(again, 2)
    await again.close()

    expect(again.ledger.mailbox(1).messages).toHaveLength(6)
    expect(records(await readLedgerFile(place()))).toEqual(records(again.ledger))
  })

  it('is refused where more is damaged than one write can be', async () => {
    const file = await open()
    await deliver(file, 2)
    await file.close()
    appendFileSync(path, Buffer.alloc(2 * 1024 * 1024))

    await expect(readLedgerFile(place())).rejects.toMatchObject({ code: 'JOURNAL_CORRUPT', fields: { line: 6 } })
  })

  it('is new where it is empty, and missed where it is not there', async () => {
    await expect(readLedgerFile(place())).rejects.toMatchObject({ code: 'LOG_MISSING' })
    writeFileSync(path, '')

    const file = await open()

    expect(file.ledger.identity).toEqual(IDENTITY)
    await file.close()
  })

  it('is refused where its head is gone', async () => {
    const file = await open()
    await file.close()
    truncateSync(path, 20)

    await expect(open()).rejects.toMatchObject({ code: 'JOURNAL_CORRUPT' })
  })

  it('is held by one process at a time', async () => {
    const hold = await holdFile(files, directory, 'ledger')

    await expect(holdFile(files, directory, 'ledger')).rejects.toMatchObject({ code: 'FILE_HELD' })
    const other = await holdFile(files, directory, 'another')
    hold.release()
    other.release()
    hold.release()

    const again = await holdFile(files, directory, 'ledger')
    again.release()
  })
})
