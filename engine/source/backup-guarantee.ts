import type { SourceFact } from '../fact.ts'
import { NO_GENERATION } from '../generation.ts'
import type { SourceOrder } from '../order.ts'
import { type Guarantee, guarantee, type Step } from '../step.ts'
import type { SourceState } from './source-state.ts'

type SourceStep = Step<SourceState, SourceFact, SourceOrder>

/** What the source promises about backups. Told without the rules of sessions, where that is possible. */
export const backupGuarantees: readonly Guarantee<SourceState, SourceFact, SourceOrder>[] = [
  guarantee(
    'nothing is truncated on the word of a copy that has not looked at the restored logs',
    true,
    restoredIsSpared,
  ),
  guarantee('what a backup under way needs is not deleted', true, pinnedStays),
  guarantee('only a mark, and a full or incremental backup that has completed, let logs go', true, marksAreEarned),
  guarantee('a backup that was given up changes nothing', true, givenUpChangesNothing),
  guarantee('a store that stands still for a backup is let go when that ends', true, storesAreReleased),
]

function pinnedStays({ after, orders }: SourceStep): string | null {
  const { session } = after
  if (session === null) return null
  for (const order of orders) {
    if (order.kind === 'truncate-logs' && order.range.last >= session.pinnedFrom)
      return `log ${order.range.last} is deleted, backup ${session.id} needs the logs from ${session.pinnedFrom} on`
  }
  return null
}

/** Told without the rules of truncation, too. */
function restoredIsSpared({ after, orders }: SourceStep): string | null {
  const order = orders.find(({ kind }) => kind === 'truncate-logs')
  if (order === undefined || after.options.active === 'circular') return null
  const other = after.copies.find(({ report }) => report !== null && report.stream !== after.stream)
  return other === undefined ? null : `${other.copyId} has reported stream ${other.report?.stream}, not ${after.stream}`
}

function marksAreEarned({ before, fact, after }: SourceStep): string | null {
  if (after.mark === before.mark || fact.kind === 'share-started' || fact.kind === 'backup-completed') return null
  if (fact.kind === 'stream-restored') return null
  const through = after.mark?.through ?? NO_GENERATION
  const { session } = before
  if (fact.kind !== 'backup-recorded' || session === null) return `the mark becomes ${through} by ${fact.kind}`
  const { scope } = session.request
  if (scope === 'copy' || scope === 'differential') return `a ${scope} backup lets logs go`
  if (session.range === null || through > session.range.last) return `log ${through} is in no backup`
  // A passive grants what its own database does not need; what the active needs is a rule of its own.
  const checkpoint = session.request.surrogate === null ? (before.activeRequired ?? NO_GENERATION) : NO_GENERATION
  return checkpoint > NO_GENERATION && through >= checkpoint ? `log ${through} is not below the checkpoint` : null
}

function givenUpChangesNothing({ before, fact, after }: SourceStep): string | null {
  const isOver = before.session !== null && after.session !== before.session
  if (!isOver || fact.kind === 'backup-recorded') return null
  return after.backups === before.backups && after.mark === before.mark
    ? null
    : `${fact.kind} changes what was backed up`
}

function storesAreReleased({ before, fact, after, orders }: SourceStep): string | null {
  if (before.session === null || before.session.id === after.session?.id || fact.kind === 'backup-recorded') return null
  const { id } = before.session
  return orders.some((order) => order.kind === 'release-backup' && order.session === id)
    ? null
    : `nobody releases backup ${id}`
}
