import { ReplicationError } from '../engine/error.ts'
import type { LogFormat } from '../engine/log-format.ts'

/** A request that came while the service was already stopping. */
export function stopping(name: string): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `the service of ${name} is stopping`,
    hint: 'Start it again and repeat the command.',
  })
}

/** A comment of a suspension beyond the limit. */
export function commentTooLong(characters: number, most: number): ReplicationError {
  return new ReplicationError({
    code: 'REQUEST_INVALID',
    message: `a comment of ${characters} characters is longer than ${most}`,
    hint: 'Say it shorter.',
  })
}

/** A source that ships something else than the store was made for. */
export function otherFormat(root: string, format: LogFormat): ReplicationError {
  return new ReplicationError({
    code: 'STORE_FOREIGN',
    message: `the source ships ${JSON.stringify(format)}, for which ${root} was not made`,
    hint: 'Give the copy of this source another directory.',
    fields: { path: root },
  })
}

/** A second copy, share or store of a storage group in one process. */
export function hereAlready(what: 'copy' | 'share' | 'store', name: string): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `this process has a ${what} of a storage group named ${name} already`,
    hint: 'Use another name, or a process of its own.',
  })
}

/** More copies, shares or stores than one process keeps. */
export function tooManyHere(what: 'copies' | 'shares' | 'stores', most: number): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `this process keeps ${most} ${what} already, which is the limit`,
    hint: 'Start another process for more.',
  })
}

/** A storage group that this process does not have. */
export function unknownHere(what: 'copy' | 'share' | 'store', name: string): ReplicationError {
  return new ReplicationError({
    code: 'STORAGE_GROUP_UNKNOWN',
    message: `no ${what} of a storage group named ${name} in this process`,
    hint: '"ccr status" and GET /api/v1/copies, /api/v1/shares or /api/v1/stores list what there is here.',
  })
}

/** A copy that is suspended or frozen is not read either. */
export function leftAlone(name: string): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `the copy of ${name} is suspended, or a snapshot of it is being taken`,
    hint: `Run "ccr resume ${name}" first, or wait until the snapshot is taken.`,
    fields: { storageGroup: name },
  })
}
