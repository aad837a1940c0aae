import { type Generation, previousGeneration } from '../engine/generation.ts'
import type { Core } from './core.ts'
import type { CopySight } from './ports.ts'
import type { SourceDisk } from './source-disk.ts'
import type { ToyLog } from './toy-log.ts'

/** What is known of the source when a copy sets a log aside. */
interface TrueLogs {
  readonly truth: ReadonlyMap<Generation, ToyLog>
  readonly source: SourceDisk | null
}

/** A log that is set aside, with those from `first` on. */
export interface StrayLog {
  readonly generation: Generation
  readonly first: Generation
}

interface Stray {
  readonly sight: CopySight
  readonly stray: StrayLog
}

/**
 * I14: a copy gives up only logs that its source does not have, but for those above a gap, which never counted. Whether its database may
 * have them, the oracle of databases sees.
 */
export function checkStray(core: Core, { sight, stray }: Stray, known: TrueLogs): void {
  const { copyId, logs } = sight
  const { generation, first } = stray
  const log = logs.get(generation)?.log
  if (log === undefined || log !== known.truth.get(generation) || !isSourceTrue(core, known)) return
  for (let below = generation; below >= first; below = previousGeneration(below))
    if (logs.get(below) === undefined) return
  core.fail('I14 divergence', `${copyId} sets log ${generation} aside, which its source has`)
}

/** Where a log of the source was changed, nobody can tell from it whether a copy has diverged. */
function isSourceTrue({ scenario }: Core, { truth, source }: TrueLogs): boolean {
  const names = source?.logs.sortedNames() ?? []
  const isTrue = (generation: Generation): boolean => source?.logs.get(generation)?.log === truth.get(generation)
  return scenario.rates['rest-flip'] === 0 && names.every(isTrue)
}
