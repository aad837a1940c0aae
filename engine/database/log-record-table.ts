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
export type VariableLength = (view: DataView, at: number) => number

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

const SHAPES: (RecordShape | null)[] = new Array<RecordShape | null>(256).fill(null)

function define(type: number, name: string, layout: { fixed: number; variable?: VariableLength }): void {
  SHAPES[type] = { name, fixed: layout.fixed, variable: layout.variable ?? null }
}

/** The layout of a record type, or null when no version has it. Source: record sizes of the engine, walked on real logs. */
export function shapeOfRecord(type: number): RecordShape | null {
  return SHAPES[type] ?? null
}

/** The name of a record type, `?` when there is none. */
export function nameOfRecord(type: number): string {
  return SHAPES[type]?.name ?? '?'
}

// Start, stop and marks
define(0, 'NOP', { fixed: 1 })
define(1, 'Init', { fixed: 568 })
define(2, 'Term', { fixed: 18 })
define(4, 'End', { fixed: 1 })
define(17, 'RecoveryUndo', { fixed: 1 })
define(18, 'RecoveryQuit', { fixed: 18 })
define(22, 'Trace', { fixed: 5, variable: lengthsAt(3) })
define(23, 'ShutDownMark', { fixed: 1 })
define(42, 'Checksum', { fixed: 22 })
define(49, 'Init2', { fixed: 576 })
define(50, 'Term2', { fixed: 26 })
define(51, 'RecoveryUndo2', { fixed: 9 })
define(52, 'RecoveryQuit2', { fixed: 26 })
define(57, 'ForceWriteLog', { fixed: 3 })
define(61, 'ForceLogRollover', { fixed: 5, variable: lengthsAt(3) })
// Transactions
define(5, 'Begin', { fixed: 4 })
define(6, 'Commit', { fixed: 4 })
define(7, 'Rollback', { fixed: 4 })
define(8, 'Begin0', { fixed: 8 })
define(9, 'Commit0', { fixed: 8 })
define(11, 'MacroBegin', { fixed: 11 })
define(12, 'MacroCommit', { fixed: 11 })
define(13, 'MacroAbort', { fixed: 11 })
// Databases and backups
define(14, 'CreateDB', { fixed: 43, variable: createDatabaseLength })
define(15, 'AttachDB', { fixed: 75, variable: lengthsAt(72) })
define(16, 'DetachDB', { fixed: 7, variable: lengthsAt(4) })
define(45, 'ExtRestore', { fixed: 3, variable: lengthsAt(1) })
define(59, 'ExtRestore2', { fixed: 3, variable: lengthsAt(1) })
define(60, 'Backup2', { fixed: 35, variable: lengthsAt(33) })
// Trees
define(24, 'CreateMultipleExtentFDP', { fixed: 56 })
define(25, 'CreateSingleExtentFDP', { fixed: 48 })
define(26, 'ConvertFDP', { fixed: 60 })
define(27, 'Split', { fixed: 102, variable: lengthsAt(96, 98, 100) })
define(28, 'Merge', { fixed: 88, variable: lengthsAt(86) })
define(48, 'EmptyTree', { fixed: 46, variable: lengthsAt(44) })
define(58, 'ConvertFDP2', { fixed: 68 })
define(62, 'Split2', { fixed: 110, variable: keysAndImage([96, 98, 100], 106) })
define(63, 'Merge2', { fixed: 96, variable: keysAndImage([86], 92) })
define(64, 'Scrub', { fixed: 54, variable: lengthsAt(52) })
define(65, 'PageMove', { fixed: 96, variable: pageMoveLength })
// Nodes
define(29, 'Insert', { fixed: 50, variable: lengthsAt(44, 46, 48) })
define(30, 'FlagInsert', { fixed: 48, variable: lengthsAt(44, 46) })
define(31, 'FlagInsertAndReplaceData', { fixed: 52, variable: lengthsAt(44, 46) })
define(32, 'FlagDelete', { fixed: 44 })
define(33, 'Replace', { fixed: 50, variable: replaceLength })
define(34, 'ReplaceDifference', { fixed: 50, variable: replaceLength })
define(35, 'Delete', { fixed: 44 })
define(36, 'UndoInfo', { fixed: 56, variable: lengthsAt(44, 46, 54) })
define(37, 'Delta', { fixed: 54, variable: lengthsAt(44, 46) })
define(38, 'SetExternalHeader', { fixed: 46, variable: lengthsAt(44) })
define(39, 'Undo', { fixed: 51, variable: lengthsAt(44, 46) })
// Format 8,4000 only
define(66, 'PagePatchRequest', { fixed: 46 })
define(76, 'FragmentBegin', { fixed: 7, variable: lengthsAt(5) })
define(77, 'Fragment', { fixed: 3, variable: lengthsAt(1) })
define(78, 'ShrinkDB', { fixed: 10 })
define(79, 'CreateDBFinish', { fixed: 4 })
define(80, 'RecoveryQuitKeepAttachments', { fixed: 26 })
define(81, 'TrimDB', { fixed: 10 })
define(92, 'SetDbVersion', { fixed: 14 })
define(93, 'Delta64', { fixed: 58, variable: lengthsAt(44, 46) })
define(94, 'ShrinkDB2', { fixed: 10 })
define(95, 'NewPage', { fixed: 20 })
define(96, 'RootPageMove', { fixed: 16 })
define(97, 'SignalAttachDb', { fixed: 2 })
define(98, 'ScanCheck2', { fixed: 27 })
define(99, 'ShrinkDB3', { fixed: 18 })
define(100, 'ExtentFreed', { fixed: 11 })
define(101, 'ExtentFreed2', { fixed: 19 })
/** The two runs of types that an engine may skip without knowing them: MacroInfo, ExtendDB, CommitCtx, ScanCheck and more. */
for (const [first, last] of [
  [67, 75],
  [82, 91],
] as const) {
  for (let type = first; type <= last; type++) define(type, `Skippable${type}`, { fixed: 5, variable: longLengthAt(1) })
}
