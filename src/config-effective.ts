import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { environmentName, SETTING_KEYS, SETTINGS, type SettingKey, type Settings } from './config.ts'
import { readSettingValue } from './config-value.ts'

/** Where a value came from: the highest of these that gives one wins. */
type OriginKind = 'flag' | 'environment' | 'file' | 'default'

/** One setting in effect. */
export interface EffectiveValue {
  readonly key: SettingKey
  readonly value: string | number
  readonly origin: OriginKind
  /** The flag, the variable, or `path:line:column`; `''` for a default. */
  readonly place: string
}

/** What is looked at, in falling order of precedence. */
export interface ConfigSources {
  readonly flags: { readonly [Key in SettingKey]?: string | number | undefined }
  readonly env: Readonly<Record<string, string | undefined>>
  /** From `--config`; else `CCR_CONFIG`, else the user's own file if it exists. */
  readonly configPath: string | undefined
}

/** The configuration in effect, with the origin of every value in the order of the table. Errors: those of the file reader. */
export async function effectiveConfig(sources: ConfigSources): Promise<EffectiveValue[]> {
  const path = sources.configPath ?? sources.env['CCR_CONFIG'] ?? (await userConfigPath())
  // The YAML reader takes longer to load than everything else together, so it is loaded only for a file.
  const file = path === null ? [] : (await import('./config-file.ts')).readConfigFile(path)
  return SETTING_KEYS.map((key) => {
    const flag = sources.flags[key]
    const flagName = SETTINGS[key].flag ?? key
    if (flag !== undefined) return found(key, readSettingValue(key, flag, flagName), ['flag', flagName])
    const variable = environmentName(key)
    const text = sources.env[variable]
    if (text !== undefined && text !== '')
      return found(key, readSettingValue(key, text, variable), ['environment', variable])
    const written = file.find((value) => value.key === key)
    if (written !== undefined) return found(key, written.value, ['file', written.place])
    return found(key, SETTINGS[key].default, ['default', ''])
  })
}

/** The values alone, as the services take them. */
export function settingsOf(values: readonly EffectiveValue[]): Settings {
  // Every key of the table stands in the list once, with a value of its own kind: readSettingValue saw to that.
  return Object.fromEntries(values.map(({ key, value }) => [key, value])) as unknown as Settings
}

/** The user's own configuration file, or null when there is none. */
async function userConfigPath(): Promise<string | null> {
  const { default: envPaths } = await import('env-paths')
  const path = join(envPaths('ccr', { suffix: '' }).config, 'ccr.yaml')
  return existsSync(path) ? path : null
}

function found(key: SettingKey, value: string | number, origin: readonly [OriginKind, string]): EffectiveValue {
  return { key, value, origin: origin[0], place: origin[1] }
}
