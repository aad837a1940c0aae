import type { ReplicationError } from '../../engine/error.ts'
import type { Formula } from '../../engine/scenario/formula.ts'
import type { Act, LogDamage } from '../../engine/scenario/step.ts'
import { BACKUP_ACTS } from './backup-acts.ts'
import { SEED_ACTS } from './seed-acts.ts'
import { eitherShape, type FieldsOf, formula, map, owner, range, text, word } from './shape.ts'
import { type Verb, verb } from './verb.ts'
import { invalidScenario, type YamlNode } from './yaml-node.ts'

type FormulaAct = Act<Formula>

const DAMAGES: readonly LogDamage[] = ['body', 'torn', 'generation', 'signature', 'previous']

const SUSPENSION = {
  copy: { shape: owner(false), about: 'which copy' },
  comment: { shape: text('TEXT', 512), about: 'why' },
}
const DAMAGE = {
  log: { shape: formula, about: 'the log' },
  on: { shape: owner(true), about: 'on whose disk it lies' },
  transfersTo: {
    shape: owner(false),
    about: 'instead of `on`: the copy that gets it damaged, while it lies there sound',
  },
  times: { shape: formula, about: 'how many transfers arrive damaged; 1 when nothing is said' },
  how: { shape: word(DAMAGES), about: 'what is wrong with it; `body`, a byte of its content, when nothing is said' },
}
const DELETION = {
  logs: { shape: range, about: 'which logs' },
  on: { shape: owner(true), about: 'on whose disk' },
}
const MAIL = {
  messages: { shape: formula, about: 'so many messages' },
  logs: { shape: formula, about: 'until so many logs were closed' },
}
const NETWORK = {
  cut: { shape: owner(false), about: 'nothing gets through between the active and this copy' },
  heal: { shape: owner(false), about: 'everything gets through again' },
}

/** What can be done to the world, in the order of the manual. */
export const ACTS: Readonly<Record<string, Verb<FormulaAct>>> = {
  close: verb({
    about: 'so many logs are closed, one after the other; each has a message in it',
    example: 'close: 100',
    shape: formula,
    does: (logs): FormulaAct => ({ kind: 'close', logs }),
  }),
  load: verb({
    about: 'mail is delivered, and remembered for `messages`',
    example: 'load: {messages: 500}',
    shape: map(MAIL),
    does: mail,
  }),
  suspend: verb({
    about: 'Suspend-StorageGroupCopy; returns when it is durable and no more I/O touches the copy',
    example: 'suspend: {copy: copy1, comment: new disk}',
    shape: eitherShape(owner(false), map(SUSPENSION, ['copy'])),
    does: (said): FormulaAct =>
      typeof said === 'string'
        ? { kind: 'suspend', copy: said, comment: null }
        : { kind: 'suspend', copy: said.copy ?? '', comment: said.comment ?? null },
  }),
  resume: verb({
    about: 'Resume-StorageGroupCopy',
    example: 'resume: copy1',
    shape: owner(false),
    does: (copy): FormulaAct => ({ kind: 'resume', copy }),
  }),
  disable: verb({
    about: 'Disable-StorageGroupCopy: the active counts on this copy no more',
    example: 'disable: copy2',
    shape: owner(false),
    does: (copy): FormulaAct => ({ kind: 'disable', copy }),
  }),
  network: verb({
    about: 'the network between the active and a copy',
    example: 'network: {cut: copy1}',
    shape: map(NETWORK),
    does: network,
  }),
  crash: nodeVerb('crash', 'the process of a node is killed, and stays down until it is started'),
  stop: nodeVerb('stop', 'the process of a node stops in order, and stays down until it is started'),
  start: nodeVerb('start', 'the process of a node starts again'),
  mark: verb({
    about: 'another product says that everything through this log is backed up',
    example: `mark: \${active.current - 1}`,
    shape: formula,
    does: (through): FormulaAct => ({ kind: 'mark', through }),
  }),
  ...BACKUP_ACTS,
  ...SEED_ACTS,
  empty: verb({
    about: 'somebody removes the logs and the database of a copy that is suspended',
    example: 'empty: copy1',
    shape: owner(false),
    does: (copy): FormulaAct => ({ kind: 'empty', copy }),
  }),
  dismount: databaseVerb('dismount', 'Dismount-Database on the active; in virtual runs it can be refused only'),
  mount: databaseVerb('mount', 'Mount-Database on the active; in real runs only'),
  corrupt: verb({
    about: 'a log is damaged, on a disk or on its way',
    example: 'corrupt: {log: 7, on: active, how: body}',
    shape: map(DAMAGE, ['log']),
    does: corruption,
  }),
  delete: verb({
    about: 'somebody deletes logs',
    example: 'delete: {logs: 3..5, on: copy1}',
    shape: map(DELETION, ['logs', 'on']),
    does: ({ logs, on }, node): FormulaAct => {
      if (logs === undefined || on === undefined) throw eitherOf(node, 'logs', 'on')
      return { kind: 'delete-logs', first: logs.first, last: logs.last, on }
    },
  }),
}

function nodeVerb(change: 'crash' | 'stop' | 'start', about: string): Verb<FormulaAct> {
  return verb({
    about,
    example: `${change}: copy1`,
    shape: owner(true),
    does: (node): FormulaAct => ({ kind: 'node', change, node }),
  })
}

function databaseVerb(change: 'dismount' | 'mount', about: string): Verb<FormulaAct> {
  return verb({
    about,
    example: `${change}: active`,
    shape: word(['active']),
    does: (): FormulaAct => ({ kind: 'database', change }),
  })
}

function mail({ messages, logs }: FieldsOf<typeof MAIL>, node: YamlNode): FormulaAct {
  if ((messages === undefined) === (logs === undefined)) throw eitherOf(node, 'messages', 'logs')
  return { kind: 'load', messages: messages ?? null, logs: logs ?? null }
}

function network({ cut, heal }: FieldsOf<typeof NETWORK>, node: YamlNode): FormulaAct {
  if ((cut === undefined) === (heal === undefined)) throw eitherOf(node, 'cut', 'heal')
  return { kind: 'network', change: cut === undefined ? 'heal' : 'cut', copy: cut ?? heal ?? '' }
}

const ONE: Formula = { kind: 'number', value: 1 }

function corruption(said: FieldsOf<typeof DAMAGE>, node: YamlNode): FormulaAct {
  const { log = ONE, on, transfersTo, times, how } = said
  if ((on === undefined) === (transfersTo === undefined)) throw eitherOf(node, 'on', 'transfersTo')
  if (on === undefined) {
    if (how !== undefined && how !== 'body')
      throw invalidScenario(
        node.place,
        'a transfer damages the body of a log only',
        'Leave how out, or say on: instead.',
      )
    return { kind: 'corrupt-transfer', log, times: times ?? ONE, copy: transfersTo ?? '' }
  }
  if (times !== undefined) throw invalidScenario(node.place, 'times is about transfers', 'Leave it out with on:.')
  return { kind: 'corrupt-log', log, on, how: how ?? 'body' }
}

function eitherOf(node: YamlNode, one: string, other: string): ReplicationError {
  return invalidScenario(node.place, `needs one of ${one} and ${other}`, `Write ${one}: … or ${other}: …, not both.`)
}
