/** The layout of one record type: enough to find where the next record begins. */
export interface RecordShape {
  /** The engine's own name for it. */
  readonly name: string
  /** Bytes that every record of the type has, its type byte counted. */
  readonly fixed: number
  /** Bytes that follow, from the fields of the record at `at`; null when there are none. */
  readonly variable: VariableLength | null
}

/** Reads from the fixed part at `at` how many bytes follow it. */
type VariableLength = (view: DataView, at: number) => number

/** Sums of 16-bit length fields, the only kind that most records have. */
function lengthsAt(...offsets: readonly number[]): VariableLength {
  if (offsets.length === 1) {
    const [only = 0] = offsets
    return (view, at) => view.getUint16(at + only, true)
  }
  return (view, at) => {
    let sum = 0
    for (const offset of offsets) sum += view.getUint16(at + offset, true)
    return sum
  }
}

/** One 32-bit length: records that older engines may skip without knowing them. */
function longLengthAt(offset: number): VariableLength {
  return (view, at) => view.getUint32(at + offset, true)
}

/** Split2 and Merge2 carry a page image beside their keys; its length lies at `image`. */
function keysAndImage(keys: readonly number[], image: number): VariableLength {
  const keyLengths = lengthsAt(...keys)
  return (view, at) => keyLengths(view, at) + view.getUint32(at + image, true)
}

/** CreateDB has a path, and four bytes of version before it when bit 4 of its flags is set. */
const createDatabaseLength: VariableLength = (view, at) =>
  view.getUint16(at + 40, true) + ((view.getUint8(at + 42) & 4) === 0 ? 0 : 4)

/** Replace keeps its length in 15 bits; the top bit says how the difference is written. */
const replaceLength: VariableLength = (view, at) => view.getUint16(at + 44, true) & 0x7fff

/** PageMove: the two parts of the page that it carries. */
const pageMoveLength: VariableLength = (view, at) => view.getUint32(at + 88, true) + view.getUint32(at + 92, true)

/** Every record type by its number, except the two runs of skippable ones. */
const SHAPES: Readonly<Record<number, RecordShape>> = {
  // Start, stop and marks
  0: { name: 'NOP', fixed: 1, variable: null },
  1: { name: 'Init', fixed: 568, variable: null },
  2: { name: 'Term', fixed: 18, variable: null },
  4: { name: 'End', fixed: 1, variable: null },
  17: { name: 'RecoveryUndo', fixed: 1, variable: null },
  18: { name: 'RecoveryQuit', fixed: 18, variable: null },
  22: { name: 'Trace', fixed: 5, variable: lengthsAt(3) },
  23: { name: 'ShutDownMark', fixed: 1, variable: null },
  42: { name: 'Checksum', fixed: 22, variable: null },
  49: { name: 'Init2', fixed: 576, variable: null },
  50: { name: 'Term2', fixed: 26, variable: null },
  51: { name: 'RecoveryUndo2', fixed: 9, variable: null },
  52: { name: 'RecoveryQuit2', fixed: 26, variable: null },
  57: { name: 'ForceWriteLog', fixed: 3, variable: null },
  61: { name: 'ForceLogRollover', fixed: 5, variable: lengthsAt(3) },
  // Transactions
  5: { name: 'Begin', fixed: 4, variable: null },
  6: { name: 'Commit', fixed: 4, variable: null },
  7: { name: 'Rollback', fixed: 4, variable: null },
  8: { name: 'Begin0', fixed: 8, variable: null },
  9: { name: 'Commit0', fixed: 8, variable: null },
  11: { name: 'MacroBegin', fixed: 11, variable: null },
  12: { name: 'MacroCommit', fixed: 11, variable: null },
  13: { name: 'MacroAbort', fixed: 11, variable: null },
  // Databases and backups
  14: { name: 'CreateDB', fixed: 43, variable: createDatabaseLength },
  15: { name: 'AttachDB', fixed: 75, variable: lengthsAt(72) },
  16: { name: 'DetachDB', fixed: 7, variable: lengthsAt(4) },
  45: { name: 'ExtRestore', fixed: 3, variable: lengthsAt(1) },
  59: { name: 'ExtRestore2', fixed: 3, variable: lengthsAt(1) },
  60: { name: 'Backup2', fixed: 35, variable: lengthsAt(33) },
  // Trees
  24: { name: 'CreateMultipleExtentFDP', fixed: 56, variable: null },
  25: { name: 'CreateSingleExtentFDP', fixed: 48, variable: null },
  26: { name: 'ConvertFDP', fixed: 60, variable: null },
  27: { name: 'Split', fixed: 102, variable: lengthsAt(96, 98, 100) },
  28: { name: 'Merge', fixed: 88, variable: lengthsAt(86) },
  48: { name: 'EmptyTree', fixed: 46, variable: lengthsAt(44) },
  58: { name: 'ConvertFDP2', fixed: 68, variable: null },
  62: { name: 'Split2', fixed: 110, variable: keysAndImage([96, 98, 100], 106) },
  63: { name: 'Merge2', fixed: 96, variable: keysAndImage([86], 92) },
  64: { name: 'Scrub', fixed: 54, variable: lengthsAt(52) },
  65: { name: 'PageMove', fixed: 96, variable: pageMoveLength },
  // Nodes
  29: { name: 'Insert', fixed: 50, variable: lengthsAt(44, 46, 48) },
  30: { name: 'FlagInsert', fixed: 48, variable: lengthsAt(44, 46) },
  31: { name: 'FlagInsertAndReplaceData', fixed: 52, variable: lengthsAt(44, 46) },
  32: { name: 'FlagDelete', fixed: 44, variable: null },
  33: { name: 'Replace', fixed: 50, variable: replaceLength },
  34: { name: 'ReplaceDifference', fixed: 50, variable: replaceLength },
  35: { name: 'Delete', fixed: 44, variable: null },
  36: { name: 'UndoInfo', fixed: 56, variable: lengthsAt(44, 46, 54) },
  37: { name: 'Delta', fixed: 54, variable: lengthsAt(44, 46) },
  38: { name: 'SetExternalHeader', fixed: 46, variable: lengthsAt(44) },
  39: { name: 'Undo', fixed: 51, variable: lengthsAt(44, 46) },
  // Format 8,4000 only
  66: { name: 'PagePatchRequest', fixed: 46, variable: null },
  76: { name: 'FragmentBegin', fixed: 7, variable: lengthsAt(5) },
  77: { name: 'Fragment', fixed: 3, variable: lengthsAt(1) },
  78: { name: 'ShrinkDB', fixed: 10, variable: null },
  79: { name: 'CreateDBFinish', fixed: 4, variable: null },
  80: { name: 'RecoveryQuitKeepAttachments', fixed: 26, variable: null },
  81: { name: 'TrimDB', fixed: 10, variable: null },
  92: { name: 'SetDbVersion', fixed: 14, variable: null },
  93: { name: 'Delta64', fixed: 58, variable: lengthsAt(44, 46) },
  94: { name: 'ShrinkDB2', fixed: 10, variable: null },
  95: { name: 'NewPage', fixed: 20, variable: null },
  96: { name: 'RootPageMove', fixed: 16, variable: null },
  97: { name: 'SignalAttachDb', fixed: 2, variable: null },
  98: { name: 'ScanCheck2', fixed: 27, variable: null },
  99: { name: 'ShrinkDB3', fixed: 18, variable: null },
  100: { name: 'ExtentFreed', fixed: 11, variable: null },
  101: { name: 'ExtentFreed2', fixed: 19, variable: null },
}

/** The numbers of the types that this engine writes or looks into. */
export const RECORD = {
  nop: 0,
  begin: 5,
  commit: 6,
  rollback: 7,
  begin0: 8,
  commit0: 9,
  macroBegin: 11,
  macroCommit: 12,
  macroAbort: 13,
  createDatabase: 14,
  attachDatabase: 15,
  detachDatabase: 16,
  trace: 22,
  shutDownMark: 23,
  createMultipleExtent: 24,
  createSingleExtent: 25,
  convert: 26,
  split: 27,
  merge: 28,
  insert: 29,
  flagInsert: 30,
  flagInsertAndReplace: 31,
  flagDelete: 32,
  replace: 33,
  replaceDifference: 34,
  delete: 35,
  undoInfo: 36,
  delta: 37,
  setExternalHeader: 38,
  undo: 39,
  emptyTree: 48,
  init2: 49,
  term2: 50,
  recoveryUndo2: 51,
  recoveryQuit2: 52,
  convert2: 58,
  backup2: 60,
  forceLogRollover: 61,
  split2: 62,
  merge2: 63,
  scrub: 64,
  pageMove: 65,
} as const

/**
 * The highest record type that a log of format 7,3704 may hold, by the update in its header: an engine of that age knows no
 * higher one. Source: the engine's version history; 10 is Exchange 2007, 12 its first service pack.
 */
export function recordTypeMax(update: number): number {
  if (update >= 13) return RECORD.pageMove
  if (update === 12) return RECORD.scrub
  return update === 11 ? RECORD.merge2 : RECORD.backup2
}

/** Types that an engine may skip without knowing them (MacroInfo, ExtendDB, CommitCtx, ScanCheck and more): two runs. */
const SKIPPABLE: readonly (readonly [number, number])[] = [
  [67, 75],
  [82, 91],
]
const SKIPPABLE_SHAPE: RecordShape = { name: 'Skippable', fixed: 5, variable: longLengthAt(1) }

/** All of them by type, dense, as a walk looks one up for each record. */
const BY_TYPE: readonly (RecordShape | null)[] = Array.from({ length: 256 }, (_, type) => {
  const skippable = SKIPPABLE.some(([first, last]) => type >= first && type <= last)
  return skippable ? SKIPPABLE_SHAPE : (SHAPES[type] ?? null)
})

/** The layout of a record type, or null when no version has it. Source: record sizes of the engine, walked on real logs. */
export function shapeOfRecord(type: number): RecordShape | null {
  return BY_TYPE[type] ?? null
}
