import { basename, join } from 'node:path'
import type { CommandContext } from '../cli-context.ts'
import { writeJson, writeLines } from '../cli-io.ts'
import { realStage } from './real-stage.ts'
import { fileDocument, fileLines, stepLines, totalLine } from './report-text.ts'
import { exitOf, runScenarios } from './run-scenarios.ts'
import type { Stage } from './stage.ts'
import { virtualStage } from './virtual-stage.ts'

/** What `ccr scenario run` was told. */
export interface ScenarioRunOptions {
  readonly virtual?: true | undefined
  readonly seed?: number | undefined
  readonly data?: string | undefined
}

/** Plays scenario files and tells what came of each; the exit code says whether all of them passed. */
export async function runScenarioCommand(
  { io, globals }: CommandContext,
  paths: readonly string[],
  options: ScenarioRunOptions,
): Promise<number> {
  const json = globals.json === true
  const seed = options.seed ?? null
  // Lines of people go to stderr where stdout is one document.
  const sink = json ? io.stderr : io.stdout
  const stageFor = (path: string): Stage => {
    if (options.virtual === true) return virtualStage(seed)
    const data = options.data === undefined ? null : join(options.data, basename(path).replace(/\.ya?ml$/, ''))
    return realStage({ data, seed, env: io.env, signal: io.signal })
  }
  const results = await runScenarios({
    paths,
    mode: options.virtual === true ? 'virtual' : 'real',
    seed,
    signal: io.signal,
    stageFor,
    onFile: (name) => writeLines(sink, [name]),
    onStep: (step) => writeLines(sink, stepLines(step)),
    onEnd: (result) => writeLines(sink, fileLines(result)),
  })
  writeLines(sink, [totalLine(results)])
  const exitCode = exitOf(results)
  if (json) writeJson(io.stdout, { scenarios: results.map(fileDocument), exitCode })
  io.signal.throwIfAborted()
  return exitCode
}
