// A small file system for one process, which nobody else sees.
import { runNow, runScript } from '../../bench/command.ts'
import type { Service } from '../../bench/product.ts'
import { OWN_MOUNTS } from '../../bench/soak/cut-disk.ts'

/** Whether this user may have one. */
export const MOUNTS_PERMITTED: boolean = runNow([...OWN_MOUNTS, 'mount', '-t', 'tmpfs', 'none', '/mnt']) === 0

/** Words before a command that give it a small file system at `path`. */
export function onSmallDisk(path: string, size: string): string[] {
  const script = 'mount -t tmpfs -o "size=$1" none "$2" && shift 2 && exec "$@"'
  return [...OWN_MOUNTS, 'sh', '-c', script, 'sh', size, path]
}

/** Changes that file system while the process runs: `size=64m`, `ro`, `rw`. */
export async function remount(service: Service, path: string, options: string): Promise<void> {
  await runScript('nsenter -t "$1" -m -- mount -o "remount,$2" "$3"', [String(service.pid), options, path]).done
}
