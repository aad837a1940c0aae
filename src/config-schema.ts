import Type, { type TSchema } from 'typebox'
import { BASE_NAME, GROUPS_MAX, NODES_MAX } from './cluster.ts'
import { SETTING_KEYS, SETTINGS, type Setting } from './config.ts'
import { DURATION_PATTERN } from './format-time.ts'

const ADDRESS_PATTERN = '^(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9.-]+):\\d{1,5}$'

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
  return Type.Object(
    { ...Object.fromEntries(properties), ...clusterSchemas() },
    {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      title: 'Configuration of ccr',
      additionalProperties: false,
    },
  )
}

/** The sections that `ccr node` reads besides the settings. */
function clusterSchemas(): Record<string, TSchema> {
  const node = Type.Object(
    {
      data: Type.String({ minLength: 1, description: 'Directory with one folder for each storage group.' }),
      listen: Type.String({
        pattern: ADDRESS_PATTERN,
        description: 'Where copies on other nodes fetch logs: HOST:PORT.',
      }),
      manage: Type.String({ pattern: ADDRESS_PATTERN, description: 'Where people and tools ask: HOST:PORT.' }),
    },
    { additionalProperties: false },
  )
  const lag = Type.String({ pattern: DURATION_PATTERN, description: 'At most 7 days.' })
  const standby = Type.Object(
    {
      node: Type.String({ description: 'The node that keeps the copy.' }),
      kind: Type.Optional(Type.Union([Type.Literal('ccr'), Type.Literal('scr')])),
      replayLag: Type.Optional(lag),
      truncationLag: Type.Optional(lag),
    },
    { additionalProperties: false, description: 'A copy that may be a standby target (kind scr), with its lags.' },
  )
  const group = Type.Object(
    {
      active: Type.String({ description: 'The node whose store is mounted.' }),
      copies: Type.Optional(
        Type.Array(Type.Union([Type.String(), standby]), {
          description: 'The nodes that keep a copy.',
          uniqueItems: true,
        }),
      ),
      baseName: Type.Optional(
        Type.String({ pattern: BASE_NAME.source, description: 'What its logs begin with: E00, E01, … when absent.' }),
      ),
    },
    { additionalProperties: false },
  )
  return {
    nodes: Type.Optional(
      Type.Record(Type.String(), node, { description: 'Machines, or processes, by name.', maxProperties: NODES_MAX }),
    ),
    storageGroups: Type.Optional(
      Type.Record(Type.String(), group, { description: 'Storage groups by name.', maxProperties: GROUPS_MAX }),
    ),
  }
}

function schemaOf(setting: Setting): TSchema {
  const about = { description: setting.reason, default: setting.default }
  if (setting.unit === 'HOST:PORT') return Type.String({ ...about, pattern: ADDRESS_PATTERN })
  if (setting.unit === 'rate') return Type.String({ ...about, examples: ['25M', 'off', '08:00,5M 19:00,off'] })
  if (setting.unit === 'times of day')
    return Type.String({ ...about, pattern: '^([01]\\d|2[0-4]):[0-5]\\d-([01]\\d|2[0-4]):[0-5]\\d$' })
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
  const pattern = setting.unit === 'bytes' ? '^\\d+(\\.\\d+)?[KMGT]?$' : DURATION_PATTERN
  return Type.Union([whole, Type.String({ pattern })], {
    ...about,
    description: `${setting.reason} Unit: ${setting.unit}.`,
  })
}
