import { ReplicationError } from '../engine/error.ts'
import type { Announcement } from '../engine/fact.ts'
import { type LogFormat, logNameParser } from '../engine/log-format.ts'
import { storeKindOf } from '../engine/store-kind.ts'
import { CheckedObject } from './checked-object.ts'
import type { ShareDocument } from './log-share-app.ts'

/** Longest pattern of a numbered format, in characters; the format's own check is stricter in other ways. */
const PATTERN_CHARACTERS_MAX = 200
/** Longest kind of a format, in characters. */
const KIND_CHARACTERS_MAX = 16
/** Longest name of a storage group, in characters. */
const SHARE_CHARACTERS_MAX = 64

/**
 * Takes in what a source says of its share. It is hostile until checked: each field has its type and range, the format is
 * one whose names can be parsed in linear time, and the counters of the announcement agree with each other.
 *
 * Errors: `WIRE_PROTOCOL`, `LOG_FORMAT_INVALID`.
 */
export function readShareDocument(value: unknown): ShareDocument {
  const object = new CheckedObject(value, 'share')
  const format = readFormat(object.object('format'))
  logNameParser(format)
  return {
    share: object.text('share', SHARE_CHARACTERS_MAX),
    format,
    store: object.isAbsentOrNull('store') ? 'external' : storeKindOf(object.text('store', KIND_CHARACTERS_MAX)),
    announcementNumber: object.whole('announcementNumber'),
    announcement: readAnnouncement(object.object('announcement')),
  }
}

function readFormat(object: CheckedObject): LogFormat {
  const kind = object.text('kind', KIND_CHARACTERS_MAX)
  if (kind === 'ese') return { kind, baseName: object.text('baseName', 3) }
  if (kind === 'numbered') return { kind, pattern: object.text('pattern', PATTERN_CHARACTERS_MAX) }
  throw contradiction(`the log format ${JSON.stringify(kind)} is unknown`)
}

function readAnnouncement(object: CheckedObject): Announcement {
  const announcement: Announcement = {
    lowest: object.generation('lowest'),
    closedThrough: object.generation('closedThrough'),
    generated: object.generation('generated'),
    missing: object.generation('missing'),
    truncatedBelow: object.generation('truncatedBelow'),
    logTimeMs: object.time('logTimeMs'),
    stream: object.isAbsent('stream') ? 0 : object.whole('stream'),
  }
  const { lowest, closedThrough, generated } = announcement
  if (lowest > closedThrough || closedThrough > generated)
    throw contradiction(`logs ${lowest} to ${closedThrough} of ${generated} were announced`)
  return announcement
}

function contradiction(what: string): ReplicationError {
  const hint = 'Check that both sides run the same version and that no proxy changes the bytes.'
  return new ReplicationError({ code: 'WIRE_PROTOCOL', message: `the source contradicts itself: ${what}`, hint })
}
