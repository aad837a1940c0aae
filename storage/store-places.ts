import { copyStorePaths } from './copy-store-layout.ts'
import { pathIn } from './file-operations.ts'

/** What the files of a mailbox store are called. */
export interface StoreNames {
  /** The folder of the storage group, which holds `logs/` and `database/`. */
  readonly root: string
  /** Three letters or digits that every log begins with: `E00`. */
  readonly baseName: string
  /** The file of the database: `priv1.edb`. */
  readonly databaseName: string
}

/** The directories of a mailbox store, and the names in them. The same as a copy's, so that either may become the other. */
export interface StorePlaces {
  readonly logs: string
  readonly database: string
  /** Logs of a loss that was accepted, kept for the operator. */
  readonly outOfDate: string
  readonly openLogName: string
  readonly preparedLogName: string
  readonly checkpointName: string
  readonly databaseName: string
  /** Copies of the pages that are written in place, beside the database. */
  readonly savedPagesName: string
  /** In the order in which they are used. */
  readonly reserveLogNames: readonly [string, string]
}

/** What the database of a storage group is called. Source: the first mailbox store of an Exchange server. */
export const DATABASE_NAME = 'priv1.edb'

/** Where the files of a store lie. Touches nothing. */
export function storePlaces({ root, baseName, databaseName }: StoreNames): StorePlaces {
  const { logs, database, outOfDate } = copyStorePaths(root, { kind: 'ese', baseName })
  return {
    logs,
    database,
    outOfDate,
    openLogName: `${baseName}.log`,
    preparedLogName: `${baseName}tmp.log`,
    checkpointName: `${baseName}.chk`,
    databaseName,
    savedPagesName: `${databaseName}.saved`,
    reserveLogNames: [`${baseName}res00001.jrs`, `${baseName}res00002.jrs`],
  }
}

/** The path of a name in the directory of the logs. */
export function logPath(places: StorePlaces, name: string): string {
  return pathIn(places.logs, name)
}
