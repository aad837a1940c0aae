import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import type { Act, CommandContext } from '../cli-context.ts'
import { writeJson, writeLines } from '../cli-io.ts'
import { environmentName, SETTING_KEYS, SETTINGS } from '../config.ts'
import type { EffectiveValue } from '../config-effective.ts'
import { fittedColumns, formatTable } from '../format-table.ts'

/** `ccr config`. */
export function addConfigCommand(program: CommandUnknownOpts, act: Act): void {
  const config = program.command('config').description('the configuration in effect, and its schema')
  config
    .command('print')
    .description('each setting with its value and where it came from: flag, environment, file or default')
    .addHelpText('after', '\nExamples:\n  ccr config print\n  ccr config print --config ccr.yaml --json')
    .action(() => act(printConfig))
  config
    .command('schema')
    .description('the JSON Schema of the configuration file, for editors and checks')
    .addHelpText('after', '\nExample:\n  ccr config schema > ccr.schema.json')
    .action(() => act(printSchema))
}

async function printConfig({ io, globals }: CommandContext): Promise<number> {
  const { effectiveConfig } = await import('../config-effective.ts')
  const { formatSettingValue } = await import('../config-value.ts')
  const values = await effectiveConfig({ flags: {}, env: io.env, configPath: globals.config })
  if (globals.json === true) writeJson(io.stdout, { settings: values.map(documentOf) })
  else {
    const rows = values.map((value) => [
      value.key,
      formatSettingValue(value.key, value.value),
      value.place === '' ? value.origin : `${value.origin} ${value.place}`,
    ])
    writeLines(io.stdout, formatTable(fittedColumns(['KEY', 'VALUE', 'ORIGIN'], rows), rows))
  }
  writeLines(io.stderr, unknownVariables(io.env))
  return 0
}

async function printSchema({ io }: CommandContext): Promise<number> {
  const { configSchema } = await import('../config-schema.ts')
  io.stdout.write(`${JSON.stringify(configSchema(), null, 2)}\n`)
  return 0
}

function documentOf({ key, value, origin, place }: EffectiveValue): object {
  return { key, value, unit: SETTINGS[key].unit, origin, place }
}

/** Variables that look like settings and are none: a misspelt one has no effect, which somebody should know. */
function unknownVariables(env: Readonly<Record<string, string | undefined>>): string[] {
  const known = ['CCR_SERVER', 'CCR_CONFIG', ...SETTING_KEYS.map(environmentName)]
  return Object.keys(env)
    .filter((name) => name.startsWith('CCR_') && !known.includes(name))
    .sort()
    .map((name) => `note: ${name} is no setting and has no effect`)
}
