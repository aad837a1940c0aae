import Type, { type TSchema } from 'typebox'
import { SETTING_KEYS, SETTINGS, type Setting } from './config.ts'

/** The JSON Schema of the configuration file, made from the table of settings: unknown keys are refused. */
export function configSchema(): object {
  const sections = new Map<string, Record<string, TSchema>>()
  for (const key of SETTING_KEYS) {
    const [section = '', name = ''] = key.split('.')
    const keys = sections.get(section) ?? {}
    keys[name] = Type.Optional(schemaOf(SETTINGS[key]))
    sections.set(section, keys)
  }
  const properties = [...sections].map(([section, keys]): [string, TSchema] => [
    section,
    Type.Optional(Type.Object(keys, { additionalProperties: false })),
  ])
  return Type.Object(Object.fromEntries(properties), {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration of ccr',
    additionalProperties: false,
  })
}

function schemaOf(setting: Setting): TSchema {
  const about = { description: setting.reason, default: setting.default }
  if (setting.unit === 'HOST:PORT')
    return Type.String({ ...about, pattern: '^(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9.-]+):\\d{1,5}$' })
  if (setting.unit === 'word')
    return Type.Union(
      setting.words.map((word) => Type.Literal(word)),
      about,
    )
  const whole = Type.Integer({ minimum: setting.least ?? 0, maximum: setting.most ?? Number.MAX_SAFE_INTEGER })
  return setting.unit === 'count' ? Type.Integer({ ...whole, ...about }) : measured(setting, whole, about)
}

/** A number of the unit, or a text with a unit of its own. */
function measured(setting: Setting, whole: TSchema, about: object): TSchema {
  const pattern = setting.unit === 'bytes' ? '^\\d+(\\.\\d+)?[KMGT]?$' : '^\\d+(\\.\\d+)?(ms|s|m|h|d)$'
  return Type.Union([whole, Type.String({ pattern })], {
    ...about,
    description: `${setting.reason} Unit: ${setting.unit}.`,
  })
}
