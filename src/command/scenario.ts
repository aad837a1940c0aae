import { type CommandUnknownOpts, Option } from '@commander-js/extra-typings'
import type { Act, CommandContext } from '../cli-context.ts'
import { writeJson, writeLines } from '../cli-io.ts'
import { wholeBetween } from '../whole-argument.ts'

/** What a generator of the toy world takes. */
const SEED_MAX = 2 ** 32 - 1

/** `ccr scenario`. */
export function addScenarioCommand(program: CommandUnknownOpts, act: Act): void {
  const scenario = program.command('scenario').description('scenario files: what is done, and what has to come of it')
  scenario
    .command('run')
    .description('play scenario files, one after the other; exit code 3 when one of them fails, 2 when one is wrong')
    .argument('<file...>', 'scenario files')
    .option(
      '--virtual',
      'in the toy world and its virtual time, within milliseconds; else with processes on this machine',
    )
    .option('--junit <file>', 'write the results as a JUnit document, also where files are wrong')
    .addOption(
      new Option('--tap', 'results in the Test Anything Protocol, version 14, on standard output').conflicts('json'),
    )
    .option('--data <directory>', 'where processes keep their files, each scenario in a folder; temporary when absent')
    .option('--seed <number>', 'varies all delays in virtual runs, and the mail in real ones', (text: string) =>
      wholeBetween(0, SEED_MAX, text),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  ccr scenario run --virtual labs/scenarios/*.yaml\n  ccr scenario run labs/scenarios/02-queue.yaml --data /tmp/look',
    )
    .action((paths, options) =>
      act(async (context) => {
        const { runScenarioCommand } = await import('../scenario/scenario-command.ts')
        return await runScenarioCommand(context, paths, options)
      }),
    )
  scenario
    .command('check')
    .description('read scenario files without playing them')
    .argument('<file...>', 'scenario files')
    .addHelpText(
      'after',
      '\nThe first mistake of a file is told with its line and column.\n\nExample:\n  ccr scenario check nightly.yaml',
    )
    .action((paths) => act((context) => check(context, paths)))
  scenario
    .command('schema')
    .description('the JSON Schema of scenario files, for editors and checks')
    .addHelpText('after', '\nExample:\n  ccr scenario schema > scenario.schema.json')
    .action(() => act(printSchema))
}

async function check({ io, globals }: CommandContext, paths: readonly string[]): Promise<number> {
  const { readScenarioFile } = await import('../scenario/scenario-file.ts')
  const files = paths.map((path) => ({ path, file: readScenarioFile(path) }))
  const documents = files.map(({ path, file }) => ({
    path,
    name: file.name,
    only: file.only,
    steps: file.steps.length,
  }))
  if (globals.json === true) writeJson(io.stdout, { scenarios: documents })
  else
    writeLines(
      io.stdout,
      documents.map(({ path, name, steps }) => `${path}: ${name}, ${steps} steps`),
    )
  return 0
}

async function printSchema({ io }: CommandContext): Promise<number> {
  const { scenarioSchema } = await import('../scenario/scenario-file.ts')
  io.stdout.write(`${JSON.stringify(scenarioSchema(), null, 2)}\n`)
  return 0
}
