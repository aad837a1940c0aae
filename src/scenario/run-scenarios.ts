import { ReplicationError } from '../../engine/error.ts'
import type { ScenarioResult, StepResult } from '../../engine/scenario/play.ts'
import type { ScenarioFile, ScenarioMode } from '../../engine/scenario/step.ts'
import { readScenarioFile } from './scenario-file.ts'
import { playOn, type Stage } from './stage.ts'

/** What came of one file. */
export interface FileResult {
  readonly path: string
  /** The name of the scenario; of the file where that could not be read. */
  readonly name: string
  readonly mode: ScenarioMode
  readonly seed: number | null
  /** Null where the file is wrong, or where the stage could not be built. */
  readonly result: ScenarioResult | null
  /** Why there is no result. */
  readonly error: ReplicationError | null
  /** What happened last, where it failed. */
  readonly trace: readonly string[]
  /** How long it took on a real clock, in milliseconds. */
  readonly tookMs: number
}

/** How scenarios are run. */
export interface RunOptions {
  readonly paths: readonly string[]
  readonly mode: ScenarioMode
  readonly seed: number | null
  /** Ends the run behind the step under way. */
  readonly signal: AbortSignal
  /** A stage for the scenario of a file. */
  readonly stageFor: (path: string) => Stage
  readonly onFile: (name: string, path: string) => void
  readonly onStep: (result: StepResult) => void
  readonly onEnd: (result: FileResult) => void
}

/**
 * Runs scenario files one after the other, each on a stage of its own. A wrong file is told and does not keep the others from being run.
 * An interruption ends the run with the results of the files that were played before.
 */
export async function runScenarios(options: RunOptions): Promise<readonly FileResult[]> {
  const results: FileResult[] = []
  for (const path of options.paths) {
    if (options.signal.aborted) break
    const result = await runFile(path, options).catch((error: unknown) => {
      if (!options.signal.aborted) throw error
      return null
    })
    if (result === null) break
    results.push(result)
    options.onEnd(result)
  }
  return results
}

/** The exit code of a run: of the first wrong file, else 3 when a scenario failed, else of the first error. */
export function exitOf(results: readonly FileResult[]): number {
  const errors = results.flatMap(({ error }) => (error === null ? [] : [error]))
  const wrong = errors.find(({ code }) => code === 'SCENARIO_INVALID')
  if (wrong !== undefined) return wrong.exitCode
  if (results.some(({ result }) => result?.outcome === 'failed')) return CHECK_FAILED
  return errors[0]?.exitCode ?? 0
}

/** The exit code of an assertion that does not hold. */
const CHECK_FAILED = 3

async function runFile(path: string, options: RunOptions): Promise<FileResult> {
  const { mode, seed } = options
  const beganMs = performance.now()
  const told = { path, mode, seed, trace: [] }
  let name = path
  try {
    const file = readScenarioFile(path)
    name = file.name
    options.onFile(name, path)
    return { ...told, name, ...(await play(file, path, options)), tookMs: performance.now() - beganMs }
  } catch (error) {
    if (!(error instanceof ReplicationError)) throw error
    return { ...told, name, result: null, error, tookMs: performance.now() - beganMs }
  }
}

async function play(
  file: ScenarioFile,
  path: string,
  { stageFor, onStep }: RunOptions,
): Promise<Pick<FileResult, 'result' | 'error' | 'trace'>> {
  const stage = stageFor(path)
  try {
    const result = await playOn(stage, file, onStep)
    return { result, error: null, trace: result.outcome === 'failed' ? await traceOf(stage) : [] }
  } catch (error) {
    if (!(error instanceof ReplicationError)) throw error
    return { result: null, error, trace: await traceOf(stage) }
  } finally {
    await stage.close()
  }
}

/** What happened last; nothing where that cannot be told any more, since the result counts for more. */
async function traceOf(stage: Stage): Promise<readonly string[]> {
  try {
    return await stage.trace()
  } catch {
    return []
  }
}
