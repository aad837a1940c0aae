// Goal: a setting has one value with a known origin, and whatever cannot be one is refused with its place.
// Method: files in temporary directories, an environment by hand, and the JSON Schema run by ajv over the same values.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, it } from 'vitest'
import { environmentName, SETTING_KEYS, SETTINGS } from '../../src/config.ts'
import { effectiveConfig, settingsOf } from '../../src/config-effective.ts'
import { parseConfigText } from '../../src/config-file.ts'
import { configSchema } from '../../src/config-schema.ts'
import { formatSettingValue, readSettingValue } from '../../src/config-value.ts'
import { ccr, NO_CONFIG, temporaryDirectory } from './cli-harness.ts'

function configFile(text: string): string {
  const path = join(temporaryDirectory(), 'ccr.yaml')
  writeFileSync(path, text)
  return path
}

describe('precedence', () => {
  const path = 'log:\n  level: debug\nshare:\n  scanInterval: 5s\n'

  it('is flag, environment, file, default, each with its place', async () => {
    const values = await effectiveConfig({
      flags: { 'log.level': 'warn' },
      env: { CCR_LOG_LEVEL: 'error', CCR_TRUNCATION_PASSIVE_GATE: 'replayed' },
      configPath: configFile(path),
    })
    const of = (key: string) => values.find((value) => value.key === key)

    expect(of('log.level')).toMatchObject({ value: 'warn', origin: 'flag', place: '--log-level' })
    expect(of('truncation.passiveGate')).toMatchObject({ value: 'replayed', origin: 'environment' })
    expect(of('share.scanInterval')).toMatchObject({ value: 5000, origin: 'file' })
    expect(of('share.scanInterval')?.place).toMatch(/ccr\.yaml:4:17$/)
    expect(of('copy.workers')).toMatchObject({ value: SETTINGS['copy.workers'].default, origin: 'default', place: '' })
  })

  it('gives the services every setting once', async () => {
    const settings = settingsOf(await effectiveConfig({ flags: {}, env: {}, configPath: NO_CONFIG }))

    expect(Object.keys(settings)).toEqual([...SETTING_KEYS])
  })

  it('finds the file by CCR_CONFIG', async () => {
    const values = await effectiveConfig({ flags: {}, env: { CCR_CONFIG: configFile(path) }, configPath: undefined })

    expect(values.find(({ key }) => key === 'log.level')?.origin).toBe('file')
  })
})

describe('a configuration file', () => {
  it.each([
    [
      'truncation:\n  pasiveGate: replayed\n',
      2,
      3,
      /unknown key truncation\.pasiveGate/,
      /Did you mean truncation\.passiveGate/,
    ],
    ['trunkation:\n  passiveGate: replayed\n', 1, 1, /unknown key trunkation/, /Did you mean truncation/],
    ['log:\n  level: chatty\n', 2, 10, /log\.level: "chatty"/, /error, warn, info, debug/],
    ['copy:\n  workers: 9\n', 2, 12, /copy\.workers/, /from 1 to 8/],
    ['copy:\n  workers: [1]\n', 2, 3, /not a single value/, /one text or number/],
    ['log: debug\n', 1, 1, /no keys below/, /sections/],
    ['log:\n  level: info\n  level: warn\n', 3, 3, /unique/, /YAML/],
    ['- log\n', 1, 1, /not a map/, /sections/],
    ['log: [\n', 2, 1, /./, /YAML/],
  ])('is refused with line and column: %j', (text, line, column, message, hint) => {
    const refused = captured(() => parseConfigText(text, 'ccr.yaml'))

    expect(refused).toMatchObject({ code: 'CONFIG_INVALID' })
    expect(refused.message).toMatch(message)
    expect(refused.hint).toMatch(hint)
    expect(refused.message).toContain(`ccr.yaml:${line}:${column}`)
  })

  it('may be empty or only comments', () => {
    expect(parseConfigText('', 'ccr.yaml')).toEqual([])
    expect(parseConfigText('# nothing yet\n', 'ccr.yaml')).toEqual([])
  })

  it('that cannot be read is an error, not an empty one', async () => {
    const { exitCode, stderr } = await ccr(['config', 'print', '--config', join(temporaryDirectory(), 'none.yaml')])

    expect(exitCode).toBe(1)
    expect(stderr).toMatch(/^error: configuration file .*none\.yaml cannot be read/)
  })
})

describe('a value', () => {
  it('may be written with its unit or as a number of it', () => {
    expect(readSettingValue('share.scanInterval', '1m', 'x')).toBe(60_000)
    expect(readSettingValue('share.scanInterval', 60_000, 'x')).toBe(60_000)
    expect(readSettingValue('events.size', '1M', 'x')).toBe(1_048_576)
    expect(readSettingValue('copy.workers', '2', 'x')).toBe(2)
  })

  it('of an address other than loopback is refused as a bind', () => {
    expect(captured(() => readSettingValue('share.listen', '0.0.0.0:7700', 'x'))).toMatchObject({
      code: 'BIND_REFUSED',
    })
  })

  it.each(SETTING_KEYS.map((key) => [key]))('of %s is printed so that it can be read again', (key) => {
    const preset = SETTINGS[key].default

    expect(readSettingValue(key, formatSettingValue(key, preset), 'x')).toBe(preset)
  })

  it.each(SETTING_KEYS.map((key) => [key]))('of %s is in its bounds by default', (key) => {
    const { default: preset, least, most } = SETTINGS[key]

    if (typeof preset === 'number') {
      expect(preset).toBeGreaterThanOrEqual(least ?? Number.NaN)
      expect(preset).toBeLessThanOrEqual(most ?? Number.NaN)
    } else expect(least).toBeNull()
  })
})

describe('the schema', () => {
  const validate = new Ajv2020({ strict: false }).compile(configSchema())

  it('takes what the reader takes', () => {
    expect(
      validate({ log: { level: 'debug' }, share: { scanInterval: '5s', listen: '[::1]:0' }, events: { size: 65_536 } }),
    ).toBe(true)
  })

  it.each([
    { log: { levle: 'debug' } },
    { loq: {} },
    { log: { level: 'chatty' } },
    { copy: { workers: 9 } },
    { copy: { workers: 1.5 } },
  ])('refuses what the reader refuses: %j', (document) => {
    expect(validate(document)).toBe(false)
  })

  it('has every key of the table with its reason', () => {
    const text = JSON.stringify(configSchema())

    for (const key of SETTING_KEYS) expect(text).toContain(`"${key.split('.')[1]}"`)
  })
})

describe('ccr config', () => {
  it('prints each value and where it came from', async () => {
    const { exitCode, stdout } = await ccr(['config', 'print'], { env: { CCR_LOG_LEVEL: 'debug' } })

    expect(exitCode).toBe(0)
    expect(stdout).toMatch(/^log\.level +debug +environment CCR_LOG_LEVEL$/m)
    expect(stdout).toMatch(/^share\.scanInterval +30s +default$/m)
  })

  it('prints one document with --json', async () => {
    const { stdout } = await ccr(['config', 'print', '--json'])

    expect(JSON.parse(stdout).settings).toContainEqual({
      key: 'copy.workers',
      value: 1,
      unit: 'count',
      origin: 'default',
      place: '',
    })
  })

  it('notes a variable that looks like a setting and is none', async () => {
    const { stderr } = await ccr(['config', 'print'], { env: { CCR_LOG_LEVLE: 'debug' } })

    expect(stderr).toContain('CCR_LOG_LEVLE is no setting')
  })

  it('refuses a variable out of bounds by its name', async () => {
    const { exitCode, stderr } = await ccr(['config', 'print'], { env: { [environmentName('copy.workers')]: '99' } })

    expect(exitCode).toBe(2)
    expect(stderr).toMatch(
      /^error: CCR_COPY_WORKERS: copy\.workers: "99" is not taken\nhint: Write a value from 1 to 8/,
    )
  })

  it('prints the schema as one document', async () => {
    const { stdout } = await ccr(['config', 'schema'])

    expect(JSON.parse(stdout)).toMatchObject({ type: 'object', additionalProperties: false })
  })
})

function captured(act: () => unknown): { code?: unknown; hint: string; message: string } {
  try {
    act()
  } catch (error) {
    return error as { code?: unknown; hint: string; message: string } // only errors are thrown here
  }
  throw new Error('nothing was thrown')
}
