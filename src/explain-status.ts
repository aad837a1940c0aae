/** What a value of SummaryCopyStatus means, why it is shown, and what to do. */
export interface StatusExplanation {
  readonly meaning: string
  readonly causes: string
  readonly cure: string
}

/** Every value of SummaryCopyStatus in falling precedence. Source: Microsoft aa997676, and the states of SP1. */
export const STATUS_VALUES: Readonly<Record<string, StatusExplanation>> = {
  NotSupported: row(
    'The configuration cannot have a copy.',
    'A storage group with more than one database, for example.',
    'Change the configuration.',
  ),
  Disabled: row(
    'No copy is configured.',
    'The copy was never set up, or was disabled.',
    'Start one with ccr copy URL STORE.',
  ),
  NotConfigured: row(
    'The copy is only partly configured.',
    'A path or the source is missing.',
    'Complete the configuration.',
  ),
  ServiceDown: row(
    'The service that holds the copy does not answer.',
    'It is not running, or cannot be reached.',
    'Start ccr copy, or check --server.',
  ),
  Seeding: row('The database is being copied whole.', 'An operator asked for it.', 'Wait.'),
  Failed: row(
    'The copy cannot go on.',
    'A log failed inspection three times, is missing on the source, belongs to another stream, the database has diverged or is damaged, or a disk fails. FailedMessage says which. With copy.release rtm a log that is missing or cannot be replayed is tried again for ever: Failed and Healthy in turns, with waits from 1 s to 30 s.',
    'Remove the cause. Faults of disks and networks heal by themselves; a database that has diverged or is damaged needs a seed; for the others run ccr suspend SG, then ccr resume SG, which checks the copy again.',
  ),
  Suspended: row(
    'An operator stopped copying and replay. No I/O touches the copy, and the source keeps every log the copy has not processed.',
    'ccr suspend, also long ago: it survives restarts. SuspendComment says why.',
    'ccr resume SG.',
  ),
  Resynchronizing: row(
    'The copy is compared with what lies on its disk and on its source.',
    'The service started, the copy was resumed, or a fault is over. With copy.release rtm it is called Healthy.',
    'Wait; a large directory takes a second.',
  ),
  Initializing: row(
    'No log was inspected since the copy started, so nothing is proved yet.',
    'Usual after a start or a resume. It stays so as long as the source closes no log or cannot be reached. With copy.release rtm it is called Healthy.',
    'Wait for the next closed log; if the source is busy, check that it can be reached.',
  ),
  Healthy: row(
    'Nothing is blocked: closed logs are copied, inspected and, where there is a database, replayed as they come.',
    'All is well. With copy.release rtm perhaps not: a copy that initialises is called so, an idle one whatever is wrong until a log is to be replayed, and one that was Failed and is tried again. Remark says what is hidden.',
    'Nothing. Watch CopyQueueLength and ReplayQueueLength for whether the copy keeps up; with rtm both grow while Failed and Healthy alternate.',
  ),
}

function row(meaning: string, causes: string, cure: string): StatusExplanation {
  return { meaning, causes, cure }
}
