import { parseMaintenanceWindow } from '../engine/database/maintenance-window.ts'
import { ReplicationError } from '../engine/error.ts'
import { parseListenAddress } from '../transport/loopback.ts'
import { SETTINGS, type Setting, type SettingKey } from './config.ts'
import { formatExactSize, parseSize } from './format-size.ts'
import { formatExactDuration, parseDuration } from './format-time.ts'
import { nearestWord } from './nearest-word.ts'
import { parseRateSetting } from './rate-setting.ts'

/**
 * Takes in one value of a setting, as a person wrote it in a file, an environment variable or a flag: durations as `30s` or in
 * milliseconds, sizes as `8M` or in bytes.
 *
 * Errors: `CONFIG_INVALID`, whose message begins with `where`; `BIND_REFUSED` for an address that is not loopback.
 */
export function readSettingValue(key: SettingKey, written: unknown, where: string): string | number {
  const setting: Setting = SETTINGS[key]
  try {
    return isText(setting.unit) ? readWord(setting, written) : readNumber(setting, written)
  } catch (cause) {
    if (!(cause instanceof ReplicationError)) throw cause
    throw new ReplicationError({
      code: cause.code === 'BIND_REFUSED' ? 'BIND_REFUSED' : 'CONFIG_INVALID',
      message: `${where}: ${key}: ${cause.message}`,
      hint: cause.hint,
      fields: { key },
      cause,
    })
  }
}

/** A value as the configuration file takes it back: `30s`, `8M`, `replayed`. */
export function formatSettingValue(key: SettingKey, value: string | number): string {
  if (typeof value === 'string') return value
  const { unit } = SETTINGS[key]
  if (unit === 'milliseconds') return formatExactDuration(value)
  return unit === 'bytes' ? formatExactSize(value) : String(value)
}

function isText(unit: Setting['unit']): boolean {
  return unit === 'HOST:PORT' || unit === 'word' || unit === 'times of day' || unit === 'rate'
}

function readWord(setting: Setting, written: unknown): string {
  if (typeof written !== 'string') throw refused(written, 'Write a text.')
  if (setting.unit === 'HOST:PORT') {
    parseListenAddress(written)
    return written
  }
  if (setting.unit === 'times of day') {
    if (parseMaintenanceWindow(written) !== null) return written
    throw refused(written, 'Write two times of day such as 01:00-05:00, from 00:00 to 24:00.')
  }
  if (setting.unit === 'rate') {
    parseRateSetting(written)
    return written
  }
  if (setting.words.includes(written)) return written
  const words = setting.words.map(String)
  const nearest = nearestWord(written, words)
  throw refused(written, `${nearest === null ? '' : `Did you mean ${nearest}? `}Write one of ${words.join(', ')}.`)
}

function readNumber(setting: Setting, written: unknown): number {
  const value = typeof written === 'string' ? readMeasured(setting, written) : written
  if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw refused(written, 'Write a whole number.')
  const { least, most } = setting
  if ((least === null || value >= least) && (most === null || value <= most)) return value
  throw refused(written, `Write a value from ${least} to ${most} ${setting.unit}.`)
}

function readMeasured(setting: Setting, written: string): number {
  if (/^\d+$/.test(written)) return Number(written)
  if (setting.unit === 'milliseconds') return parseDuration(written)
  return setting.unit === 'bytes' ? parseSize(written) : Number.NaN
}

function refused(written: unknown, hint: string): ReplicationError {
  return new ReplicationError({
    code: 'CONFIG_INVALID',
    message: `${JSON.stringify(written) ?? String(written)} is not taken`,
    hint,
  })
}
