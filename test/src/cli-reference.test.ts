// Goal: docs/ERRORS.md, EVENTS.md, CONFIG.md and CLI.md say what the program does, all of it and nothing else.
// Method: each page is made from the table that the program uses; vitest -u writes it again after a change that was meant.
import { describe, expect, it } from 'vitest'
import { CHECKPOINT_ERROR } from '../../engine/database/checkpoint-file.ts'
import { DATABASE_ERROR_OF } from '../../engine/database/database-header-copies.ts'
import { ERROR_CODES } from '../../engine/error.ts'
import { EVENT_CATALOGUE } from '../../engine/event-catalogue.ts'
import { ESE_ERROR_OF } from '../../engine/log-identity.ts'
import { SETTING_KEYS } from '../../src/config.ts'
import { ERROR_EXPLANATIONS } from '../../src/explain-error.ts'
import { ESE_ERRORS } from '../../src/explain-ese-error.ts'
import { scenarioSchema } from '../../src/scenario/scenario-file.ts'
import { cliPage, configPage, errorsPage, eventsPage } from './reference-pages.ts'

describe('the reference', () => {
  it('of errors has every code of the engine, with cause, cure and exit code', async () => {
    const text = errorsPage()

    expect(Object.keys(ERROR_EXPLANATIONS)).toEqual(Object.keys(ERROR_CODES))
    for (const code of Object.keys(ERROR_CODES)) expect(text).toContain(`### ${code}\n`)
    await expect(text).toMatchFileSnapshot('../../docs/ERRORS.md')
  })

  it('of events has every event of the catalogue', async () => {
    const text = eventsPage()

    for (const [id, { source }] of Object.entries(EVENT_CATALOGUE))
      expect(text).toContain(`### ${Number(id) % 1_000_000} (${source},`)
    await expect(text).toMatchFileSnapshot('../../docs/EVENTS.md')
  })

  it('of the configuration has every key of the table', async () => {
    const text = configPage()

    for (const key of SETTING_KEYS) expect(text).toContain(`| \`${key}\` |`)
    await expect(text).toMatchFileSnapshot('../../docs/CONFIG.md')
  })

  it('of the command line has every verb', async () => {
    await expect(cliPage()).toMatchFileSnapshot('../../docs/CLI.md')
  })

  it('of scenario files is their JSON Schema', async () => {
    await expect(`${JSON.stringify(scenarioSchema(), null, 2)}\n`).toMatchFileSnapshot(
      '../../docs/scenario.schema.json',
    )
  })

  it('knows every error number that the inspector and the checks of files give', () => {
    for (const number of [...Object.values(ESE_ERROR_OF), ...Object.values(DATABASE_ERROR_OF), CHECKPOINT_ERROR, -1018])
      expect(ESE_ERRORS).toHaveProperty(String(number))
  })
})
