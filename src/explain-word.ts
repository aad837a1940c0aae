import { ERROR_CODES, type ErrorCode } from '../engine/error.ts'
import { EVENT_CATALOGUE, type EventId, eventNumber, eventText } from '../engine/event-catalogue.ts'
import { SETTING_KEYS, SETTINGS } from './config.ts'
import { ERROR_EXPLANATIONS } from './explain-error.ts'
import { ESE_ERRORS } from './explain-ese-error.ts'
import { EVENT_EXPLANATIONS } from './explain-event.ts'
import { STATUS_VALUES } from './explain-status.ts'
import { nearestWord } from './nearest-word.ts'
import { STATUS_FIELDS } from './status-fields.ts'

/** What one word means. */
export interface Explanation {
  readonly word: string
  /** What kind of word it is, for example `event id`. */
  readonly kind: string
  readonly meaning: string
  /** Why one sees it; `''` where that is no question. */
  readonly causes: string
  /** What to do; `''` where there is nothing. */
  readonly cure: string
  /** Where the knowledge comes from. */
  readonly source: string
}

/**
 * What a word means: a value of SummaryCopyStatus, a field of the status, an event id, an error code, an error number of ESE, or
 * a setting. Without regard to case. Failed, for one, is a value and a field: both come back.
 */
export function explainWord(word: string): Explanation[] {
  const wanted = word.toLowerCase()
  return everyWord().filter((explanation) => explanation.word.toLowerCase() === wanted)
}

/** The word that was most likely meant by one that means nothing, or null. */
export function wordMeant(word: string): string | null {
  return nearestWord(
    word,
    everyWord().map((explanation) => explanation.word),
  )
}

function everyWord(): Explanation[] {
  return [...statusValues(), ...statusFields(), ...events(), ...errorCodes(), ...eseErrors(), ...settings()]
}

function statusValues(): Explanation[] {
  const source = 'Microsoft, Get-StorageGroupCopyStatus (aa997676) and Exchange 2007 SP1'
  return Object.entries(STATUS_VALUES).map(([word, told]) => ({
    word,
    kind: 'value of SummaryCopyStatus',
    ...told,
    source,
  }))
}

function statusFields(): Explanation[] {
  const source = 'Microsoft, Get-StorageGroupCopyStatus (aa997246)'
  return STATUS_FIELDS.map(({ name, meaning }) => ({
    word: name,
    kind: 'field of the status',
    meaning,
    causes: '',
    cure: '',
    source,
  }))
}

function events(): Explanation[] {
  return Object.entries(EVENT_CATALOGUE).map(([key, { source, level, invented }]) => {
    const id = Number(key) as EventId // the keys of the catalogue are the event ids
    return {
      word: String(eventNumber(id)),
      kind: `event id, ${source}, ${level}`,
      meaning: eventText(id, 'SG', ['…', '…', '…', '…']),
      ...EVENT_EXPLANATIONS[id],
      source: eventSource(eventNumber(id), invented),
    }
  })
}

/** Numbers from here on are of this program's own choice. */
const OWN_EVENTS_FROM = 9000

function eventSource(id: number, invented: boolean): string {
  if (id >= OWN_EVENTS_FROM) return 'an event of this program; Exchange has none with this number'
  return invented
    ? 'the number is Exchange’s; the wording is this program’s own'
    : 'event list of Exchange 2007, number and wording'
}

function errorCodes(): Explanation[] {
  return Object.entries(ERROR_EXPLANATIONS).map(([word, { cause, cure }]) => {
    const { exit, retriable } = ERROR_CODES[word as ErrorCode] // the keys of the table are the error codes
    const kind = `error code, exit code ${exit}, ${retriable ? 'may succeed later' : 'will not succeed by itself'}`
    return { word, kind, meaning: cause, causes: '', cure, source: 'this program; docs/ERRORS.md' }
  })
}

function eseErrors(): Explanation[] {
  const source = 'error list of the ESE engine'
  return Object.entries(ESE_ERRORS).map(([word, told]) => {
    const [name = '', meaning = ''] = told.split(': ')
    return {
      word,
      kind: `error number of ESE, JET_err${name}`,
      meaning: capitalised(meaning),
      causes: '',
      cure: '',
      source,
    }
  })
}

function settings(): Explanation[] {
  return SETTING_KEYS.map((word) => {
    const { unit, default: preset, reason } = SETTINGS[word]
    return {
      word,
      kind: `setting, in ${unit}, ${preset} by default`,
      meaning: reason,
      causes: '',
      cure: '',
      source: 'this program; docs/CONFIG.md',
    }
  })
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}
