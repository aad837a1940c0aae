/** One of the closed list of error codes. */
export type ErrorCode =
  | 'USAGE'
  | 'CONFIG_INVALID'
  | 'SCENARIO_INVALID'
  | 'LOG_FORMAT_INVALID'
  | 'NAME_INVALID'
  | 'URL_INVALID'
  | 'BIND_REFUSED'
  | 'DIRECTORY_MISSING'
  | 'DIRECTORY_NOT_WRITABLE'
  | 'DIRECTORY_CONFLICT'
  | 'FILE_NOT_REGULAR'
  | 'FILE_EXISTS'
  | 'FILE_HELD'
  | 'READ_FAILED'
  | 'WRITE_FAILED'
  | 'SYNC_FAILED'
  | 'DISK_FULL'
  | 'STORE_LOCKED'
  | 'STORE_FOREIGN'
  | 'JOURNAL_CORRUPT'
  | 'LOG_REJECTED'
  | 'LOG_MISSING'
  | 'LOG_CHANGED'
  | 'STREAM_MISMATCH'
  | 'DATABASE_REJECTED'
  | 'PAGE_REJECTED'
  | 'BACKUP_REJECTED'
  | 'TOOL_FAILED'
  | 'FILE_UNKNOWN'
  | 'PORT_IN_USE'
  | 'NODE_UNREACHABLE'
  | 'SHARE_UNKNOWN'
  | 'WIRE_PROTOCOL'
  | 'TRANSFER_TIMEOUT'
  | 'REQUEST_INVALID'
  | 'STORAGE_GROUP_UNKNOWN'
  | 'STATE_REFUSED'
  | 'STORE_UNAVAILABLE'
  | 'STORE_BUSY'
  | 'MESSAGE_EXISTS'
  | 'MESSAGE_MISSING'
  | 'MESSAGE_TOO_LONG'
  | 'WRITE_CONFLICT'
  | 'WAIT_TIMED_OUT'
  | 'INTERNAL'

/** What a code stands for: the exit code of a command that ends with it, and whether the same call may succeed later. */
export interface ErrorClass {
  readonly exit: number
  readonly retriable: boolean
}

/**
 * The closed list of what can go wrong in the world. A code is never renamed; each stands in docs/ERRORS.md with cause and
 * cure, and a test holds the two together.
 */
export const ERROR_CODES: Readonly<Record<ErrorCode, ErrorClass>> = {
  // usage
  USAGE: { exit: 2, retriable: false },
  CONFIG_INVALID: { exit: 2, retriable: false },
  SCENARIO_INVALID: { exit: 2, retriable: false },
  LOG_FORMAT_INVALID: { exit: 2, retriable: false },
  NAME_INVALID: { exit: 2, retriable: false },
  URL_INVALID: { exit: 2, retriable: false },
  BIND_REFUSED: { exit: 2, retriable: false },
  // files and directories
  DIRECTORY_MISSING: { exit: 1, retriable: true },
  DIRECTORY_NOT_WRITABLE: { exit: 1, retriable: true },
  DIRECTORY_CONFLICT: { exit: 2, retriable: false },
  FILE_NOT_REGULAR: { exit: 1, retriable: false },
  FILE_EXISTS: { exit: 1, retriable: false },
  FILE_HELD: { exit: 1, retriable: true },
  READ_FAILED: { exit: 1, retriable: true },
  WRITE_FAILED: { exit: 1, retriable: true },
  SYNC_FAILED: { exit: 1, retriable: true },
  DISK_FULL: { exit: 1, retriable: true },
  STORE_LOCKED: { exit: 6, retriable: true },
  STORE_FOREIGN: { exit: 6, retriable: false },
  JOURNAL_CORRUPT: { exit: 1, retriable: false },
  // logs
  LOG_REJECTED: { exit: 1, retriable: false },
  LOG_MISSING: { exit: 1, retriable: true },
  LOG_CHANGED: { exit: 1, retriable: true },
  STREAM_MISMATCH: { exit: 6, retriable: false },
  // databases
  DATABASE_REJECTED: { exit: 1, retriable: false },
  PAGE_REJECTED: { exit: 1, retriable: false },
  BACKUP_REJECTED: { exit: 1, retriable: false },
  TOOL_FAILED: { exit: 1, retriable: true },
  FILE_UNKNOWN: { exit: 1, retriable: false },
  // the wire
  PORT_IN_USE: { exit: 1, retriable: true },
  NODE_UNREACHABLE: { exit: 4, retriable: true },
  SHARE_UNKNOWN: { exit: 1, retriable: false },
  WIRE_PROTOCOL: { exit: 1, retriable: true },
  TRANSFER_TIMEOUT: { exit: 1, retriable: true },
  REQUEST_INVALID: { exit: 2, retriable: false },
  // operators
  STORAGE_GROUP_UNKNOWN: { exit: 1, retriable: false },
  STATE_REFUSED: { exit: 6, retriable: false },
  // mailbox stores
  STORE_UNAVAILABLE: { exit: 6, retriable: true },
  STORE_BUSY: { exit: 1, retriable: true },
  MESSAGE_EXISTS: { exit: 6, retriable: false },
  MESSAGE_MISSING: { exit: 1, retriable: false },
  MESSAGE_TOO_LONG: { exit: 2, retriable: false },
  WRITE_CONFLICT: { exit: 6, retriable: true },
  // whoever asks
  WAIT_TIMED_OUT: { exit: 5, retriable: true },
  INTERNAL: { exit: 1, retriable: false },
}

/** What an error says: the parts that a command prints, an API answers and a log line keeps. */
export interface ErrorParts {
  readonly code: ErrorCode
  /** Lower case, no full stop, names the storage group, generation and path concerned. */
  readonly message: string
  /** A sentence that says what to do, with the command to run. */
  readonly hint: string
  readonly cause?: unknown
  /** Further facts for machines: `generation`, `path`, `errno`. Values are JSON. */
  readonly fields?: Readonly<Record<string, string | number | boolean>>
}

/** A fault of the world, told so that somebody can act on it. Programming faults are assertions, never this. */
export class ReplicationError extends Error {
  override readonly name = 'ReplicationError'
  readonly code: ErrorCode
  readonly hint: string
  readonly fields: Readonly<Record<string, string | number | boolean>>

  constructor(parts: ErrorParts) {
    super(parts.message, parts.cause === undefined ? {} : { cause: parts.cause })
    this.code = parts.code
    this.hint = parts.hint
    this.fields = parts.fields ?? {}
  }

  /** An error that has crossed threads or wires, as {@link toJSON} made it. */
  static fromJSON({ code, message, hint, retriable: _, ...fields }: ErrorDocument): ReplicationError {
    return new ReplicationError({ code, message, hint, fields })
  }

  /** Whether the same call may succeed later without anybody's doing. */
  get retriable(): boolean {
    return ERROR_CODES[this.code].retriable
  }

  /** The exit code of a command that ends with this error (the table of codes is in docs/ERRORS.md). */
  get exitCode(): number {
    return ERROR_CODES[this.code].exit
  }

  /** The JSON form, the same in `--json` output, in HTTP answers and in structured logs. */
  toJSON(): ErrorDocument {
    return { code: this.code, message: this.message, hint: this.hint, retriable: this.retriable, ...this.fields }
  }
}

/** The JSON form of an error. */
export interface ErrorDocument {
  readonly code: ErrorCode
  readonly message: string
  readonly hint: string
  readonly retriable: boolean
  readonly [field: string]: string | number | boolean
}
