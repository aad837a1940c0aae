import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { type Daemon, freePort, hasProgram, runScript, startDaemon, waitUntil } from '../command.ts'
import type { Contender, Scene } from '../contender.ts'

/**
 * An rsync daemon serves the source; `parallel` clients pull from it, each its share of the names, and sync every file
 * (`--fsync` is the receiver's). rsync verifies each file by its own checksum before it renames it into place.
 */
export function rsyncDaemon(parallel: number): Contender {
  return {
    name: parallel === 1 ? 'rsync daemon --fsync' : `rsync daemon --fsync, ${parallel} in parallel`,
    verified: 'yes (its own checksum)',
    durable: 'each file, not its name',
    missing: rsyncMissing,
    prepare: async (scene) => {
      const { daemon, port } = await startRsyncDaemon(scene.scratch, {
        module: 'logs',
        path: scene.source,
        readOnly: true,
      })
      const lists = shareOut(scene, parallel)
      return {
        daemons: [daemon.pid],
        arrived: scene.target,
        run: (started) => {
          const command = runScript(PULL, [`rsync://127.0.0.1:${port}/logs/`, scene.target, ...lists])
          started(command.pid)
          return command.done
        },
        close: () => daemon.stop(),
      }
    },
  }
}

/** Why rsync cannot run here, or null. */
export function rsyncMissing(): string | null {
  return hasProgram('rsync') ? null : "Debian's package rsync is absent"
}

const PULL = `from=$1; to=$2; shift 2; jobs=
for list in "$@"; do rsync -t --fsync --files-from="$list" "$from" "$to/" & jobs="$jobs $!"; done
for job in $jobs; do wait "$job" || exit 1; done`

/** A directory that an rsync daemon serves. */
export interface RsyncModule {
  readonly module: string
  readonly path: string
  readonly readOnly: boolean
}

/** Starts an rsync daemon with one module. */
export async function startRsyncDaemon(
  scratch: string,
  served: RsyncModule,
): Promise<{ readonly daemon: Daemon; readonly port: number }> {
  const port = await freePort()
  const config = join(scratch, 'rsyncd.conf')
  const lines = [
    'use chroot = no',
    `lock file = ${join(scratch, 'rsyncd.lock')}`,
    `[${served.module}]`,
    `path = ${served.path}`,
    `read only = ${served.readOnly ? 'yes' : 'no'}`,
    ...(process.getuid?.() === 0 ? ['uid = root', 'gid = root'] : []),
  ]
  writeFileSync(config, `${lines.join('\n')}\n`)
  const args = ['--daemon', '--no-detach', '--address=127.0.0.1', `--port=${port}`, `--config=${config}`]
  const daemon = await startDaemon('rsync', args)
  await waitUntil(`rsync daemon listens: ${daemon.complaint()}`, () => answers(port))
  return { daemon, port }
}

/** Whether anybody accepts connections at a port of 127.0.0.1. */
export function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const end = (answered: boolean) => (): void => {
      socket.destroy()
      resolve(answered)
    }
    socket.once('connect', end(true)).once('error', end(false))
  })
}

/** Deals the names out in turn, so that all clients go through the source at the same pace. */
function shareOut(scene: Scene, parallel: number): string[] {
  return Array.from({ length: parallel }, (_, index) => {
    const path = join(scene.scratch, `names-${index}`)
    writeFileSync(path, `${scene.names.filter((_name, at) => at % parallel === index).join('\n')}\n`)
    return path
  })
}
