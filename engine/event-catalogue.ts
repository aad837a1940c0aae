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

/** The numbers that this engine raises. Source: event lists of Exchange 2007 and of the ESE engine. */
export type EventId =
  | 102
  | 103
  | 104
  | 224
  | 225
  | 227
  | 300
  | 302
  | 325
  | 326
  | 327
  | 399
  | 452
  | 454
  | 465
  | 474
  | 494
  | 516
  | 517
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

/** Every event by its number. Rows marked as invented say so in `ccr explain` too. */
export const EVENT_CATALOGUE: Readonly<Record<EventId, CatalogueEvent>> = {
  102: ours('ESE', 'information', '%1: The database engine started a new instance.'),
  103: ours('ESE', 'information', '%1: The database engine stopped the instance.'),
  104: ours('ESE', 'error', '%1: The database engine stopped the instance with an error: %2.'),
  224: row('ESE', 'information', '%1: Deleting log files %2 to %3.'),
  225: row('ESE', 'information', '%1: No log files can be truncated.'),
  227: ours('ESE', 'warning', '%1: %2 log files were already missing when log files %3 to %4 were deleted.'),
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
  465: ours('ESE', 'error', '%1: Log %2 is corrupt and cannot be replayed, error %3: %4.'),
  474: ours('ESE', 'error', '%1: A page of the database failed verification at log %2, error %3: %4.'),
  494: ours('ESE', 'error', '%1: The database does not belong to its logs. Log %2, error %3: %4.'),
  516: ours('ESE', 'error', '%1: A page of the database and log %2 have different histories, error %3: %4.'),
  517: ours('ESE', 'error', '%1: The database was last consistent at another time than log %2 says, error %3: %4.'),
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
