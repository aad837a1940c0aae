import type { Formula } from '../../engine/scenario/formula.ts'
import type { Act } from '../../engine/scenario/step.ts'
import { type FieldsOf, flag, listOf, map, owner, type Shape, scalarIn, text, word } from './shape.ts'
import { type Verb, verb } from './verb.ts'
import { invalidScenario, unknownWord, type YamlNode } from './yaml-node.ts'

type FormulaAct = Act<Formula>

const SET_NAME = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/

/** The name of a set that a backup makes. */
const newSet: Shape<string> = {
  sign: 'NAME',
  schema: { type: 'string', pattern: SET_NAME.source },
  read: (node, scope) => {
    const name = text('NAME').read(node, scope)
    if (!SET_NAME.test(name) || scope.isSet(name))
      throw invalidScenario(
        node.place,
        `${name} cannot be the name of a set`,
        'Take letters, digits, - and _, and each name once.',
      )
    scope.nameSet(name)
    return name
  },
}

/** The name of a set that a backup above has made. */
const knownSet: Shape<string> = {
  ...newSet,
  read: (node, scope) => {
    const name = String(scalarIn(node))
    if (!scope.sets.includes(name)) throw unknownWord(node.place, `set ${name}`, scope.sets)
    return name
  },
}

const VERSION_PATTERN = /^\d{1,5}\.\d{1,5}\.\d{1,5}$/

/** A version of the product. */
const version: Shape<string> = {
  sign: '8.0.0',
  schema: { type: 'string', pattern: VERSION_PATTERN.source },
  read: (node, scope) => {
    const written = text('8.0.0').read(node, scope)
    if (VERSION_PATTERN.test(written)) return written
    throw invalidScenario(node.place, `${written} is no version`, 'Write three numbers, as 8.0.0.')
  },
}

const RESTORE = {
  from: { shape: listOf(knownSet), about: 'the sets: a full one or a copy, then what builds on it' },
  pointInTime: { shape: flag, about: 'without the logs that are newer than the sets; false: they are redone too' },
}
const BACKUP = {
  kind: {
    shape: word(['full', 'incremental', 'copy', 'differential']),
    about: 'what it backs up, and whether it truncates',
  },
  method: { shape: word(['streaming', 'vss']), about: 'page by page while the store runs, or as a snapshot' },
  of: { shape: owner(true), about: 'the active, or a copy (by vss only)' },
  to: { shape: newSet, about: 'what the set is called, for `restore`' },
  outcome: {
    shape: word(['completed', 'aborted', 'vanished']),
    about:
      'how the tool ends it; `completed` when nothing is said. In virtual runs also `aborted`, and `vanished`, which leaves it under way',
  },
  held: { shape: flag, about: 'whether the tool keeps it under way until a step `release`; false' },
}

const AGE = {
  set: { shape: knownSet, about: 'the set' },
  product: { shape: version, about: 'the version of the product that is said to have made it' },
}

/** What can be done with backups and their sets, in the order of the manual. */
export const BACKUP_ACTS: Readonly<Record<string, Verb<FormulaAct>>> = {
  backup: verb({
    about: 'a backup, from its beginning to its end; with `held` until it is prepared',
    example: 'backup: {kind: full, method: vss, of: copy1}',
    shape: map(BACKUP, ['kind', 'method', 'of']),
    does: backup,
  }),
  release: verb({
    about: 'the backup or the seed that is held ends, and returns when it has; a node that ends takes its own with it',
    example: 'release: aborted',
    shape: word(['completed', 'aborted']),
    does: (outcome): FormulaAct => ({ kind: 'release', outcome }),
  }),
  restore: verb({
    about: 'sets are restored into the active; in real runs its database has to be dismounted',
    example: 'restore: {from: [monday], pointInTime: true}',
    shape: map(RESTORE, ['from']),
    does: ({ from = [], pointInTime = false }): FormulaAct => ({ kind: 'restore', from, pointInTime }),
  }),
  age: verb({
    about: 'a set becomes one that another version of the product has made',
    example: 'age: {set: monday, product: 8.0.0}',
    shape: map(AGE, ['set', 'product']),
    does: ({ set = '', product = '' }): FormulaAct => ({ kind: 'age', set, product }),
  }),
}

function backup(said: FieldsOf<typeof BACKUP>, node: YamlNode): FormulaAct {
  const { kind = 'full', method = 'vss', of = 'active', to = null, outcome, held = false } = said
  if (held && outcome !== undefined)
    throw invalidScenario(node.place, 'a backup that is held has no outcome yet', 'Say it with release: further down.')
  return { kind: 'backup', scope: kind, method, of, to, outcome: held ? 'held' : (outcome ?? 'completed') }
}
