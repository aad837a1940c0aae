// Goal: the scenarios that a backup tester would want to reproduce hold in the toy world, at the shortest delays and at any others.
// Method: every file of labs/scenarios is run by the command, without a seed and with some; the real runs are `npm run scenarios`.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readScenarioFile } from '../../src/scenario/scenario-file.ts'
import { ccr } from './cli-harness.ts'

const directory = join(import.meta.dirname, '../../labs/scenarios')
const files = readdirSync(directory).filter((name) => name.endsWith('.yaml'))

describe('the scenarios', () => {
  it.each(files)('%s holds in virtual time', async (name) => {
    const { exitCode, stdout } = await ccr(['scenario', 'run', '--virtual', join(directory, name)])

    expect(stdout).toMatch(/1 scenario: 1 passed\n$/)
    expect(exitCode).toBe(0)
  })

  it.each(['1', '2', '3', '4', '5'])('hold with the delays of seed %s', async (seed) => {
    const paths = files.map((name) => join(directory, name))
    const { exitCode, stdout } = await ccr(['scenario', 'run', '--virtual', '--seed', seed, ...paths])

    expect(exitCode, stdout).toBe(0)
  })

  it.each(files)('%s says why it is played, with its source', (name) => {
    expect(readScenarioFile(join(directory, name)).about).toMatch(/Source: /)
  })
})
