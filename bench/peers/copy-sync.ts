import { runScript } from '../command.ts'
import type { Contender } from '../contender.ts'

/** `cp` and one `syncfs` at the end: the floor of the disk. Nothing is verified, and no name is atomic. */
export const COPY_SYNC: Contender = {
  name: 'cp + syncfs',
  verified: 'no',
  durable: 'once, at the end',
  missing: () => null,
  prepare: async (scene) => ({
    daemons: [],
    arrived: scene.target,
    run: (started) => {
      const command = runScript('cp -r "$1/." "$2/" && sync -f "$2"', [scene.source, scene.target])
      started(command.pid)
      return command.done
    },
    close: async () => undefined,
  }),
}
