import { assert } from '../assert.ts'
import { type LogBytes, openLogBytes } from './log-bytes.ts'
import type { LogPosition } from './log-position.ts'
import { type LogRecord, openRecords, type RecordCursor } from './log-record.ts'

/** The records of a macro so far, copied: the log that they lay in may be gone when it ends. */
export interface OpenMacro {
  /** Where its MacroBegin lies: redo of it begins there. */
  readonly begin: LogPosition
  readonly log: LogBytes
  readonly endByte: number
}

/** A macro that still grows. */
type GrowingMacro = { -readonly [Field in keyof OpenMacro]: OpenMacro[Field] }

/** Bytes that a macro's records get at first: some splits with their page images. */
const FIRST_BYTES = 65_536
/** The most that the records of one macro take: sixteen logs of Exchange 2007. A longer one is no macro of any engine. */
const MACRO_BYTES_MAX = 2 ** 24

/**
 * The macros that are open where a redo stands. Records between a session's MacroBegin and its end take effect together, when
 * MacroCommit is met, which may be in a later log.
 *
 * A class, since it owns the copies of their records.
 */
export class OpenMacros {
  readonly #bySession = new Map<number, GrowingMacro>()
  /** Memory of macros that have ended, for the next ones. */
  readonly #spare: LogBytes[] = []

  /** How many are open. */
  get count(): number {
    return this.#bySession.size
  }

  /** Where the oldest open one begins, or null: a redo after a crash must begin there or before. */
  get oldestBegin(): LogPosition | null {
    // Macros are opened in the order of the log, and a map keeps that order.
    for (const { begin } of this.#bySession.values()) return begin
    return null
  }

  /** A session's MacroBegin. One that it had open already was left behind by a crash: its records are dropped. */
  open(session: number, begin: LogPosition): void {
    this.end(session)
    const log = this.#spare.pop() ?? openLogBytes(new Uint8Array(FIRST_BYTES))
    this.#bySession.set(session, { begin, log, endByte: 0 })
  }

  /** Whether the session has one open, so that its records belong into it. */
  has(session: number): boolean {
    return this.#bySession.has(session)
  }

  /** Keeps a record of the session's macro. False where the macro gets longer than any macro is. */
  keep(session: number, source: LogBytes, record: LogRecord): boolean {
    const macro = this.#bySession.get(session)
    assert(macro !== undefined, 'the session has a macro open')
    const end = macro.endByte + record.bytes
    if (end > MACRO_BYTES_MAX) return false
    if (end > macro.log.bytes.byteLength) macro.log = grown(macro.log, end)
    macro.log.bytes.set(source.bytes.subarray(record.at, record.at + record.bytes), macro.endByte)
    macro.endByte = end
    return true
  }

  /** The session's macro, or null. It stays open until {@link end}. */
  of(session: number): OpenMacro | null {
    return this.#bySession.get(session) ?? null
  }

  /** The session's macro is done, or dropped. */
  end(session: number): void {
    const macro = this.#bySession.get(session)
    if (macro === undefined) return
    this.#bySession.delete(session)
    this.#spare.push(macro.log)
  }
}

/** A cursor before the first record of a macro. */
export function recordsOfMacro({ log, endByte }: OpenMacro): RecordCursor {
  return openRecords(log, { headerSectors: 0, sectorBytes: 0 }, endByte)
}

function grown(log: LogBytes, bytes: number): LogBytes {
  const larger = openLogBytes(new Uint8Array(Math.max(bytes, 2 * log.bytes.byteLength)))
  larger.bytes.set(log.bytes)
  return larger
}
