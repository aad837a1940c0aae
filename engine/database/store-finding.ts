import type { Generation, GenerationRange } from '../generation.ts'
import { readCheckpointFile } from './checkpoint-file.ts'
import type { DatabaseHeader } from './database-header.ts'
import { DATABASE_ERROR_OF, faultOfDatabaseHeader, readDatabaseHeader } from './database-header-copies.ts'
import { formatDatabaseState } from './database-state.ts'
import { PAGE_BYTES } from './page.ts'
import type { StoreFiles } from './recovery-evidence.ts'
import { logFault, type StoreFault } from './store-fault.ts'

/** What a look at the directories of a store brings, unverified. */
export interface FoundStore {
  readonly hasOpenLog: boolean
  readonly hasPreparedLog: boolean
  /** The closed logs, as ascending runs. */
  readonly closed: readonly GenerationRange[]
  /** The checkpoint file; null where there is none. */
  readonly checkpoint: Uint8Array | null
  /** The first bytes of the database, best `DATABASE_HEADERS_BYTES_MAX` of them; null where there is none. */
  readonly databaseStart: Uint8Array | null
  /** The length of the database's file; 0 where there is none. */
  readonly databaseBytes: number
}

/** What a recovery or a replay begins with, or why it cannot begin. */
export type StoreFinding =
  | { readonly finding: 'readable'; readonly files: StoreFiles }
  | { readonly finding: 'unreadable'; readonly fault: StoreFault }

/** ESE's number of a database whose pages have another size. */
const PAGE_SIZE_MISMATCH = -1213

/** Both copies of the header come before page 1. */
const HEADER_PAGES = 2

/**
 * Reads what was found. A checkpoint file that cannot be read counts as none, since the header of the database says where a redo
 * begins; a database whose header cannot be read ends it.
 */
export function readStore(found: FoundStore): StoreFinding {
  const database = found.databaseStart === null ? null : readDatabase(found.databaseStart)
  if (database !== null && 'error' in database) return { finding: 'unreadable', fault: database }
  const checkpoint = found.checkpoint === null ? null : readCheckpointFile(found.checkpoint)
  return {
    finding: 'readable',
    files: {
      closed: found.closed.flatMap(generationsOf),
      hasOpenLog: found.hasOpenLog,
      hasPreparedLog: found.hasPreparedLog,
      database,
      databasePages: Math.max(0, Math.floor(found.databaseBytes / PAGE_BYTES) - HEADER_PAGES),
      checkpoint: checkpoint?.verdict === 'read' ? checkpoint.checkpoint : null,
    },
  }
}

function readDatabase(start: Uint8Array): DatabaseHeader | StoreFault {
  const verdict = readDatabaseHeader(start)
  if (verdict.verdict === 'rejected')
    return logFault(DATABASE_ERROR_OF[verdict.rejection.reason], null, verdict.rejection.detail)
  const { header } = verdict
  if (header.pageBytes !== PAGE_BYTES)
    return logFault(PAGE_SIZE_MISMATCH, null, `pages of ${header.pageBytes} bytes, where those of this store have 8192`)
  const fault = faultOfDatabaseHeader(header)
  if (fault !== null) return logFault(DATABASE_ERROR_OF['bad-field'], null, fault)
  if (header.state === 'dirty-shutdown' || header.state === 'clean-shutdown') return header
  return logFault(
    DATABASE_ERROR_OF['bad-field'],
    null,
    `a database is not opened in the state ${formatDatabaseState(header.state)}`,
  )
}

function generationsOf({ first, last }: GenerationRange): Generation[] {
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) as Generation) // between two generations
}
