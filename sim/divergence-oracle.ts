import type { Generation } from '../engine/generation.ts'
import type { Core } from './core.ts'
import type { CopySight } from './ports.ts'
import type { SourceDisk } from './source-disk.ts'
import type { ToyLog } from './toy-log.ts'

/** What is known of the source when a copy sets a log aside. */
interface TrueLogs {
  readonly truth: ReadonlyMap<Generation, ToyLog>
  readonly source: SourceDisk | null
}

/** The log that is set aside. */
interface Stray {
  readonly sight: CopySight
  readonly generation: Generation
}

/** I14: a copy gives up only logs that its source does not have. Whether its database may have them, the oracle of databases sees. */
export function checkStray(core: Core, stray: Stray, known: TrueLogs): void {
  const { generation } = stray
  const { copyId, logs } = stray.sight
  const log = logs.get(generation)?.log
  if (log !== undefined && log === known.truth.get(generation) && isSourceTrue(core, known))
    core.fail('I14 divergence', `${copyId} sets log ${generation} aside, which its source has`)
}

/** Where a log of the source was changed, nobody can tell from it whether a copy has diverged. */
function isSourceTrue({ scenario }: Core, { truth, source }: TrueLogs): boolean {
  const names = source?.logs.sortedNames() ?? []
  const isTrue = (generation: Generation): boolean => source?.logs.get(generation)?.log === truth.get(generation)
  return scenario.rates['rest-flip'] === 0 && names.every(isTrue)
}
