// Goal: a PostgreSQL server that archives its WAL into a watched directory has every segment on the copy, byte for byte.
// Method: a server of our own on a Unix socket, under load; its archive_command notes the SHA-256 of what it archives. Skipped
// where PostgreSQL is not installed.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitUntil } from '../../bench/command.ts'
import { copyFigures, readJson, type Service, type ShareService, startCopy, startShare } from '../../bench/product.ts'

const BINARIES = newestBinaries()
const IS_ROOT = process.getuid?.() === 0
/** Rows of pgbench's accounts: 100,000 for each, which is about 13 MB of WAL. */
const SCALE = 5
const LOAD_TRANSACTIONS = 300

describe.skipIf(BINARIES === null)('the archive of a PostgreSQL server (skipped where it is absent)', () => {
  let directory = ''
  let share: ShareService
  let copy: Service

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'ccr-postgresql-'))
    // The server runs as another user and has to reach what is below.
    chmodSync(directory, 0o711)
    for (const name of ['data', 'socket', 'staging', 'archive', 'truth', 'backup']) makeForServer(join(directory, name))
    share = await startShare(join(directory, 'archive'), {
      arguments: ['--format', 'numbered', '--pattern', 'postgresql', '--state', join(directory, 'state')],
    })
    copy = await startCopy(`${share.listen}/shares/SG1`, join(directory, 'store'))
    startServer(directory)
  }, 120_000)

  afterAll(async () => {
    asServer('pg_ctl', ['-D', join(directory, 'data'), '-m', 'immediate', 'stop'])
    await copy.stop()
    await share.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  it('arrives byte for byte under load, and what is no segment stays where it is', { timeout: 240_000 }, async () => {
    const connection = ['-h', join(directory, 'socket'), '-U', 'postgres']

    asServer('pgbench', [...connection, '-i', '-q', '-s', String(SCALE), 'postgres'])
    // A base backup leaves a .backup file in the archive.
    asServer('pg_basebackup', [...connection, '-X', 'none', '-c', 'fast', '-D', join(directory, 'backup')])
    asServer('pgbench', [...connection, '-n', '-c', '2', '-t', String(LOAD_TRANSACTIONS), 'postgres'])
    asServer('psql', [...connection, '-c', 'select pg_switch_wal()', 'postgres'])
    writeFileSync(join(directory, 'archive/00000002.history'), '1\t0/2000000\tno recovery target specified\n')
    const archived = await settledArchive(directory, connection)
    await waitUntil(
      'every segment is inspected',
      async () => (await inspected(copy)) >= generationOf(archived),
      120_000,
    )

    const truth = readTruth(directory)
    expect(truth.size).toBeGreaterThanOrEqual(SCALE)
    const logs = join(directory, 'store/logs')
    const arrived = readdirSync(logs, { withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [entry.name] : []))
    expect(arrived.sort()).toEqual([...truth.keys()].sort())
    expect(arrived.filter((name) => digest(join(logs, name)) !== truth.get(name))).toEqual([])
    expect(readdirSync(join(directory, 'archive')).some((name) => name.endsWith('.backup'))).toBe(true)
    expect(await readJson(`${share.manage}/api/v1/shares/SG1`)).toMatchObject({ missing: 0 })
    expect((await copyFigures(copy))?.SummaryCopyStatus).toBe('Healthy')
  })

  function makeForServer(path: string): void {
    mkdirSync(path, { mode: 0o700 })
    if (IS_ROOT) execFileSync('chown', ['postgres:', path])
  }
})

function newestBinaries(): string | null {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : []
  return versions.map((version) => join(root, version, 'bin')).find((path) => existsSync(join(path, 'initdb'))) ?? null
}

/** Runs one of PostgreSQL's programs as the user that it insists on: anybody but root. */
function asServer(program: string, words: readonly string[]): string {
  const line = [join(BINARIES ?? '', program), ...words]
  const [file = '', ...rest] = IS_ROOT ? ['runuser', '-u', 'postgres', '--', ...line] : line
  const ended = spawnSync(file, rest, { encoding: 'utf8', cwd: '/' })
  if (ended.status !== 0) throw new Error(`${program} failed (${ended.status}):\n${ended.stdout}\n${ended.stderr}`)
  return ended.stdout
}

/** Segments come by rename, as PostgreSQL's documentation asks of an archive_command. */
function startServer(directory: string): void {
  const data = join(directory, 'data')
  asServer('initdb', ['-D', data, '-U', 'postgres', '--auth=trust', '--no-sync'])
  const archive = `sha256sum %p >> ${directory}/truth/sums && cp %p ${directory}/staging/%f && mv ${directory}/staging/%f ${directory}/archive/%f`
  writeFileSync(
    join(data, 'postgresql.auto.conf'),
    `listen_addresses = ''
unix_socket_directories = '${directory}/socket'
archive_mode = on
archive_command = '${archive}'
max_wal_size = 48MB
min_wal_size = 32MB
shared_buffers = 32MB
`,
  )
  asServer('pg_ctl', ['-D', data, '-l', join(directory, 'data/server.log'), '-w', 'start'])
}

/** Waits until the server has archived the last complete segment, and answers its name. */
async function settledArchive(directory: string, connection: readonly string[]): Promise<string> {
  const last = (query: string): string => asServer('psql', [...connection, '-Atc', query, 'postgres']).trim()
  const complete = last('select pg_walfile_name(pg_switch_wal())')
  await waitUntil(`${complete} is archived`, () => existsSync(join(directory, 'archive', complete)))
  return complete
}

async function inspected(copy: Service): Promise<number> {
  return (await copyFigures(copy))?.LastLogInspected ?? 0
}

/** 256 segments of 16 MiB make one log of 4 GiB. */
function generationOf(name: string): number {
  return Number.parseInt(name.slice(8, 16), 16) * 256 + Number.parseInt(name.slice(16), 16)
}

/** Segment name → SHA-256, as the archive_command has seen it. Other files of the archive are left out. */
function readTruth(directory: string): Map<string, string> {
  const lines = readFileSync(join(directory, 'truth/sums'), 'utf8').trim().split('\n')
  const sums = lines
    .map((line) => line.split(/\s+/))
    .map(([sum = '', path = '']) => [path.replace(/^.*\//, ''), sum] as const)
  return new Map(sums.filter(([name]) => /^[0-9A-F]{24}$/.test(name)))
}

function digest(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}
