import { ReplicationError } from '../engine/error.ts'
import { nearestWord } from './nearest-word.ts'

/**
 * What becomes of a parameter of a cmdlet: `identity` is the storage group itself, `agreed` is what the verb does anyway, `ignored` has a value that
 * means nothing here, `switch` takes no value.
 */
type Translation = `--${string}` | `switch --${string}` | 'identity' | 'agreed' | 'ignored'

interface Cmdlet {
  readonly name: string
  readonly verb: string
  /** By name in lower case. All of them take a value but those `agreed` and `switch`. */
  readonly parameters: Readonly<Record<string, Translation>>
}

/** The cmdlets that have a verb here, with the parameters that have a meaning here. Source: their pages on Microsoft Learn. */
const CMDLETS: readonly Cmdlet[] = [
  {
    name: 'Get-StorageGroupCopyStatus',
    verb: 'status',
    parameters: { identity: 'identity', server: '--server' },
  },
  {
    name: 'Suspend-StorageGroupCopy',
    verb: 'suspend',
    parameters: { identity: 'identity', suspendcomment: '--comment', confirm: 'agreed' },
  },
  { name: 'Resume-StorageGroupCopy', verb: 'resume', parameters: { identity: 'identity', confirm: 'agreed' } },
  {
    name: 'Disable-StorageGroupCopy',
    verb: 'disable',
    parameters: { identity: 'identity', standbymachine: '--copy', confirm: 'agreed' },
  },
  {
    name: 'Update-StorageGroupCopy',
    verb: 'seed',
    parameters: {
      identity: 'identity',
      deleteexistingfiles: 'switch --delete-existing-files',
      manualresume: 'switch --manual-resume',
      force: 'switch --force',
      targetpath: '--target-path',
      datahostnames: '--data-host-names',
      standbymachine: '--standby-machine',
      whatif: 'switch --what-if',
      confirm: 'agreed',
      domaincontroller: 'ignored',
    },
  },
  { name: 'Mount-Database', verb: 'mount', parameters: { identity: 'identity', confirm: 'agreed' } },
  { name: 'Dismount-Database', verb: 'dismount', parameters: { identity: 'identity', confirm: 'agreed' } },
  {
    name: 'Get-EventLog',
    verb: 'events',
    parameters: {
      logname: 'agreed',
      newest: '--newest',
      entrytype: '--level',
      instanceid: '--id',
      source: '--source',
    },
  },
]

/** The modes of eseutil that have a verb here. */
const ESEUTIL_MODES: Readonly<Record<string, readonly string[]>> = {
  ml: ['dump', 'log'],
  mk: ['dump', 'checkpoint'],
  mh: ['dump', 'database'],
  k: ['verify'],
}

/** The cmdlet of a verb, for its help; null where Exchange has none. */
export function cmdletOf(verb: string): string | null {
  return CMDLETS.find((cmdlet) => cmdlet.verb === verb)?.name ?? null
}

/** The names that stand for verbs, for guesses at what was meant. */
export function cmdletNames(): readonly string[] {
  return CMDLETS.map((cmdlet) => cmdlet.name)
}

/**
 * Turns a line typed from the Exchange documentation into one of ours: `Suspend-StorageGroupCopy -Identity SG1
 * -SuspendComment "disk work"` and `eseutil /ml FILE`, without regard to case. Other lines come back as they are, but for
 * parameters in PowerShell's manner behind a verb that has a cmdlet (`suspend SG1 -SuspendComment x`).
 *
 * Errors: `USAGE` for a parameter or a mode that has no meaning here.
 */
export function translateCmdlet(line: readonly string[]): string[] {
  const start = afterGlobalOptions(line)
  return [...line.slice(0, start), ...translateVerb(line.slice(start))]
}

/** Where the verb stands: options of the program itself may come before it. */
function afterGlobalOptions(line: readonly string[]): number {
  let at = 0
  while (line[at]?.startsWith('-') === true) at += /^--(server|config)$/.test(line[at] ?? '') ? 2 : 1
  return at
}

function translateVerb(line: readonly string[]): string[] {
  const [first = '', ...rest] = line
  if (/^eseutil(\.exe)?$/i.test(first)) return translateEseutil(rest)
  const cmdlet = CMDLETS.find(({ name }) => name.toLowerCase() === first.toLowerCase())
  // There is one event log here, and it is the one that Exchange calls Application.
  const words = cmdlet?.verb === 'events' ? rest.filter((word) => !/^application$/i.test(word)) : rest
  if (cmdlet !== undefined) return [cmdlet.verb, ...translateParameters(cmdlet, words)]
  const verb = CMDLETS.find((candidate) => candidate.verb === first)
  return verb === undefined ? [...line] : [first, ...translateParameters(verb, rest)]
}

function translateParameters(cmdlet: Cmdlet, words: readonly string[]): string[] {
  const translated: string[] = []
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? ''
    const parts = /^-([A-Za-z]{2,})(?::(.*))?$/.exec(word)
    if (parts === null) {
      translated.push(word === '--suspend-comment' ? '--comment' : word)
      continue
    }
    const translation = translationOf(cmdlet, parts[1] ?? '')
    const joined = parts[2]
    const value = joined ?? words[index + 1]
    const isAlone = translation === 'agreed' || translation.startsWith('switch ')
    if (joined === undefined && !isAlone) index += 1
    translated.push(...translateParameter(translation, isAlone ? joined : value, word))
  }
  return translated
}

function translateParameter(translation: Translation, value: string | undefined, written: string): string[] {
  if (translation === 'agreed') return []
  // A switch may be denied: -Force:$false.
  if (translation.startsWith('switch '))
    return /^\$?false$/i.test(value ?? '') ? [] : [translation.slice('switch '.length)]
  if (translation === 'ignored') return []
  if (value === undefined) throw usage(`parameter ${written} has no value`, `Write it behind: ${written} VALUE.`)
  if (translation === 'identity') return [value]
  return [translation, translation === '--level' ? value.toLowerCase() : value]
}

/** PowerShell takes any unambiguous beginning of a parameter's name. */
function translationOf(cmdlet: Cmdlet, written: string): Translation {
  const known = Object.keys(cmdlet.parameters)
  const wanted = written.toLowerCase()
  const matches = known.includes(wanted) ? [wanted] : known.filter((name) => name.startsWith(wanted))
  const translation = matches.length === 1 ? cmdlet.parameters[matches[0] ?? ''] : undefined
  if (translation !== undefined) return translation
  const nearest = nearestWord(wanted, known)
  const guess = nearest === null ? '' : `Did you mean -${nearest}? `
  throw usage(
    `${cmdlet.name} has no parameter -${written} here`,
    `${guess}Run ccr ${cmdlet.verb} --help for what is taken.`,
  )
}

function translateEseutil(words: readonly string[]): string[] {
  const [mode = '', ...rest] = words
  const verb = ESEUTIL_MODES[mode.replace(/^[/-]/, '').toLowerCase()]
  if (verb === undefined || !/^[/-]/.test(mode))
    throw usage(`eseutil ${mode} is not offered`.replace('  ', ' '), 'Use eseutil /ml, /mk, /mh or /k, and a FILE.')
  const [target = ''] = rest
  // A base name alone stands for the whole set in the current directory, in the two modes that are for logs.
  if (/^[A-Za-z0-9]{3}$/.test(target) && (verb.includes('log') || verb.includes('verify')))
    return ['verify', '.', '--base-name', target, ...rest.slice(1)]
  return [...verb, ...rest]
}

function usage(message: string, hint: string): ReplicationError {
  return new ReplicationError({ code: 'USAGE', message, hint })
}
