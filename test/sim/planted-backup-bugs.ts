import type { SourceFact } from '../../engine/fact.ts'
import { nextGeneration, previousGeneration } from '../../engine/generation.ts'
import type { BackupSession } from '../../engine/source/backup-session.ts'
import type { SourceState } from '../../engine/source/source-state.ts'
import { ENGINE_RULES, type Rules } from '../../sim/rules.ts'

const { stepSource } = ENGINE_RULES

/** Bugs of the rules of backups, each as a change of them. Every one has to be caught where backups are taken. */
export const PLANTED_BACKUP_BUGS: Readonly<Record<string, Rules>> = {
  'an aborted backup lets logs go': source((state, fact) =>
    stepSource(
      state,
      fact.kind === 'backup-ended' && state.session?.phase === 'prepared' ? { ...fact, outcome: 'completed' } : fact,
    ),
  ),
  'a copy backup lets logs go': source((state, fact) =>
    stepSource(
      state,
      fact.kind === 'backup-asked' && fact.request.scope === 'copy' && state.session === null
        ? { ...fact, request: { ...fact.request, scope: 'full' } }
        : fact,
    ),
  ),
  'what is granted is one log more than the backup has': source((state, fact) =>
    withSession(stepSource(state, fact), fact, (session) => ({
      ...session,
      grants: session.range === null ? session.grants : nextGeneration(session.range.last),
    })),
  ),
  'an incremental backup leaves a log out': source((state, fact) =>
    withSession(stepSource(state, fact), fact, (session) => ({
      ...session,
      pinnedFrom: session.request.scope === 'incremental' ? nextGeneration(session.pinnedFrom) : session.pinnedFrom,
    })),
  ),
  'two backups run at once': source((state, fact) =>
    stepSource(fact.kind === 'backup-asked' ? { ...state, session: null } : state, fact),
  ),
  'a backup pins nothing': source((state, fact) => {
    const [after, orders] = stepSource(state, fact)
    if (fact.kind !== 'backup-asked' || after.session === state.session || after.session === null)
      return [after, orders]
    const pinnedFrom = after.generated === 0 ? after.session.pinnedFrom : nextGeneration(after.generated)
    return [{ ...after, session: { ...after.session, pinnedFrom } }, orders]
  }),
  'a backup that was given up is in the history': source((state, fact) => {
    const [after, orders] = stepSource(state, fact)
    if (fact.kind !== 'backup-ended' || fact.outcome !== 'aborted' || state.session?.range == null)
      return [after, orders]
    const { range, request } = state.session
    const backup = { scope: request.scope, method: request.method, surrogate: false, range, atMs: fact.nowMs }
    return [{ ...after, backups: { ...after.backups, [request.scope]: backup } }, orders]
  }),
  'a mark goes as far as the newest log, whatever was backed up': source((state, fact) => {
    const [after, orders] = stepSource(state, fact)
    if (fact.kind !== 'backup-recorded' || after.mark === state.mark || after.mark === null) return [after, orders]
    const mark = { ...after.mark, through: previousGeneration(nextGeneration(after.generated)) }
    return [{ ...after, mark }, orders.map((order) => (order.kind === 'record-mark' ? { ...order, mark } : order))]
  }),
}

function source(stepSourceWrongly: Rules['stepSource']): Rules {
  return { ...ENGINE_RULES, stepSource: stepSourceWrongly }
}

function withSession(
  [after, orders]: ReturnType<Rules['stepSource']>,
  fact: SourceFact,
  change: (session: BackupSession) => BackupSession,
): ReturnType<Rules['stepSource']> {
  const isPrepared = fact.kind === 'backup-prepared' && after.session?.phase === 'prepared'
  if (!isPrepared || after.session === null) return [after, orders]
  const changed: SourceState = { ...after, session: change(after.session) }
  return [changed, orders]
}
