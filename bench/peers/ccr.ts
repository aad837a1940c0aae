import { join } from 'node:path'
import { runScript, waitUntil } from '../command.ts'
import type { Contender, Scene } from '../contender.ts'
import { CCR_BIN, copyFigures, postJson, startCopy, startShare, untilInspected } from '../product.ts'

const VERIFIED = 'yes, hash and format'
const DURABLE = 'each file and its name'

/** Ours as a service: both sides run, and the copy, which was suspended, is resumed. */
export const CCR_RUNNING: Contender = {
  name: 'ccr, running services',
  verified: VERIFIED,
  durable: DURABLE,
  missing: () => null,
  prepare: async (scene) => {
    const share = await startShare(scene.source, { arguments: stateOf(scene) })
    const store = join(scene.target, 'store')
    const url = `${share.listen}/shares/SG1`
    const copy = await startSuspended(url, store)
    await waitUntil('the suspended copy knows of all logs', async () => {
      const figures = await copyFigures(copy)
      return figures !== null && figures.LastLogGenerated >= scene.names.length
    })
    return {
      daemons: [share.pid, copy.pid],
      arrived: join(store, 'logs'),
      run: async () => {
        await postJson(`${copy.manage}/api/v1/copies/SG1/resume`, {})
        await untilInspected(copy, scene.names.length, CATCH_UP_MS)
        return 0
      },
      close: async () => {
        await copy.stop()
        await share.stop()
      },
    }
  },
}

/** Ours as a command that ends when all is there. */
export const CCR_ONCE: Contender = {
  name: 'ccr copy --once, start of the process included',
  verified: VERIFIED,
  durable: DURABLE,
  missing: () => null,
  prepare: async (scene) => {
    const share = await startShare(scene.source, { arguments: stateOf(scene) })
    const store = join(scene.target, 'store')
    return {
      daemons: [share.pid],
      arrived: join(store, 'logs'),
      run: (started) => {
        const words = [process.execPath, CCR_BIN, `${share.listen}/shares/SG1`, store]
        const command = runScript('"$1" "$2" copy "$3" "$4" --once', words)
        started(command.pid)
        return command.done
      },
      close: () => share.stop(),
    }
  },
}

/** Far above any honest run; a copy that hangs is a failure, not a slow one. */
const CATCH_UP_MS = 600_000

/** Each run's source is a new one: what the runs before have enrolled does not count. */
function stateOf(scene: Scene): string[] {
  return ['--state', join(scene.scratch, 'state')]
}

/** A copy is suspended while nobody serves it, then started again: its intent is durable, so it comes up suspended. */
async function startSuspended(url: string, store: string): ReturnType<typeof startCopy> {
  const copy = await startCopy(url, store)
  await postJson(`${copy.manage}/api/v1/copies/SG1/suspend`, {})
  return copy
}
