import { closeSync, fdatasyncSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { newDatabaseHeader, writeDatabaseHeader } from '../engine/database/database-header.ts'
import { openLogBytes } from '../engine/database/log-bytes.ts'
import { logTimeAt } from '../engine/database/log-time.ts'
import { PAGE_BYTES, PAGE_FLAGS } from '../engine/database/page.ts'
import { sealPage } from '../engine/database/page-seal.ts'

const PIECE_BYTES = 1_048_576
const FLAGS_OFFSET = 36
const SIGNATURE = { random: 1, createTime: logTimeAt(0), computer: '' }

/** Makes a clean database of incompressible pages whose checksums fit, durably. What is written stays in the page cache. */
export function makeDatabase(path: string, mebibytes: number): void {
  mkdirSync(dirname(path), { recursive: true })
  const file = openSync(path, 'wx')
  const piece = new Uint8Array(PIECE_BYTES)
  for (let index = 0; index < mebibytes; index++) {
    fillPiece(piece, index)
    writeSync(file, piece)
  }
  fdatasyncSync(file)
  closeSync(file)
}

function fillPiece(piece: Uint8Array, index: number): void {
  const log = openLogBytes(piece)
  // A xorshift: every word is another one, and no page compresses.
  let state = (index + 1) * 0x9e37_79b1
  for (let at = 0; at < log.words.length; at++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    log.words[at] = state
  }
  const header = { ...newDatabaseHeader(SIGNATURE, SIGNATURE), state: 'clean-shutdown' } as const
  for (let lo = 0; lo < PIECE_BYTES; lo += PAGE_BYTES) {
    const number = (index * PIECE_BYTES + lo) / PAGE_BYTES - 1
    if (number < 1) writeDatabaseHeader(piece.subarray(lo, lo + PAGE_BYTES), header)
    else {
      log.view.setUint32(lo + FLAGS_OFFSET, PAGE_FLAGS.leaf | PAGE_FLAGS.newChecksum, true)
      sealPage(log, lo, { bytes: PAGE_BYTES, number })
    }
  }
}
