import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { ReplicationError } from '../../engine/error.ts'
import type { Act, CommandContext } from '../cli-context.ts'
import { writeJson, writeLines } from '../cli-io.ts'
import type { Explanation } from '../explain-word.ts'
import { truncationLines } from '../format-truncation.ts'
import { storageGroupArgument, withManagement } from '../management.ts'

/** `ccr explain`. */
export function addExplainCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('explain')
    .description('what a status, field, event id, error or setting means; or why logs are not truncated')
    .argument('<word>', 'a word or number that ccr shows; or truncation')
    .argument('[storage-group]', 'with truncation: the storage group')
    .addHelpText(
      'after',
      '\nexplain truncation SG says for each closed log still on the source which rule holds it, and what would release it.\n\nExamples:\n  ccr explain truncation SG1\n  ccr explain Initializing\n  ccr explain 2075\n  ccr explain -530\n  ccr explain LOG_REJECTED',
    )
    .action((word, storageGroup) =>
      act((context) =>
        word.toLowerCase() === 'truncation' ? explainTruncation(context, storageGroup) : explain(context, word),
      ),
    )
}

async function explainTruncation(context: CommandContext, name: string | undefined): Promise<number> {
  if (name === undefined)
    throw new ReplicationError({
      code: 'USAGE',
      message: 'explain truncation needs a storage group',
      hint: 'Write ccr explain truncation SG1.',
    })
  const storageGroup = storageGroupArgument(name)
  const explanation = await withManagement(context, 'share', (client) => client.truncation(storageGroup))
  const { io, globals } = context
  if (globals.json === true) writeJson(io.stdout, explanation)
  else writeLines(io.stdout, truncationLines(explanation))
  return 0
}

async function explain({ io, globals }: CommandContext, word: string): Promise<number> {
  const { explainWord, wordMeant } = await import('../explain-word.ts')
  const explanations = explainWord(word)
  if (explanations.length === 0) throw unknownWord(word, wordMeant(word))
  if (globals.json === true) writeJson(io.stdout, { explanations })
  else
    writeLines(
      io.stdout,
      explanations.flatMap((one, index) => [...(index === 0 ? [] : ['']), ...linesOf(one)]),
    )
  return 0
}

function linesOf({ word, kind, meaning, causes, cure, source }: Explanation): string[] {
  return [
    `${word} (${kind})`,
    `  ${meaning}`,
    ...(causes === '' ? [] : [`  Causes: ${causes}`]),
    ...(cure === '' ? [] : [`  What to do: ${cure}`]),
    `  Source: ${source}`,
  ]
}

function unknownWord(word: string, meant: string | null): ReplicationError {
  return new ReplicationError({
    code: 'USAGE',
    message: `nothing is known of ${JSON.stringify(word)}`,
    hint:
      meant === null
        ? 'Give a value of SummaryCopyStatus, a field of the status, an event id, an error code, an error number of ESE, or a setting.'
        : `Did you mean ${meant}?`,
  })
}
