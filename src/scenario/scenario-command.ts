import type { CommandContext } from '../cli-context.ts'
import { writeJson, writeLines } from '../cli-io.ts'
import { fileDocument, fileLines, stepLines, totalLine } from './report-text.ts'
import { exitOf, runScenarios } from './run-scenarios.ts'
import { virtualStage } from './virtual-stage.ts'

/** What `ccr scenario run` was told. */
export interface ScenarioRunOptions {
  readonly virtual?: true | undefined
  readonly seed?: number | undefined
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
  const results = await runScenarios({
    paths,
    mode: 'virtual',
    seed,
    stageFor: () => virtualStage(seed),
    onFile: (name) => writeLines(sink, [name]),
    onStep: (step) => writeLines(sink, stepLines(step)),
    onEnd: (result) => writeLines(sink, fileLines(result)),
  })
  writeLines(sink, [totalLine(results)])
  const exitCode = exitOf(results)
  if (json) writeJson(io.stdout, { scenarios: results.map(fileDocument), exitCode })
  return exitCode
}
