import { ReplicationError } from '../../engine/error.ts'
import { checkpointInTheWay, foreignFilesInTheWay, logsInTheWay } from '../../engine/replication/seed-refusal.ts'

/** A checkpoint lies there, and nobody has confirmed that it goes. */
export function obsoleteCheckpoint(path: string, storageGroup: string): ReplicationError {
  return new ReplicationError({ ...checkpointInTheWay(path, storageGroup), fields: { storageGroup, path } })
}

/** Logs lie there, and nobody has said that they may go. */
export function logsExist(path: string, storageGroup: string): ReplicationError {
  return new ReplicationError({ ...logsInTheWay(path, storageGroup), fields: { storageGroup, path } })
}

/** Files lie there that no storage group has. */
export function foreignFiles(paths: readonly string[], storageGroup: string): ReplicationError {
  const path = paths[0] ?? ''
  return new ReplicationError({ ...foreignFilesInTheWay(paths, storageGroup), fields: { storageGroup, path } })
}

/** A database lies in the directory that one is seeded to. */
export function targetTaken(path: string, storageGroup: string): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `${path} is there already, and a seed of ${storageGroup} to another directory replaces no file`,
    hint: 'Name another directory, or remove the file by hand. Nothing was changed.',
    fields: { storageGroup, path },
  })
}

/** Another seed is putting its database there. */
export function targetInUse(path: string, storageGroup: string): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `another seed of this node is putting its database to ${path}`,
    hint: `Name another directory for ${storageGroup}, or wait until that seed has ended.`,
    fields: { storageGroup, path },
  })
}

/** A copy whose format is not known yet, or has no database. */
export function notMet(storageGroup: string): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `the copy of ${storageGroup} has not met its source yet`,
    hint: `Let it connect once before it is suspended: "ccr status ${storageGroup}" says what keeps it from that.`,
    fields: { storageGroup },
  })
}

/** Somebody gave it up. */
export function givenUp(storageGroup: string): ReplicationError {
  return new ReplicationError({
    code: 'STATE_REFUSED',
    message: `the seed of the copy of ${storageGroup} was given up`,
    hint: 'The copy stays suspended. What was read is kept: the same command goes on from there.',
    fields: { storageGroup },
  })
}

/** The log that closes a seed cannot be read. */
export function noLastLog(storageGroup: string, generation: number): ReplicationError {
  return new ReplicationError({
    code: 'LOG_REJECTED',
    message: `log ${generation} of ${storageGroup}, which was closed behind the seed, is no log of its stream`,
    hint: 'Look at it on the source with ccr dump log.',
    fields: { storageGroup, generation },
  })
}

/** Too many seeds at a time. */
export function tooManySeeds(most: number): ReplicationError {
  return new ReplicationError({
    code: 'STORE_BUSY',
    message: `${most} seeds are under way on this node`,
    hint: 'Wait for one of them to end.',
  })
}
