import { isBlockSealed } from './block-checksum.ts'
import {
  DATABASE_FILE_TYPE,
  DATABASE_FORMAT,
  DATABASE_MAGIC,
  type DatabaseHeader,
  readDatabaseFields,
} from './database-header.ts'
import { type LogBytes, openLogBytes } from './log-bytes.ts'
import { PAGE_SIZES } from './page-seal.ts'

/** Why the header of a database is not taken. */
export interface DatabaseRejection {
  readonly reason: 'bad-size' | 'corrupt-checksum' | 'bad-file-type' | 'bad-version' | 'bad-field'
  readonly detail: string
}

/**
 * How the copy that was not taken stands to the one that was. A crash between the two writes leaves it `older` or `damaged`; it is
 * `absent` where the header says that there is one only.
 */
type OtherCopy = 'same' | 'older' | 'damaged' | 'absent'

/** What came of reading the header of a file. */
export type DatabaseHeaderVerdict =
  | {
      readonly verdict: 'read'
      readonly header: DatabaseHeader
      /** Which of the two copies it comes from. */
      readonly copy: 'first' | 'shadow'
      readonly other: OtherCopy
    }
  | { readonly verdict: 'rejected'; readonly rejection: DatabaseRejection }

/** The bytes to give to {@link readDatabaseHeader}: two headers of the largest page size. */
export const DATABASE_HEADERS_BYTES_MAX: number = 2 * 32_768

/** Two headers of the smallest page size. */
const HEADERS_BYTES_MIN: number = 2 * 2048

/** ESE's error number for each reason. */
export const DATABASE_ERROR_OF: Readonly<Record<DatabaseRejection['reason'], number>> = {
  'bad-size': -1206,
  'corrupt-checksum': -1206,
  'bad-file-type': -1812,
  'bad-version': -1209,
  'bad-field': -1206,
}

/** A page size of 0 stands for this: files older than the field. */
const PAGE_BYTES_BEFORE_FIELD = 4096
const FLAG_NO_SHADOW = 1

/** Byte offsets of the fields that are looked at before all others. */
const AT = { magic: 4, format: 8, flags: 208, pageBytes: 236, fileType: 667 } as const

/**
 * Reads the header of a database: the first copy, or where that is damaged the shadow behind it. Any bytes may be given. The
 * checks come in the order length, checksum, file type, version, fields.
 *
 * @param file the beginning of the file, best {@link DATABASE_HEADERS_BYTES_MAX} bytes; all of it when it is shorter
 */
export function readDatabaseHeader(file: Uint8Array): DatabaseHeaderVerdict {
  if (file.byteLength < HEADERS_BYTES_MIN)
    return rejected('bad-size', `${file.byteLength} bytes are less than two headers of a database`)
  const first = sealedCopy(file, 0)
  if (first === null) {
    const shadow = PAGE_SIZES.map((size) => sealedCopy(file, size)).find((copy) => copy !== null)
    if (shadow === undefined || shadow === null)
      return rejected('corrupt-checksum', 'neither copy of the header is whole')
    return readCopy(shadow, { copy: 'shadow', other: 'damaged' })
  }
  return readCopy(first, { copy: 'first', other: otherThan(file, first) })
}

/**
 * What does not hold of a header although its checksum fits, or null. A database that needs no log has no range of them; one
 * that does has all three ends, in order. A dirty one without a range is one that was never logged.
 */
export function faultOfDatabaseHeader({ state, required }: DatabaseHeader): string | null {
  const { first, last, lastCommitted } = required
  const none = first === 0 && last === 0 && lastCommitted === 0
  if (state === 'just-created' || state === 'clean-shutdown')
    return none ? null : `a database in the state ${state} needs no log, but ${first} to ${last} are required`
  if (none || (first > 0 && first <= last && last <= lastCommitted)) return null
  return `required logs ${first} to ${last}, committed up to ${lastCommitted}: these are in no order`
}

/** The copy at `lo`, when its checksum fits the page size that it states itself; else null. */
function sealedCopy(file: Uint8Array, lo: number): LogBytes | null {
  if (file.byteLength < lo + AT.pageBytes + 4) return null
  const pageBytes =
    new DataView(file.buffer, file.byteOffset + lo).getUint32(AT.pageBytes, true) || PAGE_BYTES_BEFORE_FIELD
  // A shadow lies behind one page of its own size, so any other place is chance.
  if (!PAGE_SIZES.includes(pageBytes) || (lo !== 0 && lo !== pageBytes)) return null
  if (file.byteLength < lo + pageBytes) return null
  const copy = openLogBytes(file.subarray(lo, lo + pageBytes))
  return isBlockSealed(copy, 0, pageBytes) ? copy : null
}

function otherThan(file: Uint8Array, first: LogBytes): OtherCopy {
  const { bytes, view } = first
  if ((view.getUint32(AT.flags, true) & FLAG_NO_SHADOW) !== 0) return 'absent'
  const shadow = sealedCopy(file, bytes.byteLength)
  if (shadow === null) return 'damaged'
  return bytes.every((byte, at) => byte === shadow.bytes[at]) ? 'same' : 'older'
}

function readCopy(log: LogBytes, of: { copy: 'first' | 'shadow'; other: OtherCopy }): DatabaseHeaderVerdict {
  const { view } = log
  const fileType = view.getUint32(AT.fileType, true)
  if (fileType !== DATABASE_FILE_TYPE && fileType !== 0)
    return rejected('bad-file-type', `file type ${fileType} is not ${DATABASE_FILE_TYPE}, a database`)
  const magic = view.getUint32(AT.magic, true)
  if (magic !== DATABASE_MAGIC)
    return rejected('bad-file-type', `magic ${magic.toString(16)} is not that of a database`)
  const format = view.getUint32(AT.format, true)
  if (format !== DATABASE_FORMAT) return rejected('bad-version', `format 0x${format.toString(16)} is not 0x620`)
  const header = readDatabaseFields(log)
  return typeof header === 'string' ? rejected('bad-field', header) : { verdict: 'read', header, ...of }
}

function rejected(reason: DatabaseRejection['reason'], detail: string): DatabaseHeaderVerdict {
  return { verdict: 'rejected', rejection: { reason, detail } }
}
