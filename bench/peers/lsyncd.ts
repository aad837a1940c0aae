import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Daemon, hasProgram, startDaemon } from '../command.ts'

/** One directory that a mirror keeps; the target is an address of an rsync daemon. */
export interface MirroredDirectory {
  readonly source: string
  readonly target: string
}

/** Why lsyncd cannot run here, or null. */
export function lsyncdMissing(): string | null {
  return hasProgram('lsyncd') && hasProgram('rsync') ? null : "Debian's package lsyncd is absent"
}

/** Starts lsyncd with a delay of 0 s: inotify events, then rsync of what changed. */
export async function startLsyncd(scratch: string, mirrored: readonly MirroredDirectory[]): Promise<Daemon> {
  const config = join(scratch, 'lsyncd.lua')
  const syncs = mirrored.map(
    ({ source, target }) => `sync { default.rsync, source = ${quoted(source)}, target = ${quoted(target)}, delay = 0,
  rsync = { whole_file = true, times = true, _extra = { "--fsync" } } }`,
  )
  const settings = `settings { nodaemon = true, insist = true, maxProcesses = 4,
  statusFile = ${quoted(join(scratch, 'lsyncd.status'))}, logfile = ${quoted(join(scratch, 'lsyncd.log'))} }`
  writeFileSync(config, `${settings}\n${syncs.join('\n')}\n`)
  return startDaemon('lsyncd', [config])
}

function quoted(text: string): string {
  return `"${text}"`
}
