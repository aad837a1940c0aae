import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { ERROR_CODES } from '../../engine/error.ts'
import { EVENT_CATALOGUE, eventNumber } from '../../engine/event-catalogue.ts'
import { commandTree } from '../../src/cli.ts'
import { cmdletOf } from '../../src/cmdlet.ts'
import { environmentName, SETTING_KEYS, SETTINGS } from '../../src/config.ts'
import { formatSettingValue } from '../../src/config-value.ts'
import { ERROR_EXPLANATIONS } from '../../src/explain-error.ts'
import { EVENT_EXPLANATIONS } from '../../src/explain-event.ts'

/** docs/ERRORS.md: every code with cause, cure and exit code. */
export function errorsPage(): string {
  const rows = Object.entries(ERROR_EXPLANATIONS).map(([code, { cause, cure }]) => {
    const { exit, retriable } = ERROR_CODES[code as keyof typeof ERROR_CODES] // the keys of both tables are the codes
    return `### ${code}\n\n${cause}\n\n**Cure.** ${cure}\n\nExit code ${exit}; ${retriable ? 'the same call may succeed later' : 'the same call will not succeed by itself'}.\n`
  })
  return page('Errors', [
    'Every error has a code of this closed list. A code is never renamed. Commands print `error: …` and `hint: …` on stderr, or with',
    '`--json` one object `{code, message, hint, retriable}`; the HTTP answers are problem documents (RFC 9457) with the same members.',
    '`ccr explain CODE` prints what stands here.',
    '',
    '| exit code | meaning |',
    '|---|---|',
    '| 0 | done |',
    '| 1 | failed at run time |',
    '| 2 | wrong usage |',
    '| 3 | an assertion, a threshold or a check failed (no error code: the output says what) |',
    '| 4 | the node cannot be reached |',
    '| 5 | a wait timed out |',
    '| 6 | refused by the state it is in |',
    '| 130, 143 | ended by SIGINT, SIGTERM |',
    '',
    ...rows,
  ])
}

/** docs/EVENTS.md: the event catalogue. */
export function eventsPage(): string {
  const rows = Object.entries(EVENT_CATALOGUE).map(([key, { source, level, text, invented }]) => {
    const id = Number(key) as keyof typeof EVENT_CATALOGUE // the keys are the event ids
    const { causes, cure } = EVENT_EXPLANATIONS[id]
    return `### ${eventNumber(id)} (${source}, ${level})\n\n> ${text}\n\n${causes} **What to do.** ${cure}\n${invented ? '\nThe wording is ours.\n' : ''}`
  })
  return page('Events', [
    'Events carry the numbers that Exchange 2007 and the ESE engine use, so that they are found in the lists that support engineers',
    'know; from 9000 on the numbers are ours. `%1` is the storage group, `%2` and further are the values of the event. `ccr events`',
    'shows them, `ccr explain NUMBER` tells what stands here, and `events.ndjson` beside the state of each service keeps them.',
    '',
    ...rows,
  ])
}

/** docs/CONFIG.md: the table of settings. */
export function configPage(): string {
  const rows = SETTING_KEYS.map((key) => {
    const { unit, default: preset, least, most, words, flag, reason } = SETTINGS[key]
    const numbers = least === null || most === null ? null : rangeOf(key, least, most)
    const texts = unit === 'HOST:PORT' ? 'loopback' : '00:00 to 24:00'
    const range = words.length > 0 ? words.join(', ') : (numbers ?? texts)
    return [
      `\`${key}\``,
      unit,
      `\`${formatSettingValue(key, preset)}\``,
      range,
      flag === null ? '' : `\`${flag}\``,
      `\`${environmentName(key)}\``,
      reason,
    ]
  })
  return page('Configuration', [
    'Everything has a default that works. A value comes from the first of these that gives one: a flag, a `CCR_` variable of the',
    'environment, the configuration file, the default. `ccr config print` shows each value and where it came from; `ccr config schema`',
    'prints the JSON Schema of the file for editors and checks.',
    '',
    'The file is YAML, named by `--config` or `CCR_CONFIG`, else `ccr.yaml` in the user’s configuration directory. An unknown key is an',
    'error with line and column. Durations are written `30s`, `500ms`, `2m`, or in milliseconds; sizes `8M`, `256K` (binary), or in bytes.',
    '',
    '```yaml',
    'share:',
    '  listen: 127.0.0.1:7700',
    '  scanInterval: 30s',
    'truncation:',
    '  copiesExpected: 2',
    'log:',
    '  level: debug',
    '```',
    '',
    '| key | unit | default | range | flag | variable | what for |',
    '|---|---|---|---|---|---|---|',
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
    '',
    'Two more variables have no key: `CCR_SERVER` is the management address that `--server` overrides, `CCR_CONFIG` the path of the file.',
  ])
}

/** docs/CLI.md: every verb with its arguments, options and examples, as its help has them. */
export function cliPage(): string {
  const io = { stdout: silent, stderr: silent, env: {}, signal: new AbortController().signal }
  const program = commandTree(io, () => {})
  return page('The command line', [
    'Everywhere: `--json` (one document; with `--watch` or `--follow` one on each line), `--server URL` or `CCR_SERVER` (the management',
    'address of the service to ask), `--config FILE`, `--help`, `--version`; `NO_COLOR` is honoured. Data goes to stdout, everything else',
    'to stderr. Sizes take K, M and G (binary); durations `500ms`, `20s`, `2m`. Exit codes: [ERRORS.md](ERRORS.md).',
    '',
    'Lines typed from the Exchange documentation work, without regard to case: the cmdlets named below, `-Identity SG1`,',
    '`-SuspendComment "why"`, and `eseutil /ml`, `/mk`, `/mh` and `/k` with a FILE.',
    '',
    ...program.commands
      .flatMap((command) => (command.commands.length > 0 ? command.commands.map((sub) => [command, sub]) : [[command]]))
      .map(verbSection),
  ])
}

function verbSection(path: readonly CommandUnknownOpts[]): string {
  const command = path.at(-1)
  if (command === undefined) return ''
  const name = path.map((one) => one.name()).join(' ')
  const help = command.createHelp()
  const cmdlet = cmdletOf(name)
  const line = ['ccr', name, ...command.registeredArguments.map(humanArgument)].join(' ')
  const args = command.registeredArguments.map((one) => row(one.name(), help.argumentDescription(one)))
  const options = help
    .visibleOptions(command)
    .filter((one) => one.long !== '--help')
    .map((one) => row(one.flags, help.optionDescription(one)))
  return [
    `## ${line}${command.options.length > 0 ? ' [options]' : ''}`,
    '',
    `${sentence(command.description())}${cmdlet === null ? '' : ` Also \`${cmdlet}\`.`}`,
    '',
    ...(args.length + options.length === 0 ? [] : ['| | |', '|---|---|', ...args, ...options, '']),
    ...afterText(command),
  ].join('\n')
}

/** What the help prints below the options: prose, then examples. */
function afterText(command: CommandUnknownOpts): string[] {
  let text = ''
  command.configureOutput({ writeOut: (piece) => (text += piece) })
  command.outputHelp()
  const at = text.indexOf('\n\n', text.indexOf('Global Options:'))
  const [prose = '', examples = ''] = text
    .slice(at)
    .trim()
    .split(/\n*Examples?:\n/)
  const code = examples
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  return [
    ...(prose === '' ? [] : [prose.replaceAll('\n', ' '), '']),
    ...(code.length === 0 ? [] : ['```', ...code, '```', '']),
  ]
}

const silent = { isTerminal: false, columns: 200, write: () => {} }

function row(term: string, description: string): string {
  return `| \`${term}\` | ${description.replaceAll('|', '\\|')} |`
}

function humanArgument(argument: CommandUnknownOpts['registeredArguments'][number]): string {
  const name = argument.variadic ? `${argument.name()}...` : argument.name()
  return argument.required ? `<${name}>` : `[${name}]`
}

function sentence(text: string): string {
  const plain = text.replace(/ \([A-Z][A-Za-z-]+\)$/, '')
  return `${plain.charAt(0).toUpperCase()}${plain.slice(1)}.`
}

function rangeOf(key: (typeof SETTING_KEYS)[number], least: number, most: number): string {
  return `${formatSettingValue(key, least)} to ${formatSettingValue(key, most)}`
}

function page(title: string, lines: readonly string[]): string {
  return `# ${title}\n\n${lines.join('\n').trimEnd()}\n`
}
