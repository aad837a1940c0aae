/** Who raises an event: the Replication service or the database engine, as the event log of Windows shows it. */
export type EventSource = 'MSExchangeRepl' | 'ESE'

/** How grave an event is. */
export type EventLevel = 'information' | 'warning' | 'error'

/** One row of the catalogue. */
export interface CatalogueEvent {
  readonly source: EventSource
  readonly level: EventLevel
  /** `%1` is the storage group; `%2`… are the values of the event in order. */
  readonly text: string
  /** True where the number is Exchange's but the wording is ours, or where the number itself is ours (9000 and above). */
  readonly invented: boolean
}

/** ESE's event 2001, whose number the Replication service has given to another one. */
export const SHADOW_FREEZE_STARTED = 1_002_001

/** The numbers that this engine raises. Source: event lists of Exchange 2007 and of the ESE engine. */
export type EventId =
  | 102
  | 103
  | 104
  | 206
  | 210
  | 211
  | 213
  | 214
  | 217
  | 220
  | 221
  | 223
  | 224
  | 225
  | 227
  | 240
  | 243
  | 244
  | 300
  | 302
  | 325
  | 326
  | 327
  | 399
  | 452
  | 454
  | 459
  | 465
  | 474
  | 494
  | 516
  | 517
  | 520
  | 524
  | 717
  | 718
  | 719
  | 720
  | 721
  | 722
  | 723
  | 724
  | 725
  | 726
  | 727
  | 2001
  | 2002
  | 2003
  | 2004
  | 2005
  | 2006
  | 2007
  | 2008
  | 2021
  | 2023
  | 2025
  | 2027
  | 2029
  | 2033
  | 2035
  | 2046
  | 2058
  | 2059
  | 2060
  | 2073
  | 2074
  | 2075
  | 2080
  | 2081
  | 2104
  | 2114
  | 9001
  | 9002
  | 9003
  | 9004
  | 9005
  | 9006
  | 9007
  | 9008
  | typeof SHADOW_FREEZE_STARTED
  | 9020
  | 9021
  | 9022
  | 9023
  | 9024
  | 9025
  | 9030

/** Every event by its number. Rows marked as invented say so in `ccr explain` too. */
export const EVENT_CATALOGUE: Readonly<Record<EventId, CatalogueEvent>> = {
  102: ours('ESE', 'information', '%1: The database engine started a new instance.'),
  103: ours('ESE', 'information', '%1: The database engine stopped the instance.'),
  104: ours('ESE', 'error', '%1: The database engine stopped the instance with an error: %2.'),
  206: row('ESE', 'error', '%1: The database has no earlier full backup that this backup could build on.'),
  210: row('ESE', 'information', '%1: A %2 backup is starting.'),
  211: row('ESE', 'information', '%1: An %2 backup is starting.'),
  213: ours('ESE', 'information', '%1: Backup %2 (%3) has completed successfully.'),
  214: ours('ESE', 'error', '%1: Backup %2 was given up: %3.'),
  217: ours('ESE', 'error', '%1: Page %2 of file %3 is bad, and the backup of it fails: %4.'),
  220: ours('ESE', 'information', '%1: Starting the backup of the file %2 (size %3 bytes).'),
  221: ours('ESE', 'information', '%1: Ending the backup of the file %2.'),
  223: row('ESE', 'information', '%1: Starting the backup of log files (range %2 - %3).'),
  224: row('ESE', 'information', '%1: Deleting log files %2 to %3.'),
  225: row('ESE', 'information', '%1: No log files can be truncated.'),
  227: ours('ESE', 'warning', '%1: %2 log files were already missing when log files %3 to %4 were deleted.'),
  240: ours('ESE', 'information', '%1: Seed %2 of copy %3 is starting: an internal copy of the database.'),
  243: ours('ESE', 'information', '%1: The internal copy of the database needs log files %2 to %3.'),
  244: ours('ESE', 'information', '%1: Seed %2 has completed. No log files are truncated by it.'),
  300: ours('ESE', 'information', '%1: The database of the copy was opened; logs from %2 on are required.'),
  302: ours(
    'ESE',
    'information',
    '%1: The database engine completed recovery: log files %2 to %3 were redone, %4 transactions undone, in %5 ms.',
  ),
  325: ours('ESE', 'information', '%1: The database engine created a new database (%2).'),
  326: ours('ESE', 'information', '%1: The database engine attached a database (%2).'),
  327: ours('ESE', 'information', '%1: The database engine detached a database (%2).'),
  399: ours(
    'ESE',
    'warning',
    '%1: Page %2 of the database, at byte %3 of its file, had turned bits (%4). They were turned back, and the page is written again.',
  ),
  452: ours('ESE', 'error', '%1: The database requires logs that are not there. Log %2, error %3: %4.'),
  454: ours('ESE', 'error', '%1: Replay failed at log %2 with error %3: %4.'),
  459: ours('ESE', 'error', '%1: A log that this backup needs is missing: logs are gone that no backup before has.'),
  465: ours('ESE', 'error', '%1: Log %2 is corrupt and cannot be replayed, error %3: %4.'),
  474: ours('ESE', 'error', '%1: A page of the database failed verification at log %2, error %3: %4.'),
  494: ours('ESE', 'error', '%1: The database does not belong to its logs. Log %2, error %3: %4.'),
  516: ours('ESE', 'error', '%1: A page of the database and log %2 have different histories, error %3: %4.'),
  517: ours('ESE', 'error', '%1: The database was last consistent at another time than log %2 says, error %3: %4.'),
  520: ours(
    'ESE',
    'error',
    '%1: The backup has ended, and not all of its log files were read. No log file is truncated.',
  ),
  524: ours('ESE', 'warning', '%1: %2'),
  717: ours('ESE', 'information', '%1: Online maintenance begins to verify the pages of the database.'),
  718: ours('ESE', 'information', '%1: Online maintenance begins to verify and zero the pages of the database.'),
  719: ours(
    'ESE',
    'information',
    '%1: Online maintenance goes on to verify the pages of the database, at page %2. The pass began at %3, %4 days ago.',
  ),
  720: ours(
    'ESE',
    'information',
    '%1: Online maintenance goes on to verify and zero the pages of the database, at page %2. The pass began at %3, %4 days ago.',
  ),
  721: ours(
    'ESE',
    'information',
    '%1: Online maintenance has verified the database, in %2 seconds and %3 windows: %4 pages seen, %5 bad, %6 corrected, %7 never written.',
  ),
  722: ours(
    'ESE',
    'information',
    '%1: Online maintenance has verified and zeroed the database, in %2 seconds and %3 windows: %4 pages seen, %5 bad, %6 corrected, %7 never written, %8 zeroed.',
  ),
  723: ours(
    'ESE',
    'error',
    '%1: Online maintenance could not read the database at page %2, after %3 seconds: %4. It goes on there in the next window.',
  ),
  724: ours(
    'ESE',
    'error',
    '%1: Online maintenance with zeroing could not read the database at page %2, after %3 seconds: %4. It goes on there in the next window.',
  ),
  725: ours(
    'ESE',
    'information',
    '%1: The window of online maintenance has closed. The pages of the database are verified from page %2 on in the next one.',
  ),
  726: ours(
    'ESE',
    'information',
    '%1: The window of online maintenance has closed. The pages of the database are verified and zeroed from page %2 on in the next one.',
  ),
  727: ours('ESE', 'error', '%1: Page %2 of the database, at byte %3 of its file, is bad (error -1018): %4.'),
  2001: ours('MSExchangeRepl', 'information', 'The Replication service started for storage group %1.'),
  2002: ours('MSExchangeRepl', 'information', 'The Replication service stopped for storage group %1.'),
  2003: ours('ESE', 'information', '%1: Shadow copy %2: the freeze has ended.'),
  2004: ours('ESE', 'error', '%1: Shadow copy %2: the freeze timed out after %3 ms.'),
  2005: ours('ESE', 'information', '%1: Shadow copy %2 is starting. This will be a %3 shadow copy.'),
  2006: ours('ESE', 'information', '%1: Shadow copy %2 (%3) has completed successfully.'),
  2007: ours('ESE', 'error', '%1: Shadow copy %2 was aborted: %3.'),
  2008: ours('ESE', 'information', '%1: Shadow copy %2 is starting. This will be an %3 shadow copy.'),
  2021: ours(
    'MSExchangeRepl',
    'information',
    'The VSS writer of the Replication service has told a requestor about the copy of %1.',
  ),
  2023: ours(
    'MSExchangeRepl',
    'information',
    'The VSS writer of the Replication service prepares a %2 backup of the copy of %1.',
  ),
  2025: ours(
    'MSExchangeRepl',
    'information',
    'The VSS writer of the Replication service prepares the snapshot of the copy of %1.',
  ),
  2027: ours('MSExchangeRepl', 'information', 'The copy of %1 is frozen for a snapshot of logs %2 to %3.'),
  2029: ours('MSExchangeRepl', 'information', 'The copy of %1 is thawed, after %2 ms.'),
  2033: ours('MSExchangeRepl', 'information', 'The backup of the copy of %1 has ended without success: %2.'),
  2035: ours('MSExchangeRepl', 'information', 'The snapshot of the copy of %1 was taken.'),
  2046: ours('MSExchangeRepl', 'information', 'The backup of the copy of %1 has completed successfully.'),
  2058: ours('MSExchangeRepl', 'error', 'The Replication service cannot bring the copy of %1 back to its source: %2.'),
  2059: ours(
    'MSExchangeRepl',
    'error',
    'Log %2 for %1 is missing on the production copy. Replication is blocked until the file is put back or the copy is seeded again with Update-StorageGroupCopy.',
  ),
  2060: ours(
    'MSExchangeRepl',
    'warning',
    'The copy of %1 met a transient error and is set to failed: %2. It will be tried again.',
  ),
  2073: ours('MSExchangeRepl', 'error', 'A directory of %1 cannot be found: %2.'),
  2074: ours('MSExchangeRepl', 'error', 'The copier of %1 failed on log %2: %3.'),
  2075: ours('MSExchangeRepl', 'error', 'The inspector of %1 refused log %2 (attempt %3 of %4): %5.'),
  2080: ours(
    'MSExchangeRepl',
    'information',
    'The replication instance of %1 started; the copy holds logs through %2.',
  ),
  2081: ours('MSExchangeRepl', 'information', 'The replication instance of %1 stopped.'),
  2104: row('MSExchangeRepl', 'error', 'Log file action LogCopy failed for storage group %1. Reason: %2.'),
  2114: ours(
    'MSExchangeRepl',
    'information',
    'The replication instance of %1 has started copying logs; the first log copied was generation %2.',
  ),
  9001: ours('MSExchangeRepl', 'information', 'The copy of %1 was suspended: %2.'),
  9002: ours('MSExchangeRepl', 'information', 'The copy of %1 was resumed.'),
  9003: ours('MSExchangeRepl', 'information', 'Copy %2 of %1 was enrolled: it holds truncation from now on.'),
  9004: ours('MSExchangeRepl', 'information', 'Copy %2 of %1 was disabled: it no longer holds truncation.'),
  9005: ours('MSExchangeRepl', 'information', 'Storage group %1 was marked as backed up through log %2.'),
  9006: ours('MSExchangeRepl', 'warning', 'The inspector of %1 put log %2 into quarantine: %3.'),
  9007: ours('MSExchangeRepl', 'warning', 'Deleting log files of %1 failed: %2. It will be tried again.'),
  9008: ours(
    'MSExchangeRepl',
    'warning',
    'The replayer of %1 set log %2 aside, which was sound when it was inspected; it is copied again (attempt %3 of %4).',
  ),
  9020: ours(
    'MSExchangeRepl',
    'warning',
    'The logs of %1 were restored on the source, whose newest log is now %2. The copy goes on waiting for log %3 and copies nothing until it is suspended and resumed.',
  ),
  9021: ours(
    'MSExchangeRepl',
    'information',
    'The logs of %1 were restored; the newest closed log is %2. None is truncated before every copy was suspended and resumed.',
  ),
  9030: ours(
    'MSExchangeRepl',
    'warning',
    'Logs %2 to %3 of the copy of %1 are other ones than those of its source, and nothing of them is in its database: they are set aside, and those of the source are copied in their place (incremental reseed).',
  ),
  [SHADOW_FREEZE_STARTED]: ours('ESE', 'information', '%1: Shadow copy %2: the freeze has started.'),
  9022: ours('MSExchangeRepl', 'warning', 'Seed %2 of a copy of %1 was given up by its source: %3.'),
  9023: ours('MSExchangeRepl', 'information', 'The seeding of the copy of %1 has begun.'),
  9024: ours(
    'MSExchangeRepl',
    'information',
    'The seeding of the copy of %1 has completed; its database needs the logs %2 to %3.',
  ),
  9025: ours('MSExchangeRepl', 'error', 'The seeding of the copy of %1 has failed: %2. The copy stays suspended.'),
}

/** The number that people see: two events of different sources may share one. */
export function eventNumber(id: EventId): number {
  return id % 1_000_000
}

/** The text of an event with its values in place. */
export function eventText(id: EventId, storageGroup: string, values: readonly (string | number)[]): string {
  const all = [storageGroup, ...values]
  return EVENT_CATALOGUE[id].text.replace(/%(\d)/g, (_, digit: string) => String(all[Number(digit) - 1] ?? ''))
}

/** Number and wording as Exchange or the ESE engine have them. */
function row(source: EventSource, level: EventLevel, text: string): CatalogueEvent {
  return { source, level, text, invented: false }
}

/** Exchange's number with our wording, or a number of our own. */
function ours(source: EventSource, level: EventLevel, text: string): CatalogueEvent {
  return { source, level, text, invented: true }
}
