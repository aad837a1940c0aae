import type { Formula } from '../../engine/scenario/formula.ts'
import type { Act } from '../../engine/scenario/step.ts'
import { type FieldsOf, flag, map, owner, type Shape, text } from './shape.ts'
import { type Verb, verb } from './verb.ts'
import { invalidScenario } from './yaml-node.ts'

type FormulaAct = Act<Formula>

const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/

/** The name of a file in the log directory of a copy. */
const fileName: Shape<string> = {
  sign: 'NAME',
  schema: { type: 'string', pattern: FILE_NAME.source },
  read: (node, scope) => {
    const name = text('NAME').read(node, scope)
    if (FILE_NAME.test(name)) return name
    throw invalidScenario(node.place, `${name} is no name of a file`, 'Take letters, digits, dots, - and _.')
  },
}

const SEED = {
  copy: { shape: owner(false), about: 'which copy; it has to be suspended' },
  deleteExistingFiles: { shape: flag, about: 'whether the logs that lie there may go; false' },
  confirm: { shape: flag, about: 'whether the prompt about an obsolete checkpoint is answered with Yes; true' },
  manualResume: { shape: flag, about: 'whether the copy stays suspended; false' },
  held: { shape: flag, about: 'whether it is kept under way until a step `release`; false' },
}
const FILE = {
  file: { shape: fileName, about: 'its name; `E00.chk` is a checkpoint' },
  on: { shape: owner(false), about: 'in the log directory of this copy' },
}

/** What can be done with seeds, in the order of the manual. */
export const SEED_ACTS: Readonly<Record<string, Verb<FormulaAct>>> = {
  seed: verb({
    about: 'Update-StorageGroupCopy, from its beginning to its end; with `held` until its source knows of it',
    example: 'seed: {copy: copy1, deleteExistingFiles: true}',
    shape: map(SEED, ['copy']),
    does: seed,
  }),
  leave: fileVerb('leave', 'somebody leaves a file among the logs of a copy'),
  remove: fileVerb('remove', 'somebody removes a file that was left there'),
}

function seed({ copy = '', ...said }: FieldsOf<typeof SEED>): FormulaAct {
  const { deleteExistingFiles = false, confirm = true, manualResume = false, held = false } = said
  return { kind: 'seed', copy, deleteExistingFiles, confirm, manualResume, held }
}

function fileVerb(change: 'leave' | 'remove', about: string): Verb<FormulaAct> {
  return verb({
    about,
    example: `${change}: {file: notes.txt, on: copy1}`,
    shape: map(FILE, ['file', 'on']),
    does: ({ file = '', on = '' }): FormulaAct => ({ kind: 'file', change, file, on }),
  })
}
