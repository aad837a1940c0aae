import type { Refusal } from '../order.ts'

/** The text of the prompt about a checkpoint of before. Source: seen in the field. */
export function checkpointPrompt(path: string, storageGroup: string): string {
  return `Continuous replication seeding found an obsolete checkpoint '${path}' file for storage group copy '${storageGroup}'. The checkpoint file will be deleted, and then the database will be seeded if you confirm now.`
}

/** A checkpoint lies there, and nobody has confirmed that it goes. */
export function checkpointInTheWay(path: string, storageGroup: string): Refusal {
  return {
    code: 'STATE_REFUSED',
    message: checkpointPrompt(path, storageGroup),
    hint: 'Confirm it: answer Yes, give --force, or send deleteCheckpoint. Nothing was changed.',
  }
}

/** Logs lie there, and nobody has said that they may go. Source: the text is that of the cmdlet. */
export function logsInTheWay(path: string, storageGroup: string): Refusal {
  return {
    code: 'STATE_REFUSED',
    message: `Seeding failed : Database seeding error: Log files already exist at '${path}'. They must be removed before storage group seeding or reseeding can be performed. The '-DeleteExistingFiles' switch can be used with the 'Update-StorageGroupCopy' task to accomplish this.`,
    hint: `Run "ccr seed ${storageGroup} --delete-existing-files". Nothing was changed.`,
  }
}

/** Files lie there that no storage group has. */
export function foreignFilesInTheWay(paths: readonly string[], storageGroup: string): Refusal {
  return {
    code: 'STATE_REFUSED',
    message: `the folder of the copy of ${storageGroup} holds files that are not of a storage group, and only what is recognised is removed: ${paths.join(', ')}`,
    hint: 'Remove them by hand, then run the same command again. Nothing was changed.',
  }
}
