import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LOG_HEADER_BYTES, type LogHeader, readLogHeader, writeLogHeader } from '../../engine/database/log-header.ts'
import { asGeneration, nextGeneration } from '../../engine/generation.ts'
import { eseLogName, logNameParser } from '../../engine/log-format.ts'
import type { LogDamage } from '../../engine/scenario/step.ts'

/** What the logs of a scenario's storage group begin with. */
const BASE_NAME = 'E00'
const parseLogName = logNameParser({ kind: 'ese', baseName: BASE_NAME })

/** The generations of the closed logs in a directory, ascending; none where it is not there. */
export function logsIn(directory: string): readonly number[] {
  try {
    return readdirSync(directory)
      .flatMap((name) => parseLogName(name)?.generation ?? [])
      .sort((a, b) => a - b)
  } catch {
    return []
  }
}

/** Deletes logs, those that are there. */
export function deleteLogs(
  directory: string,
  { first, last }: { readonly first: number; readonly last: number },
): void {
  for (let g = asGeneration(first); g <= last; g = nextGeneration(g))
    rmSync(join(directory, eseLogName(BASE_NAME, g)), { force: true })
}

/** Damages a log in its place. Errors: of the file system where it is not there. */
export function damageLog(directory: string, generation: number, how: LogDamage): void {
  const path = join(directory, eseLogName(BASE_NAME, asGeneration(generation)))
  const bytes = new Uint8Array(readFileSync(path))
  writeFileSync(path, damaged(bytes, how))
}

/** The bytes of a log with something wrong in them; all but `body` and `torn` have a header whose checksum is right. */
function damaged(bytes: Uint8Array, how: LogDamage): Uint8Array {
  switch (how) {
    case 'body': {
      // In the first record behind the header: what is behind the last record is not covered by its checksum.
      const at = 2 * LOG_HEADER_BYTES
      bytes[at] = (bytes[at] ?? 0) ^ 1
      return bytes
    }
    case 'torn':
      return bytes.subarray(0, bytes.byteLength >> 1)
    case 'generation':
      return withHeader(bytes, (header) => ({ ...header, generation: nextGeneration(header.generation) }))
    case 'signature':
      return withHeader(bytes, ({ signature, ...header }) => ({
        ...header,
        signature: { ...signature, random: (signature.random ^ 1) >>> 0 },
      }))
    case 'previous':
      return withHeader(bytes, ({ previousCreateTime: time, ...header }) => ({
        ...header,
        previousCreateTime: { ...time, hour: (time.hour + 1) % 24 },
      }))
  }
}

function withHeader(bytes: Uint8Array, change: (header: LogHeader) => LogHeader): Uint8Array {
  const read = readLogHeader(bytes)
  if (read.verdict === 'rejected') throw new Error(`the log is damaged already: ${read.rejection.detail}`)
  writeLogHeader(bytes, change(read.header))
  return bytes
}
