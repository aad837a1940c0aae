import type { CommandUnknownOpts } from '@commander-js/extra-typings'
import { ReplicationError } from '../../engine/error.ts'
import type { Act, CommandContext } from '../cli-context.ts'
import { writeJson, writeLines } from '../cli-io.ts'
import type { Explanation } from '../explain-word.ts'
import { copyTruncationLines, truncationLines, truncationSentence } from '../format-truncation.ts'
import { parseGeneration } from '../generation-argument.ts'
import { storageGroupArgument, withManagement } from '../management.ts'

/** `ccr explain`. */
export function addExplainCommand(program: CommandUnknownOpts, act: Act): void {
  program
    .command('explain')
    .description('what a status, field, event id, error or setting means; or why logs are not truncated')
    .argument('<word>', 'a word or number that ccr shows; or truncation')
    .argument('[storage-group]', 'with truncation: the storage group')
    .option('--copy', 'with truncation: why logs are still on the copy, asked of the service that holds it')
    .option('--log <generation>', 'with truncation: one log of the source, in one sentence for a ticket')
    .addHelpText(
      'after',
      '\nexplain truncation SG says for each closed log still on the source which rule holds it, and what would release it; with --copy for each log still on the copy.\n\nExamples:\n  ccr explain truncation SG1\n  ccr explain truncation SG1 --copy\n  ccr explain truncation SG1 --log 0000002A\n  ccr explain Initializing\n  ccr explain 2075\n  ccr explain -530\n  ccr explain LOG_REJECTED',
    )
    .action((word, storageGroup, { copy, log }) =>
      act((context) => {
        if (word.toLowerCase() !== 'truncation') return explain(context, word)
        return explainTruncation(context, storageGroup, { ofCopy: copy === true, log })
      }),
    )
}

interface TruncationOptions {
  readonly ofCopy: boolean
  readonly log: string | undefined
}

async function explainTruncation(
  context: CommandContext,
  name: string | undefined,
  { ofCopy, log }: TruncationOptions,
): Promise<number> {
  if (name === undefined)
    throw new ReplicationError({
      code: 'USAGE',
      message: 'explain truncation needs a storage group',
      hint: 'Write ccr explain truncation SG1.',
    })
  const storageGroup = storageGroupArgument(name)
  if (ofCopy) return explainAtCopy(context, storageGroup)
  const explanation = await withManagement(context, 'share', (client) => client.truncation(storageGroup))
  const { io, globals } = context
  if (log !== undefined) {
    const generation = parseGeneration(log)
    const sentence = truncationSentence(explanation, generation)
    if (globals.json === true) writeJson(io.stdout, { storageGroup, generation, sentence })
    else writeLines(io.stdout, [sentence])
  } else if (globals.json === true) writeJson(io.stdout, explanation)
  else writeLines(io.stdout, truncationLines(explanation))
  return 0
}

async function explainAtCopy(context: CommandContext, storageGroup: string): Promise<number> {
  const explanation = await withManagement(context, 'copy', (client) => client.copyTruncation(storageGroup))
  const { io, globals } = context
  if (globals.json === true) writeJson(io.stdout, explanation)
  else writeLines(io.stdout, copyTruncationLines(explanation))
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
