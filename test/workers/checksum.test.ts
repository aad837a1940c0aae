// Goal: log files are hashed and inspected on threads, several at a time, and a bad file is an answer and no failure.
// Method: real threads over files made here, against the hash of the package and the engine's own verdicts.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import xxhash from 'xxhash-wasm'
import { asGeneration } from '../../engine/generation.ts'
import { checksumFiles } from '../../workers/pool.ts'
import { ESE, eseLogs, NUMBERED, noise } from './pipeline-rig.ts'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'ccr-checksum-'))
})

afterEach(() => rmSync(root, { recursive: true, force: true }))

it('files are answered in the order of the asking, each with its hash and its verdict', async () => {
  const { h64Raw } = await xxhash()
  const hex = (bytes: Uint8Array): string => h64Raw(bytes).toString(16).padStart(16, '0')
  const [sound = noise(0, 0)] = eseLogs(1)
  const torn = sound.slice()
  torn[500_000] = (torn[500_000] ?? 0) ^ 1
  const contents = [sound, torn, noise(3_000_001, 1), noise(0, 1)]
  for (const [index, bytes] of contents.entries()) writeFileSync(join(root, String(index)), bytes)
  mkdirSync(join(root, '4'))
  const request = (index: number, name: string, format: typeof ESE) => ({
    path: join(root, String(index)),
    name,
    generation: asGeneration(1),
    format,
  })

  const results = await checksumFiles(
    [
      request(0, 'E0000000001.log', ESE),
      request(1, 'E0000000001.log', ESE),
      request(2, '00000001.log', NUMBERED),
      request(3, '00000001.log', NUMBERED),
      request(4, '00000001.log', NUMBERED),
      request(5, '00000001.log', NUMBERED),
    ],
    { threads: 2 },
  )

  expect(
    results.map((result) =>
      result.kind === 'read'
        ? [result.checksumHex, result.sizeBytes, result.inspection.rejection?.reason ?? 'sound']
        : result.fault.code,
    ),
  ).toEqual([
    [hex(sound), 1_048_576, 'sound'],
    [hex(torn), 1_048_576, 'corrupt-checksum'],
    [hex(noise(3_000_001, 1)), 3_000_001, 'sound'],
    [hex(noise(0, 1)), 0, 'bad-size'],
    'FILE_NOT_REGULAR',
    'LOG_MISSING',
  ])
})
