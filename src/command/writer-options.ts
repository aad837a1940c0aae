import { Option } from '@commander-js/extra-typings'
import type { WriterName } from '../../transport/management-writers.ts'
import { parseDuration } from '../format-time.ts'
import { storageGroupArgument } from '../management.ts'

type Scope = 'full' | 'incremental' | 'differential' | 'copy'

/** Which writer a line means. Errors: `NAME_INVALID`. */
export function nameOf(storageGroup: string, of: unknown): WriterName {
  return { storageGroup: storageGroupArgument(storageGroup), of: of as WriterName['of'] } // one of the choices of the option
}

/** `--scope`. */
export function scopeOption(): Option<'--scope <scope>', undefined, 'full', undefined, false, Scope> {
  const scopes = ['full', 'incremental', 'differential', 'copy'] as const
  return new Option('--scope <scope>', 'what is backed up').choices(scopes).default('full')
}

/** `--of`. */
export function ofOption(): Option<'--of <copy>', undefined, 'active', undefined, false, WriterName['of']> {
  return new Option('--of <copy>', 'which copy').choices(['active', 'passive'] as const).default('active')
}

/** `--freeze`. */
export function freezeOption(): Option<'--freeze <duration>', undefined, undefined, number> {
  return new Option('--freeze <duration>', 'how long the copy may stand still (default: 60s)').argParser(parseDuration)
}

/** What `--freeze` adds to a request. */
export function freezeOf(freezeMs: unknown): object {
  return typeof freezeMs === 'number' ? { freezeMs } : {}
}
