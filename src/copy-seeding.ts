import type { Fault, ReplicaFact } from '../engine/fact.ts'
import type { Generation } from '../engine/generation.ts'
import type { LogFormat } from '../engine/log-format.ts'
import type { ClearedFiles, SeedFindings, SeedPlaces } from '../storage/seed-folder.ts'
import { DATABASE_NAME, type StoreNames } from '../storage/store-places.ts'
import type { CopyDisk } from './copy-disk.ts'
import type { UntimedFact } from './copy-work.ts'
import type { HeldDirectory } from './held-directory.ts'
import type { OperatorRequests } from './operator-requests.ts'

/** A copy, as whoever seeds it uses it. The steps come in this order; a `begin` that was answered is ended by `complete` or `end`. */
export interface SeededCopy {
  /** Looks what lies in its folder. May be called at any time. */
  readonly find: (names: StoreNames) => Promise<SeedFindings>
  /** From now on it is being seeded. Rejects with the refusal, `STATE_REFUSED`. */
  readonly begin: () => Promise<void>
  /** Resolves when its source has been told, durably here, that it may need every log from this one on. */
  readonly pin: (from: Generation) => Promise<void>
  readonly clear: (names: StoreNames, what: ClearedFiles) => Promise<void>
  readonly publish: (names: StoreNames, places: SeedPlaces) => Promise<void>
  /** Its database is another one. Resolves when that is durable. */
  readonly complete: (outcome: SeedOutcome) => Promise<void>
  /** It came to nothing, or the database is elsewhere where there is no fault: the copy is suspended as before. */
  readonly end: (fault: Fault | null) => void
}

/** What a seed has come to. */
type SeedOutcome = Pick<Extract<ReplicaFact, { kind: 'seed-completed' }>, 'required' | 'stream' | 'resumes'>

/** The parts of a copy that a seed has to do with. */
interface SeededParts {
  readonly held: HeldDirectory
  readonly requests: OperatorRequests
  readonly disk: CopyDisk
  readonly tell: (fact: UntimedFact<ReplicaFact>) => void
  /** Resolves when everything that was ordered is done. */
  readonly idle: () => Promise<void>
}

/** A copy as whoever seeds it uses it. Its files are touched only while this process owns them. */
export function seededCopy({ held, requests, disk, tell, idle }: SeededParts): SeededCopy {
  return {
    begin: async () => {
      await requests.put((requestId) => tell({ kind: 'operator-began-seed', requestId }))
    },
    find: (names) => disk.findForSeed(names),
    pin: async (from) => {
      tell({ kind: 'seed-pinned', from })
      await idle()
    },
    clear: async (names, what) => {
      await held.take()
      await disk.clearForSeed(names, what)
    },
    publish: async (names, places) => {
      await held.take()
      await disk.publishSeed(names, places)
    },
    complete: async (outcome) => {
      tell({ kind: 'seed-completed', ...outcome })
      await idle()
    },
    end: (fault) => tell({ kind: 'seed-ended', fault }),
  }
}

/** The names of the files of a copy, where its logs are those of a mailbox store; null before it has met its source, and for any other. */
export function storeNamesOf({
  root,
  format,
}: {
  readonly root: string
  readonly format: LogFormat | null
}): StoreNames | null {
  return format?.kind === 'ese' ? { root, baseName: format.baseName, databaseName: DATABASE_NAME } : null
}
