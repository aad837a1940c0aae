import { basename, join } from 'node:path'
import { ReplicationError } from '../../engine/error.ts'
import type { CommandContext } from '../cli-context.ts'
import { type TextSink, writeJson, writeLines } from '../cli-io.ts'
import { realStage } from './real-stage.ts'
import { junitDocument } from './report-junit.ts'
import { tapHead, tapLines } from './report-tap.ts'
import { fileDocument, fileLines, stepLines, totalLine } from './report-text.ts'
import { exitOf, type FileResult, runScenarios } from './run-scenarios.ts'
import type { Stage } from './stage.ts'
import { virtualStage } from './virtual-stage.ts'

/** What `ccr scenario run` was told. */
export interface ScenarioRunOptions {
  readonly virtual?: true | undefined
  readonly seed?: number | undefined
  readonly data?: string | undefined
  readonly junit?: string | undefined
  readonly tap?: true | undefined
}

/** Plays scenario files and tells what came of each; the exit code says whether all of them passed. */
export async function runScenarioCommand(
  context: CommandContext,
  paths: readonly string[],
  options: ScenarioRunOptions,
): Promise<number> {
  const { io, globals } = context
  // Lines of people go to stderr where stdout is for machines.
  const people = globals.json === true || options.tap === true ? io.stderr : io.stdout
  if (options.tap === true) writeLines(io.stdout, tapHead(paths.length))
  let ended = 0
  const results = await runScenarios({
    paths,
    mode: options.virtual === true ? 'virtual' : 'real',
    seed: options.seed ?? null,
    signal: io.signal,
    stageFor: (path) => stageFor(path, options, context),
    onFile: (name) => writeLines(people, [name]),
    onStep: (step) => writeLines(people, stepLines(step)),
    onEnd: (result) => {
      writeLines(people, fileLines(result))
      if (options.tap === true) writeLines(io.stdout, tapLines(result, ++ended))
    },
  })
  if (options.tap === true && io.signal.aborted) writeLines(io.stdout, ['Bail out! interrupted'])
  if (options.junit !== undefined) await writeJunit(options.junit, results)
  return conclude(results, { people, context })
}

function stageFor(path: string, options: ScenarioRunOptions, { io }: CommandContext): Stage {
  const { virtual, data } = options
  const seed = options.seed ?? null
  if (virtual === true) return virtualStage({ seed, signal: io.signal })
  const folder = data === undefined ? null : join(data, basename(path).replace(/\.ya?ml$/, ''))
  return realStage({ data: folder, seed, env: io.env, signal: io.signal })
}

function conclude(
  results: readonly FileResult[],
  { people, context }: { readonly people: TextSink; readonly context: CommandContext },
): number {
  const { io, globals } = context
  writeLines(people, [totalLine(results)])
  const exitCode = exitOf(results)
  if (globals.json === true) writeJson(io.stdout, { scenarios: results.map(fileDocument), exitCode })
  io.signal.throwIfAborted()
  return exitCode
}

async function writeJunit(path: string, results: readonly FileResult[]): Promise<void> {
  const { writeFile } = await import('node:fs/promises')
  try {
    await writeFile(path, junitDocument(results))
  } catch (cause) {
    throw new ReplicationError({
      code: 'WRITE_FAILED',
      message: `${path} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`,
      hint: 'Give the path of a file in a directory that is there.',
      fields: { path },
      cause,
    })
  }
}
