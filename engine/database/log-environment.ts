import { readText, writeText } from './log-bytes.ts'

/** DBMS_PARAM: the settings of the engine that wrote the file. For people; nothing is decided by them. */
export interface LogEnvironment {
  /** Where the checkpoint lay. */
  readonly systemPath: string
  readonly logPath: string
  readonly circularLogging: boolean
  readonly sessions: number
  readonly openTables: number
  readonly versionPages: number
  readonly cursors: number
  /** Log buffers, in sectors. */
  readonly logBuffers: number
  readonly logFileSectors: number
  /** Pages. */
  readonly cacheSizeMax: number
}

/** Bytes of a DBMS_PARAM in a file, its 16 reserved bytes counted. Init records carry the same block. */
const ENVIRONMENT_BYTES = 567

/** Room of each path, its NUL counted. */
const PATH_BYTES = 261
const LOG_PATH = PATH_BYTES
const FLAGS = 2 * PATH_BYTES
const NUMBERS = FLAGS + 1
const CIRCULAR_LOGGING = 1

/** Reads the DBMS_PARAM at `offset`. Any bytes are one. */
export function readEnvironment(bytes: Uint8Array, view: DataView, offset: number): LogEnvironment {
  const number = (index: number): number => view.getUint32(offset + NUMBERS + index * 4, true)
  return {
    systemPath: readText(bytes, offset, PATH_BYTES),
    logPath: readText(bytes, offset + LOG_PATH, PATH_BYTES),
    circularLogging: (view.getUint8(offset + FLAGS) & CIRCULAR_LOGGING) !== 0,
    sessions: number(0),
    openTables: number(1),
    versionPages: number(2),
    cursors: number(3),
    logBuffers: number(4),
    logFileSectors: number(5),
    cacheSizeMax: number(6),
  }
}

/** Writes `environment` at `offset`; paths longer than 260 characters are cut, as the field is for people only. */
export function writeEnvironment(view: DataView, offset: number, environment: LogEnvironment): void {
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength)
  bytes.fill(0, offset, offset + ENVIRONMENT_BYTES)
  writeText(bytes, offset, { text: environment.systemPath, length: PATH_BYTES })
  writeText(bytes, offset + LOG_PATH, { text: environment.logPath, length: PATH_BYTES })
  view.setUint8(offset + FLAGS, environment.circularLogging ? CIRCULAR_LOGGING : 0)
  const numbers = [
    environment.sessions,
    environment.openTables,
    environment.versionPages,
    environment.cursors,
    environment.logBuffers,
    environment.logFileSectors,
    environment.cacheSizeMax,
  ]
  for (const [index, value] of numbers.entries()) view.setUint32(offset + NUMBERS + index * 4, value, true)
}
