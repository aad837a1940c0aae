import { StoryStage } from './story-stage.ts'

/** One part of a story: why (comments), what is done (command lines), and what came of it. */
interface StoryBlock {
  readonly comments: readonly string[]
  readonly commands: readonly string[]
}

/** Stands between the commands of a block and what came of them. */
const DIVIDER = '----'

/**
 * Plays a story and answers it with its outputs made anew: comments say why, then commands, `----`, and what the world did. A
 * story that is up to date answers itself. Blocks are parted by empty lines.
 *
 * Errors: an `Error` that names the command, for one that nobody knows; and `broken: …` in the output when a promise broke.
 */
export function playStory(text: string): string {
  const stage = new StoryStage()
  const parts = readBlocks(text).map((block) => playBlock(stage, block))
  return `${parts.join('\n\n')}\n`
}

function playBlock(stage: StoryStage, { comments, commands }: StoryBlock): string {
  if (commands.length === 0) return comments.join('\n')
  const output = commands.flatMap((command) => stage.play(command))
  return [...comments, ...commands, DIVIDER, ...(output.length === 0 ? ['ok'] : output)].join('\n')
}

/** Reads comments and commands; what stands below the divider is an older output and is left out. */
function readBlocks(text: string): readonly StoryBlock[] {
  const blocks: StoryBlock[] = []
  for (const paragraph of text.split(/\n\s*\n/)) {
    const lines = paragraph.split('\n').filter((line) => line.trim() !== '')
    const divider = lines.indexOf(DIVIDER)
    const told = divider < 0 ? lines : lines.slice(0, divider)
    if (told.length === 0) continue
    const comments = told.filter((line) => line.startsWith('#'))
    blocks.push({ comments, commands: told.filter((line) => !line.startsWith('#')).map((line) => line.trim()) })
  }
  return blocks
}
