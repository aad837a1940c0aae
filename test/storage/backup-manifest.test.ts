// Goal: a manifest says exactly what its version knows, and nothing that contradicts itself; anything else is refused with the field at fault.
// Method: a whole manifest, changed in one place at a time; then bytes of it changed at random.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ReplicationError } from '../../engine/error.ts'
import { asGeneration } from '../../engine/generation.ts'
import { type BackupManifest, composeManifest, kindOfSetFile, parseManifest } from '../../storage/backup-manifest.ts'

const file = (path: string) => ({ path, bytes: 8192, xxh64: '0123456789abcdef' })

const FULL: BackupManifest = {
  storageGroup: 'First Storage Group',
  baseName: 'E00',
  scope: 'full',
  method: 'vss',
  of: { copy: 'passive', node: 'NODE2' },
  product: '0.1.0',
  logFormat: '7,3704,12',
  logSignature: 'ab'.repeat(28),
  logs: { first: asGeneration(9), last: asGeneration(11) },
  required: { first: asGeneration(9), last: asGeneration(10) },
  closed: asGeneration(11),
  mark: { generation: 9, sector: 17, byte: 76 },
  buildsOn: { mark: { generation: 3, sector: 8, byte: 0 }, first: asGeneration(2), last: asGeneration(4) },
  begunMs: 1_173_355_200_000,
  endedMs: 1_173_355_260_000,
  files: [
    file('database/priv1.edb'),
    file('logs/E00.chk'),
    file('logs/E0000000009.log'),
    file('logs/E000000000A.log'),
    file('logs/E000000000B.log'),
  ],
}

/** The document as JSON has it, changed. */
function changed(change: (document: Record<string, unknown>) => void): string {
  const document = JSON.parse(composeManifest(FULL)) as Record<string, unknown> // an object, as composed
  change(document)
  return JSON.stringify(document)
}

function refusalOf(text: string): ReplicationError {
  try {
    parseManifest(text, '/set/manifest.json')
  } catch (error) {
    if (error instanceof ReplicationError) return error
    throw error
  }
  throw new Error('it was taken')
}

const files = (paths: readonly string[]) => changed((document) => (document['files'] = paths.map(file)))
const LOGS = ['logs/E0000000009.log', 'logs/E000000000A.log', 'logs/E000000000B.log']

describe('a manifest', () => {
  it('reads as it was composed', () => {
    expect(parseManifest(composeManifest(FULL), 'manifest.json')).toEqual(FULL)
    const clean = { ...FULL, logs: null, required: null, logFormat: null, mark: null, buildsOn: null }
    const alone = { ...clean, files: [file('database/priv1.edb')] }
    expect(parseManifest(composeManifest(alone), 'manifest.json')).toEqual(alone)
  })

  it.each([
    ['another version', changed((document) => (document['version'] = 2)), /version is 2, this program reads 1/],
    ['an unknown field', changed((document) => (document['owner'] = 'me')), /owner is no field/],
    [
      'an unknown field of a file',
      changed((document) => (document['files'] = [{ ...file(''), mode: 1 }])),
      /mode is no/,
    ],
    ['a missing field', changed((document) => delete document['closed']), /closed is missing/],
    ['a word that is none', changed((document) => (document['scope'] = 'daily')), /scope is "daily", not one of full/],
    ['a fraction', changed((document) => (document['closed'] = 1.5)), /closed is 1.5/],
    ['a name that is a path', changed((document) => (document['storageGroup'] = '../SG1')), /storageGroup is/],
    ['no JSON', '{"version": 1,', /is no JSON/],
    ['a list', '[]', /is no object/],
    ['a file outside of the set', files(['database/priv1.edb', '../E0000000009.log']), /is no place in a set/],
    ['a file in a deeper folder', files(['database/a/priv1.edb', ...LOGS]), /is no place in a set/],
    ['an absolute path', files(['/etc/priv1.edb', ...LOGS]), /is no place in a set/],
    ['a hidden path', files(['database/..edb', ...LOGS]), /is no place in a set/],
    ['the open log', files(['database/priv1.edb', ...LOGS, 'logs/E00.log']), /is no place in a set/],
    ['a log of another base name', files(['database/priv1.edb', ...LOGS, 'logs/E010000000C.log']), /is no place/],
    ['a log named twice', files(['database/priv1.edb', ...LOGS, 'logs/E000000000B.log']), /not the next of its logs/],
    ['a gap', files(['database/priv1.edb', 'logs/E0000000009.log', 'logs/E000000000B.log']), /not the next of/],
    ['a log that is not named', files(['database/priv1.edb', ...LOGS.slice(0, 2)]), /logs from 11 to 11 are not named/],
    ['two databases', files(['database/a.edb', 'database/b.edb', ...LOGS]), /one database/],
    ['no database', files(LOGS), /one database/],
    ['a database in an incremental set', changed((document) => (document['scope'] = 'incremental')), /no database/],
    ['a log that its database lacks', changed((document) => (document['required'] = { first: 8, last: 9 })), /8 to 9/],
    ['logs that end elsewhere', changed((document) => (document['closed'] = 12)), /end with 11, but 12/],
  ])('is refused for %s', (_, text, detail) => {
    const error = refusalOf(text)

    expect(error).toMatchObject({ code: 'BACKUP_REJECTED', fields: { path: '/set/manifest.json' } })
    expect(error.message).toMatch(detail)
  })

  it('is taken as it is or refused with a reason, whatever becomes of its bytes', () => {
    const bytes = new TextEncoder().encode(composeManifest(FULL))
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const other = bytes.slice()
        other[at] = (other[at] ?? 0) ^ flip
        try {
          parseManifest(new TextDecoder().decode(other), 'manifest.json')
        } catch (error) {
          expect(error).toMatchObject({ code: 'BACKUP_REJECTED' })
        }
      }),
    )
  })
})

describe('a path in a set', () => {
  it('says what the file is', () => {
    expect(kindOfSetFile('database/priv1.edb', 'E00')).toEqual({ kind: 'database', name: 'priv1.edb' })
    expect(kindOfSetFile('logs/E00.chk', 'E00')).toEqual({ kind: 'checkpoint', name: 'E00.chk' })
    expect(kindOfSetFile('logs/E000000002A.log', 'E00')).toMatchObject({ kind: 'log', generation: 42 })
    expect(kindOfSetFile('manifest.json', 'E00')).toBeNull()
  })
})
