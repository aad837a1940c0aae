import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem } from 'node:os'
import type { MachineDescription } from './result.ts'

/** Describes this machine and the disk below `directory`. */
export function describeMachine(directory: string): MachineDescription {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    fileSystem: output('findmnt', ['-n', '-o', 'FSTYPE,OPTIONS', '-T', directory]),
    node: process.version,
    commit: output('git', ['rev-parse', '--short', 'HEAD']),
  }
}

/** The type of the file system below `directory`, such as `ext4`; '' when it cannot be told. */
export function fileSystemType(directory: string): string {
  return output('findmnt', ['-n', '-o', 'FSTYPE', '-T', directory])
}

function output(file: string, args: readonly string[]): string {
  try {
    return execFileSync(file, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      .trim()
      .replace(/\s+/g, ' ')
  } catch {
    return 'unknown'
  }
}
