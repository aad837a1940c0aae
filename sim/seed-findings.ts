import type { Refusal } from '../engine/order.ts'
import { checkpointInTheWay, foreignFilesInTheWay, logsInTheWay } from '../engine/replication/seed-refusal.ts'
import type { CopyDisk } from './copy-disk.ts'

/** What of the files of before whoever asks for a seed lets go. */
export interface SeedWishes {
  readonly deleteExistingFiles: boolean
  /** The prompt about an obsolete checkpoint is answered with Yes. */
  readonly confirm: boolean
}

/** What the checkpoint of a toy copy is called, which is left from its time as an active. */
const CHECKPOINT = 'E00.chk'
/** Where the logs of a toy copy lie. */
const LOGS = 'SG1/logs'

/** Why what lies in the folder of a copy keeps it from being seeded, or null; in the order in which the cmdlet looks. */
export function whyFilesRefuse({ logs, leftovers }: CopyDisk, wishes: SeedWishes): Refusal | null {
  const foreign = [...leftovers].filter((name) => name !== CHECKPOINT).sort()
  if (leftovers.has(CHECKPOINT) && !wishes.confirm) return checkpointInTheWay(`${LOGS}/${CHECKPOINT}`, 'SG1')
  if (logs.size > 0 && !wishes.deleteExistingFiles) return logsInTheWay(LOGS, 'SG1')
  if (!wishes.deleteExistingFiles || foreign.length === 0) return null
  return foreignFilesInTheWay(
    foreign.map((name) => `${LOGS}/${name}`),
    'SG1',
  )
}

/** A node that ceases to be the active leaves its checkpoint. */
export function leaveCheckpoint({ leftovers }: CopyDisk): void {
  leftovers.add(CHECKPOINT)
}

/** Removes the checkpoint of before. */
export function removeCheckpoint({ leftovers }: CopyDisk): void {
  leftovers.delete(CHECKPOINT)
}
