/**
 * The boundaries at which a test may end a store: before and after each group of system calls that becomes durable together. What is
 * reached between two of them is told by the orders of `engine/database/store-order.ts`.
 */
export const STORE_FAILPOINTS = [
  'write-log.before',
  'write-log.after',
  'roll-log.before',
  'roll-log.header-written',
  'roll-log.open-log-renamed',
  'roll-log.open-log-closed',
  'roll-log.prepared-log-renamed',
  'roll-log.after',
  'prepare-log.before',
  'prepare-log.disk-full',
  'prepare-log.file-renamed',
  'prepare-log.file-taken',
  'prepare-log.after',
  'mend-log.before',
  'mend-log.after',
  'discard-logs.before',
  'discard-logs.log-kept',
  'discard-logs.after',
  'create-database.before',
  'create-database.saved-pages-removed',
  'create-database.after',
  'save-pages.before',
  'save-pages.written',
  'save-pages.after',
  'write-pages.before',
  'write-pages.after',
  'sync-database.before',
  'sync-database.after',
  'write-header.before',
  'write-header.after',
  'write-checkpoint.before',
  'write-checkpoint.after',
  'delete-logs.before',
  'delete-logs.after',
] as const

/** One of the boundaries. */
export type StoreFailpoint = (typeof STORE_FAILPOINTS)[number]

/**
 * Told of each boundary as it is reached; whoever is told may end the process or throw. Only tests give one: the product has
 * nothing that could be armed from outside.
 */
export type ReachFailpoint = (name: StoreFailpoint) => void
