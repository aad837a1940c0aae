import { NO_DBTIME } from '../../../engine/database/dbtime.ts'
import { LogBuffer } from '../../../engine/database/log-buffer.ts'
import type { LogBytes } from '../../../engine/database/log-bytes.ts'
import { openRecords } from '../../../engine/database/log-record.ts'
import { writeInsert } from '../../../engine/database/log-record-node.ts'
import type { NodeChange } from '../../../engine/database/log-record-page.ts'
import { writeCreateSingleExtent } from '../../../engine/database/log-record-tree.ts'
import { PAGE_FLAGS } from '../../../engine/database/page.ts'
import {
  nodeCount,
  nodeDataBytes,
  nodeDataStart,
  nodeFlags,
  nodeKeyBytes,
  nodeKeyStart,
} from '../../../engine/database/page-node.ts'
import { headerOfNewLog } from '../../../engine/database/prepared-log.ts'
import { applyRecord } from '../../../engine/database/record-apply.ts'
import { openRedo, type RedoContext } from '../../../engine/database/redo-context.ts'
import type { RedoStep } from '../../../engine/database/redo-step.ts'
import { place } from './build.ts'
import { PagesInMemory } from './pages-in-memory.ts'

/** Small pages keep the tests quick. */
export const RIG_PAGE_BYTES = 2048
/** The session of all records of a rig. */
export const RIG_SESSION = 3
/** What all changes of a rig have in common: they are made to the tree of page 2. */
export const RIG_NODE = {
  session: RIG_SESSION,
  databaseId: 1,
  transaction: 1,
  level: 1,
  flags: 0,
  version: 0,
  rootPage: 2,
  objectId: 2,
} as const

/** Lays a record; returns where the next one goes. */
export type Write = (log: LogBytes, at: number) => number

/** Where a change is made, and from which dbtime to which. */
export interface ChangeAt {
  readonly page?: number
  readonly line: number
  readonly from: number
  readonly to: number
}

/** Pages in memory, and records that are laid in logs of their own and redone on them. */
export class RedoRig {
  readonly pool: PagesInMemory = new PagesInMemory(RIG_PAGE_BYTES)
  readonly redo: RedoContext = openRedo({ pool: this.pool, databaseId: 1, pageBytes: RIG_PAGE_BYTES })
  readonly logs: LogBuffer[] = []

  /** Lays records in a new log and redoes them; the steps that came of it. */
  redoAll(...writes: readonly Write[]): RedoStep[] {
    const buffer = new LogBuffer(headerOfNewLog(place(this.logs.length + 1), { sizeBytes: 65_536 }))
    this.logs.push(buffer)
    for (const write of writes) buffer.reserve(write(buffer.log, buffer.end) - buffer.end)
    return this.replay(buffer)
  }

  /** Redoes a log; by default the last one, once more. */
  replay(buffer: LogBuffer | undefined = this.logs.at(-1)): RedoStep[] {
    if (buffer === undefined) throw new Error('there is a log')
    const steps: RedoStep[] = []
    const cursor = openRecords(buffer.log, buffer.header, buffer.end)
    while (cursor.next()) steps.push(applyRecord(this.redo, buffer, cursor))
    return steps
  }

  /** The nodes of a page: `key=data`, with a `-` before what is flagged deleted. */
  nodes(number: number): string[] {
    const page = this.pool.read(number)
    const text = (start: number, length: number): string =>
      new TextDecoder().decode(page.bytes.subarray(start, start + length))
    return Array.from({ length: nodeCount(page) }, (_, line) => {
      const key = text(nodeKeyStart(page, line), nodeKeyBytes(page, line))
      const data = text(nodeDataStart(page, line), nodeDataBytes(page, line))
      return `${nodeFlags(page, line) === 0 ? '' : '-'}${key}=${data}`
    })
  }

  /** Page 2 with the nodes a to d at dbtime 14, made by records 10 to 14. */
  fourNodes(): void {
    this.pool.read(2)
    const letters = ['a', 'b', 'c', 'd']
    this.redoAll(
      create(2, 10),
      ...letters.map((key, line) => insert({ line, from: 10 + line, to: 11 + line }, key, '1')),
    )
  }
}

/** The bytes of a text. */
export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text)

/** The fields of a change. */
export function changeAt({ page = 2, line, from, to }: ChangeAt): NodeChange {
  return { ...RIG_NODE, page, line, dbtimeBefore: from, dbtime: to }
}

/** The record that makes a page the root of a new tree. */
export function create(page: number, dbtime: number, pageFlags: number = PAGE_FLAGS.leaf | PAGE_FLAGS.root): Write {
  const change = { ...RIG_NODE, page, line: 0, dbtime, dbtimeBefore: NO_DBTIME }
  return (log, at) => writeCreateSingleExtent(log, at, { ...change, parentPage: 1, extentPages: 1, pageFlags })
}

/** The record that inserts a node. */
export function insert(at: ChangeAt, key: string, data: string): Write {
  return (log, to) => writeInsert(log, to, { ...changeAt(at), key: bytesOf(key), data: bytesOf(data) })
}
