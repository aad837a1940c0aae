/** LGPOS: a place in a stream. `byte` counts inside the sector, `sector` from the start of the file with its header. */
export interface LogPosition {
  readonly generation: number
  readonly sector: number
  readonly byte: number
}

/** Reads the LGPOS at `offset`. Any eight bytes are one; the generation is signed and not checked. */
export function readLogPosition(view: DataView, offset: number): LogPosition {
  return {
    byte: view.getUint16(offset, true),
    sector: view.getUint16(offset + 2, true),
    generation: view.getInt32(offset + 4, true),
  }
}

/** Writes `position` at `offset`. */
export function writeLogPosition(view: DataView, offset: number, position: LogPosition): void {
  view.setUint16(offset, position.byte, true)
  view.setUint16(offset + 2, position.sector, true)
  view.setInt32(offset + 4, position.generation, true)
}

/** Below 0, 0 or above 0, as `a` lies before, at or behind `b` in their stream. */
export function comparePositions(a: LogPosition, b: LogPosition): number {
  return a.generation - b.generation || a.sector - b.sector || a.byte - b.byte
}

/** The position of byte `at`, counted from the start of the file, of a log. */
export function positionOf(
  log: { readonly generation: number; readonly sectorBytes: number },
  at: number,
): LogPosition {
  return { generation: log.generation, sector: Math.floor(at / log.sectorBytes), byte: at % log.sectorBytes }
}

/** The position that lies `bytes` before `position`, headers of logs counted; the first of all where there are not so many. */
export function positionBefore(
  log: { readonly sectorBytes: number; readonly fileSectors: number },
  position: LogPosition,
  bytes: number,
): LogPosition {
  const fileBytes = log.sectorBytes * log.fileSectors
  const at = position.generation * fileBytes + position.sector * log.sectorBytes + position.byte - bytes
  if (at < 0) return { generation: 0, sector: 0, byte: 0 }
  const generation = Math.floor(at / fileBytes)
  return positionOf({ generation, sectorBytes: log.sectorBytes }, at - generation * fileBytes)
}

/** `(0x1C4,FFFF,FFFF)`: generation, sector and byte in hexadecimal, as eseutil prints a position. */
export function formatLogPosition(position: LogPosition): string {
  const hex = (value: number): string => (value >>> 0).toString(16).toUpperCase()
  return `(0x${hex(position.generation)},${hex(position.sector)},${hex(position.byte)})`
}
