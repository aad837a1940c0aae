import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ReplicationError } from '../../engine/error.ts'
import type { StageAnswer, StageQuestion } from '../../engine/scenario/play.ts'
import { actForReal } from './real-acts.ts'
import { RealMail } from './real-mail.ts'
import { RealSeeds } from './real-seeds.ts'
import { RealSets } from './real-sets.ts'
import { RealSight } from './real-sight.ts'
import { RealWorld } from './real-world.ts'
import type { Stage } from './stage.ts'

/** How a stage of processes is made. */
export interface RealStageOptions {
  /** Where the nodes keep their files; null for a temporary directory that is removed at the end. */
  readonly data: string | null
  /** Of the load; null for one that is drawn. */
  readonly seed: number | null
  readonly env: Readonly<Record<string, string | undefined>>
  readonly signal: AbortSignal
}

/** What is there once the world was built. */
interface Scene {
  readonly world: RealWorld
  readonly mail: RealMail
  readonly sets: RealSets
  readonly seeds: RealSeeds
  readonly sight: RealSight
  readonly builtAtMs: number
}

/** Events that are shown of a scenario that failed. */
const TRACE_EVENTS = 40
/** Lines of the log of each node that are shown where the nodes could not be started. */
const LOG_LINES = 10

/** A stage of real processes on loopback. It ends all that it has started, also when it could not be built. */
export function realStage(options: RealStageOptions): Stage {
  const stage = new RealStage(options)
  return {
    mode: 'real',
    answer: (question) => stage.answer(question),
    trace: () => stage.trace(),
    close: () => stage.close(),
  }
}

class RealStage {
  readonly #options: RealStageOptions
  #scene: Scene | null = null
  #temporary: string | null = null
  /** Where the nodes of this scenario keep their files. */
  #data: string | null = null

  constructor(options: RealStageOptions) {
    this.#options = options
  }

  async answer(question: Exclude<StageQuestion, { ask: 'tell' }>): Promise<StageAnswer> {
    this.#options.signal.throwIfAborted()
    if (question.ask === 'build') {
      await this.#build(question)
      return null
    }
    const { world, mail, sets, seeds, sight, builtAtMs } = this.#built()
    switch (question.ask) {
      case 'act':
        return await actForReal(question.act, { world, mail, sets, seeds })
      case 'look':
        return await sight.look(question.names, question.names.includes('messages') ? await mail.check() : null)
      case 'pass':
        if (question.ms > 0) await delay(question.ms, undefined, { signal: this.#options.signal })
        return Math.round(performance.now() - builtAtMs)
    }
  }

  async trace(): Promise<readonly string[]> {
    if (this.#options.signal.aborted) return []
    return this.#scene === null ? this.#lastOfLogs() : await this.#scene.sight.lastEvents(TRACE_EVENTS)
  }

  async close(): Promise<void> {
    await this.#scene?.world.close()
    this.#scene = null
    if (this.#temporary !== null) await rm(this.#temporary, { recursive: true, force: true })
    this.#temporary = null
  }

  async #build({ world: wanted }: Extract<StageQuestion, { ask: 'build' }>): Promise<void> {
    if (!wanted.databases)
      throw new ReplicationError({
        code: 'STATE_REFUSED',
        message: 'a world without databases is for virtual runs',
        hint: 'Leave databases: false out, or say only: virtual.',
      })
    const { env, signal, seed } = this.#options
    const data = this.#directory()
    const world = await RealWorld.start({ world: wanted, data, env, signal }).catch((error) => throwOurs(error, data))
    const mail = new RealMail(world, seed)
    const sets = new RealSets(world)
    const seeds = new RealSeeds(world)
    this.#scene = { world, mail, sets, seeds, sight: new RealSight(world), builtAtMs: performance.now() }
  }

  /** What the nodes told last, where they could not be started: the directory may be gone when somebody reads of it. */
  #lastOfLogs(): readonly string[] {
    const data = this.#data
    if (data === null) return []
    const logs = readdirSync(data).filter((name) => name.endsWith('.log'))
    return logs.flatMap((name) => {
      const lines = readFileSync(join(data, name), 'utf8').trimEnd().split('\n')
      return lines.slice(-LOG_LINES).map((line) => `${name} ${line}`)
    })
  }

  #directory(): string {
    const { data } = this.#options
    if (data === null) {
      this.#temporary = mkdtempSync(join(tmpdir(), 'ccr-scenario-'))
      this.#data = this.#temporary
      return this.#temporary
    }
    const path = resolve(data)
    if (isEmptyDirectory(path)) {
      this.#data = path
      return path
    }
    throw new ReplicationError({
      code: 'DIRECTORY_CONFLICT',
      message: `${path} is not empty`,
      hint: 'A scenario begins with nothing: give another directory, or remove what is in it.',
      fields: { path },
    })
  }

  #built(): Scene {
    if (this.#scene === null) throw new Error('the world was built first')
    return this.#scene
  }
}

/** An error of the system is none of ours yet. */
function throwOurs(cause: unknown, path: string): never {
  if (!(cause instanceof Error) || !('syscall' in cause)) throw cause
  throw new ReplicationError({
    code: 'WRITE_FAILED',
    message: `the nodes in ${path} cannot be set up: ${cause.message}`,
    hint: 'Give --data a directory that has room and that you may write to.',
    fields: { path },
    cause,
  })
}

/** Whether nothing lies there; a directory that is not there is made. Errors: `DIRECTORY_NOT_WRITABLE`. */
function isEmptyDirectory(path: string): boolean {
  try {
    mkdirSync(path, { recursive: true })
    return readdirSync(path).length === 0
  } catch (cause) {
    throw new ReplicationError({
      code: 'DIRECTORY_NOT_WRITABLE',
      message: `${path} cannot be made a directory: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'Give --data a directory that you may write to.',
      fields: { path },
      cause,
    })
  }
}
