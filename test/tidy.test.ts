// Goal: the house keeps its style by itself, so that nobody has to argue about it.
// Method: parse every TypeScript file, count, and compare with the numbers of CONTRIBUTING.md.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { commentShare, functionsOf, importsOf, ROOT, sourceFiles, undocumentedExports } from './tidy/source-files.ts'

/** The part of a lock file that is looked at. */
interface LockFile {
  readonly packages: Readonly<Record<string, { readonly optionalDependencies?: Readonly<Record<string, string>> }>>
}

const files = sourceFiles()
const shipped = files.filter((file) => !['test', 'scripts', 'bench'].includes(file.room) && file.path.includes('/'))
const functions = files.flatMap(functionsOf)

/** What each room may import: the arrows of docs/ARCHITECTURE.md. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  engine: [],
  sim: ['engine'],
  storage: ['engine'],
  transport: ['engine'],
  workers: ['engine', 'storage', 'transport'],
  src: ['engine', 'sim', 'storage', 'transport', 'workers'],
}

describe('sizes', () => {
  it('keeps every file at 400 lines or fewer, and 95 of 100 at 300', () => {
    const long = files.filter((file) => file.lines.length > 401).map((file) => `${file.path}: ${file.lines.length}`)
    const lengths = files.map((file) => file.lines.length - 1)

    expect(long).toEqual([])
    expect(percentile(lengths, 95)).toBeLessThanOrEqual(300)
  })

  it('keeps every function at 50 lines or fewer, and 95 of 100 at 25', () => {
    const long = functions.filter((fn) => fn.lines > 50).map((fn) => `${fn.path} ${fn.name}: ${fn.lines}`)
    const inRooms = shipped.flatMap(functionsOf).map((fn) => fn.lines)

    expect(long).toEqual([])
    expect(percentile(inRooms, 95)).toBeLessThanOrEqual(25)
  })

  it('passes at most three parameters, but for the calls of a file system', () => {
    const wide = shipped
      .flatMap(functionsOf)
      .filter((fn) => fn.parameters > (fn.path.includes('file-operations') ? 5 : 3))
      .map((fn) => `${fn.path} ${fn.name}: ${fn.parameters}`)

    expect(wide).toEqual([])
  })
})

describe('words', () => {
  it('has no any, no non-null assertion, no suppressed check and no unfinished work', () => {
    const forbidden =
      /\bas any\b|: any\b(?=[;,)\s=]*$|[;,)=])|<any>|@ts-ignore|@ts-nocheck|\bTODO\b|\bFIXME\b|\bXXX\b|\b(it|test|describe)\.(only|todo)\b/
    const found = files
      .filter((file) => !file.path.startsWith('test/tidy'))
      .flatMap((file) =>
        file.lines.flatMap((line, index) => (forbidden.test(line) ? [`${file.path}:${index + 1}`] : [])),
      )

    expect(found).toEqual([])
  })

  it('names no path of a machine', () => {
    const found = files.filter((file) => /["'`](\/work\/|\/home\/|\/root\/)/.test(file.text)).map((file) => file.path)

    expect(found).toEqual([])
  })
})

describe('the lock file', () => {
  it('names the packages of every platform: scripts/complete-lock-file.mjs adds those that a registry left out', () => {
    const { packages } = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')) as LockFile // npm wrote it
    const missing = Object.entries(packages).flatMap(([path, entry]) =>
      Object.keys(entry.optionalDependencies ?? {}).filter(
        (name) => !(`node_modules/${name}` in packages || `${path}/node_modules/${name}` in packages),
      ),
    )

    expect(missing).toEqual([])
  })
})

describe('rooms', () => {
  it('lets imports point at the engine, never away from it', () => {
    const wrong = shipped.flatMap((file) => {
      const allowed = MAY_IMPORT[file.room]
      if (allowed === undefined) return []
      const rooms = importsOf(file).map((module) => /^(?:\.\.\/)+([a-z]+)\//.exec(module)?.[1])
      return rooms
        .filter((room) => room !== undefined && room in MAY_IMPORT && room !== file.room && !allowed.includes(room))
        .map((room) => `${file.path} imports ${room}`)
    })

    expect(wrong).toEqual([])
  })

  it('keeps node: and packages out of engine and sim', () => {
    const wrong = files
      .filter((file) => file.room === 'engine' || file.room === 'sim')
      .flatMap((file) =>
        importsOf(file)
          .filter((module) => !module.startsWith('.'))
          .map((module) => `${file.path}: ${module}`),
      )

    expect(wrong).toEqual([])
  })
})

describe('documentation', () => {
  it('explains every export of the rooms', () => {
    const bare = shipped.flatMap((file) => undocumentedExports(file).map((name) => `${file.path}: ${name}`))

    expect(bare).toEqual([])
  })

  it('comments between 8 and 45 of 100 lines of the engine, by room', () => {
    const engine = files.filter((file) => file.room === 'engine')
    const mean = engine.reduce((sum, file) => sum + commentShare(file), 0) / engine.length

    expect(mean).toBeGreaterThan(0.08)
    expect(mean).toBeLessThan(0.45)
  })
})

function percentile(values: readonly number[], per: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * per) / 100))] ?? 0
}
