import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { runScript, waitUntil } from '../command.ts'
import type { Contender, Scene } from '../contender.ts'
import { CCR_BIN, copyFigures, postJson, type Service, startCopy, startShare, untilInspected } from '../product.ts'

const VERIFIED = 'yes, hash and format'
const DURABLE = 'each file and its name'

/** Ours as a service: both sides run, and the copy, which was suspended, is resumed. */
export const CCR_RUNNING: Contender = {
  name: 'ccr, running services',
  verified: VERIFIED,
  durable: DURABLE,
  missing: () => null,
  prepare: async (scene) => {
    const { warmUp } = scene
    const backlog = warmUp.names.slice(Math.floor(warmUp.names.length / 2))
    const held = holdBack(scene)
    moveAll(backlog, scene.source, warmUp.directory)
    const share = await startShare(scene.source, { arguments: stateOf(scene) })
    const store = join(scene.target, 'store')
    const copy = await startCopy(`${share.listen}/shares/SG1`, store)
    await untilInspected(copy, warmUp.names.length - backlog.length)
    // One such return is behind them, as behind any service of some age.
    await comeBackTo(copy, warmUp.names.length, () => moveAll(backlog, warmUp.directory, scene.source))
    await postJson(`${copy.manage}/api/v1/copies/SG1/resume`, {})
    await untilInspected(copy, warmUp.names.length)
    const last = warmUp.names.length + scene.names.length
    await comeBackTo(copy, last, () => moveAll(scene.names, held, scene.source))
    return {
      daemons: [share.pid, copy.pid],
      arrived: join(store, 'logs'),
      run: async () => {
        await postJson(`${copy.manage}/api/v1/copies/SG1/resume`, {})
        await untilLastIsThere(join(store, 'logs', scene.names.at(-1) ?? ''))
        await untilInspected(copy, last, CATCH_UP_MS, WATCHED_EVERY_MS)
        return 0
      },
      close: async () => {
        await copy.stop()
        await share.stop()
        moveAll(scene.warmUp.names, scene.source, scene.warmUp.directory)
      },
    }
  },
}

/** Suspends a copy, has logs closed meanwhile, and waits until it knows of them all. */
async function comeBackTo(copy: Service, last: number, closeLogs: () => void): Promise<void> {
  await postJson(`${copy.manage}/api/v1/copies/SG1/suspend`, {})
  closeLogs()
  await waitUntil('the suspended copy knows of all logs', async () => {
    const figures = await copyFigures(copy)
    return figures !== null && figures.LastLogGenerated >= last
  })
}

/** Leaves only the logs of the warm-up in the source; answers where the others are until they are moved back. */
function holdBack(scene: Scene): string {
  const held = join(scene.scratch, 'held')
  mkdirSync(held)
  moveAll(scene.names, scene.source, held)
  moveAll(scene.warmUp.names, scene.warmUp.directory, scene.source)
  return held
}

function moveAll(names: readonly string[], from: string, to: string): void {
  for (const name of names) renameSync(join(from, name), join(to, name))
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

/**
 * A look at the status costs both processes a millisecond of CPU, and a look at a file costs the bench a wake-up of 40 µs, which the other
 * contenders do not pay: the latter are made every 10 ms, and the former begin when the last log has its name. What is seen late counts against ours.
 */
const LOOKED_AT_EVERY_MS = 10
const WATCHED_EVERY_MS = 2
/** Far above any honest run; a copy that hangs is a failure, not a slow one. */
const CATCH_UP_MS = 600_000

/** Waits until a file is there; whether it is inspected is for the status to say. */
async function untilLastIsThere(path: string): Promise<void> {
  await waitUntil(`${path} is there`, () => Promise.resolve(existsSync(path)), CATCH_UP_MS, LOOKED_AT_EVERY_MS)
}

/** Each run's source is a new one: what the runs before have enrolled does not count. */
function stateOf(scene: Scene): string[] {
  return ['--state', join(scene.scratch, 'state')]
}
